/**
 * A tree of hashes over a keyed store: two stores find what differs by comparing a path for each difference.
 *
 * The ring of hash positions is divided evenly among the leaves, as a store that partitions by hash divides it among
 * nodes: a leaf is a range of the ring, and an inner node the range of its children. The hash of a node is the sum
 * (exclusive or) of the fingerprints of the entries in its range: equal hashes, equal entries. The shape depends on the
 * layout alone, never on the order of changes, so that two trees of one layout can be compared node by node.
 *
 * A tree is an immutable value: a change makes new nodes on one path, `depth` + 1 of them, and shares the rest.
 *
 * The hash of a key decides its leaf, so that keys of any pattern spread evenly, and the sum cannot be made to cancel
 * by who does not know the layout's key. Choose so many leaves that each has some 16 entries: work in a leaf grows with
 * its size.
 *
 * Sources: R. Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987; G. DeCandia et
 * al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, §4.7.
 *
 * @example
 * import { MerkleTree } from "@troupe/gossip"
 *
 * const layout = { fanOut: 16, depth: 3, key: [1, 2] } as const
 * const store = Array.from({ length: 1_000 }, (_, i) => ({ key: `key ${i}`, version: "1" }))
 * const mine = MerkleTree.fromEntries(layout, store)
 * const theirs = MerkleTree.set(MerkleTree.remove(mine, "key 17"), "key 4", "2")
 * console.log([...MerkleTree.differences(mine, theirs)].map(({ key }) => key).toSorted()) // [ 'key 17', 'key 4' ]
 */
import { Schema } from "effect"
import * as Fingerprint from "./Fingerprint.ts"
import * as Hash from "./internal/antiEntropy/hash.ts"

/** Nodes can compare their trees when they have the same layout. */
export interface Layout {
  /** How many children a node has: a power of 2 from 2 to 256. */
  readonly fanOut: number
  /** How many levels are below the root: `fanOut ** depth` leaves, at most 2²⁴. */
  readonly depth: number
  /** The key of the hash. */
  readonly key: Fingerprint.HashKey
}

export interface Entry extends Fingerprint.Fingerprint {
  readonly key: string
}

export interface Node {
  /** The sums of the fingerprints in its range. */
  readonly hi: number
  readonly lo: number
  /** How many entries are in its range. */
  readonly count: number
  /** Of an inner node that is not empty, `fanOut` of them. */
  readonly children: ReadonlyArray<Node>
  /** Of a leaf, in the order of their positions, and of their keys where these are the same. */
  readonly entries: ReadonlyArray<Entry>
}

export interface MerkleTree {
  readonly layout: Layout
  readonly root: Node
}

/** An entry of a store, by its key; two entries of a key are the same if and only if their versions are. */
export interface Versioned {
  readonly key: string
  readonly version: string
}

/** A key whose entries differ. */
export interface Different {
  readonly key: string
  readonly mine: Entry | undefined
  readonly theirs: Entry | undefined
}

// --------------------------------------------------------------------------------------------------------------- failures

/** No tree can have this layout. */
export class InvalidLayout extends Schema.TaggedError<InvalidLayout>()("InvalidLayout", { reason: Schema.String }) {
  override get message(): string {
    return `There is no such tree: ${this.reason}`
  }
}

/** Two trees, or nodes, divide or hash keys in different ways, so that nothing follows from what they say. */
export class OtherLayout extends Schema.TaggedError<OtherLayout>()("OtherLayout", {
  mine: Schema.String,
  theirs: Schema.String
}) {
  override get message(): string {
    return `Trees of different layouts can't be compared: ${this.mine} here, ${this.theirs} there. Set all replicas alike.`
  }
}

// ---------------------------------------------------------------------------------------------------------------- layouts

/** What is wrong with a layout, if anything. */
export const fault = ({ depth, fanOut }: Layout): string | undefined => {
  if (!Number.isInteger(Math.log2(fanOut)) || fanOut < 2 || fanOut > 256) {
    return `a fan-out is a power of 2 from 2 to 256, not ${fanOut}`
  }
  if (!Number.isInteger(depth) || depth < 1 || depth * Math.log2(fanOut) > 24) {
    return `a depth is a whole number from 1 with at most 2^24 leaves, and ${fanOut}^${depth} are not that`
  }
  return undefined
}

