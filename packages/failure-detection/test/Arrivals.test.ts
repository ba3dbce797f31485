/** φ-accrual's monitoring and interpretation, apart from any node. */
import { PhiAccrual } from "@troupe/failure-detection"
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

const { Arrivals, deviationsAt, phi } = PhiAccrual

const of = (intervals: ReadonlyArray<number>, options: Partial<PhiAccrual.Arrivals.Options> = {}) => {
  let atMillis = 0
  let arrivals = Arrivals.add(Arrivals.make({ window: intervals.length, ...options }), 0)
  for (const interval of intervals) arrivals = Arrivals.add(arrivals, (atMillis += interval))
  return arrivals
}

const file = new URL("../../../../shared/corpora/vectors/phi_accrual.json", import.meta.url)
const isThere = existsSync(file)

describe.skipIf(!isThere)("the figures of phi_accrual.json (skipped where ../shared/corpora is not there)", () => {
  const vectors = isThere ? JSON.parse(readFileSync(file, "utf8")) : {}

  it("the distribution function, 1 − 10^−φ", () => {
    for (const [at, mean, deviation, cdf] of vectors["cdf=1-10^-phi"]) {
      expect(Math.abs(1 - 10 ** -phi(at, mean, deviation) - cdf)).toBeLessThan(vectors.cdf_tol)
    }
  })

  it("φ of a mean of 1,000 and a deviation of 100, and of outliers", () => {
    for (const [at, expected] of vectors["phi(mean=1000,sd=100)"]) {
      expect(Math.abs(phi(at, 1_000, 100) - expected)).toBeLessThan(vectors.phi_tol)
    }
    for (const [at, mean, deviation, expected, tolerance] of vectors.outliers) {
      expect(Math.abs(phi(at, mean, deviation) - expected)).toBeLessThanOrEqual(tolerance)
    }
  })

  it("φ is −log₁₀ of the tail of its formula, to 14 digits where that can be computed at all", () => {
    const { E, log10, pow } = Math
    for (let at = 1_001; at < 1_500; at += 7) {
      const y = (at - 1_000) / 100
      const e = pow(E, -y * (1.5976 + 0.070566 * y * y))
      expect(phi(at, 1_000, 100) / -log10(e / (1 + e)) - 1).toBeLessThan(1e-14)
    }
  })

  it("mean and variance of a history, and of one that forgets its oldest", () => {
    const { mean, samples, variance } = vectors.history
    expect(Arrivals.meanMillis(of(samples))).toBeCloseTo(mean, 9)
    expect(Arrivals.variance(of(samples))).toBeCloseTo(variance, 6)
    const [first, ...rest] = vectors.capped3
    let arrivals = of(first.add)
    let atMillis = first.add.reduce((sum: number, each: number) => sum + each, 0)
    expect(Arrivals.meanMillis(arrivals)).toBeCloseTo(first.mean, 6)
    expect(Arrivals.variance(arrivals)).toBeCloseTo(first.variance, 6)
    for (const { add, mean, variance } of rest) {
      arrivals = Arrivals.add(arrivals, (atMillis += add[0]))
      expect(Arrivals.meanMillis(arrivals)).toBeCloseTo(mean, 5)
      expect(Arrivals.variance(arrivals)).toBeCloseTo(variance, 5)
    }
  })

  it("whom the scenarios have available", () => {
    for (const scenario of vectors.scenarios) {
      let arrivals = Arrivals.make({ acceptablePauseMillis: scenario.acceptablePause ?? 0, firstEstimateMillis: 1_000 })
      const look = (available: Record<string, boolean>): void => {
        for (const [at, expected] of Object.entries(available)) {
          expect(Arrivals.phi(arrivals, Number(at)) < scenario.threshold).toBe(expected)
        }
      }
      for (const at of scenario.heartbeats_at) arrivals = Arrivals.add(arrivals, at)
      look(scenario.available_at)
      if (scenario.then_heartbeat === undefined) continue
      arrivals = Arrivals.add(arrivals, scenario.then_heartbeat)
      look(scenario.available_after)
    }
  })
})

describe("φ", () => {
  it("grows with the silence, without a jump, and without bound (Hayashibara et al. 2004, §3.3: accruement)", () => {
    let before = -1
    for (let at = 0; at < 1e9; at = at < 3_000 ? at + 1 : at * 1.01) {
      const now = phi(at, 1_000, 100)
      expect(Number.isFinite(now)).toBe(true)
      expect(now).toBeGreaterThanOrEqual(before)
      // Once it can be told from 0 it grows with each step.
      if (before > 1e-300) expect(now).toBeGreaterThan(before)
      before = now
    }
    expect(before).toBeGreaterThan(1e10)
  })

  it("is finite at the limits of a number", () => {
    for (const at of [1e150, 1e200, Number.MAX_VALUE]) expect(phi(at, 1_000, 1e-3)).toBe(Number.MAX_VALUE)
    expect(phi(-Number.MAX_VALUE, 1_000, 1e-3)).toBe(0)
  })

  it("comes to a threshold after the silence that is foretold for it", () => {
    for (let threshold = 0.01; threshold < 1_000; threshold *= 1.1) {
      expect(phi(deviationsAt(threshold), 0, 1) / threshold).toBeCloseTo(1, 10)
    }
    const arrivals = of([1_000, 1_100, 900, 1_050])
    const silence = Arrivals.silenceMillis(arrivals, deviationsAt(8))
    expect(Arrivals.phi(arrivals, arrivals.latestMillis! + silence)).toBeCloseTo(8, 9)
  })
})

