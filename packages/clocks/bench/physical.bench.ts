/**
 * Physical clocks: whether the true time is ever excluded, how near clocks come to it beside the bound that is stated, and
 * what a reading and a selection cost.
 *
 *     node --conditions=@troupe/source packages/clocks/bench/physical.bench.ts [--json] [--seeds 10000] [--rounds 7]
 *
 * Each seed is a simulated world of skew up to 500 ms, 200 ppm of drift, jumps, lost and doubled messages: one client and
 * one server for Cristian's algorithm, four servers of which one lies for NTP (a tenth of the seeds), five nodes for
 * Berkeley's (a tenth). Where it is about the bounds, nodes also crash and stand still, networks split, and delays differ by
 * direction. A node looks at its clocks four times a second.
 */
import { Berkeley, Cristian, IntervalClock, NodeClock, Ntp } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { parseArgs } from "node:util"
import { overlap } from "../src/internal/physical/selection.ts"
import { excluding, type Setup, type Sight, skewed, trueMillis, watch } from "../test/physicalSupport.ts"

const given = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seeds: { type: "string", default: "10000" },
    rounds: { type: "string", default: "7" }
  }
}).values
const seeds = Number(given.seeds)
const rounds = Number(given.rounds)

const digits = (value: number): number => Number(value.toPrecision(3))
const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const at = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

// ------------------------------------------------------------------------------------------------------------ precision

const settled = { ...Faults.lossy, ...skewed }
const wild = { ...Faults.chaos, pausesPerMinute: 20, ...skewed }
const clock = { slewPpmMax: 400_000 }

type World = Omit<Setup, "seed" | "clock">

/** What the clients of all seeds saw of their clocks, from `fromMillis` on. */
const sightsOf = async (count: number, world: (seed: number) => World, fromMillis = 0) => {
  const seen: Array<Sight & { readonly interval: NonNullable<Sight["interval"]> }> = []
  for (let seed = 1; seed <= count; seed++) {
    const options = world(seed)
    const { of } = await Effect.runPromise(watch({ seed, clock, duration: "4 seconds", ...options }))
    for (const sight of options.clients.flatMap(of)) {
      const { interval } = sight
      if (interval !== undefined && sight.atMillis >= fromMillis) seen.push({ ...sight, interval })
    }
  }
  return seen
}

const bounds = async (count: number, world: (seed: number) => World) => {
  const seen = await sightsOf(count, world)
  return { seeds: count, looks: seen.length, trueTimeExcluded: excluding(seen).length }
}

const spreadOver = (values: ReadonlyArray<number>) => ({
  p50: digits(median(values)),
  p99: digits(at(values, 0.99)),
  worst: digits(at(values, 1))
})

const precision = async (count: number, world: (seed: number) => World) => {
  // By then a skew of half a second is made up, even if a round was lost.
  const seen = await sightsOf(count, world, 3_000)
  return {
    seeds: count,
    intervalHalfWidthMillis: spreadOver(seen.map(({ interval: { earliest, latest } }) => (latest - earliest) / 2)),
    nodeClockErrorMillis: spreadOver(seen.map(({ offsetMillis }) => Math.abs(offsetMillis)))
  }
}

const poll = { poll: "1 second", timeout: "200 millis", serverError: 0 } as const
const servers = ["s1", "s2", "s3", "s4"]

const tenth = Math.ceil(seeds / 10)

const cristian = (): World => ({
  servers: ["s1"],
  clients: ["c1"],
  source: Cristian.layer({ servers: ["s1"], samples: 3, ...poll }),
  faults: settled
})

const ntp = (seed: number): World => ({
  servers,
  clients: ["c1"],
  // Half of the lies are gross, half as small as the bounds.
  lies: { [servers[seed % 4]!]: (seed % 2 === 0 ? 1 : 0.02) * ((seed % 1_001) - 500) },
  source: Ntp.layer({ servers, ...poll }),
  faults: settled
})

