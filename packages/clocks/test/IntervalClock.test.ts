import { Cristian, type Estimate, IntervalClock, NodeClock, Ntp, TimeSource } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Queue, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { excluding, serverClock, skewed, trueMillis, watch } from "./physicalSupport.ts"

const { at, make, narrowed } = IntervalClock
const estimate: Estimate = { monotonicMillis: 0, timeMillis: 1_000, errorMillis: 3 }

describe("an interval", () => {
  it("is not made of an earliest time after the latest", () => {
    expect(make(1, 1)).toEqual({ earliest: 1, latest: 1 })
    for (const [earliest, latest] of [
      [2, 1],
      [NaN, 1],
      [1, NaN],
      [-Infinity, 1],
      [1, Infinity]
    ] as const) {
      expect(() => make(earliest, latest)).toThrow(IntervalClock.InvalidInterval)
    }
    const decode = Schema.decodeUnknownExit(IntervalClock.Interval)
    expect(decode({ earliest: 1, latest: 2 })._tag).toBe("Success")
    expect(String(decode({ earliest: 3, latest: 2 }))).toContain("earliest, 3, is after latest, 2")
    // @ts-expect-error What was not checked has another type.
    const unchecked: IntervalClock.Interval = { earliest: 3, latest: 2 }
    expect(unchecked.earliest).toBe(3)
  })

  it("grows with the age of what is known, by 200 ppm on each side (TrueTime's applied drift rate)", () => {
    const width = (millis: number): number => {
      const { earliest, latest } = at(estimate, millis, 200)
      return latest - earliest
    }
    expect(width(0)).toBeCloseTo(6, 2)
    expect(width(30_000)).toBeCloseTo(6 + 2 * 6, 1)
  })

  it("is narrowed by what is learned: what both estimates hold possible", () => {
    const later = { monotonicMillis: 10_000, timeMillis: 11_006, errorMillis: 2 }
    const { errorMillis, timeMillis } = narrowed(estimate, later, 200)
    // 10,995 to 11,005, and 11,004 to 11,008.
    expect([timeMillis, errorMillis].map((value) => Math.round(value * 10) / 10)).toEqual([11_004.5, 0.5])
  })

  it("where two estimates contradict each other, the later counts", () => {
    const later = { monotonicMillis: 10_000, timeMillis: 12_000, errorMillis: 2 }
    expect(narrowed(estimate, later, 200)).toBe(later)
  })
})

/** A source that the test tells what it learns. */
const told = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<Estimate>()
  const source = { self: "n1", latest: Effect.succeed(Option.none<Estimate>()), changes: Stream.fromQueue(queue) }
  const layer = IntervalClock.layer().pipe(Layer.provide(Layer.succeed(TimeSource, source)))
  return { clock: Context.get(yield* Layer.build(layer), IntervalClock.IntervalClock), queue }
})

describe("the service", () => {
  it.effect("says that it is not synchronised before the first estimate", () =>
    Effect.gen(function* () {
      const { clock } = yield* told
      for (const use of [clock.now, clock.after(0), clock.before(0), clock.commitWait(make(0, 0))]) {
        const error = yield* Effect.flip<unknown, IntervalClock.NotSynchronised, never>(use)
        expect(error).toMatchObject({ _tag: "NotSynchronised", node: "n1" })
        expect(error.message).toContain("no server has answered")
      }
    })
  )

  it.effect("knows what its source knows as soon as that does", () =>
    Effect.gen(function* () {
      const source = { self: "n1", latest: Effect.succeedSome(estimate), changes: Stream.never }
      const layer = IntervalClock.layer().pipe(Layer.provide(Layer.succeed(TimeSource, source)))
      const clock = Context.get(yield* Layer.build(layer), IntervalClock.IntervalClock)
      expect((yield* clock.now).earliest).toBeCloseTo(997, 2)
    })
  )

  it.effect("after and before are sure, or false", () =>
    Effect.gen(function* () {
      const { clock, queue } = yield* told
      yield* Queue.offer(queue, estimate)
      yield* TestClock.adjust("10 seconds")
      // 10,995 to 11,005.
      expect(yield* Effect.all([clock.after(10_994), clock.after(10_996), clock.after(11_006)])).toEqual([
        true,
        false,
        false
      ])
      expect(yield* Effect.all([clock.before(10_994), clock.before(11_004), clock.before(11_006)])).toEqual([
        false,
        false,
        true
      ])
    })
  )

  it.effect("refuses a drift that is none", () =>
    Effect.gen(function* () {
      const source = { self: "n1", latest: Effect.succeedNone, changes: Stream.never }
      for (const driftPpmMax of [-1, NaN, 100_001]) {
        const layer = IntervalClock.layer({ driftPpmMax }).pipe(Layer.provide(Layer.succeed(TimeSource, source)))
        expect(yield* Effect.flip(Layer.build(layer))).toMatchObject({ _tag: "InvalidClockOptions" })
      }
    })
  )
})

