/**
 * What it costs to watch a system of actors, beside one that is not watched, in the same run.
 *
 *     node --expose-gc --conditions=@troupe/source packages/actor/bench/observed.bench.ts [--json] [--rounds 5]
 *
 * Rates are by the processor's time, so that what else the machine does tells less. Each world has a process, as in life: two
 * kinds of actors in one make the engine's work on either worse. Worlds take turns.
 */
import { ActorSystem, Observed } from "@troupe/actor"
import * as Inspector from "@troupe/actor/Inspector"
import { Effect, Layer } from "effect"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { asking, effectful, plain, telling } from "./counters.ts"

const {
  json,
  rounds: given,
  world
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    /** Of a process that measures one of them. */
    world: { type: "string" }
  }
}).values
const rounds = Number(given)

const tells = 500_000
/** So many that the few of them that are traced run as fast as they ever will. */
const asks = 400_000
/** That one look goes through. */
const actors = 100_000

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

const worlds: Readonly<Record<string, Observed.Options | undefined>> = {
  "not observed": undefined,
  observed: {},
  "one in a hundred traced": { sample: 0.01 },
  "all traced": { sample: 1 },
  "times taken": { times: true }
}

const layerOf = (options: Observed.Options | undefined) =>
  Layer.provide(ActorSystem.layer(), options === undefined ? Layer.empty : Observed.layer(options))

type Figures = Readonly<Record<string, number>>

/** The last of four goes: the engine takes its time with what runs now and then. */
const trial = (options: Observed.Options | undefined): Effect.Effect<Figures, unknown> =>
  Effect.gen(function* () {
    let figures: Figures = {}
    for (let go = 0; go < 4; go++) {
      figures = {}
      for (const [kind, behavior] of Object.entries({ plain, Effect: effectful })) {
        const ref = yield* ActorSystem.spawn(behavior)
        const tell = (yield* rate(tells, telling(ref, tells))) / 1e6
        const ask = (yield* rate(asks, asking(ref, asks))) / 1e6
        const within = (yield* rate(tells, Effect.withSpan(telling(ref, tells), "telling"))) / 1e6
        figures = {
          ...figures,
          [`tell, ${kind} handlers`]: tell,
          [`ask, ${kind} handlers`]: ask,
          [`tell within a span, ${kind} handlers`]: within
        }
      }
    }
    return figures
  }).pipe(Effect.provide(layerOf(options)))

/** Milliseconds of one look at many actors, through the inspector, and of the page of metrics. */
const looking: Effect.Effect<Figures, unknown> = Effect.gen(function* () {
  const system = yield* ActorSystem.ActorSystem
  for (let i = 0; i < actors; i++) yield* system.spawn(plain)
  const { url } = yield* Inspector.Inspector
  const figures: Record<string, number> = {}
  for (let go = 0; go < 4; go++) {
    for (const path of ["/system", "/metrics"]) {
      const start = cpuSeconds()
      yield* Effect.promise(async () => (await fetch(`${url}${path}`)).text())
      figures[`ms, ${path} of ${actors} actors`] = (cpuSeconds() - start) * 1000
    }
  }
  return figures
}).pipe(Effect.provide(Layer.provideMerge(Inspector.layer({ port: 0 }), layerOf({}))))

const measured = (world: string): Effect.Effect<Figures, unknown> =>
  world === "inspected" ? looking : trial(worlds[world])

const inProcess = (world: string): Figures =>
  JSON.parse(
    execFileSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), "--world", world], {
      encoding: "utf8"
    })
  ) as Figures

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const compare = (): void => {
  const found = new Map<string, Array<number>>()
  for (let round = 0; round < rounds; round++) {
    for (const world of [...Object.keys(worlds), "inspected"]) {
      for (const [what, value] of Object.entries(inProcess(world))) {
        const name = world === "inspected" ? what : `${what}, ${world}`
        found.set(name, [...(found.get(name) ?? []), value])
      }
    }
  }
  const figures = Object.fromEntries([...found].map(([what, values]) => [what, Number(median(values).toPrecision(3))]))
  const unit = "million a second of processor time, medians"
  const report = { benchmark: "actors that are observed", unit, rounds, ...figures }
  console.log(json ? JSON.stringify(report) : report)
}

if (world === undefined) compare()
else console.log(JSON.stringify(await Effect.runPromise(measured(world))))
