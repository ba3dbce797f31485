/**
 * A register in which the last write wins, by hybrid time, and of two writes at one time the one of the greater replica.
 *
 * A write that was made after its replica had seen another one wins over that, however the clocks differ. Of concurrent
 * writes one is lost, and it is the one whose clock was behind; where that matters, take an `MvRegister`. A clock that
 * is far ahead wins until the others have caught up.
 *
 * Sources: P. Johnson, R. Thomas, "The Maintenance of Duplicate Databases", RFC 677, 1975; the time is that of
 * S. S. Kulkarni et al., "Logical Physical Clocks", OPODIS 2014.
 *
 * @example
 * import { LwwRegister } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const title = LwwRegister.crdt(Schema.String)
 * const first = LwwRegister.set(title.empty, "n1", "draft", 2_000)
 * // The clock of n2 is behind, but it has seen what it overwrites.
 * const second = LwwRegister.set(first, "n2", "final", 1_000)
 * console.log(title.value(title.merge(second, first))) // final
 */
import { HybridTimestamp } from "@troupe/clocks"
import { Equal, Schema } from "effect"
import { type Contributed, type ReplicaId, ReplicaReused } from "../Crdt.ts"
import { Name } from "./CausalContext.ts"

export interface LwwRegister<out A> {
  /** None in a register that was never set. */
  readonly write: Write<A> | null
}

export interface Write<out A> {
  readonly value: A
  readonly time: HybridTimestamp.HybridTimestamp
  readonly replica: ReplicaId
}

export const empty: LwwRegister<never> = { write: null }

/** The delta of a write when the replica's clock reads `nowMillis`. Throws `PhysicalTimeOutOfRange`. */
export const set = <A>(register: LwwRegister<A>, replica: ReplicaId, value: A, nowMillis: number): LwwRegister<A> => ({
  write: { value, replica, time: HybridTimestamp.tick(register.write?.time ?? HybridTimestamp.zero, nowMillis) }
})

/** The last value; `undefined` where there was none. */
export const value = <A>({ write }: LwwRegister<A>): A | undefined => write?.value

const order = (a: Write<unknown>, b: Write<unknown>): number =>
  HybridTimestamp.Order(a.time, b.time) || (a.replica === b.replica ? 0 : a.replica < b.replica ? -1 : 1)

/** The register of the later write. Throws `ReplicaReused`. */
export const merge = <A>(register: LwwRegister<A>, other: LwwRegister<A>): LwwRegister<A> => {
  if (other.write === null || register.write === other.write) return register
  if (register.write === null) return other
  const difference = order(register.write, other.write)
  if (difference === 0 && !Equal.equals(register.write.value, other.write.value)) {
    const reason = `it wrote two values at ${HybridTimestamp.toHex(other.write.time)}`
    throw new ReplicaReused({ replica: other.write.replica, reason })
  }
  return difference < 0 ? other : register
}

export const equals = <A>({ write }: LwwRegister<A>, { write: other }: LwwRegister<A>): boolean =>
  write === other ||
  (write !== null && other !== null && order(write, other) === 0 && Equal.equals(write.value, other.value))

export const crdt = <A>(values: Schema.Codec<A, any>): Contributed<LwwRegister<A>, A | undefined> => ({
  contributed: true,
  name: "lww-register",
  empty,
  schema: Schema.Struct({
    write: Schema.NullOr(Schema.Struct({ value: values, time: HybridTimestamp.HybridTimestamp, replica: Name }))
  }) as unknown as Schema.Codec<LwwRegister<A>, any>,
  value,
  merge,
  equals,
  known: () => 0,
  // One name is all that it holds.
  prune: (register) => register,
  halves: () => undefined
})
