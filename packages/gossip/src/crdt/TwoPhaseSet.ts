/**
 * A set whose elements are added once and removed once: what was removed stays so, for good, and is remembered. Where
 * elements come again, or many go, take an `OrSet`.
 *
 * Source: Shapiro et al., "Conflict-free Replicated Data Types", SSS 2011.
 *
 * @example
 * import { TwoPhaseSet } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const open = TwoPhaseSet.crdt(Schema.String)
 * const one = open.merge(open.empty, TwoPhaseSet.add(open.empty, "order 1"))
 * const none = open.merge(one, TwoPhaseSet.remove(one, "order 1"))
 * console.log(TwoPhaseSet.has(open.merge(none, TwoPhaseSet.add(none, "order 1")), "order 1")) // false
 */
import { HashSet, Schema } from "effect"
import type { Contributed } from "../Crdt.ts"
import * as GSet from "./GSet.ts"

export interface TwoPhaseSet<A> {
  readonly added: GSet.GSet<A>
  readonly removed: GSet.GSet<A>
}

export const empty: TwoPhaseSet<never> = { added: GSet.empty, removed: GSet.empty }

/** The delta of adding an element. One that was removed before stays removed. */
export const add = <A>({ added }: TwoPhaseSet<A>, element: A): TwoPhaseSet<A> => ({
  added: GSet.add(added, element),
  removed: GSet.empty
})

/** The delta of removing an element that is there; of another, it is empty. */
export const remove = <A>(set: TwoPhaseSet<A>, element: A): TwoPhaseSet<A> =>
  has(set, element) ? { added: GSet.empty, removed: HashSet.make(element) } : empty

export const has = <A>({ added, removed }: TwoPhaseSet<A>, element: A): boolean =>
  HashSet.has(added, element) && !HashSet.has(removed, element)

/** Those that are there. */
export const values = <A>({ added, removed }: TwoPhaseSet<A>): Iterable<A> => HashSet.difference(added, removed)

export const merge = <A>(set: TwoPhaseSet<A>, other: TwoPhaseSet<A>): TwoPhaseSet<A> => {
  const added = GSet.merge(set.added, other.added)
  const removed = GSet.merge(set.removed, other.removed)
  return added === set.added && removed === set.removed ? set : { added, removed }
}

export const crdt = <A>(elements: Schema.Codec<A, any>): Contributed<TwoPhaseSet<A>, ReadonlySet<A>> => ({
  contributed: true,
  name: "2p-set",
  empty,
  schema: Schema.Struct({ added: GSet.schema(elements), removed: GSet.schema(elements) }),
  value: (set) => new Set(values(set)),
  merge,
  equals: (first, second) => GSet.equals(first.added, second.added) && GSet.equals(first.removed, second.removed),
  known: () => 0,
  // There is no name in it.
  prune: (set) => set,
  halves: ({ added, removed }) =>
    HashSet.size(added) > 0 && HashSet.size(removed) > 0
      ? [
          { added, removed: GSet.empty },
          { added: GSet.empty, removed }
        ]
      : HashSet.size(added) > 0
        ? (GSet.halves(added)?.map((half) => ({ added: half, removed })) as never)
        : (GSet.halves(removed)?.map((half) => ({ added, removed: half })) as never)
})