describe("arrivals", () => {
  const exact = (intervals: ReadonlyArray<number>) => {
    const mean = intervals.reduce((sum, each) => sum + each, 0) / intervals.length
    return { mean, variance: intervals.reduce((sum, each) => sum + (each - mean) ** 2, 0) / intervals.length }
  }

  it("remembers the latest, as many as its window, exactly, after a million of any size", () => {
    // A linear congruence: the same each time, and spread over six orders of magnitude.
    let drawn = 1
    const draw = (): number => (drawn = (drawn * 48_271) % 2_147_483_647) / 2_147_483_647
    const window = 100
    const intervals = Array.from({ length: 1_000_000 }, () => 1_000 + 10 * draw() + (draw() < 0.001 ? 1e9 * draw() : 0))
    let arrivals = Arrivals.add(Arrivals.make({ window }), 0)
    let atMillis = 0
    const times: Array<number> = [0]
    for (const [at, interval] of intervals.entries()) {
      atMillis += interval
      times.push(atMillis)
      arrivals = Arrivals.add(arrivals, atMillis)
      if (at % 9_973 !== 0 || at < window) continue
      // What came in is the difference of two large times: that is what is compared.
      const { mean, variance } = exact(
        Array.from({ length: window }, (_, back) => times[times.length - 1 - back]! - times[times.length - 2 - back]!)
      )
      expect(Math.abs(Arrivals.meanMillis(arrivals) / mean - 1)).toBeLessThan(1e-9)
      expect(Math.abs(Arrivals.variance(arrivals) / variance - 1)).toBeLessThan(1e-6)
    }
  })

  it("an outlier that has left leaves nothing behind", () => {
    const intervals = [1e12, ...Array.from({ length: 10 }, (_, at) => 1_000 + at)]
    let arrivals = Arrivals.add(Arrivals.make({ window: 10 }), 0)
    let atMillis = 0
    for (const interval of intervals) arrivals = Arrivals.add(arrivals, (atMillis += interval))
    expect(Arrivals.variance(arrivals)).toBeCloseTo(exact(intervals.slice(1)).variance, 6)
  })

  it("a first estimate stands for two intervals, until they are forgotten", () => {
    const arrivals = Arrivals.make({ firstEstimateMillis: 2_000 })
    expect([Arrivals.meanMillis(arrivals), Arrivals.deviationMillis(arrivals)]).toEqual([2_000, 500])
    expect(Arrivals.meanMillis(of([100, 100], { firstEstimateMillis: 2_000, window: 2 }))).toBeCloseTo(100, 9)
  })

  it("intervals that are all the same are not taken for more regular than the minimum deviation", () => {
    expect(Arrivals.deviationMillis(of(Array(50).fill(1_000), { minimumDeviationMillis: 30 }))).toBe(30)
  })

  it("an acceptable pause moves φ by as much, and by no more", () => {
    const without = of([1_000, 1_010, 990], { acceptablePauseMillis: 0 })
    const within = of([1_000, 1_010, 990], { acceptablePauseMillis: 700 })
    for (const silence of [500, 1_000, 3_000]) {
      expect(Arrivals.phi(within, 3_000 + silence + 700)).toBeCloseTo(Arrivals.phi(without, 3_000 + silence), 9)
    }
  })

  it("before the first heartbeat φ is 0, and with one the silence begins", () => {
    expect(Arrivals.phi(Arrivals.make(), 1e9)).toBe(0)
    const begun = Arrivals.waitSince(Arrivals.make(), 0)
    expect(Arrivals.phi(begun, 60_000)).toBeGreaterThan(8)
    // How long that one took says nothing of the interval.
    expect(Arrivals.meanMillis(Arrivals.add(begun, 60_000))).toBe(1_000)
  })

  it("a clock that went back is one that stood still", () => {
    const arrivals = Arrivals.add(of([1_000, 1_000]), 500)
    expect(arrivals.latestMillis).toBe(2_000)
    expect(Arrivals.meanMillis(arrivals)).toBe(500)
  })

  it("takes as much memory after a million heartbeats as after as many as its window", () => {
    const size = (arrivals: PhiAccrual.Arrivals.Arrivals): number =>
      arrivals.intervals.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    let arrivals = Arrivals.make({ window: 100 })
    const empty = size(arrivals)
    for (let at = 0; at < 10_000; at++) arrivals = Arrivals.add(arrivals, at * 1_000)
    expect([empty, size(arrivals)]).toEqual([128, 128])
  })

  it.each([NaN, Infinity, -Infinity])("a heartbeat at %d is refused", (at) => {
    expect(() => Arrivals.add(Arrivals.make(), at)).toThrow(`A heartbeat came at ${at}, which is no time`)
  })

  it.each([
    [{ window: 1 }, "a window of 1 intervals"],
    [{ window: 2.5 }, "a window of 2.5 intervals"],
    [{ window: 10_001 }, "a window of 10001 intervals"],
    [{ minimumDeviationMillis: 0 }, "a minimum deviation of 0 ms"],
    [{ minimumDeviationMillis: NaN }, "a minimum deviation of NaN ms"],
    [{ acceptablePauseMillis: -1 }, "an acceptable pause of -1 ms"],
    [{ firstEstimateMillis: 0 }, "a first estimate of 0 ms"],
    [{ firstEstimateMillis: Infinity }, "a first estimate of Infinity ms"]
  ])("settings %j are refused", (options, reason) => {
    expect(() => Arrivals.make(options)).toThrow(reason)
  })
})
