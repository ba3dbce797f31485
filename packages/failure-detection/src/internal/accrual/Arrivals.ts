/**
 * Monitoring: when heartbeats of a node came, as far as it matters for the next: the latest intervals, in a ring of fixed
 * size, their mean and their deviation. Plain data; a heartbeat takes constant time and memory.
 *
 * @example
 * import { PhiAccrual } from "@troupe/failure-detection"
 *
 * const { Arrivals } = PhiAccrual
 * let arrivals = Arrivals.make({ window: 100, minimumDeviationMillis: 50 })
 * for (const atMillis of [0, 1_000, 2_000, 3_000]) arrivals = Arrivals.add(arrivals, atMillis)
 * console.log([3_100, 4_000, 6_000].map((atMillis) => Math.round(Arrivals.phi(arrivals, atMillis)))) // [ 0, 0, 3 ]
 */
import { InvalidOptions } from "../../FailureDetector.ts"
import { Schema } from "effect"
import * as Vector from "../vector.ts"
import * as Phi from "./phi.ts"

export interface Options {
  /** How many intervals are remembered: 2 to 10,000. */
  readonly window: number
  /** The least deviation that is reckoned with: more than 0. Intervals that are all the same would make a hair's breadth a crash. */
  readonly minimumDeviationMillis: number
  /** By how much a silence may be longer than usual before it counts: of garbage collection, for instance. From 0. */
  readonly acceptablePauseMillis: number
  /** What the interval is taken for, with a quarter of it for the deviation, until some are known: more than 0. */
  readonly firstEstimateMillis: number
}

export interface Arrivals {
  readonly options: Options
  /** When the latest heartbeat came, or since when the first is waited for. */
  readonly latestMillis: number | undefined
  /** Whether no heartbeat has come yet. */
  readonly isSilent: boolean
  /** A ring of intervals, the first `filled` of which count. */
  readonly intervals: Vector.Vector<number>
  readonly filled: number
  /** Where the next interval goes: where the oldest is, once the ring is full. */
  readonly next: number
  /** Sums of the intervals and of their squares, each less `origin`, which is near the mean: so little of them cancels. */
  readonly origin: number
  readonly sum: number
  readonly squares: number
}

/** The settings that are taken for those left out. */
export const defaults: Options = {
  window: 1_000,
  minimumDeviationMillis: 100,
  acceptablePauseMillis: 1_500,
  firstEstimateMillis: 1_000
}

/** A time that is none. */
export class InvalidTime extends Schema.TaggedError<InvalidTime>()("InvalidTime", { given: Schema.Unknown }) {
  override get message(): string {
    return `A heartbeat came at ${String(this.given)}, which is no time: give finite milliseconds of a monotonic clock.`
  }
}

const problem = (options: Options): string | undefined => {
  const { acceptablePauseMillis, firstEstimateMillis, minimumDeviationMillis, window } = options
  const isLength = (value: number, least: number): boolean => value >= least && value < 2 ** 31
  if (!Number.isInteger(window) || !isLength(window, 2) || window > 10_000) {
    return `a window of ${window} intervals: take a whole number from 2 to 10,000`
  }
  if (!isLength(minimumDeviationMillis, Number.MIN_VALUE)) {
    return `a minimum deviation of ${minimumDeviationMillis} ms: take more than 0`
  }
  if (!isLength(acceptablePauseMillis, 0)) return `an acceptable pause of ${acceptablePauseMillis} ms: take 0 or more`
  if (!isLength(firstEstimateMillis, Number.MIN_VALUE)) {
    return `a first estimate of ${firstEstimateMillis} ms: take more than 0`
  }
  return undefined
}

/** Of a node that was not heard of. Throws `InvalidOptions` when one is out of its range. */
export const make = (options: Partial<Options> = {}): Arrivals => {
  const all = { ...defaults, ...options }
  const reason = problem(all)
  if (reason !== undefined) throw new InvalidOptions({ reason })
  const { firstEstimateMillis, window } = all
  const empty: Arrivals = {
    options: all,
    latestMillis: undefined,
    isSilent: true,
    intervals: Vector.make(window, 0),
    filled: 0,
    next: 0,
    origin: firstEstimateMillis,
    sum: 0,
    squares: 0
  }
  // Two intervals whose mean and deviation are the estimate.
  const deviation = firstEstimateMillis / 4
  return push(push(empty, firstEstimateMillis - deviation), firstEstimateMillis + deviation)
}