/** The way back takes up to 30 ms, the way there up to 4. */
const lopsided = (seed: number): World => ({
  ...cristian(),
  faults: wild,
  delays: (from) => (from === "s1" ? { minMillis: seed % 7, maxMillis: 30 } : { minMillis: 1, maxMillis: 4 })
})

/** How far apart the clocks of five nodes are in the last second, after two rounds. */
const spreadOf = async (seed: number): Promise<ReadonlyArray<number>> => {
  const offsets = new Map<string, number>()
  const spreads: Array<number> = []
  const leader = Effect.succeed(Stream.concat(Stream.make(Option.some({ id: "n5" })), Stream.never))
  const layer = Berkeley.layer({ leader, interval: "1 second", timeout: "200 millis", tolerance: "2 seconds" })
  await Effect.runPromise(
    Simulation.run({
      seed,
      nodes: ["n1", "n2", "n3", "n4", "n5"],
      faults: { ...skewed },
      duration: "6 seconds",
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(layer.pipe(Layer.provideMerge(NodeClock.layer(clock))))
          for (;;) {
            yield* Effect.sleep("250 millis")
            offsets.set(node, Context.get(context, NodeClock.NodeClock).nowUnsafe() - trueMillis())
            if (performance.now() < 5_000) continue
            spreads.push(Math.max(...offsets.values()) - Math.min(...offsets.values()))
          }
        })
    })
  )
  return spreads
}

const spreads: Array<number> = []
for (let seed = 1; seed <= tenth; seed++) spreads.push(...(await spreadOf(seed)))
const berkeley = {
  seeds: tenth,
  /** Two readings, each off by RTT/2 − 1 ms of delays of 1 to 10 ms, and drift of 1.2 seconds at 2 × 200 ppm. */
  boundMillis: digits(2 * (10 - 1) + 1.2 * 0.4),
  spreadMillis: spreadOver(spreads)
}

// ---------------------------------------------------------------------------------------------------------------- speed

const operations = 5_000_000

const slewing = NodeClock.adjusted(NodeClock.defaults, NodeClock.start(1e12, 0), 1e6, 0)
const estimate = { monotonicMillis: 0, timeMillis: 1e12, errorMillis: 3 }
const candidates = Array.from({ length: 8 }, (_, id) => ({ id, offsetMillis: id, distanceMillis: 6 + (id % 3) }))

const works: Readonly<Record<string, (count: number) => number>> = {
  floorAddition: (count) => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += 1e12 + i
    return sum
  },
  nodeClockReading: (count) => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += NodeClock.reading(NodeClock.defaults, slewing, i)
    return sum
  },
  intervalOfEstimate: (count) => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += IntervalClock.at(estimate, i, 200).latest
    return sum
  },
  overlapOfEightServers: (count) => {
    let sum = 0
    for (let i = 0; i < count / 50; i++) sum += overlap(candidates, 7)!.lowMillis
    return sum * 50
  }
}

const millionsPerSecond = (work: (count: number) => number): number => {
  const start = performance.now()
  if (!Number.isFinite(work(operations))) throw new Error("a clock is wrong")
  return operations / (performance.now() - start) / 1_000
}

const speeds = new Map(Object.keys(works).map((name) => [name, [] as Array<number>]))
// The first round warms up.
for (let round = -1; round < rounds; round++) {
  for (const [name, work] of Object.entries(works)) {
    const speed = millionsPerSecond(work)
    if (round >= 0) speeds.get(name)!.push(name.startsWith("overlap") ? speed / 50 : speed)
  }
}

const report = {
  benchmark: "physical clocks",
  delays: "1 to 10 ms each way, but for lopsided ones",
  bounds: {
    cristianLopsided: await bounds(seeds, lopsided),
    ntp: await bounds(tenth, (seed) => ({ ...ntp(seed), faults: wild }))
  },
  cristian: await precision(tenth, cristian),
  ntp: await precision(tenth, ntp),
  berkeley,
  unit: "million operations/s, medians",
  rounds,
  ...Object.fromEntries([...speeds].map(([name, all]) => [name, digits(median(all))]))
}
console.log(given.json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