/** A layout in words, the same for equal layouts alone. It tells of the key only whether it is the same. */
export const describe = ({ depth, fanOut, key: [k0, k1] }: Layout): string => {
  const { hi, lo } = Hash.text(k0, k1, "layout")
  return `${fanOut}^${depth} leaves by HalfSipHash-2-4-64 under a key of print ${hex(hi)}${hex(lo)}`
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0")

const bitsOf = ({ fanOut }: Layout): number => 31 - Math.clz32(fanOut)

/** The index, at a level, of the node that has this position in its range. */
const indexAt = (layout: Layout, level: number, position: number): number =>
  level === 0 ? 0 : position >>> (32 - level * bitsOf(layout))

const childAt = (layout: Layout, level: number, position: number): number =>
  indexAt(layout, level + 1, position) & (layout.fanOut - 1)

/** The first and the last position of a node's range, unsigned. */
export const range = (layout: Layout, level: number, index: number): readonly [number, number] => {
  const width = 2 ** (32 - level * bitsOf(layout))
  return [index * width, index * width + width - 1]
}

// ------------------------------------------------------------------------------------------------------------------ values

/** The node of a range without entries. */
const nothing: Node = { hi: 0, lo: 0, count: 0, children: [], entries: [] }

/** Throws `InvalidLayout`. */
export const empty = (layout: Layout): MerkleTree => {
  const reason = fault(layout)
  if (reason !== undefined) throw new InvalidLayout({ reason })
  return { layout, root: nothing }
}

/** All of a store; of a key that is given twice, the later entry. Throws `InvalidLayout`. */
export const fromEntries = (layout: Layout, entries: Iterable<Versioned>): MerkleTree => {
  const { root } = empty(layout)
  const leaves: Array<Array<Entry> | undefined> = Array.from({ length: layout.fanOut ** layout.depth })
  for (const { key, version } of entries) {
    const entry = entryOf(layout, key, version)
    const index = indexAt(layout, layout.depth, entry.position)
    const leaf = leaves[index]
    if (leaf === undefined) leaves[index] = [entry]
    else leaf.push(entry)
  }
  let level: ReadonlyArray<Node> = leaves.map((leaf) => (leaf === undefined ? nothing : leafOf(latest(leaf))))
  while (level.length > 1) {
    const parents: Array<Node> = []
    for (let at = 0; at < level.length; at += layout.fanOut) parents.push(parentOf(level.slice(at, at + layout.fanOut)))
    level = parents
  }
  return { layout, root: level[0] ?? root }
}

/** In order, and of each key the last. The sort is stable. */
const latest = (entries: Array<Entry>): ReadonlyArray<Entry> => {
  if (entries.length < 2) return entries
  entries.sort(order)
  return entries.filter((entry, at) => at + 1 === entries.length || order(entry, entries[at + 1]!) !== 0)
}

/** What a tree of this layout has of an entry. */
export const entryOf = ({ key: secret }: Layout, key: string, version: string): Entry => {
  const { hi, lo, position } = Fingerprint.of(secret, key, version)
  return { key, position, hi, lo }
}

const order = (a: Entry, b: Entry): number =>
  a.position !== b.position ? (a.position >>> 0) - (b.position >>> 0) : a.key < b.key ? -1 : a.key === b.key ? 0 : 1

const leafOf = (entries: ReadonlyArray<Entry>): Node => {
  let hi = 0
  let lo = 0
  for (let i = 0; i < entries.length; i++) {
    hi ^= entries[i]!.hi
    lo ^= entries[i]!.lo
  }
  return { hi, lo, count: entries.length, children: [], entries }
}

const parentOf = (children: ReadonlyArray<Node>): Node => {
  let hi = 0
  let lo = 0
  let count = 0
  for (let i = 0; i < children.length; i++) {
    const child = children[i]!
    hi ^= child.hi
    lo ^= child.lo
    count += child.count
  }
  return count === 0 ? nothing : { hi, lo, count, children, entries: [] }
}

/** With this version of the key's entry, in place of the one that there was. */
export const set = (tree: MerkleTree, key: string, version: string): MerkleTree =>
  put(tree, entryOf(tree.layout, key, version))

/** The same, of what `entryOf` gave. */
export const put = (tree: MerkleTree, entry: Entry): MerkleTree => replaced(tree, entry, entry)

/** Without the key. */
export const remove = (tree: MerkleTree, key: string): MerkleTree =>
  replaced(tree, entryOf(tree.layout, key, ""), undefined)

const replaced = (tree: MerkleTree, place: Entry, entry: Entry | undefined): MerkleTree => {
  const { layout, root } = tree
  const next = replacedIn(layout, root, 0, place, entry)
  return next === root ? tree : { layout, root: next }
}

/** The node with `entry` where the key of `place` is. */
const replacedIn = (layout: Layout, node: Node, level: number, place: Entry, entry: Entry | undefined): Node => {
  if (level === layout.depth) return replacedInLeaf(node, place, entry)
  const at = childAt(layout, level, place.position)
  const child = node.children[at] ?? nothing
  const next = replacedIn(layout, child, level + 1, place, entry)
  if (next === child) return node
  const count = node.count - child.count + next.count
  if (count === 0) return nothing
  const children = node.count === 0 ? Array.from({ length: layout.fanOut }, () => nothing) : node.children.slice()
  children[at] = next
  return { hi: node.hi ^ child.hi ^ next.hi, lo: node.lo ^ child.lo ^ next.lo, count, children, entries: [] }
}

const replacedInLeaf = (leaf: Node, place: Entry, entry: Entry | undefined): Node => {
  const at = placeOf(leaf.entries, place.position, place.key)
  const there = leaf.entries[at]
  const old = there !== undefined && there.key === place.key ? there : undefined
  if (old === entry || (old !== undefined && entry !== undefined && Fingerprint.equals(old, entry))) return leaf
  const entries = leaf.entries.slice()
  if (entry === undefined) entries.splice(at, 1)
  else if (old === undefined) entries.splice(at, 0, entry)
  else entries[at] = entry
  return entries.length === 0 ? nothing : leafOf(entries)
}

/** Where an entry of this position and key is or would be. */
const placeOf = (entries: ReadonlyArray<Entry>, position: number, key: string): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]!
    if (entry.position >>> 0 < position >>> 0 || (entry.position === position && entry.key < key)) low = middle + 1
    else high = middle
  }
  return low
}

