/**
 * Keys and their values as a persistent map: each change gives a new map that shares with the old one all but a path, so
 * that a snapshot is a reference.
 *
 * A trie over the hashes of the keys, the first bits first, in nodes of up to 16. Walking it goes in the order of hashes,
 * which no change of other keys alters: so a cursor is the hash to go on from, and a key that is there all the time is seen.
 *
 * Keys and values are bytes, held as strings of one byte a character: 16 bytes beside their own, which is a fifth of what
 * an array of bytes takes.
 */

/** A key and what it holds. Never changed. */
export interface Entry {
  readonly key: string
  readonly value: string
  /** When it expires, in milliseconds since 1970; 0: never. */
  readonly expires: number
  /** The number of the update that it comes from: no two differ and have the same. */
  readonly version: number
}

/** A bitmap of which children there are, and the children: one array, since a change copies all that it is in. */
type Branch = ReadonlyArray<number | Node>

/** Entries whose keys have the same hash, by chance or malice. */
interface Collision {
  readonly entries: ReadonlyArray<Entry>
}

type Bucket = Entry | Collision
type Node = Branch | Bucket

export interface Keyspace {
  readonly size: number
  readonly root: Branch
}

const none: Branch = [0]
export const empty: Keyspace = { size: 0, root: none }

const bits = 4

/** 0 to 2^32 - 1: FNV-1a, with its bits mixed once more, since the first ones count most here. */
export const hash = (key: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const isBranch = (node: Node): node is Branch => Array.isArray(node)
const isCollision = (bucket: Bucket): bucket is Collision => "entries" in bucket
const entriesOf = (bucket: Bucket): ReadonlyArray<Entry> => (isCollision(bucket) ? bucket.entries : [bucket])
const hashOf = (bucket: Bucket): number => hash(isCollision(bucket) ? bucket.entries[0]!.key : bucket.key)

const bitmapOf = (branch: Branch): number => branch[0] as number
const bitOf = (h: number, shift: number): number => 1 << ((h >>> (32 - bits - shift)) & 15)

/** Where the child of that bit is, or would be. */
const indexOf = (bitmap: number, bit: number): number => popcount(bitmap & (bit - 1)) + 1

const popcount = (n: number): number => {
  n -= (n >>> 1) & 0x5555
  n = (n & 0x3333) + ((n >>> 2) & 0x3333)
  n = (n + (n >>> 4)) & 0x0f0f
  return (n + (n >>> 8)) & 0x1f
}

export const get = ({ root }: Keyspace, key: string): Entry | undefined => {
  const h = hash(key)
  let node: Node = root
  for (let shift = 0; isBranch(node); shift += bits) {
    const bitmap = bitmapOf(node)
    const bit = bitOf(h, shift)
    if ((bitmap & bit) === 0) return undefined
    node = node[indexOf(bitmap, bit)] as Node
  }
  if (isCollision(node)) return node.entries.find((entry) => entry.key === key)
  return node.key === key ? node : undefined
}

/** Whether the last `set` added a key. One at a time: all here is synchronous. */
let hasAdded = false

export const set = (keyspace: Keyspace, entry: Entry): Keyspace => {
  hasAdded = false
  const root = setIn(keyspace.root, entry, hash(entry.key), 0)
  return { size: hasAdded ? keyspace.size + 1 : keyspace.size, root }
}

const setIn = (branch: Branch, entry: Entry, h: number, shift: number): Branch => {
  const bitmap = bitmapOf(branch)
  const bit = bitOf(h, shift)
  const at = indexOf(bitmap, bit)
  const copy = branch.slice()
  if ((bitmap & bit) === 0) {
    hasAdded = true
    copy[0] = bitmap | bit
    copy.splice(at, 0, entry)
  } else {
    const child = branch[at] as Node
    copy[at] = isBranch(child) ? setIn(child, entry, h, shift + bits) : setAt(child, entry, h, shift + bits)
  }
  return copy
}

const setAt = (bucket: Bucket, entry: Entry, h: number, shift: number): Node => {
  if (!isCollision(bucket) && bucket.key === entry.key) return entry
  const other = hashOf(bucket)
  if (other !== h) return setIn([bitOf(other, shift), bucket], entry, h, shift)
  const entries = entriesOf(bucket)
  const rest = entries.filter(({ key }) => key !== entry.key)
  hasAdded = rest.length === entries.length
  return { entries: [...rest, entry] }
}

export const remove = (keyspace: Keyspace, key: string): Keyspace => {
  const root = removeIn(keyspace.root, key, hash(key), 0)
  return root === keyspace.root ? keyspace : { size: keyspace.size - 1, root: root ?? none }
}

const removeIn = (branch: Branch, key: string, h: number, shift: number): Branch | undefined => {
  const bitmap = bitmapOf(branch)
  const bit = bitOf(h, shift)
  if ((bitmap & bit) === 0) return branch
  const at = indexOf(bitmap, bit)
  const child = branch[at] as Node
  const left = isBranch(child) ? removeIn(child, key, h, shift + bits) : removeFrom(child, key)
  if (left === child) return branch
  if (left === undefined && branch.length === 2) return undefined
  const copy = branch.slice()
  if (left === undefined) {
    copy[0] = bitmap & ~bit
    copy.splice(at, 1)
  } else copy[at] = lifted(left)
  return copy
}

/** A branch of one bucket is that bucket. */
const lifted = (node: Node): Node => {
  if (!isBranch(node) || node.length > 2) return node
  const only = node[1] as Node
  return isBranch(only) ? node : only
}

const removeFrom = (bucket: Bucket, key: string): Bucket | undefined => {
  const entries = entriesOf(bucket)
  const rest = entries.filter((entry) => entry.key !== key)
  if (rest.length === entries.length) return bucket
  return rest.length > 1 ? { entries: rest } : rest[0]
}

/** The entries whose keys have hashes from this one on, in the order of the hashes. */
export const from = ({ root }: Keyspace, start = 0): Generator<Entry> => walk(root, start, 0)

function* walk(branch: Branch, start: number, shift: number): Generator<Entry> {
  // Of what comes before `start` only the child on its path has any that count.
  const bit = bitOf(start, shift)
  const path = indexOf(bitmapOf(branch), bit)
  const onPath = (bitmapOf(branch) & bit) !== 0
  for (let i = path; i < branch.length; i++) {
    const child = branch[i] as Node
    const begins = onPath && i === path ? start : 0
    if (isBranch(child)) yield* walk(child, begins, shift + bits)
    else if (hashOf(child) >= begins) yield* entriesOf(child)
  }
}
