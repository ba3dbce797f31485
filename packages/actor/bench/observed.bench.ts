/**
 * What it costs to watch a system of actors, beside one that is not watched, in the same run.
 *
 *     node --expose-gc --conditions=@troupe/source packages/actor/bench/observed.bench.ts [--json] [--rounds 5]
 *
 * Rates are by the processor's time, so that what else the machine does tells less. Worlds take turns.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Observed } from "@troupe/actor"
import * as Inspector from "@troupe/actor/Inspector"
import { Effect, Layer, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const tells = 500_000
/** Told in one go. */
const burst = 50_000
const asks = 100_000
/** That one look goes through. */
const actors = 100_000

const Counter = Messages.make("counter", {
  Add: Messages.tell({ amount: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int })
})
type Counting = ActorRef<typeof Counter.definition>

const plain = Behavior.make(Counter, {
  init: () => 0,
  on: { Add: (sum, { amount }) => sum + amount, Sum: (sum) => ({ state: sum, reply: sum }) }
})
const effectful = Behavior.effect(Counter, {
  init: () => Effect.succeed(0),
  on: {
    Add: (sum, { amount }) => Effect.sync(() => sum + amount),
    Sum: (sum) => Effect.sync(() => ({ state: sum, reply: sum }))
  }
})

const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

const rate = <E>(count: number, work: Effect.Effect<number, E>): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const start = cpuSeconds()
    const done = yield* work
    const seconds = cpuSeconds() - start
    if (done !== count) return yield* Effect.die(new Error(`${done} were done of ${count}: that is no rate`))
    return count / seconds
  })

const telling = (ref: Counting): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    const before = yield* ref.ask({ _tag: "Sum" })
    for (let told = 0; told < tells; told += burst) {
      for (let i = 0; i < burst; i++) ref.tell({ _tag: "Add", amount: 1 })
      yield* ref.ask({ _tag: "Sum" })
    }
    return (yield* ref.ask({ _tag: "Sum" })) - before
  })

const asking = (ref: Counting): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    let answered = 0
    for (; answered < asks; answered++) yield* ref.ask({ _tag: "Sum" })
    return answered
  })

const worlds: Readonly<Record<string, Observed.Options | undefined>> = {
  "not observed": undefined,
  observed: {},
  "one in a hundred traced": { sample: 0.01 },
  "all traced": { sample: 1 },
  "times taken": { times: true }
}

const found = new Map<string, Array<number>>()
const note = (what: string, value: number): void => void found.set(what, [...(found.get(what) ?? []), value])

const trial = (world: string, isCounted: boolean) =>
  Effect.gen(function* () {
    for (const [kind, behavior] of Object.entries({ plain, Effect: effectful })) {
      const ref = yield* ActorSystem.spawn(behavior)
      const perSecond = { tell: yield* rate(tells, telling(ref)), ask: yield* rate(asks, asking(ref)) }
      if (!isCounted) continue
      note(`tell, ${kind} handlers, ${world}`, perSecond.tell / 1e6)
      note(`ask, ${kind} handlers, ${world}`, perSecond.ask / 1e6)
    }
  })

/** Milliseconds of one look at many actors, through the inspector, and of the page of metrics. */
const looking = Effect.gen(function* () {
  const system = yield* ActorSystem.ActorSystem
  for (let i = 0; i < actors; i++) yield* system.spawn(plain)
  const { url } = yield* Inspector.Inspector
  for (let round = -1; round < rounds; round++) {
    for (const path of ["/system", "/metrics"]) {
      const start = cpuSeconds()
      yield* Effect.promise(async () => (await fetch(`${url}${path}`)).text())
      if (round >= 0) note(`ms, ${path} of ${actors} actors`, (cpuSeconds() - start) * 1000)
    }
  }
})

const layerOf = (options: Observed.Options | undefined) =>
  Layer.provide(ActorSystem.layer(), options === undefined ? Layer.empty : Observed.layer(options))

const program = Effect.gen(function* () {
  for (let round = -1; round < rounds; round++) {
    for (const [world, options] of Object.entries(worlds)) {
      yield* Effect.provide(trial(world, round >= 0), Layer.fresh(layerOf(options)))
    }
  }
  const inspected = yield* Layer.build(Layer.provideMerge(Inspector.layer({ port: 0 }), layerOf({})))
  yield* Effect.provide(looking, inspected)
})

await Effect.runPromise(Effect.scoped(program))
const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const figures = Object.fromEntries([...found].map(([what, values]) => [what, Number(median(values).toPrecision(3))]))
const report = {
  benchmark: "actors that are observed",
  unit: "million a second of processor time, medians",
  rounds,
  ...figures
}
console.log(json ? JSON.stringify(report) : report)