// ---------------------------------------------------------------------------------------------------------------- queries

/** The entry of a key. */
export const get = (tree: MerkleTree, key: string): Entry | undefined => at(tree, entryOf(tree.layout, key, ""))

/** The entry of the same key as this one, of whatever version. */
export const at = (tree: MerkleTree, { key, position }: Entry): Entry | undefined => {
  const entries = leafAt(tree, position)
  const entry = entries[placeOf(entries, position, key)]
  return entry?.key === key ? entry : undefined
}

/** The entry of a fingerprint. */
export const find = (tree: MerkleTree, item: Fingerprint.Fingerprint): Entry | undefined => {
  const entries = leafAt(tree, item.position)
  for (let at = placeOf(entries, item.position, ""); entries[at]?.position === item.position; at++) {
    if (Fingerprint.equals(entries[at]!, item)) return entries[at]
  }
  return undefined
}

const leafAt = (tree: MerkleTree, position: number): ReadonlyArray<Entry> =>
  nodeAt(tree, tree.layout.depth, indexAt(tree.layout, tree.layout.depth, position)).entries

/** The node with this index, from 0, among those of its level; the root is level 0. */
export const nodeAt = ({ layout, root }: MerkleTree, level: number, index: number): Node => {
  const bits = bitsOf(layout)
  let node = root
  for (let at = level - 1; at >= 0 && node.count > 0; at--) {
    node = node.children[(index >>> (at * bits)) & (layout.fanOut - 1)]!
  }
  return node
}

/** Shows the entries with positions from `from` to `to`, both unsigned and included, in order, until `see` answers false. */
export const walk = (tree: MerkleTree, from: number, to: number, see: (entry: Entry) => boolean): void =>
  void walkIn(tree.layout, tree.root, 0, 0, from, to, see)

const walkIn = (
  layout: Layout,
  node: Node,
  level: number,
  index: number,
  from: number,
  to: number,
  see: (entry: Entry) => boolean
): boolean => {
  if (level === layout.depth) return walkLeaf(node, from, to, see)
  for (let at = 0; at < node.children.length; at++) {
    const child = node.children[at]!
    const place = index * layout.fanOut + at
    const [first, last] = range(layout, level + 1, place)
    if (child.count === 0 || last < from || first > to) continue
    if (!walkIn(layout, child, level + 1, place, from, to, see)) return false
  }
  return true
}

const walkLeaf = ({ entries }: Node, from: number, to: number, see: (entry: Entry) => boolean): boolean => {
  for (let at = placeOf(entries, from | 0, ""); at < entries.length; at++) {
    const entry = entries[at]!
    if (entry.position >>> 0 > to) return true
    if (!see(entry)) return false
  }
  return true
}

/** The entries with positions in a range, in order. */
export const between = (tree: MerkleTree, from: number, to: number): ReadonlyArray<Entry> => {
  const found: Array<Entry> = []
  walk(tree, from, to, (entry) => found.push(entry) > 0)
  return found
}

/** All entries, in the order of their positions. */
export const entries = (tree: MerkleTree): ReadonlyArray<Entry> => between(tree, 0, 2 ** 32 - 1)

/** The keys whose entries differ; looks only where hashes do. Throws `OtherLayout`. */
export function* differences(mine: MerkleTree, theirs: MerkleTree): Generator<Different> {
  const [here, there] = [describe(mine.layout), describe(theirs.layout)]
  if (here !== there) throw new OtherLayout({ mine: here, theirs: there })
  yield* differencesIn(mine.layout, mine.root, theirs.root, 0)
}

function* differencesIn(layout: Layout, mine: Node, theirs: Node, level: number): Generator<Different> {
  if (isSame(mine, theirs)) return
  if (level < layout.depth) {
    for (let at = 0; at < layout.fanOut; at++) {
      yield* differencesIn(layout, mine.children[at] ?? nothing, theirs.children[at] ?? nothing, level + 1)
    }
    return
  }
  const others = new Map(theirs.entries.map((entry) => [entry.key, entry]))
  for (const entry of mine.entries) {
    const other = others.get(entry.key)
    others.delete(entry.key)
    if (other === undefined || !Fingerprint.equals(entry, other)) yield { key: entry.key, mine: entry, theirs: other }
  }
  for (const other of others.values()) yield { key: other.key, mine: undefined, theirs: other }
}

/** Whether two nodes of one range have the same entries. */
export const isSame = (a: Node, b: Node): boolean => a === b || (a.lo === b.lo && a.hi === b.hi && a.count === b.count)
