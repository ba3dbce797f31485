/**
 * How fast simulated time passes.
 *
 * - messages: five nodes enter a Ricart–Agrawala lock again and again; what is delivered per second of wall time, with
 *   the card's properties watched. Once with programs that call `withLock`, once with actors that answer their own
 *   events, as the floor does: the same handlers over a bare heap of messages.
 * - idle: an hour of virtual time of five nodes that keep a bully leader, in milliseconds of wall time.
 * - memory: 1,000 nodes elect a bully leader, in a process of their own; its peak resident set, and that of a process
 *   which has loaded the same modules only.
 *
 *     node --conditions=@troupe/source packages/simulation/bench/simulation.bench.ts [--json] [--rounds 5]
 */
import { Actor, type Protocol } from "@troupe/actor"
import { Bully } from "@troupe/election"
import { Mutex, RicartAgrawala } from "@troupe/mutex"
import { Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Effect, Layer, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const {
  json,
  role,
  rounds: given
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    role: { type: "string", default: "main" }
  }
}).values
const rounds = Number(given)

const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `n${at + 1}`)

const entriesPerNode = 20_000

const name = `${RicartAgrawala.protocol.name}/bench`

const ricartAgrawala = (program: Effect.Effect<unknown, unknown, Transport | Scope.Scope>) =>
  Simulation.run({
    seed: 1,
    nodes: nodesOf(5),
    duration: "1 day",
    properties: Simulation.fromCard(RicartAgrawala.card, name),
    program: () => program
  })

const programs = Effect.flatMap(Layer.build(RicartAgrawala.layer({ resource: "bench" })), (context) =>
  Effect.gen(function* () {
    const mutex = yield* Mutex
    for (let i = 0; i < entriesPerNode; i++) yield* mutex.withLock(() => Effect.void)
  }).pipe(Effect.provide(context))
)

const actors = Effect.map(Actor.spawn(RicartAgrawala.protocol, { name }), (actor) => {
  let left = entriesPerNode
  actor.subscribe(() => {
    actor.tell({ _tag: "Release" })
    if (--left > 0) actor.tell({ _tag: "Acquire" })
  })
  actor.tell({ _tag: "Acquire" })
})

const bully = (nodes: number, duration: "1 hour" | "10 seconds") =>
  Simulation.run({ seed: 1, nodes: nodesOf(nodes), duration, program: () => Layer.build(Bully.layer()) })

interface InFlight {
  readonly at: number
  readonly to: number
  readonly from: string
  readonly message: RicartAgrawala.Message
}

const push = (heap: Array<InFlight>, item: InFlight): void => {
  let at = heap.push(item) - 1
  for (; at > 0 && heap[(at - 1) >> 1]!.at > item.at; at = (at - 1) >> 1) heap[at] = heap[(at - 1) >> 1]!
  heap[at] = item
}

const pop = (heap: Array<InFlight>): InFlight | undefined => {
  const first = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return first
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++
    if (heap[child]!.at >= last.at) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}

/** The same entries: handlers, a heap, delays of 1 to 10 ms in order of sending, and nothing else. */
const floor = (): number => {
  const { protocol } = RicartAgrawala
  const nodes = nodesOf(5)
  const heap: Array<InFlight> = []
  const lastArrival = new Float64Array(25)
  const left = nodes.map(() => entriesPerNode)
  const acquired: Array<number> = []
  let now = 0
  const acts = nodes.map((id, index): Protocol.Actions<RicartAgrawala.Message, RicartAgrawala.Event, never, void> => {
    const send = (to: string, message: RicartAgrawala.Message): void => {
      const target = nodes.indexOf(to)
      const link = index * 5 + target
      const at = Math.max(lastArrival[link]! + 1, now + 1e6 + Math.floor(Math.random() * 9e6))
      lastArrival[link] = at
      push(heap, { at, to: target, from: id, message })
    }
    return {
      self: { id, nodes, peers: nodes.filter((node) => node !== id), options: undefined },
      send,
      sendAll: (all, message) => all.forEach((to) => send(to, message)),
      setTimer: () => {},
      clearTimer: () => {},
      emit: () => void acquired.push(index),
      now: () => now,
      monotonic: () => now,
      random: () => 0
    }
  })
  const states = acts.map(({ self }) => protocol.init(self))
  const tell = (index: number, command: RicartAgrawala.Command): void => {
    states[index] = protocol.onCommand(states[index]!, command, acts[index]!)
  }
  let delivered = 0
  nodes.forEach((_, index) => tell(index, { _tag: "Acquire" }))
  for (let next = pop(heap); next !== undefined; next = pop(heap)) {
    now = next.at
    states[next.to] = protocol.onMessage(states[next.to]!, next.from, next.message, acts[next.to]!)
    delivered++
    for (let index = acquired.pop(); index !== undefined; index = acquired.pop()) {
      tell(index, { _tag: "Release" })
      if (--left[index]! > 0) tell(index, { _tag: "Acquire" })
    }
  }
  return delivered
}

const timed = async <A>(run: () => Promise<A> | A): Promise<{ readonly value: A; readonly millis: number }> => {
  globalThis.gc?.()
  const start = performance.now()
  const value = await run()
  return { value, millis: performance.now() - start }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const peakMegabytes = (what: "memory" | "modules"): number => {
  const options = ["--conditions=@troupe/source", fileURLToPath(import.meta.url), "--role", what]
  return Number(spawnSync(process.execPath, options, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).stdout)
}

const main = async () => {
  const simulated: Array<number> = []
  const byEvents: Array<number> = []
  const bare: Array<number> = []
  const idle: Array<number> = []
  for (let round = -1; round < rounds; round++) {
    const run = await timed(() => Effect.runPromise(ricartAgrawala(programs)))
    const events = await timed(() => Effect.runPromise(ricartAgrawala(actors)))
    const floored = await timed(floor)
    const hour = await timed(() => Effect.runPromise(bully(5, "1 hour")))
    for (const { value } of [run, events]) {
      if (floored.value !== value.counts.delivered) throw new Error("the floor did other work than the simulator")
    }
    if (round < 0) continue
    simulated.push(run.value.counts.delivered / run.millis / 1000)
    byEvents.push(events.value.counts.delivered / events.millis / 1000)
    bare.push(floored.value / floored.millis / 1000)
    idle.push(hour.millis)
  }
  const report = {
    rounds,
    "Ricart–Agrawala, five nodes: million delivered messages/s": {
      "programs with withLock": digits(median(simulated)),
      "actors alone": digits(median(byEvents)),
      floor: digits(median(bare)),
      "ratio, actors alone": digits(median(byEvents.map((value, round) => value / bare[round]!))),
      goal: 1
    },
    "an idle hour of a five-node bully cluster: ms": { simulation: digits(median(idle)), goal: 1000 },
    "a 1,000-node bully cluster: MB of peak resident set": {
      simulation: digits(peakMegabytes("memory")),
      floor: digits(peakMegabytes("modules")),
      goal: 500
    }
  }
  console.log(json ? JSON.stringify(report) : report)
}

if (role === "main") await main()
else {
  if (role === "memory") await Effect.runPromise(bully(1000, "10 seconds"))
  console.log(process.resourceUsage().maxRSS / 1024)
}
