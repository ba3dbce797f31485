/**
 * Keys and their values. Both are bytes, held as strings of one byte a character: 16 bytes beside their own, which is a
 * fifth of what an array of bytes takes.
 */
import type { Trie } from "@troupe/replication"

/** A key and what it holds. Never changed. */
export interface Entry {
  readonly key: string
  readonly value: string
  /** When it expires, in milliseconds since 1970; 0: never. */
  readonly expires: number
  /** No two entries that a key had differ and have the same. */
  readonly version: number
}

export type Keyspace = Trie.Trie<Entry>
