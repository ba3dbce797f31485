/**
 * A set of which elements can be added and removed again and again. Of an `add` and a `remove` of one element at the same
 * time the `add` wins: whoever removes takes out what it has seen added, and nothing else (observed-remove).
 *
 * An element holds the dots of its adds, mostly one; a removed one leaves nothing behind but a place in the ranges of the
 * causal context. Elements are compared by Effect's `Equal`: equal structs are one element.
 *
 * Adding, removing and merging a delta take time by what they change, not by the size of the set.
 *
 * Sources: A. Bieniusa et al., "An Optimized Conflict-free Replicated Set", INRIA RR-8083, 2012; Almeida et al., "Delta
 * State Replicated Data Types", JPDC 111, 2018, §7.4.
 *
 * @example
 * import { OrSet } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const names = OrSet.crdt(Schema.String)
 * const all = names.merge(names.empty, OrSet.addAll(names.empty, "n1", ["Ada", "Barbara", "Cleve"]))
 * const fewer = names.merge(all, OrSet.remove(all, "Cleve"))
 * console.log([...OrSet.values(fewer)].sort(), OrSet.size(fewer)) // [ 'Ada', 'Barbara' ] 2
 */
import { HashMap, type Schema } from "effect"
import type { ReplicaId } from "../Crdt.ts"
import * as Causal from "./Causal.ts"
import * as CausalContext from "./CausalContext.ts"
import * as DotMap from "./DotMap.ts"
import { type DotSet, dotSet } from "./DotStore.ts"

export type OrSet<A> = Causal.Causal<DotMap.DotMap<A, DotSet>>

/** Throws `CounterOverflow`. */
export const add = <A>(set: OrSet<A>, replica: ReplicaId, element: A): OrSet<A> => {
  const dot = CausalContext.next(set.context, replica)
  const before = DotMap.get(set.store, element) ?? dotSet.empty
  const store = DotMap.listing(HashMap.make([element, [dot]]))
  return Causal.delta(set, store, before.length === 0 ? [dot] : [dot, ...before])
}

/** One delta of many adds. Throws `CounterOverflow`. */
export const addAll = <A>(set: OrSet<A>, replica: ReplicaId, elements: Iterable<A>): OrSet<A> => {
  let { counter } = CausalContext.next(set.context, replica)
  const dots: Array<CausalContext.Dot> = []
  const entries = HashMap.mutate(HashMap.empty<A, DotSet>(), (added) => {
    for (const element of elements) {
      const dot: CausalContext.Dot = { replica, counter: counter++ }
      const before = DotMap.get(set.store, element)
      HashMap.set(added, element, [dot])
      dots.push(dot)
      if (before !== undefined) dots.push(...before)
    }
  })
  return Causal.delta(set, DotMap.listing(entries), dots)
}

/** The delta of taking out an element; of one that is not there, it is empty. */
export const remove = <A>(set: OrSet<A>, element: A): OrSet<A> => {
  const before = DotMap.get(set.store, element)
  return before === undefined
    ? Causal.bottom(set, DotMap.none)
    : Causal.delta(set, DotMap.listing(HashMap.make([element, dotSet.empty])), before)
}

/** The delta of taking out all elements that are there. Merging it takes time by the size of the set. */
export const clear = <A>(set: OrSet<A>): OrSet<A> =>
  Causal.delta(set, DotMap.empty, [...HashMap.values(set.store.entries)].flat())

export const has = <A>({ store }: OrSet<A>, element: A): boolean => HashMap.has(store.entries, element)

export const size = <A>({ store }: OrSet<A>): number => HashMap.size(store.entries)

/** In no order that means anything. */
export const values = <A>({ store }: OrSet<A>): IterableIterator<A> => HashMap.keys(store.entries)

export const crdt = <A>(elements: Schema.Codec<A, any>): Causal.CausalCrdt<DotMap.DotMap<A, DotSet>, ReadonlySet<A>> =>
  Causal.crdt("or-set", DotMap.make(elements, dotSet), (set) => new Set(values(set)))
