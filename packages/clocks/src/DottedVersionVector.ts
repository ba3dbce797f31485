/**
 * Dotted version vectors: the concurrent values of an object, kept by servers for clients without a name.
 *
 * A plain version vector cannot tell two clients of one server apart: a write with an old context either overwrites what
 * its client never saw, or stays beside what it did see, and siblings pile up. Here each value has a dot of its own, the
 * server and the number of the write, and the vector says which dots are known. A write brings the context that its
 * client read (`join`); what that covers goes (`discard`), the new value gets the next dot (`event`), and what is left
 * beside it is truly concurrent. Servers exchange their clocks and keep what neither has discarded (`sync`).
 *
 * Laid out as a set, it needs an entry a server, none a client or value: of `count` dots the values of the latest are
 * there, newest first, and all older ones are known and gone. So a clock holds as many values as writes were concurrent.
 *
 * A server must remember its own entry: one that comes back without it gives dots a second time. `sync` takes it for
 * granted that a dot has one value everywhere.
 *
 * Sources: N. Preguiça, C. Baquero, P. S. Almeida, V. Fonte, R. Gonçalves, "Dotted Version Vectors: Efficient Causality
 * Tracking for Distributed Key-Value Stores", PODC 2012 (as a brief announcement); P. S. Almeida et al., "Scalable and
 * Accurate Causality Tracking for Eventually Consistent Stores", DAIS 2014.
 *
 * @example
 * import { DottedVersionVector } from "@troupe/clocks"
 *
 * const { empty, join, sync, update, values } = DottedVersionVector
 * const first = update(empty, [], "a", "milk")
 * const read = join(first)
 * const second = update(first, read, "a", "milk, eggs")
 * const third = update(second, read, "a", "milk, flour")
 * console.log(values(second), values(third)) // [ 'milk, eggs' ] [ 'milk, flour', 'milk, eggs' ]
 * const elsewhere = update(first, read, "b", "milk, jam")
 * const reconciled = update(sync(third, elsewhere), join(sync(third, elsewhere)), "b", "all of it")
 * console.log(values(reconciled)) // [ 'all of it' ]
 */
import { NodeId } from "@troupe/transport"
import { type Equivalence as EffectEquivalence, Reducer as EffectReducer, Schema } from "effect"
import { counted, Natural } from "./internal/Counting.ts"
import { isSorted } from "./internal/Entries.ts"
import type * as VersionVector from "./VersionVector.ts"

export { CountOutOfRange } from "./internal/Counting.ts"

/**
 * The dots 1 to `count` of a server are known. `values` are those of the latest, newest first: of `count`, `count` − 1
 * and so on. The values of the others are discarded.
 */
export type Entry<A> = readonly [replica: NodeId.NodeId, count: number, values: ReadonlyArray<A>]

/** Sorted by replica, in code units; each replica once. */
export type DottedVersionVector<A> = ReadonlyArray<Entry<A>>

/** Clocks with values of this schema, as plain JSON: `[["a", 3, ["newest", "older"]]]`. */
export const schema = <A, I>(
  value: Schema.Codec<A, I, never, never>
): Schema.Codec<
  DottedVersionVector<A>,
  ReadonlyArray<readonly [replica: string, count: number, values: ReadonlyArray<I>]>,
  never,
  never
> =>
  Schema.Array(Schema.Tuple([NodeId.NodeId, Natural, Schema.Array(value)])).check(
    Schema.makeFilter(
      (entries: DottedVersionVector<A>) => isSorted(entries) || "entries are sorted by replica, each once"
    ),
    Schema.makeFilter(
      (entries: DottedVersionVector<A>) =>
        entries.every(([, count, values]) => count > 0 && values.length <= count) ||
        "an entry has at least one dot, and at most one value a dot"
    )
  )

/** Nothing written yet. */
export const empty: DottedVersionVector<never> = []

/** What a client reads: the values that no write has superseded. */
export const values = <A>(clock: DottedVersionVector<A>): ReadonlyArray<A> => clock.flatMap(([, , values]) => values)

/** The context of a read: which dots are known. A client returns it with its next write. */
export const join = (clock: DottedVersionVector<unknown>): VersionVector.VersionVector =>
  clock.map(([replica, count]) => [replica, count])

/** Discards the values whose dots the context covers, and knows all that the context does. */
export const discard = <A>(
  clock: DottedVersionVector<A>,
  context: VersionVector.VersionVector
): DottedVersionVector<A> =>
  sync(
    clock,
    context.map(([replica, count]) => [replica, count, []])
  )

/** Adds a value with the next dot of `replica`. Throws `CountOutOfRange`. */
export const event = <A>(clock: DottedVersionVector<A>, replica: NodeId.NodeId, value: A): DottedVersionVector<A> => {
  const place = clock.findIndex((entry) => entry[0] >= replica)
  const at = place === -1 ? clock.length : place
  if (clock[at]?.[0] !== replica) return clock.toSpliced(at, 0, [replica, 1, [value]])
  const [, count, values] = clock[at]
  return clock.with(at, [replica, counted(count + 1), [value, ...values]])
}

/** A write that came to server `replica` with the context of its client's read. Throws `CountOutOfRange`. */
export const update = <A>(
  clock: DottedVersionVector<A>,
  context: VersionVector.VersionVector,
  replica: NodeId.NodeId,
  value: A
): DottedVersionVector<A> => event(discard(clock, context), replica, value)

/** What either knows, and the values that neither has discarded. */
export const sync = <A>(first: DottedVersionVector<A>, second: DottedVersionVector<A>): DottedVersionVector<A> => {
  const merged: Array<Entry<A>> = []
  let i = 0
  let j = 0
  while (i < first.length && j < second.length) {
    const mine = first[i]!
    const other = second[j]!
    if (mine[0] === other[0]) {
      merged.push(mine[1] >= other[1] ? syncEntries(mine, other) : syncEntries(other, mine))
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

/** The newer keeps what the older never knew, and what the older still holds. */
const syncEntries = <A>(newer: Entry<A>, older: Entry<A>): Entry<A> => {
  const kept = newer[1] - older[1] + older[2].length
  return kept >= newer[2].length ? newer : [newer[0], newer[1], newer[2].slice(0, kept)]
}

/** Same dots, the same of them discarded. Values are not looked at: a dot has one value. */
export const Equivalence: EffectEquivalence.Equivalence<DottedVersionVector<unknown>> = (first, second) =>
  first.length === second.length &&
  first.every((mine, i) => {
    const other = second[i]!
    return mine[0] === other[0] && mine[1] === other[1] && mine[2].length === other[2].length
  })

/** Syncing: associative, commutative, idempotent, `empty` its identity. */
export const reducer = <A>(): EffectReducer.Reducer<DottedVersionVector<A>> =>
  EffectReducer.make<DottedVersionVector<A>>(sync, empty)
