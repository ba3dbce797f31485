/**
 * A map from text to values that are replicated themselves. A key is there as long as its value holds anything; removing
 * it takes out what was seen below it, at all depths, and an update at the same time stays (observed-remove).
 *
 * Values are of one type: `EnableWinsFlag`, `MvRegister`, `OrSet`, `OrMap`, which share the causal context of the map;
 * or `GCounter`, `PNCounter`, `GSet`, `TwoPhaseSet`, `LwwRegister`. Of these, the map keeps what each replica has
 * contributed apart, so that a removed counter starts at 0 again; what a replica contributed up to an update that
 * the remover had not seen stays with that update. A `BoundedCounter` cannot be removed without its rights, and is refused
 * by its type.
 *
 * Sources: Almeida et al., "Delta State Replicated Data Types", JPDC 111, 2018, §7.4; for counters, C. Baquero,
 * P. S. Almeida, C. Lerche, "The Problem with Embedded CRDT Counters and a Solution", PaPoC 2016.
 *
 * @example
 * import { GCounter, OrMap, OrSet } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const votes = OrMap.crdt(GCounter.crdt)
 * const one = votes.merge(votes.empty, votes.update(votes.empty, "n1", "Ada", GCounter.increment))
 * const removed = votes.merge(one, votes.remove(one, "Ada"))
 * const another = votes.update(one, "n2", "Ada", GCounter.increment)
 * console.log(votes.value(removed).size, votes.value(votes.merge(removed, another))) // 0 Map(1) { 'Ada' => 1 }
 *
 * const carts = OrMap.crdt(OrSet.crdt(Schema.String))
 * const cart = carts.update(carts.empty, "n1", "mine", (set, replica) => OrSet.add(set, replica, "tea"))
 * console.log(carts.value(cart)) // Map(1) { 'mine' => Set(1) { 'tea' } }
 */

import { HashMap, Schema } from "effect"
import type { Contributed, ReplicaId } from "../Crdt.ts"
import * as Causal from "./Causal.ts"
import * as CausalContext from "./CausalContext.ts"
import * as DotMap from "./DotMap.ts"
import { type DotFun, dotFunOf, type DotStore, dotsOf } from "./DotStore.ts"

export type OrMap<Store> = Causal.Causal<DotMap.DotMap<string, Store>>

/**
 * @typeParam Store what the map keeps at a key
 * @typeParam State what a mutator of a value is given
 */
export interface OrMapCrdt<in out Store, in out State, out Value> extends Causal.CausalCrdt<
  DotMap.DotMap<string, Store>,
  ReadonlyMap<string, Value>
> {
  /** The state of the value at a key; that of an empty one where there is none. */
  readonly get: (map: OrMap<Store>, key: string) => State
  readonly has: (map: OrMap<Store>, key: string) => boolean
  /** The delta of what `mutate` does to the value at a key; it returns the value's delta. Throws `CounterOverflow`. */
  readonly update: (
    map: OrMap<Store>,
    replica: ReplicaId,
    key: string,
    mutate: (state: State, replica: ReplicaId) => State
  ) => OrMap<Store>
  /** The delta of taking out what is seen at a key. */
  readonly remove: (map: OrMap<Store>, key: string) => OrMap<Store>
}

/** How the states of a type of values are kept in a store. */
interface Embedding<Store, State, Value> {
  readonly store: DotStore<Store>
  readonly read: (store: Store, context: CausalContext.CausalContext) => State
  readonly value: (store: Store, context: CausalContext.CausalContext) => Value
  readonly update: (
    store: Store,
    context: CausalContext.CausalContext,
    replica: ReplicaId,
    mutate: (state: State, replica: ReplicaId) => State
  ) => Causal.Causal<Store>
}

const causal = <Store, Value>(
  values: Causal.CausalCrdt<Store, Value>
): Embedding<Store, Causal.Causal<Store>, Value> => ({
  store: values.store,
  read: (store, context) => ({ store, context }),
  value: (store, context) => values.value({ store, context }),
  update: (store, context, replica, mutate) => mutate({ store, context }, replica)
})

/** At a dot of each replica, what that replica has contributed. */
const contributions = <State, Value>(values: Contributed<State, Value>): Embedding<DotFun<State>, State, Value> => {
  const read = (entries: DotFun<State>): State =>
    entries.reduce((state, entry) => values.merge(state, entry.value), values.empty)
  return {
    store: dotFunOf(values),
    read,
    value: (entries) => values.value(read(entries)),
    update: (entries, context, replica, mutate) => {
      const own = entries.filter((entry) => entry.replica === replica)
      const dot = CausalContext.next(context, replica)
      const value = values.merge(read(own), mutate(read(entries), replica))
      return Causal.delta({ store: undefined, context }, [{ ...dot, value }], [dot, ...own])
    }
  }
}

const make = <Store, State, Value>(
  name: string,
  { read, store, update, value }: Embedding<Store, State, Value>
): OrMapCrdt<Store, State, Value> => {
  const kind = DotMap.make(Schema.String, store)
  const valueOf = (map: OrMap<Store>): ReadonlyMap<string, Value> => {
    const found = new Map<string, Value>()
    for (const [key, each] of map.store.entries) found.set(key, value(each, map.context))
    return found
  }
  const at = (map: OrMap<Store>, key: string): Store => DotMap.get(map.store, key) ?? store.empty
  return {
    ...Causal.crdt(`or-map of ${name}`, kind, valueOf),
    get: (map, key) => read(at(map, key), map.context),
    has: (map, key) => HashMap.has(map.store.entries, key),
    update: (map, replica, key, mutate) => {
      const delta = update(at(map, key), map.context, replica, mutate)
      return { store: DotMap.listing(HashMap.make([key, delta.store])), context: delta.context }
    },
    remove: (map, key) => {
      const before = DotMap.get(map.store, key)
      return before === undefined
        ? Causal.bottom(map, DotMap.none)
        : Causal.delta(map, DotMap.listing(HashMap.make([key, store.empty])), dotsOf(store, before))
    }
  }
}

export const crdt: {
  <Store, Value>(values: Causal.CausalCrdt<Store, Value>): OrMapCrdt<Store, Causal.Causal<Store>, Value>
  <State, Value>(values: Contributed<State, Value>): OrMapCrdt<DotFun<State>, State, Value>
} = (values: Causal.CausalCrdt<any, any> | Contributed<any, any>): OrMapCrdt<any, any, any> =>
  "store" in values ? make(values.name, causal(values)) : make(values.name, contributions(values))
