/**
 * The causal types: a dot store beside a causal context. What is common to all of them.
 */

import { Schema, SchemaTransformation } from "effect"
import type { Crdt } from "../Crdt.ts"
import * as CausalContext from "./CausalContext.ts"
import type { Dot } from "./CausalContext.ts"
import { type DotStore, dotsOf } from "./DotStore.ts"
import * as Epoch from "./Epoch.ts"

export interface Causal<out Store> {
  readonly store: Store
  readonly context: CausalContext.CausalContext
}

/** A type whose states are causal: it can be a value of an `OrMap`, and share the map's context. */
export interface CausalCrdt<in out Store, out Value> extends Crdt<Causal<Store>, Value> {
  readonly store: DotStore<Store>
}

/** What knows of no change, in the epoch of `state`: the delta of a mutator that has nothing to change. */
export const bottom = <Store>({ context: { epoch } }: Causal<unknown>, store: Store): Causal<Store> => ({
  store,
  context: { epoch, replicas: CausalContext.empty.replicas }
})

/** A delta in place of these dots. */
export const delta = <Store>(state: Causal<unknown>, store: Store, dots: Iterable<Dot>): Causal<Store> => ({
  store,
  context: CausalContext.ofDots(state.context, dots)
})

export const crdt = <Store, Value>(
  name: string,
  store: DotStore<Store>,
  value: (state: Causal<Store>) => Value
): CausalCrdt<Store, Value> => {
  const empty: Causal<Store> = { store: store.empty, context: CausalContext.empty }
  return {
    name,
    store,
    empty,
    value,
    schema: codec(store.schema),
    merge: (state, other) => {
      if (state === other || CausalContext.isEmpty(other.context)) return state
      const epoch = Epoch.common(
        state.context.epoch,
        CausalContext.isEmpty(state.context),
        other.context.epoch,
        CausalContext.isEmpty(other.context)
      )
      const joined = store.join(state.store, state.context, other.store, other.context)
      const { epoch: mine, replicas } = CausalContext.union(state.context, other.context)
      if (joined === state.store && replicas === state.context.replicas) return state
      return { store: joined, context: { epoch: Epoch.equals(mine, epoch) ? mine : epoch, replicas } }
    },
    equals: (first, second) =>
      first === second ||
      (CausalContext.equals(first.context, second.context) && store.equals(first.store, second.store)),
    known: (state, replica) => CausalContext.known(state.context, replica),
    prune: (state, departed) => {
      const { context, rename } = CausalContext.prune(state.context, departed)
      return context === state.context ? state : { store: store.rename(state.store, rename), context }
    },
    halves: (state) => halves(store, state)
  }
}

/**
 * First what was undone or overwritten, apart from what is there. Then each of the two by halves: ranges of the context, or
 * what is in the store with its own dots alone.
 */
const halves = <Store>(
  kind: DotStore<Store>,
  state: Causal<Store>
): readonly [Causal<Store>, Causal<Store>] | undefined => {
  const { context, store } = state
  const live = delta(state, store, dotsOf(kind, store))
  if (CausalContext.isEmpty(live.context)) {
    return CausalContext.halves(context)?.map((half) => ({ store: kind.empty, context: half })) as never
  }
  const gone = CausalContext.without(context, live.context)
  if (!CausalContext.isEmpty(gone)) return [{ store: kind.empty, context: gone }, live]
  return kind.halves(store)?.map((half) => delta(state, half, dotsOf(kind, half))) as never
}

const codec = <Store>(stores: Schema.Codec<Store, any>) =>
  Schema.Struct({ context: CausalContext.Wire, store: stores }).pipe(
    Schema.decodeTo(
      Schema.declare(isCausal<Store>),
      SchemaTransformation.transform({
        decode: ({ context, store }: { readonly context: CausalContext.Wire; readonly store: unknown }) => ({
          store: store as Store,
          context: CausalContext.fromWire(context)
        }),
        encode: ({ context, store }) => ({ store, context: CausalContext.toWire(context) })
      }) as never
    )
  ) as unknown as Schema.Codec<Causal<Store>, any>

const isCausal = <Store>(value: unknown): value is Causal<Store> =>
  typeof value === "object" && value !== null && "store" in value && "context" in value
