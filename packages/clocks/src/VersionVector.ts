/**
 * Version vectors: which of two copies of an object is newer, or whether they conflict.
 *
 * Each replica counts the updates that it made; a copy carries, for each replica, how many of its updates it includes. A
 * copy that includes all that another does descends from it and may replace it. Two copies neither of which descends from
 * the other were updated concurrently: both are kept until somebody reconciles them.
 *
 * Replicas are named, and may join at any time: one that is not mentioned has made no update. A vector only grows. Pruning
 * it (dropping the entry of a replica that left, or the oldest of many) is unsafe while any copy anywhere may still have
 * that entry: the pruned copy no longer descends from older ones, which then look concurrent and come back as false
 * conflicts. So there is no function for it. Where clients come and go, name the servers instead and take
 * `DottedVersionVector`, which needs no entry for a client.
 *
 * There is no `Order` of version vectors: descent is partial. `Equivalence` and `Reducer` are lawful.
 *
 * Source: D. S. Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", IEEE TSE 9(3), 1983.
 *
 * @example
 * import { VersionVector } from "@troupe/clocks"
 *
 * const original = VersionVector.make({ a: 2, b: 1 })
 * const atA = VersionVector.increment(original, "a")
 * const atC = VersionVector.increment(original, "c")
 * console.log(VersionVector.descends(atA, original), VersionVector.compare(atA, atC)) // true concurrent
 * console.log(VersionVector.toRecord(VersionVector.merge(atA, atC))) // { a: 3, b: 1, c: 1 }
 */
import { NodeId } from "@troupe/transport"
import { type Equivalence as EffectEquivalence, Reducer as EffectReducer, Schema, SchemaTransformation } from "effect"
import { type Causality, causality } from "./internal/Causality.ts"
import { counted } from "./internal/Counting.ts"
import { isSorted, replicaOrder } from "./internal/Entries.ts"

export type { Causality } from "./internal/Causality.ts"
export { CountOutOfRange } from "./internal/Counting.ts"

const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** How many updates of a replica are included: at least one. */
export type Entry = readonly [replica: NodeId.NodeId, count: number]

/** Sorted by replica, in code units; each replica once. */
export type VersionVector = ReadonlyArray<Entry>

/** As data it is a record of counts: `{ a: 2, b: 1 }`. */
export const VersionVector: Schema.Codec<
  VersionVector,
  Readonly<Record<NodeId.NodeId, number>>,
  never,
  never
> = Schema.Record(Schema.String, Positive).pipe(
  // Of the entries, a key that is no `NodeId` is refused; of the record it would be left out.
  Schema.decodeTo(
    Schema.Array(Schema.Tuple([NodeId.NodeId, Positive])).check(
      Schema.makeFilter((entries: VersionVector) => isSorted(entries) || "entries are sorted by replica, each once")
    ),
    SchemaTransformation.transform({
      decode: (record: Readonly<Record<NodeId.NodeId, number>>): VersionVector => make(record),
      encode: (vector: VersionVector) => toRecord(vector)
    })
  )
)

/** No update yet. */
export const empty: VersionVector = []

/** The vector of these counts. Throws `CountOutOfRange`. */
export const make = (counts: Readonly<Record<NodeId.NodeId, number>>): VersionVector =>
  Object.entries(counts)
    .filter(([, count]) => counted(count) > 0)
    .sort(replicaOrder)

/** The counts by name. */
export const toRecord = (vector: VersionVector): Readonly<Record<NodeId.NodeId, number>> => Object.fromEntries(vector)

/** How many updates of `replica` are included. */
export const count = (vector: VersionVector, replica: NodeId.NodeId): number => {
  for (const entry of vector) if (entry[0] === replica) return entry[1]
  return 0
}

/** After an update at `replica`. Throws `CountOutOfRange`. */
export const increment = (vector: VersionVector, replica: NodeId.NodeId): VersionVector => {
  const next: Array<Entry> = []
  let i = 0
  while (i < vector.length && vector[i]![0] < replica) next.push(vector[i++]!)
  const known = i < vector.length && vector[i]![0] === replica ? vector[i++]![1] : 0
  next.push([replica, counted(known + 1)])
  while (i < vector.length) next.push(vector[i++]!)
  return next
}

/** What either includes. */
export const merge = (first: VersionVector, second: VersionVector): VersionVector => {
  const merged: Array<Entry> = []
  let i = 0
  let j = 0
  while (i < first.length && j < second.length) {
    const mine = first[i]!
    const other = second[j]!
    if (mine[0] === other[0]) {
      merged.push(mine[1] < other[1] ? other : mine)
      i++
      j++
    } else if (mine[0] < other[0]) {
      merged.push(mine)
      i++
    } else {
      merged.push(other)
      j++
    }
  }
  while (i < first.length) merged.push(first[i++]!)
  while (j < second.length) merged.push(second[j++]!)
  return merged
}

/** Whether `first` includes all that `second` does: they are equal, or `first` is newer. */
export const descends = (first: VersionVector, second: VersionVector): boolean => {
  let i = 0
  for (const [replica, count] of second) {
    while (i < first.length && first[i]![0] < replica) i++
    if (i === first.length || first[i]![0] !== replica || first[i]![1] < count) return false
  }
  return true
}

/** How two versions stand to each other: `before` means that `first` is the older. */
export const compare = (first: VersionVector, second: VersionVector): Causality =>
  causality(!descends(second, first), !descends(first, second))

/** Whether each includes something that the other lacks: a conflict. */
export const concurrent = (first: VersionVector, second: VersionVector): boolean =>
  !descends(first, second) && !descends(second, first)

export const Equivalence: EffectEquivalence.Equivalence<VersionVector> = (first, second) =>
  first.length === second.length &&
  first.every(([replica, count], i) => replica === second[i]![0] && count === second[i]![1])

/** Merging: associative, commutative, idempotent, `empty` its identity. */
export const Reducer: EffectReducer.Reducer<VersionVector> = EffectReducer.make(merge, empty)
