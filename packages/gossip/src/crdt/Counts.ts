/** Counts by replica: the greater one counts. What counters are made of. */
import { Schema } from "effect"
import { CounterOverflow, InvalidAmount, type ReplicaId } from "../Crdt.ts"
import * as CausalContext from "./CausalContext.ts"

export type Counts = ReadonlyMap<ReplicaId, number>

export const empty: Counts = new Map()

/** The greater count of each; `first` itself where that is all. */
export const merge = (first: Counts, second: Counts): Counts => {
  let merged: Map<ReplicaId, number> | undefined
  for (const [replica, count] of second) {
    if (count > (first.get(replica) ?? 0)) (merged ??= new Map(first)).set(replica, count)
  }
  return merged ?? first
}

export const equals = (first: Counts, second: Counts): boolean => {
  if (first.size !== second.size) return false
  for (const [replica, count] of first) if (second.get(replica) !== count) return false
  return true
}

/** Throws `CounterOverflow`. */
export const sum = (counts: Iterable<number>, what: string): number => {
  let total = 0
  for (const count of counts) total = added(total, count, what)
  return total
}

/** Throws `CounterOverflow`. */
export const added = (count: number, by: number, what: string): number => {
  const total = count + by
  if (!Number.isSafeInteger(total)) throw new CounterOverflow({ counter: what })
  return total
}

/** Throws `InvalidAmount`. */
export const checkAmount = (amount: number): void => {
  if (!Number.isSafeInteger(amount) || amount < 1) throw new InvalidAmount({ amount })
}

/** Without the departed: what is left, and what was taken out, in the order of names. */
export const take = (counts: Counts, departed: ReadonlyArray<ReplicaId>) => {
  const gone = [...new Set(departed)]
    .filter((replica) => counts.has(replica))
    .sort()
    .map((replica) => [replica, counts.get(replica)!] as const)
  if (gone.length === 0) return { left: counts, gone }
  const left = new Map(counts)
  for (const [replica] of gone) left.delete(replica)
  return { left, gone }
}

export const halves = <A>(all: Iterable<A>): readonly [ReadonlyArray<A>, ReadonlyArray<A>] | undefined => {
  const list = [...all]
  return list.length < 2 ? undefined : [list.slice(0, list.length >> 1), list.slice(list.length >> 1)]
}

// -------------------------------------------------------------------------------------------------------------- on the wire

export const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** Counts as they travel. */
export const Wire = Schema.Array(Schema.Tuple([CausalContext.Name, Natural]))

export const toWire = (counts: Counts): typeof Wire.Type => [...counts]

/** Of a replica that is there twice, the greater count. */
export const fromWire = (wire: typeof Wire.Type): Counts =>
  wire.reduce((counts, entry) => merge(counts, new Map([entry])), empty)
