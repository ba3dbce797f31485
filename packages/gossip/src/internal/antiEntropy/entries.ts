/** Entries on their way from one store to another. */
import type { Fingerprint } from "../../Fingerprint.ts"
import * as MerkleTree from "../../MerkleTree.ts"
import * as SetSketch from "../../SetSketch.ts"
import { utf8Bytes } from "../epidemic/items.ts"
import { entriesMax, overhead, type StoredEntry } from "./messages.ts"
import { itemBytes, readItems, Words } from "./packed.ts"
import { type Act, type Change, EntryTooLarge, Malformed, refuse, say, type State } from "./state.ts"

/** How many entries may be asked of the store still in this round. */
export const readable = ({ handed, read }: State, { self: { options } }: Act): number =>
  handed >= options.messagesPerRound ? 0 : Math.max(0, options.entriesPerRound - read)

/** Has the store asked for entries that a peer lacks. */
export const fetch = (state: State, to: string, keys: ReadonlyArray<string>, act: Act): State => {
  const some = keys.slice(0, readable(state, act))
  if (some.length === 0) return state
  act.emit({ _tag: "Fetch", to, keys: some })
  return { ...state, read: state.read + some.length }
}

/** Hands entries of the store to a peer, in as many messages as they need and the round has left. */
export const give = (state: State, to: string, entries: ReadonlyArray<StoredEntry>, act: Act): State => {
  const { entryBytes, messagesPerRound, packetBytes } = act.self.options
  let { handed } = state
  let batch: Array<StoredEntry> = []
  let bytes = overhead
  const flush = (): void => {
    if (batch.length === 0 || handed >= messagesPerRound) return
    act.send(to, { _tag: "Entries", entries: batch })
    handed++
    batch = []
    bytes = overhead
  }
  for (const entry of entries) {
    const size = sizeOf(entry)
    if (size > entryBytes) {
      refuse(state, act.self.id, new EntryTooLarge({ key: entry.key, bytes: size, limit: entryBytes }), act)
      continue
    }
    if (bytes + size > packetBytes || batch.length === entriesMax) flush()
    if (handed >= messagesPerRound) break
    batch.push(entry)
    bytes += size
  }
  flush()
  return handed === state.handed ? state : { ...state, handed }
}

/** A bound of the bytes that an entry adds to a message. */
const sizeOf = ({ key, value }: StoredEntry): number => 16 + utf8Bytes(key) + value.length

/** A peer hands over entries: the store merges them. */
export const onEntries = (state: State, from: string, entries: ReadonlyArray<StoredEntry>, act: Act): State => {
  const { entryBytes: limit } = act.self.options
  const fit = entries.filter((entry) => {
    const bytes = sizeOf(entry)
    if (bytes > limit) refuse(state, from, new EntryTooLarge({ key: entry.key, bytes, limit }), act)
    return bytes <= limit
  })
  if (fit.length === 0) return state
  act.emit({ _tag: "Received", from, entries: fit })
  return { ...state, received: state.received + fit.length }
}

/** Asks a peer for entries. */
export const want = (state: State, to: string, items: ReadonlyArray<Fingerprint>, act: Act): State => {
  const perPacket = Math.floor((act.self.options.packetBytes - overhead) / itemBytes)
  let next = state
  for (let from = 0; from < items.length; from += perPacket) {
    const words = new Words()
    for (let at = from; at < Math.min(items.length, from + perPacket); at++) words.item(items[at]!)
    const before = next
    next = say(next, to, { _tag: "Want", items: words.take() }, act)
    if (next === before) break
  }
  return next
}

/** A peer asks for entries: as far as they are still there, it gets them. */
export const onWant = (state: State, from: string, bytes: Uint8Array, act: Act): State => {
  const items = readItems(bytes)
  if (items === undefined) return refuse(state, from, new Malformed({ from, what: "fingerprints" }), act)
  return fetch(state, from, keysOf(state, items, readable(state, act)), act)
}

/** The keys of entries that are here, up to so many. */
export const keysOf = ({ tree }: State, items: ReadonlyArray<Fingerprint>, limit: number): ReadonlyArray<string> => {
  const keys: Array<string> = []
  for (let i = 0; i < items.length && keys.length < limit; i++) {
    const entry = MerkleTree.find(tree, items[i]!)
    if (entry !== undefined) keys.push(entry.key)
  }
  return keys
}

/** The store has changed. */
export const changed = (state: State, changes: ReadonlyArray<Change>): State => {
  let { sketch, tree } = state
  for (const { key, version } of changes) {
    const entry = MerkleTree.entryOf(tree.layout, key, version ?? "")
    const before = MerkleTree.at(tree, entry)
    const next = version === undefined ? MerkleTree.remove(tree, key) : MerkleTree.put(tree, entry)
    if (next === tree) continue
    tree = next
    if (before !== undefined) sketch = SetSketch.remove(sketch, before)
    if (version !== undefined) sketch = SetSketch.add(sketch, entry)
  }
  return tree === state.tree ? state : { ...state, tree, sketch }
}