/** The silence until the first heartbeat begins here; it does not count as an interval. */
export const waitSince = (arrivals: Arrivals, sinceMillis: number): Arrivals => ({
  ...arrivals,
  latestMillis: sinceMillis
})

/**
 * A heartbeat came. The first starts the count; each later one adds the interval since the one before, which counts as
 * `longestMillis` where it was longer. Throws `InvalidTime` where it is no finite number; one before the latest counts as
 * one at the same time.
 */
export const add = (arrivals: Arrivals, atMillis: number, longestMillis = Infinity): Arrivals => {
  if (!Number.isFinite(atMillis)) throw new InvalidTime({ given: atMillis })
  const { isSilent, latestMillis } = arrivals
  if (isSilent || latestMillis === undefined) return { ...arrivals, isSilent: false, latestMillis: atMillis }
  const interval = Math.min(longestMillis, Math.max(0, atMillis - latestMillis))
  return push(arrivals, interval, Math.max(latestMillis, atMillis))
}

/** What is left of a sum of squares once one has gone is exact to so many digits, or the sum is made anew. */
const cancelling = 1e6

const push = (arrivals: Arrivals, interval: number, latestMillis = arrivals.latestMillis): Arrivals => {
  const { filled, intervals, next, options, origin } = arrivals
  const isFull = filled === options.window
  const come = interval - origin
  const gone = isFull ? Vector.get(intervals, next) - origin : 0
  const pushed: Arrivals = {
    options,
    latestMillis,
    isSilent: arrivals.isSilent,
    intervals: Vector.set(intervals, next, interval),
    filled: isFull ? filled : filled + 1,
    next: next + 1 === options.window ? 0 : next + 1,
    origin,
    sum: arrivals.sum + come - gone,
    squares: arrivals.squares + come * come - gone * gone
  }
  // Once round the ring, so that errors don't pile up; and when what has gone leaves too little to be exact.
  return pushed.next === 0 || gone * gone > cancelling * Math.abs(pushed.squares) || isFarOff(pushed)
    ? summedAnew(pushed)
    : pushed
}

/** Whether the mean is so far from `origin` that the variance, a difference, would lose digits. */
const isFarOff = ({ filled, origin, squares, sum }: Arrivals): boolean => {
  const off = (sum / filled) ** 2
  return off > cancelling * (squares / filled - off) && off * cancelling * cancelling > origin * origin
}

const summedAnew = (arrivals: Arrivals): Arrivals => {
  const { filled, intervals } = arrivals
  let total = 0
  for (let at = 0; at < filled; at++) total += Vector.get(intervals, at)
  const origin = total / filled
  let sum = 0
  let squares = 0
  for (let at = 0; at < filled; at++) {
    const off = Vector.get(intervals, at) - origin
    sum += off
    squares += off * off
  }
  return { ...arrivals, origin, sum, squares }
}

/** Of the intervals that are remembered. */
export const meanMillis = ({ filled, origin, sum }: Arrivals): number => origin + sum / filled

/** Of the intervals that are remembered, all of them taken for the whole. */
export const variance = ({ filled, squares, sum }: Arrivals): number =>
  Math.max(0, squares / filled - (sum / filled) * (sum / filled))

/** The deviation that is reckoned with. */
export const deviationMillis = (arrivals: Arrivals): number =>
  Math.max(arrivals.options.minimumDeviationMillis, Math.sqrt(variance(arrivals)))

/** How strong the suspicion is at a time; 0 before the first heartbeat. */
export const phi = (arrivals: Arrivals, atMillis: number): number => {
  const { latestMillis, options } = arrivals
  return latestMillis === undefined
    ? 0
    : Phi.phi(atMillis - latestMillis, meanMillis(arrivals) + options.acceptablePauseMillis, deviationMillis(arrivals))
}

/** How long a silence is when the suspicion comes to a strength that is `deviations` off: see `deviationsAt`. */
export const silenceMillis = (arrivals: Arrivals, deviations: number): number =>
  Math.max(0, meanMillis(arrivals) + arrivals.options.acceptablePauseMillis + deviations * deviationMillis(arrivals))
