/**
 * Three handlers under three dispatchers, beside the handlers called without any server by as many clients.
 *
 *     node --conditions=@troupe/source packages/actor/bench/servers.bench.ts [--json] [--rounds 3] [--threads 2]
 *
 * Each of so many clients asks, and asks again when it has its answer. A rate is of answers that were right: where they are
 * not as many as were intended, there is none.
 */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { type ActorRef, ActorSystem, Server } from "@troupe/actor"
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { compute, handlers, Work } from "./servers.ts"

const values = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" }
  }
}).values
const rounds = Number(values.rounds)
const threads = Number(values.threads)

const clients = 32
const inFlight = 1_024
const millis = 5

/** Turns of the loop that take so long on a core of this machine. */
const calibrated = (): number => {
  const turns = 1_000_000
  const times = Array.from({ length: 30 }, () => {
    const start = performance.now()
    compute(turns)
    return performance.now() - start
  })
  return Math.round((turns * millis) / times.toSorted((a, b) => a - b)[10]!)
}

type Servant = Pick<ActorRef<typeof Work.definition>, "ask">
type Asking = Effect.Effect<boolean, unknown>

const turns = calibrated()
const expected = compute(turns)

const works: ReadonlyArray<readonly [string, number, (to: Servant) => Asking]> = [
  [
    `computes ${millis} ms`,
    200,
    (to) => Effect.map(to.ask({ _tag: "Compute", turns }, { timeout: Infinity }), (sum) => sum === expected)
  ],
  [
    `waits ${millis} ms`,
    300,
    (to) => Effect.map(to.ask({ _tag: "Wait", millis }, { timeout: Infinity }), (waited) => waited === millis)
  ],
  [
    "adds two numbers",
    20_000,
    (to) => Effect.map(to.ask({ _tag: "Add", a: 2, b: 3 }, { timeout: Infinity }), (sum) => sum === 5)
  ]
]

/** No server: the handlers, called. */
const none: Servant = {
  ask: (message: { readonly _tag: keyof typeof handlers }) => handlers[message._tag](message as never)
} as never

const spawn = (number: number): Worker =>
  new Worker(new URL("./servers.worker.ts", import.meta.url), {
    name: `${number}`,
    execArgv: ["--conditions=@troupe/source"]
  })

const servers = Effect.gen(function* () {
  const dispatchers = [
    ["single-threaded", Server.make(Work, { on: handlers, dispatcher: Server.singleThreaded })],
    ["event loop", Server.make(Work, { on: handlers, dispatcher: Server.eventLoop({ inFlight }) })],
    ["multi-threaded", Server.make(Work, { dispatcher: Server.multiThreaded({ threads, spawn }) })]
  ] as const
  const spawned = yield* Effect.forEach(dispatchers, ([name, behavior]) =>
    Effect.map(ActorSystem.spawn(behavior), (ref) => [name, ref as Servant] as const)
  )
  return [...spawned, ["no server", none] as const]
})

interface Figures {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

const measured = (count: number, ask: Asking): Effect.Effect<Figures, unknown> =>
  Effect.gen(function* () {
    const times: Array<number> = []
    let left = count
    let right = 0
    const client = Effect.gen(function* () {
      while (left-- > 0) {
        const start = performance.now()
        // All clients are ready before the first one is answered.
        yield* Effect.yieldNow
        if (yield* ask) right++
        times.push(performance.now() - start)
      }
    })
    const start = performance.now()
    yield* Effect.all(
      Array.from({ length: clients }, () => client),
      { concurrency: "unbounded" }
    )
    const seconds = (performance.now() - start) / 1000
    if (right !== count) return yield* Effect.die(new Error(`${right} were right of ${count}: that is no rate`))
    times.sort((a, b) => a - b)
    const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!
    return { perSecond: count / seconds, p50: at(0.5), p99: at(0.99) }
  })

const program = Effect.gen(function* () {
  const found = new Map<string, Array<Figures>>()
  const all = yield* servers
  // Interleaved, so that what else the machine does befalls all of them; the first round starts threads and compiles.
  for (let round = -1; round < rounds; round++) {
    for (const [what, count, asking] of works) {
      for (const [name, servant] of all) {
        const figures = yield* measured(count, asking(servant))
        const key = `${what}, ${name}`
        if (round >= 0) found.set(key, [...(found.get(key) ?? []), figures])
      }
    }
  }
  return found
})

const found = await Effect.runPromise(
  Effect.scoped(program).pipe(Effect.provide([ActorSystem.layer(), NodeWorker.layerPlatform]))
)

const median = (values: ReadonlyArray<number>): number =>
  Number(values.toSorted((a, b) => a - b)[values.length >> 1]!.toPrecision(3))

const figures = Object.fromEntries(
  [...found].map(([what, each]) => [
    what,
    {
      "a second": median(each.map(({ perSecond }) => perSecond)),
      "p50, ms": median(each.map(({ p50 }) => p50)),
      "p99, ms": median(each.map(({ p99 }) => p99))
    }
  ])
)
const report = { benchmark: "three server models", clients, threads, inFlight, rounds, figures }
if (values.json) console.log(JSON.stringify(report))
else {
  console.log(`${clients} clients, ${threads} threads, ${inFlight} in flight; medians of ${rounds} rounds`)
  console.table(figures)
}
