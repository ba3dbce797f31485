/**
 * A set that only grows: merged by union.
 *
 * Source: Shapiro et al., "Conflict-free Replicated Data Types", SSS 2011.
 *
 * @example
 * import { GSet } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const seen = GSet.crdt(Schema.String)
 * const both = seen.merge(GSet.add(seen.empty, "a"), GSet.add(seen.empty, "b"))
 * console.log(GSet.has(both, "a"), GSet.has(both, "c")) // true false
 */
import { HashSet, Schema, SchemaTransformation } from "effect"
import type { Contributed } from "../Crdt.ts"
import * as Counts from "./Counts.ts"

export type GSet<A> = HashSet.HashSet<A>

export const empty: GSet<never> = HashSet.empty()

/** The delta of adding an element; that of one that is there already is empty. */
export const add = <A>(set: GSet<A>, element: A): GSet<A> =>
  HashSet.has(set, element) ? HashSet.empty() : HashSet.make(element)

export const addAll = <A>(set: GSet<A>, elements: Iterable<A>): GSet<A> =>
  HashSet.difference(HashSet.fromIterable(elements), set)

export const has: <A>(set: GSet<A>, element: A) => boolean = HashSet.has

export const merge = <A>(set: GSet<A>, other: GSet<A>): GSet<A> => {
  const small = HashSet.size(set) === 0 ? set : other
  const large = small === set ? other : set
  return HashSet.isSubset(small, large) ? large : HashSet.union(large, small)
}

export const equals = <A>(first: GSet<A>, second: GSet<A>): boolean =>
  HashSet.size(first) === HashSet.size(second) && HashSet.isSubset(first, second)

export const schema = <A>(elements: Schema.Codec<A, any>): Schema.Codec<GSet<A>, any> =>
  Schema.Array(elements).pipe(
    Schema.decodeTo(
      Schema.declare((it): it is GSet<A> => HashSet.isHashSet(it)),
      SchemaTransformation.transform({
        decode: (list) => HashSet.fromIterable(list as ReadonlyArray<A>),
        encode: (set) => [...set]
      })
    )
  ) as unknown as Schema.Codec<GSet<A>, any>

export const halves = <A>(set: GSet<A>): readonly [GSet<A>, GSet<A>] | undefined => {
  const both = Counts.halves(set)
  return both && [HashSet.fromIterable(both[0]), HashSet.fromIterable(both[1])]
}

export const crdt = <A>(elements: Schema.Codec<A, any>): Contributed<GSet<A>, ReadonlySet<A>> => ({
  contributed: true,
  name: "g-set",
  empty,
  schema: schema(elements),
  value: (set) => new Set(set),
  merge,
  equals,
  known: () => 0,
  // There is no name in it.
  prune: (set) => set,
  halves
})
