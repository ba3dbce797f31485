/** Bounds on what is known of the true time: how they come about from a round trip, and how they grow. */
import { Schema } from "effect"
import type { Estimate } from "../../TimeSource.ts"

/** The most that a time of day is before or after 1970, or that it is changed by: as far as a `Date` reaches. */
export const farthestMillis = 8.64e15

/** A time of day that somebody else says, or by how much one is to change. */
export const TimeOfDay = Schema.Finite.check(Schema.isBetween({ minimum: -farthestMillis, maximum: farthestMillis }))

/** A double holds a time of day in milliseconds to a quarter of a microsecond, and clocks are read to one. */
export const resolutionMillis = 0.002

/** How far off elapsed time may be that was measured by a clock of this drift. */
export const driftOf = (elapsedMillis: number, driftPpmMax: number): number => {
  const drift = driftPpmMax / 1e6
  return (elapsedMillis * drift) / (1 - drift)
}

/** The same knowledge at a later moment: the clock that measures the time between may be off. */
export const aged = (estimate: Estimate, monotonicMillis: number, driftPpmMax: number): Estimate => {
  const elapsed = monotonicMillis - estimate.monotonicMillis
  return {
    monotonicMillis,
    timeMillis: estimate.timeMillis + elapsed,
    errorMillis: estimate.errorMillis + driftOf(elapsed, driftPpmMax)
  }
}

/** What a round trip tells, the moment it ends. */
export interface RoundTrip {
  /** What the server's clock read on the way. */
  readonly serverMillis: number
  /** From the request to its answer, by the monotonic clock of who asked, without what the server took. */
  readonly roundTripMillis: number
}

/**
 * The server's time when its answer is here: half the round trip later, if both ways took as long. No way is shorter than
 * `minDelayMillis`, so that this is off by at most half the round trip without that; and by what the clock that measured
 * the round trip is off.
 */
export const fromRoundTrip = (
  { roundTripMillis, serverMillis }: RoundTrip,
  monotonicMillis: number,
  { driftPpmMax, minDelayMillis }: { readonly driftPpmMax: number; readonly minDelayMillis: number }
): Estimate => ({
  monotonicMillis,
  timeMillis: serverMillis + roundTripMillis / 2,
  errorMillis: roundTripMillis / 2 - minDelayMillis + driftOf(roundTripMillis, driftPpmMax)
})

/** A number that no other life of this node has drawn, so that an answer to an earlier life is known for one. */
export const nonce = (random: number): number => Math.floor(random * 2 ** 52)
