/**
 * What a causal type holds: dots, and what hangs on them. A change that was undone or overwritten has no dot in the store
 * but is in the causal context: that it is gone follows from the two, so that no tombstones are kept.
 *
 * A `DotSet` is dots alone, a `DotFun` a value at each dot, a `DotMap` (`DotMap.ts`) a dot store at each key.
 *
 * Source: P. S. Almeida, A. Shoker, C. Baquero, "Delta State Replicated Data Types", JPDC 111, 2018, §7.
 */
import { Equal, Schema } from "effect"
import { type Crdt, ReplicaReused } from "../Crdt.ts"
import * as CausalContext from "./CausalContext.ts"
import type { Dot } from "./CausalContext.ts"

type Context = CausalContext.CausalContext

/** A kind of store. */
export interface DotStore<in out Store> {
  readonly empty: Store
  /** Whether there is no dot in it. */
  readonly isEmpty: (store: Store) => boolean
  /**
   * What is in both, or in one and not known to the context of the other. It is `mine` itself where nothing changes.
   */
  readonly join: (mine: Store, context: Context, other: Store, otherContext: Context) => Store
  readonly forEachDot: (store: Store, f: (dot: Dot) => void) => void
  readonly equals: (first: Store, second: Store) => boolean
  readonly rename: (store: Store, rename: (dot: Dot) => Dot) => Store
  /** What is in the store, divided in two, each beside its own dots alone; `undefined` where that cannot be done. */
  readonly halves: (store: Store) => readonly [Store, Store] | undefined
  readonly schema: Schema.Codec<Store, any>
}

/** All dots of a store. */
export const dotsOf = <Store>(kind: DotStore<Store>, store: Store): ReadonlyArray<Dot> => {
  const dots: Array<Dot> = []
  kind.forEachDot(store, (dot) => void dots.push(dot))
  return dots
}

// ------------------------------------------------------------------------------------------------------ lists of dots

const isSame = (a: Dot, b: Dot): boolean => a.counter === b.counter && a.replica === b.replica

const find = <D extends Dot>(dots: ReadonlyArray<D>, dot: Dot): D | undefined => {
  for (let i = 0; i < dots.length; i++) if (isSame(dots[i]!, dot)) return dots[i]
  return undefined
}

const byName = (a: Dot, b: Dot): number =>
  a.replica === b.replica ? a.counter - b.counter : a.replica < b.replica ? -1 : 1

const joinDots = <D extends Dot>(
  mine: ReadonlyArray<D>,
  context: Context,
  other: ReadonlyArray<D>,
  otherContext: Context,
  check?: (a: D, b: D) => void
): ReadonlyArray<D> => {
  if (mine.length === 0) {
    if (other.length === 0) return mine
    if (!other.some((dot) => CausalContext.includes(context, dot))) return other
  }
  let kept: Array<D> | undefined
  for (let i = 0; i < mine.length; i++) {
    const dot = mine[i]!
    const same = find(other, dot)
    if (same !== undefined && check !== undefined) check(dot, same)
    const stays = same !== undefined || !CausalContext.includes(otherContext, dot)
    if (!stays) kept ??= mine.slice(0, i)
    else if (kept !== undefined) kept.push(dot)
  }
  let added = 0
  for (let i = 0; i < other.length; i++) {
    const dot = other[i]!
    if (CausalContext.includes(context, dot) || find(mine, dot) !== undefined) continue
    kept ??= mine.slice()
    kept.push(dot)
    added++
  }
  if (kept === undefined) return mine
  return added > 0 && kept.length > 1 ? kept.sort(byName) : kept
}

const halvesOf = <A>(all: ReadonlyArray<A>): readonly [ReadonlyArray<A>, ReadonlyArray<A>] | undefined =>
  all.length < 2 ? undefined : [all.slice(0, all.length >> 1), all.slice(all.length >> 1)]

const Unique = Schema.makeFilter(
  (dots: ReadonlyArray<Dot>) => dots.every((dot, i) => i === 0 || byName(dots[i - 1]!, dot) < 0),
  { expected: "dots in ascending order" }
)

// -------------------------------------------------------------------------------------------------------------- the kinds

/** In the order of replicas and counters. */
export type DotSet = ReadonlyArray<Dot>

export const dotSet: DotStore<DotSet> = {
  empty: [],
  isEmpty: (dots) => dots.length === 0,
  join: joinDots,
  forEachDot: (dots, f) => dots.forEach(f),
  equals: (first, second) => first.length === second.length && first.every((dot, i) => isSame(dot, second[i]!)),
  rename: (dots, rename) => dots.map(rename).sort(byName),
  halves: halvesOf,
  schema: Schema.Array(CausalContext.Dot).check(Unique)
}

/** A dot, and what hangs on it. */
export interface Entry<out A> extends Dot {
  readonly value: A
}

/** In the order of replicas and counters. */
export type DotFun<A> = ReadonlyArray<Entry<A>>

/** Two values at one dot are two changes with one name. */
const sameValue =
  <A>(equals: (first: A, second: A) => boolean) =>
  (first: Entry<A>, second: Entry<A>): void => {
    if (first.value === second.value || equals(first.value, second.value)) return
    const reason = `its change ${first.counter} is two different ones`
    throw new ReplicaReused({ replica: first.replica, reason })
  }

export const dotFun = <A>(
  value: Schema.Codec<A, any>,
  equals: (first: A, second: A) => boolean = Equal.equals
): DotStore<DotFun<A>> => {
  const check = sameValue(equals)
  return {
    empty: [],
    isEmpty: (entries) => entries.length === 0,
    join: (mine, context, other, otherContext) => joinDots(mine, context, other, otherContext, check),
    forEachDot: (entries, f) => entries.forEach(f),
    equals: (first, second) =>
      first.length === second.length &&
      first.every((entry, i) => isSame(entry, second[i]!) && equals(entry.value, second[i]!.value)),
    rename: (entries, rename) => entries.map((entry) => ({ value: entry.value, ...pick(rename(entry)) })).sort(byName),
    halves: halvesOf,
    schema: Schema.Array(Schema.Struct({ ...CausalContext.Dot.fields, value })).check(Unique) as never
  }
}

const pick = ({ counter, replica }: Dot): Dot => ({ replica, counter })

/** A store whose values are states of `crdt`. */
export const dotFunOf = <State>({ equals, schema }: Crdt<State>): DotStore<DotFun<State>> => dotFun(schema, equals)
