/**
 * What a replica holds of each key: a copy of its value, and the promise that it has made for it.
 *
 * All changes are entries, which are also what is on disk: `apply` makes them, live and when a log is read.
 */
import * as Trie from "../../Trie.ts"
import { alone, type Ballot, highest, isBelow, isSame, make, none } from "./ballots.ts"

/**
 * The state of a key's machine, as the updates that `dump` makes of it. Most are of one update, which takes half the room
 * outside a list. Of none, the key is gone.
 */
export interface Dump {
  readonly first?: unknown
  readonly rest: ReadonlyArray<unknown>
}

export interface Copy extends Dump {
  readonly version: Ballot
  /**
   * Of each other node the latest of its changes that this one builds on. An entry of node -1: what builds on forgotten
   * changes, and those were of ballots up to this one.
   */
  readonly past: ReadonlyArray<Ballot>
  /** The latest time of day that it was executed at. */
  readonly now: number
}

export interface Register {
  readonly key: string
  /** It takes nothing of a lower ballot. Never falls, and is `copy.version` at least. */
  readonly promised: Ballot
  readonly copy: Copy
}

export interface Registers {
  /** How often the replica has started. */
  readonly life: number
  readonly byKey: Trie.Trie<Register>
  /** What is promised for each key that is not there: at least all that was promised for those that were forgotten. */
  readonly floor: Ballot
  /** Those of the keys that are there, and yet hold nothing. */
  readonly gone: Trie.Trie<Trie.Entry>
  /** How many copies were accepted. */
  readonly accepted: number
}

export type Entry =
  /** The replica starts once more. */
  | { readonly _tag: "Life"; readonly life: number }
  | { readonly _tag: "Promised"; readonly key: string; readonly ballot: Ballot }
  /** `next` is promised with it. */
  | { readonly _tag: "Accepted"; readonly key: string; readonly copy: Copy; readonly next?: Ballot }
  /** These hold nothing, and so do they everywhere, or nothing was ever held. */
  | { readonly _tag: "Forgotten"; readonly keys: ReadonlyArray<string>; readonly floor: Ballot }

const nothing: ReadonlyArray<never> = []

export const empty: Registers = { life: 0, byKey: Trie.empty, floor: none, gone: Trie.empty, accepted: 0 }

/** The copy of a key that is not there. */
export const absent = (floor: Ballot): Copy => ({
  version: none,
  past: floor.counter === 0 ? nothing : alone(make(floor.counter, -1, 0)),
  now: 0,
  first: undefined,
  rest: nothing
})

export const get = ({ byKey, floor }: Registers, key: string): Register =>
  Trie.get(byKey, key) ?? { key, promised: floor, copy: absent(floor) }

const isGone = ({ copy }: Register): boolean => isNothing(copy)

/** How many keys hold something. */
export const held = ({ byKey, gone }: Registers): number => byKey.size - gone.size

const put = (registers: Registers, register: Register, before: Register | undefined, accepted: number): Registers => {
  let { gone } = registers
  if (isGone(register)) {
    if (before === undefined || !isGone(before)) gone = Trie.set(gone, { key: register.key })
  } else if (before !== undefined && isGone(before)) gone = Trie.remove(gone, register.key)
  return {
    life: registers.life,
    byKey: Trie.set(registers.byKey, register),
    floor: registers.floor,
    gone,
    accepted: registers.accepted + accepted
  }
}

export const apply = (registers: Registers, entry: Entry): Registers => {
  switch (entry._tag) {
    case "Life":
      return { ...registers, life: entry.life }
    case "Promised": {
      const { copy, key, promised } = get(registers, entry.key)
      return put(registers, { key, promised: highest(promised, entry.ballot), copy }, Trie.get(registers.byKey, key), 0)
    }
    case "Accepted": {
      const { copy, key, next = none } = entry
      const before = Trie.get(registers.byKey, key)
      const promised = highest(highest(before?.promised ?? registers.floor, copy.version), next)
      return put(registers, { key, promised, copy }, before, 1)
    }
    case "Forgotten": {
      let { byKey, gone } = registers
      for (const key of entry.keys) {
        byKey = Trie.remove(byKey, key)
        gone = Trie.remove(gone, key)
      }
      return { ...registers, byKey, gone, floor: highest(registers.floor, entry.floor) }
    }
  }
}

/** Entries that come to the same, taken bit by bit. The floor comes last, for it would raise the promises of what follows. */
export const compact = ({ byKey, floor, life }: Registers): Iterable<ReadonlyArray<Entry>> => ({
  [Symbol.iterator]: () => {
    const registers = Trie.from(byKey)
    const others: Array<Entry> = [
      { _tag: "Life", life },
      { _tag: "Forgotten", keys: [], floor }
    ]
    return {
      next: (): IteratorResult<ReadonlyArray<Entry>> => {
        const { done, value } = registers.next()
        if (done !== true) return { done: false, value: [entryOf(value)] }
        return others.length === 0 ? { done, value } : { done: false, value: others.splice(0) }
      }
    }
  }
})

const entryOf = ({ copy, key, promised }: Register): Entry => {
  if (copy.version.counter === 0) return { _tag: "Promised", key, ballot: promised }
  return { _tag: "Accepted", key, copy, ...(isSame(copy.version, promised) ? {} : { next: promised }) }
}

// ------------------------------------------------------------------------------------------------------------- copies

export const isNothing = ({ first }: Dump): boolean => first === undefined

export const updatesOf = ({ first, rest }: Dump): ReadonlyArray<unknown> =>
  first === undefined ? nothing : rest.length === 0 ? [first] : [first, ...rest]

export const dumpOf = (updates: ReadonlyArray<unknown>): Dump => ({
  first: updates[0],
  rest: updates.length > 1 ? updates.slice(1) : nothing
})

/** Whether a copy is of a change, or builds on it. */
export const contains = ({ past, version }: Copy, change: Ballot): boolean =>
  isSame(version, change) || past.some((each) => isSame(each, change))

/** Whether it may build on a change that it has forgotten. */
export const mayContain = ({ past }: Copy, change: Ballot): boolean =>
  past.some(({ counter, node }) => node === -1 && counter >= change.counter)

/** The past of what a ballot makes of a copy. */
export const pastOf = ({ past, version }: Copy, { node }: Ballot): ReadonlyArray<Ballot> => {
  if (version.counter === 0 || version.node === node) return past
  return [...past.filter((each) => each.node !== node), version]
}

/** The newer one; of two of keys that are not there, the one that forgets more. */
export const newer = (a: Copy, b: Copy): Copy => {
  if (isBelow(a.version, b.version)) return b
  if (b.version.counter > 0 || a.version.counter > 0) return a
  return (a.past[0]?.counter ?? 0) < (b.past[0]?.counter ?? 0) ? b : a
}
