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

interface Branch {
  readonly bitmap: number
  readonly children: ReadonlyArray<Node>
}

/** Entries whose keys have the same hash: one, but for chance or malice. */
type Bucket = Entry | ReadonlyArray<Entry>
type Node = Branch | Bucket

export interface Keyspace {
  readonly size: number
  readonly root: Branch
}

const none: Branch = { bitmap: 0, children: [] }
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

const isBranch = (node: Node): node is Branch => "bitmap" in node
const isCollision = (bucket: Bucket): bucket is ReadonlyArray<Entry> => Array.isArray(bucket)
const first = (bucket: Bucket): Entry => (isCollision(bucket) ? bucket[0]! : bucket)
const hashOf = (bucket: Bucket): number => hash(first(bucket).key)

const bitOf = (h: number, shift: number): number => 1 << ((h >>> (32 - bits - shift)) & 15)

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
    const bit = bitOf(h, shift)
    if ((node.bitmap & bit) === 0) return undefined
    node = node.children[popcount(node.bitmap & (bit - 1))]!
  }
  if (isCollision(node)) return node.find((entry) => entry.key === key)
  return node.key === key ? node : undefined
}

export const set = (keyspace: Keyspace, entry: Entry): Keyspace => {
  const added = { count: 0 }
  const root = setIn(keyspace.root, entry, hash(entry.key), 0, added)
  return { size: keyspace.size + added.count, root }
}

const setIn = (branch: Branch, entry: Entry, h: number, shift: number, added: { count: number }): Branch => {
  const { bitmap, children } = branch
  const bit = bitOf(h, shift)
  const at = popcount(bitmap & (bit - 1))
  if ((bitmap & bit) === 0) {
    added.count = 1
    const grown: Array<Node> = Array.from({ length: children.length + 1 })
    for (let i = 0; i < at; i++) grown[i] = children[i]!
    grown[at] = entry
    for (let i = at; i < children.length; i++) grown[i + 1] = children[i]!
    return { bitmap: bitmap | bit, children: grown }
  }
  const copy = children.slice()
  copy[at] = setAt(copy[at]!, entry, h, shift + bits, added)
  return { bitmap, children: copy }
}

const setAt = (node: Node, entry: Entry, h: number, shift: number, added: { count: number }): Node => {
  if (isBranch(node)) return setIn(node, entry, h, shift, added)
  if (!isCollision(node) && node.key === entry.key) return entry
  const other = hashOf(node)
  if (other !== h) return setIn(above(node, other, shift), entry, h, shift, added)
  const rest = (isCollision(node) ? node : [node]).filter(({ key }) => key !== entry.key)
  if (!isCollision(node) || rest.length === node.length) added.count = 1
  return [...rest, entry]
}

const above = (bucket: Bucket, h: number, shift: number): Branch => ({ bitmap: bitOf(h, shift), children: [bucket] })

export const remove = (keyspace: Keyspace, key: string): Keyspace => {
  const root = removeIn(keyspace.root, key, hash(key), 0)
  return root === keyspace.root ? keyspace : { size: keyspace.size - 1, root: (root as Branch | undefined) ?? none }
}

const removeIn = (branch: Branch, key: string, h: number, shift: number): Branch | undefined => {
  const { bitmap, children } = branch
  const bit = bitOf(h, shift)
  if ((bitmap & bit) === 0) return branch
  const at = popcount(bitmap & (bit - 1))
  const child = children[at]!
  const left = isBranch(child) ? removeIn(child, key, h, shift + bits) : removeFrom(child, key)
  if (left === child) return branch
  if (left === undefined) {
    if (children.length === 1) return undefined
    return { bitmap: bitmap & ~bit, children: children.filter((_, index) => index !== at) }
  }
  const copy = children.slice()
  copy[at] = isBranch(left) && left.children.length === 1 && !isBranch(left.children[0]!) ? left.children[0]! : left
  return { bitmap, children: copy }
}

const removeFrom = (bucket: Bucket, key: string): Bucket | undefined => {
  if (!isCollision(bucket)) return bucket.key === key ? undefined : bucket
  const rest = bucket.filter((entry) => entry.key !== key)
  if (rest.length === bucket.length) return bucket
  return rest.length === 1 ? rest[0]! : rest
}

/** The entries whose keys have hashes from this one on, in the order of the hashes. */
export function* from({ root }: Keyspace, start = 0): Generator<Entry> {
  yield* walk(root, start, 0)
}

function* walk(branch: Branch, start: number, shift: number): Generator<Entry> {
  // Of what comes before `start` only the child on its path has any that count.
  const skipped = popcount(branch.bitmap & (bitOf(start, shift) - 1))
  const onPath = (branch.bitmap & bitOf(start, shift)) !== 0
  for (let i = skipped; i < branch.children.length; i++) {
    const child = branch.children[i]!
    const begins = onPath && i === skipped ? start : 0
    if (isBranch(child)) yield* walk(child, begins, shift + bits)
    else if (hashOf(child) >= begins) yield* isCollision(child) ? child : [child]
  }
}