const cristian = Cristian.layer({
  servers: ["s1"],
  poll: "1 second",
  samples: 2,
  timeout: "200 millis",
  serverError: 0
})

describe("commit wait (Corbett et al. 2012, section 4.1.2)", () => {
  it.live("ends when the latest time at its call is past for sure, on every node, after about twice the error", () =>
    Effect.gen(function* () {
      const waits: Array<{ latest: number; endedAt: number; tookMillis: number; width: number }> = []
      for (let seed = 1; seed <= 50; seed++) {
        const { violations } = yield* Simulation.run({
          seed,
          nodes: ["c1", "s1"],
          faults: skewed,
          duration: "6 seconds",
          program: (node) =>
            Effect.gen(function* () {
              const layer = IntervalClock.layer().pipe(
                Layer.provide(cristian),
                Layer.provide(node === "s1" ? serverClock() : NodeClock.layer())
              )
              const clock = Context.get(yield* Layer.build(layer), IntervalClock.IntervalClock)
              yield* Effect.sleep("2 seconds")
              const interval = yield* clock.now
              const begin = trueMillis()
              yield* clock.commitWait(interval)
              const { earliest, latest } = interval
              waits.push({ latest, endedAt: trueMillis(), tookMillis: trueMillis() - begin, width: latest - earliest })
              expect((yield* clock.now).earliest).toBeGreaterThan(latest)
            })
        })
        expect(violations).toEqual([])
      }
      expect(waits).toHaveLength(100)
      for (const { endedAt, latest, tookMillis, width } of waits) {
        expect(endedAt).toBeGreaterThan(latest)
        expect(tookMillis).toBeLessThan(width * 1.01 + 0.1)
      }
    })
  )
})

describe("true time is never excluded", () => {
  it.live(
    "seeds 1..1000, Cristian: skew, 200 ppm of drift, jumps, loss, pauses, crashes, asymmetric delay; the rest to 10,000 in the bench",
    () =>
      Effect.gen(function* () {
        let looks = 0
        for (let seed = 1; seed <= 1_000; seed++) {
          const { result, sights } = yield* watch({
            seed,
            servers: ["s1"],
            clients: ["c1"],
            source: cristian,
            faults: { ...Faults.chaos, pausesPerMinute: 20, ...skewed },
            duration: "3 seconds",
            delays: (from) => (from === "s1" ? { minMillis: seed % 7, maxMillis: 30 } : { minMillis: 1, maxMillis: 4 })
          })
          expect(result.violations).toEqual([])
          expect(excluding(sights)).toEqual([])
          looks += sights.filter(({ interval }) => interval !== undefined).length
        }
        expect(looks).toBeGreaterThan(15_000)
      })
  )

  it.live("seeds 1..200, NTP with one server of four lying", () =>
    Effect.gen(function* () {
      const servers = ["s1", "s2", "s3", "s4"]
      let looks = 0
      for (let seed = 1; seed <= 200; seed++) {
        const { of } = yield* watch({
          seed,
          servers,
          clients: ["c1"],
          lies: { [servers[seed % 4]!]: (seed % 21) - 10 },
          source: Ntp.layer({ servers, poll: "1 second", timeout: "200 millis", serverError: 0 }),
          faults: { ...Faults.chaos, pausesPerMinute: 20, ...skewed },
          duration: "3 seconds"
        })
        expect(excluding(of("c1"))).toEqual([])
        looks += of("c1").filter(({ interval }) => interval !== undefined).length
      }
      expect(looks).toBeGreaterThan(2_000)
    })
  )

  it.live("but it is when clocks drift by more than was said: the test can fail", () =>
    Effect.gen(function* () {
      let excluded = 0
      for (let seed = 1; seed <= 20; seed++) {
        const { sights } = yield* watch({
          seed,
          servers: ["s1"],
          clients: ["c1"],
          source: cristian,
          faults: { ...skewed, clockDriftPpmMax: 50_000, delayMillisMin: 1, delayMillisMax: 1 }
        })
        excluded += excluding(sights).length
      }
      expect(excluded).toBeGreaterThan(0)
    })
  )

  it.live("while its server is down it grows, and shrinks again when that is back", () =>
    Effect.gen(function* () {
      const { of } = yield* watch({
        seed: 1,
        servers: ["s1"],
        clients: ["c1"],
        source: cristian,
        duration: "200 seconds",
        faults: { clockDriftPpmMax: 200 },
        scheduled: [{ _tag: "Crash", node: "s1", atMillis: 10_000, forMillis: 100_000 }]
      })
      const width = (second: number): number => {
        const { interval } = of("c1").find(({ atMillis }) => atMillis >= second * 1_000)!
        return interval!.latest - interval!.earliest
      }
      expect(width(105) - width(15)).toBeCloseTo(2 * 90 * 0.2, 0)
      expect(width(120)).toBeLessThan(width(105) - 20)
      expect(excluding(of("c1"))).toEqual([])
    })
  )
})
