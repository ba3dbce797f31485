/**
 * A dot store at each key. A key is there as long as a dot is below it.
 *
 * The map of a delta *lists* the keys that the delta is about, those below which nothing is left too: below other keys
 * there is none of the dots of its context. So merging a delta looks at these keys alone, however large the state is. A
 * map that is not such a list makes no claim of that kind, and all keys are looked at.
 */
import { HashMap, Option, Schema, SchemaTransformation } from "effect"
import type * as CausalContext from "./CausalContext.ts"
import type { DotStore } from "./DotStore.ts"

type Context = CausalContext.CausalContext

export interface DotMap<in out Key, out Store> {
  readonly entries: HashMap.HashMap<Key, Store>
  /** Whether the dots of the context are all below the keys that are there. If not so, no entry is empty. */
  readonly lists: boolean
}

const nothing = HashMap.empty<never, never>()

/** A map without keys, that makes no claim. */
export const empty: DotMap<any, never> = { entries: nothing, lists: false }

/** A delta about no key. */
export const none: DotMap<any, never> = { entries: nothing, lists: true }

export const get = <Key, Store>({ entries }: DotMap<Key, Store>, key: Key): Store | undefined =>
  Option.getOrUndefined(HashMap.get(entries, key))

/** A delta about these keys. */
export const listing = <Key, Store>(entries: HashMap.HashMap<Key, Store>): DotMap<Key, Store> => ({
  entries,
  lists: true
})

export const make = <Key, Store>(
  keys: Schema.Codec<Key, any>,
  values: DotStore<Store>
): DotStore<DotMap<Key, Store>> => {
  type Map = DotMap<Key, Store>

  /** Whether an empty map joined with `about` has just its entries. */
  const isTakenWhole = (context: Context, about: Map, aboutContext: Context): boolean => {
    for (const store of HashMap.values(about.entries)) {
      if (values.isEmpty(store) || values.join(values.empty, context, store, aboutContext) !== store) return false
    }
    return true
  }

  /** `base` joined with what is below the keys of `about`. */
  const joinListed = (base: Map, context: Context, about: Map, aboutContext: Context): Map => {
    const { entries, lists } = base
    if (!lists && HashMap.isEmpty(entries) && isTakenWhole(context, about, aboutContext)) {
      return HashMap.isEmpty(about.entries) ? base : { entries: about.entries, lists }
    }
    let next = entries
    // Several changes are made in place, to a copy that nobody else has yet.
    const many = HashMap.size(about.entries) > 1
    for (const [key, store] of about.entries) {
      const found = HashMap.get(entries, key)
      const old = Option.isSome(found) ? found.value : undefined
      // What `base` doesn't list, it is not about.
      const joined = old === undefined && lists ? store : values.join(old ?? values.empty, context, store, aboutContext)
      if (joined === old) continue
      const gone = !lists && values.isEmpty(joined)
      if (gone && old === undefined) continue
      if (many && next === entries) next = HashMap.beginMutation(entries)
      next = gone ? HashMap.remove(next, key) : HashMap.set(next, key, joined)
    }
    if (next === entries) return base
    return { entries: many ? HashMap.endMutation(next) : next, lists }
  }

  const joinAll = (mine: Map, context: Context, other: Map, otherContext: Context): Map => {
    const both = joinListed(mine, context, other, otherContext)
    let next = both.entries
    for (const [key, store] of mine.entries) {
      const left = values.join(store, context, values.empty, otherContext)
      // What the other has at the key has been joined already.
      if (left === store || HashMap.has(other.entries, key)) continue
      if (next === both.entries) next = HashMap.beginMutation(next)
      next = values.isEmpty(left) ? HashMap.remove(next, key) : HashMap.set(next, key, left)
    }
    return next === both.entries ? both : { entries: HashMap.endMutation(next), lists: false }
  }

  /** How many keys have something below them. */
  const keysOf = ({ entries, lists }: Map): number =>
    lists
      ? HashMap.reduce(entries, 0, (count, store) => (values.isEmpty(store) ? count : count + 1))
      : HashMap.size(entries)

  const join = (mine: Map, context: Context, other: Map, otherContext: Context): Map => {
    if (!mine.lists && !other.lists) return joinAll(mine, context, other, otherContext)
    if (!mine.lists) return joinListed(mine, context, other, otherContext)
    if (!other.lists) return joinListed(other, otherContext, mine, context)
    return HashMap.size(mine.entries) >= HashMap.size(other.entries)
      ? joinListed(mine, context, other, otherContext)
      : joinListed(other, otherContext, mine, context)
  }

  return {
    empty: empty as Map,
    isEmpty: ({ entries, lists }) => {
      if (!lists) return HashMap.isEmpty(entries)
      for (const store of HashMap.values(entries)) if (!values.isEmpty(store)) return false
      return true
    },
    join,
    forEachDot: ({ entries }, f) => {
      for (const store of HashMap.values(entries)) values.forEachDot(store, f)
    },
    equals: (first, second) => {
      if (first === second) return true
      if (keysOf(first) !== keysOf(second)) return false
      for (const [key, store] of first.entries) {
        if (first.lists && values.isEmpty(store)) continue
        const other = get(second, key)
        if (other === undefined || !values.equals(store, other)) return false
      }
      return true
    },
    rename: ({ entries, lists }, rename) => ({
      entries: HashMap.map(entries, (store) => values.rename(store, rename)),
      lists
    }),
    halves: ({ entries }) => {
      const all = [...entries].filter(([, store]) => !values.isEmpty(store))
      if (all.length > 1) {
        const middle = all.length >> 1
        return [listing(HashMap.fromIterable(all.slice(0, middle))), listing(HashMap.fromIterable(all.slice(middle)))]
      }
      const [key, store] = all[0] ?? []
      const halves = store === undefined ? undefined : values.halves(store)
      const at = (half: Store): Map => listing(HashMap.make([key as Key, half]))
      return halves && [at(halves[0]), at(halves[1])]
    },
    schema: codec(keys, values.schema)
  }
}

const codec = <Key, Store>(keys: Schema.Codec<Key, any>, stores: Schema.Codec<Store, any>) =>
  Schema.Struct({ entries: Schema.Array(Schema.Tuple([keys, stores])), lists: Schema.Boolean }).pipe(
    Schema.decodeTo(
      Schema.declare(isDotMap<Key, Store>),
      SchemaTransformation.transform({
        decode: ({ entries, lists }) => ({
          entries: HashMap.fromIterable(entries as ReadonlyArray<[Key, Store]>),
          lists
        }),
        encode: ({ entries, lists }) => ({ entries: [...entries], lists })
      })
    )
  ) as unknown as Schema.Codec<DotMap<Key, Store>, any>

const isDotMap = <Key, Store>(value: unknown): value is DotMap<Key, Store> =>
  typeof value === "object" && value !== null && "entries" in value && HashMap.isHashMap(value.entries)
