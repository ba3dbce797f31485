/**
 * Hybrid logical clocks: timestamps that respect causality and stay close to physical time.
 *
 * A timestamp is the highest physical time heard of, in milliseconds, and a counter that tells apart what happens within
 * it. An event takes the node's physical time when that is ahead, and counts on otherwise; a message carries its
 * timestamp, and the receiver moves past it. So e → f implies hlc(e) < hlc(f), as with Lamport's clock, while the
 * physical part is never behind the node's own clock, and ahead of it by no more than the clocks of the group differ.
 *
 * 48 bits of milliseconds and 16 of counter: 64 bits until the year 10889. Where a counter is full, the physical part
 * goes ahead by one millisecond. A physical clock that is set back does no harm: the counter goes on until it catches up.
 * `receive` refuses a timestamp that is too far ahead of the node's own clock, so that one bad clock cannot carry off all
 * others.
 *
 * `Order` is total on timestamps; two nodes may give the same one to different events: break ties by node.
 *
 * Source: S. S. Kulkarni, M. Demirbas, D. Madeppa, B. Avva, M. Leone, "Logical Physical Clocks", OPODIS 2014.
 *
 * @example
 * import { HybridTimestamp } from "@troupe/clocks"
 * import { Result } from "effect"
 *
 * const sent = HybridTimestamp.tick(HybridTimestamp.zero, 1_000)
 * const received = HybridTimestamp.receive(HybridTimestamp.zero, sent, 990)
 * console.log(sent, Result.getOrThrow(received)) // { physical: 1000, logical: 0 } { physical: 1000, logical: 1 }
 * const refused = HybridTimestamp.receive(HybridTimestamp.zero, { physical: 60_000, logical: 0 }, 990)
 * console.log(Result.isFailure(refused) && refused.failure._tag) // TooFarAhead
 */
import {
  type Order as EffectOrder,
  Equivalence as EffectEquivalence,
  Result,
  Schema,
  SchemaTransformation
} from "effect"

/** 2⁴⁸ − 1 ms: in the year 10889. */
const maxPhysical = 0xffff_ffff_ffff
const maxLogical = 0xffff

export const HybridTimestamp = Schema.Struct({
  /** Milliseconds since 1970, of 48 bits. */
  physical: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxPhysical })),
  /** Counts the events of that millisecond, in 16 bits. */
  logical: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxLogical }))
})

export type HybridTimestamp = typeof HybridTimestamp.Type

/** A physical clock's reading, or a timestamp past the last, is not within 48 bits of milliseconds. */
export class PhysicalTimeOutOfRange extends Schema.TaggedError<PhysicalTimeOutOfRange>()("PhysicalTimeOutOfRange", {
  millis: Schema.Number
}) {
  override get message(): string {
    return `${this.millis} is no physical time of a hybrid timestamp: milliseconds from 0 to ${maxPhysical} are`
  }
}

/** A timestamp that was received is further ahead of the node's own clock than clocks may differ. */
export class TooFarAhead extends Schema.TaggedError<TooFarAhead>()("TooFarAhead", {
  /** The physical part of what was received. */
  remoteMillis: Schema.Number,
  nowMillis: Schema.Number,
  maxAheadMillis: Schema.Number
}) {
  override get message(): string {
    const ahead = this.remoteMillis - this.nowMillis
    return (
      `A timestamp is ${ahead} ms ahead of this node's clock, and no more than ${this.maxAheadMillis} are taken: ` +
      "leave the message out, and look after the clocks of its sender and of this node"
    )
  }
}

/** Before every event. */
export const zero: HybridTimestamp = { physical: 0, logical: 0 }

/**
 * The clock of a node after an event of its own, such as sending, when its physical clock reads `nowMillis`; fractions
 * of a millisecond are left out. Throws `PhysicalTimeOutOfRange`.
 */
export const tick = (clock: HybridTimestamp, nowMillis: number): HybridTimestamp => {
  const now = wholeMillis(nowMillis)
  return now > clock.physical ? { physical: now, logical: 0 } : following(clock.physical, clock.logical)
}

