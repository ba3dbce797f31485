/**
 * A counter that only grows. Each replica counts for itself, the greater count of each is the later one, and the value is
 * the sum of all.
 *
 * A replica that lost its state and goes on under its old name counts what others have of it already: its new counts are
 * lost until they pass the old one.
 *
 * Source: Shapiro et al., "Conflict-free Replicated Data Types", SSS 2011.
 *
 * @example
 * import { GCounter } from "@troupe/gossip"
 *
 * const { empty, merge } = GCounter.crdt
 * const views = merge(GCounter.increment(empty, "n1", 2), GCounter.increment(empty, "n2"))
 * console.log(GCounter.value(views)) // 3
 */
import { Schema, SchemaTransformation } from "effect"
import type { Contributed, ReplicaId } from "../Crdt.ts"
import * as Counts from "./Counts.ts"
import * as Epoch from "./Epoch.ts"

export interface GCounter {
  readonly epoch: Epoch.Epoch
  /** What the departed have counted. */
  readonly settled: number
  readonly counts: Counts.Counts
}

export const empty: GCounter = { epoch: Epoch.first, settled: 0, counts: Counts.empty }

const name = "a G-counter"

/** The delta of `replica` counting on. Throws `CounterOverflow` or `InvalidAmount`. */
export const increment = (counter: GCounter, replica: ReplicaId, by = 1): GCounter => {
  Counts.checkAmount(by)
  const count = Counts.added(counter.counts.get(replica) ?? 0, by, name)
  return { ...counter, counts: new Map([[replica, count]]) }
}

/** Throws `CounterOverflow` where all together pass 2^53. */
export const value = ({ counts, settled }: GCounter): number =>
  Counts.added(settled, Counts.sum(counts.values(), name), name)

const isEmpty = ({ counts, settled }: GCounter): boolean => counts.size === 0 && settled === 0

/** The least counter that includes both. Throws `PrunedDifferently`. */
export const merge = (counter: GCounter, other: GCounter): GCounter => {
  if (isEmpty(other)) return counter
  if (isEmpty(counter)) return other
  const epoch = Epoch.common(counter.epoch, false, other.epoch, false)
  const counts = Counts.merge(counter.counts, other.counts)
  return counts === counter.counts ? counter : { epoch, settled: counter.settled, counts }
}

export const equals = (first: GCounter, second: GCounter): boolean =>
  first.settled === second.settled &&
  Epoch.equals(first.epoch, second.epoch) &&
  Counts.equals(first.counts, second.counts)

/** See `Crdt.prune`. */
export const prune = (counter: GCounter, departed: ReadonlyArray<ReplicaId>): GCounter => {
  const { gone, left } = Counts.take(counter.counts, departed)
  if (gone.length === 0) return counter
  const counted = gone.map(([, count]) => count)
  return {
    epoch: Epoch.next(counter.epoch, gone),
    settled: Counts.added(counter.settled, Counts.sum(counted, name), name),
    counts: left
  }
}

/** As it travels. */
const Wire = Schema.Struct({ epoch: Epoch.Epoch, settled: Counts.Natural, counts: Counts.Wire })

const isCounter = (it: unknown): it is GCounter =>
  typeof it === "object" && it !== null && "counts" in it && it.counts instanceof Map

export const schema: Schema.Codec<GCounter, typeof Wire.Encoded> = Wire.pipe(
  Schema.decodeTo(
    Schema.declare(isCounter),
    SchemaTransformation.transform({
      decode: (wire) => ({ ...wire, counts: Counts.fromWire(wire.counts) }),
      encode: (counter) => ({ ...counter, counts: Counts.toWire(counter.counts) })
    })
  )
)

export const crdt: Contributed<GCounter, number> = {
  contributed: true,
  name: "g-counter",
  empty,
  schema,
  value,
  merge,
  equals,
  known: ({ counts }, replica) => counts.get(replica) ?? 0,
  prune,
  halves: (counter) => {
    const halves = Counts.halves(counter.counts)
    return (
      halves && [
        { ...counter, counts: new Map(halves[0]) },
        { ...counter, counts: new Map(halves[1]) }
      ]
    )
  }
}
