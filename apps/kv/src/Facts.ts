/** What changes the keyspace: facts that every replica applies in the same order, and the state that comes of them. */
import { Trie } from "@troupe/replication"
import { Schema } from "effect"
import { Bytes } from "./Bytes.ts"
import type * as Keyspace from "./Keyspace.ts"

export interface State {
  readonly entries: Keyspace.Keyspace
  /** Those of `entries` that expire. */
  readonly expiring: Keyspace.Keyspace
  /** Who holds what: a fencing token for a value. Apart from the entries, which no command of theirs reaches. */
  readonly locks: Keyspace.Keyspace
  /** The fencing token that was given last. Never falls. */
  readonly token: number
}

export const init: State = {
  entries: Trie.empty,
  expiring: Trie.empty,
  locks: Trie.empty,
  token: 0
}

export const Update = Schema.Union([
  /** `expires` in milliseconds since 1970; 0: never. */
  Schema.TaggedStruct("Put", { key: Bytes, value: Bytes, expires: Schema.Int, version: Schema.Int }),
  Schema.TaggedStruct("Remove", { keys: Schema.Array(Bytes) }),
  Schema.TaggedStruct("Flush", {}),
  Schema.TaggedStruct("Lock", { key: Bytes, token: Schema.Int, expires: Schema.Int }),
  Schema.TaggedStruct("Unlock", { keys: Schema.Array(Bytes) }),
  /** Those of them that have expired by then; one that was set anew meanwhile has not. */
  Schema.TaggedStruct("Expired", { keys: Schema.Array(Bytes), locks: Schema.Array(Bytes), by: Schema.Int }),
  /** Of a dump: the token to go on from. */
  Schema.TaggedStruct("Token", { token: Schema.Int })
])
export type Update = typeof Update.Type

/** About what it takes as a message. */
export const sizeOf = (update: Update): number => {
  switch (update._tag) {
    case "Put":
      return update.key.length + update.value.length + 16
    case "Remove":
    case "Unlock":
      return lengthOf(update.keys)
    case "Expired":
      return lengthOf(update.keys) + lengthOf(update.locks)
    case "Lock":
      return update.key.length + 16
    default:
      return 16
  }
}

const lengthOf = (keys: ReadonlyArray<string>): number => keys.reduce((sum, key) => sum + key.length + 4, 16)

export const apply = (state: State, update: Update): State => {
  switch (update._tag) {
    case "Put":
      return put(state, update)
    case "Remove": {
      const entries = update.keys.reduce(Trie.remove, state.entries)
      return { ...state, entries, expiring: update.keys.reduce(Trie.remove, state.expiring) }
    }
    case "Flush":
      return { ...state, entries: Trie.empty, expiring: Trie.empty }
    case "Lock": {
      const { expires, key, token } = update
      const locks = Trie.set(state.locks, { key, value: String(token), expires, version: token })
      return { ...state, locks, token: Math.max(token, state.token) }
    }
    case "Unlock":
      return { ...state, locks: update.keys.reduce(Trie.remove, state.locks) }
    case "Expired": {
      const keys = update.keys.filter((key) => hasExpired(state.expiring, key, update.by))
      const locks = update.locks.filter((key) => hasExpired(state.locks, key, update.by))
      return {
        ...state,
        entries: keys.reduce(Trie.remove, state.entries),
        expiring: keys.reduce(Trie.remove, state.expiring),
        locks: locks.reduce(Trie.remove, state.locks)
      }
    }
    case "Token":
      return { ...state, token: update.token }
  }
}

/** The same as each in turn; most are entries without an expiry in a row. */
export const applyAll = (state: State, updates: ReadonlyArray<Update>): State => {
  let next = state
  let i = 0
  while (i < updates.length) {
    const from = i
    while (i < updates.length && isPlain(next, updates[i]!)) i++
    if (i - from > 1) {
      const all = (i - from === updates.length ? updates : updates.slice(from, i)) as ReadonlyArray<Keyspace.Entry>
      next = { ...next, entries: Trie.setAll(next.entries, all) }
    } else {
      next = apply(next, updates[from]!)
      i = from + 1
    }
  }
  return next
}

/** An entry that no other one of the state is concerned with. */
const isPlain = ({ expiring }: State, update: Update): boolean =>
  update._tag === "Put" && update.expires === 0 && expiring.size === 0

const hasExpired = (keyspace: Keyspace.Keyspace, key: string, by: number): boolean =>
  (Trie.get(keyspace, key)?.expires ?? Infinity) <= by

/** The update is the entry: a copy without the tag would cost more than the tag. */
const put = (state: State, entry: Keyspace.Entry): State => ({
  entries: Trie.set(state.entries, entry),
  expiring: entry.expires === 0 ? withoutExpiry(state.expiring, entry.key) : Trie.set(state.expiring, entry),
  locks: state.locks,
  token: state.token
})

const withoutExpiry = (expiring: Keyspace.Keyspace, key: string): Keyspace.Keyspace =>
  expiring.size === 0 ? expiring : Trie.remove(expiring, key)

export function* dump(state: State): Generator<Update> {
  for (const { expires, key, value, version } of Trie.from(state.entries)) {
    yield { _tag: "Put", key, value, expires, version }
  }
  for (const { expires, key, value } of Trie.from(state.locks)) {
    yield { _tag: "Lock", key, token: Number(value), expires }
  }
  if (state.token > 0) yield { _tag: "Token", token: state.token }
}