export interface ReceiveOptions {
  /** How far a timestamp may be ahead of this node's physical clock. Default: 500 ms, of clocks that are kept by NTP. */
  readonly maxAheadMillis?: number
}

/**
 * The clock of a node after it received a message that was sent at `remote`. Fails with `TooFarAhead`, and the clock
 * stays what it is; throws `PhysicalTimeOutOfRange` where `nowMillis` is no time.
 */
export const receive = (
  clock: HybridTimestamp,
  remote: HybridTimestamp,
  nowMillis: number,
  { maxAheadMillis = 500 }: ReceiveOptions = {}
): Result.Result<HybridTimestamp, TooFarAhead> => {
  const now = wholeMillis(nowMillis)
  // Written so that what is not a number is refused as well.
  if (!(remote.physical - now <= maxAheadMillis)) {
    return Result.fail(new TooFarAhead({ remoteMillis: remote.physical, nowMillis, maxAheadMillis }))
  }
  const latest = max(clock, remote)
  return Result.succeed(
    now > latest.physical ? { physical: now, logical: 0 } : following(latest.physical, latest.logical)
  )
}

/** How far the clock is ahead of a physical time, in milliseconds; 0 where it is not. */
export const aheadMillis = (clock: HybridTimestamp, nowMillis: number): number =>
  Math.max(0, clock.physical - nowMillis)

/** By physical part, then by counter. */
export const Order: EffectOrder.Order<HybridTimestamp> = (a, b) =>
  a.physical !== b.physical
    ? a.physical < b.physical
      ? -1
      : 1
    : a.logical !== b.logical
      ? a.logical < b.logical
        ? -1
        : 1
      : 0

export const Equivalence: EffectEquivalence.Equivalence<HybridTimestamp> = EffectEquivalence.make(
  (a, b) => a.physical === b.physical && a.logical === b.logical
)

// ----------------------------------------------------------------------------------------------------------- other forms

/** 64 bits: the physical part above, the counter in the lowest 16. In the order of the timestamps. */
export const toBigInt = ({ physical, logical }: HybridTimestamp): bigint => (BigInt(physical) << 16n) | BigInt(logical)

/** 16 hexadecimal digits, in the order of the timestamps. */
export const toHex = ({ physical, logical }: HybridTimestamp): string =>
  physical.toString(16).padStart(12, "0") + logical.toString(16).padStart(4, "0")

/** A timestamp as its 64 bits. */
export const FromBigInt = Schema.BigInt.check(
  Schema.isBetweenBigInt({ minimum: 0n, maximum: 0xffff_ffff_ffff_ffffn })
).pipe(
  Schema.decodeTo(
    HybridTimestamp,
    SchemaTransformation.transform({
      decode: (bits) => ({ physical: Number(bits >> 16n), logical: Number(bits & 0xffffn) }),
      encode: toBigInt
    })
  )
)

/** A timestamp as 16 hexadecimal digits: for keys that sort by time. */
export const FromHex = Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/)).pipe(
  Schema.decodeTo(
    HybridTimestamp,
    SchemaTransformation.transform({
      decode: (digits) => ({
        physical: Number.parseInt(digits.slice(0, 12), 16),
        logical: Number.parseInt(digits.slice(12), 16)
      }),
      encode: toHex
    })
  )
)

const wholeMillis = (millis: number): number => {
  const whole = Math.floor(millis)
  if (whole >= 0 && whole <= maxPhysical) return whole
  throw new PhysicalTimeOutOfRange({ millis })
}

const max = (a: HybridTimestamp, b: HybridTimestamp): HybridTimestamp => (Order(a, b) < 0 ? b : a)

const following = (physical: number, logical: number): HybridTimestamp => {
  if (logical < maxLogical) return { physical, logical: logical + 1 }
  if (physical < maxPhysical) return { physical: physical + 1, logical: 0 }
  throw new PhysicalTimeOutOfRange({ millis: physical + 1 })
}
