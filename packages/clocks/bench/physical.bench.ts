/**
 * Physical clocks: whether the true time is ever excluded, how near clocks come to it beside the bound that is stated, and
 * what a reading, a selection and a stamp cost.
 *
 *     node --conditions=@troupe/source packages/clocks/bench/physical.bench.ts [--json] [--seeds 10000] [--rounds 7]
 *
 * Each seed is a simulated world of skew up to 500 ms, 200 ppm of drift, jumps, loss and duplication, of 4 seconds: one
 * client and one server for Cristian's algorithm, four servers of which one lies for NTP, five nodes for Berkeley's. A
 * node looks at its clocks four times a second.
 */
import { Berkeley, Cristian, IntervalClock, NodeClock, Ntp } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { parseArgs } from "node:util"
import { overlap } from "../src/internal/physical/selection.ts"
import { excluding, type Setup, skewed, trueMillis, watch } from "../test/physicalSupport.ts"

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

const faults = { ...Faults.lossy, ...skewed }
const clock = { slewPpmMax: 400_000 }

/** Over all seeds: every look of the clients at their clocks. */
const precision = async (count: number, setup: (seed: number) => Omit<Setup, "seed" | "faults" | "clock">) => {
  const offsets: Array<number> = []
  const bounds: Array<number> = []
  let looks = 0
  let excluded = 0
  const start = performance.now()
  for (let seed = 1; seed <= count; seed++) {
    const options = setup(seed)
    const { of } = await Effect.runPromise(watch({ seed, faults, clock, duration: "4 seconds", ...options }))
    const sights = options.clients.flatMap(of)
    excluded += excluding(sights).length
    for (const { atMillis, interval, offsetMillis } of sights) {
      if (interval === undefined) continue
      looks++
      // By then a skew of half a second is made up, even if a round was lost.
      if (atMillis < 3_000) continue
      offsets.push(Math.abs(offsetMillis))
      bounds.push((interval.latest - interval.earliest) / 2)
    }
  }
  return {
    seeds: count,
    looks,
    trueTimeExcluded: excluded,
    intervalHalfWidthMillis: {
      p50: digits(median(bounds)),
      p99: digits(at(bounds, 0.99)),
      worst: digits(at(bounds, 1))
    },
    nodeClockErrorMillis: {
      p50: digits(median(offsets)),
      p99: digits(at(offsets, 0.99)),
      worst: digits(at(offsets, 1))
    },
    seconds: digits((performance.now() - start) / 1_000)
  }
}

const poll = { poll: "1 second", timeout: "200 millis" } as const
const servers = ["s1", "s2", "s3", "s4"]

const cristian = await precision(seeds, () => ({
  servers: ["s1"],
  clients: ["c1"],
  source: Cristian.layer({ servers: ["s1"], samples: 3, ...poll })
}))

const ntp = await precision(Math.ceil(seeds / 10), (seed) => ({
  servers,
  clients: ["c1"],
  lies: { [servers[seed % 4]!]: (seed % 2 === 0 ? 1_000 : 0.02) * ((seed % 1_001) - 500) },
  source: Ntp.layer({ servers, ...poll })
}))

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
for (let seed = 1; seed <= Math.ceil(seeds / 10); seed++) spreads.push(...(await spreadOf(seed)))
const berkeley = {
  seeds: Math.ceil(seeds / 10),
  /** Two readings, each off by RTT/2 − 1 ms of delays of 1 to 10 ms, and drift of 1.2 seconds at 2 × 200 ppm. */
  boundMillis: digits(2 * (10 - 1) + 1.2 * 0.4),
  spreadMillis: { p50: digits(median(spreads)), p99: digits(at(spreads, 0.99)), worst: digits(at(spreads, 1)) }
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
  delays: "1 to 10 ms each way",
  cristian,
  ntp,
  berkeley,
  unit: "million operations/s, medians",
  rounds,
  ...Object.fromEntries([...speeds].map(([name, all]) => [name, digits(median(all))]))
}
console.log(given.json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
