/**
 * Entries by their keys, as a persistent map: each change gives a new map that shares with the old one all but a path, so
 * that a snapshot is a reference. For the states of machines that hold many keys.
 *
 * A trie over the hashes of the keys, the first bits first, in nodes of up to 16. Walking it goes in the order of hashes,
 * which no change of other keys alters: so a cursor is the hash to go on from, and a key that is there all the time is seen.
 *
 * @example
 * import { Trie } from "@troupe/replication"
 *
 * const one = Trie.set(Trie.empty, { key: "a", value: 1 })
 * const two = Trie.set(one, { key: "b", value: 2 })
 * console.log(one.size, two.size, Trie.get(two, "a")) // 1 2 { key: 'a', value: 1 }
 */

/** An entry brings its key, and is never changed. It has no field `collided`. */
export interface Entry {
  readonly key: string
}

/** A bitmap of which children there are, and the children: one array, since a change copies all that it is in. */
type Branch<E> = ReadonlyArray<number | Node<E>>

/** Entries whose keys have the same hash, by chance or malice. */
interface Collision<E> {
  readonly collided: ReadonlyArray<E>
}

type Bucket<E> = E | Collision<E>
type Node<E> = Branch<E> | Bucket<E>

export interface Trie<out E extends Entry> {
  readonly size: number
  readonly root: Branch<E>
}

const none: Branch<never> = [0]
export const empty: Trie<never> = { size: 0, root: none }

const bits = 4

/** 0 to 2^32 - 1: FNV-1a, with its bits mixed once more, since the first ones count most here. */
export const hash = (key: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const isBranch = <E extends Entry>(node: Node<E>): node is Branch<E> => Array.isArray(node)
const isCollision = <E extends Entry>(bucket: Bucket<E>): bucket is Collision<E> => "collided" in bucket
const entriesOf = <E extends Entry>(bucket: Bucket<E>): ReadonlyArray<E> =>
  isCollision(bucket) ? bucket.collided : [bucket]
const hashOf = <E extends Entry>(bucket: Bucket<E>): number =>
  hash(isCollision(bucket) ? bucket.collided[0]!.key : bucket.key)

const bitmapOf = (branch: Branch<unknown>): number => branch[0] as number
const bitOf = (h: number, shift: number): number => 1 << ((h >>> (32 - bits - shift)) & 15)

/** Where the child of that bit is, or would be. */
const indexOf = (bitmap: number, bit: number): number => popcount(bitmap & (bit - 1)) + 1

const popcount = (n: number): number => {
  n -= (n >>> 1) & 0x5555
  n = (n & 0x3333) + ((n >>> 2) & 0x3333)
  n = (n + (n >>> 4)) & 0x0f0f
  return (n + (n >>> 8)) & 0x1f
}

export const get = <E extends Entry>({ root }: Trie<E>, key: string): E | undefined => {
  const h = hash(key)
  let node: Node<E> = root
  for (let shift = 0; isBranch(node); shift += bits) {
    const bitmap = bitmapOf(node)
    const bit = bitOf(h, shift)
    if ((bitmap & bit) === 0) return undefined
    node = node[indexOf(bitmap, bit)] as Node<E>
  }
  if (isCollision(node)) return node.collided.find((entry) => entry.key === key)
  return node.key === key ? node : undefined
}

/** Keys that were added since it was 0. One change at a time: all here is synchronous. */
let added = 0

export const set = <E extends Entry>(trie: Trie<E>, entry: E): Trie<E> => {
  added = 0
  const root = setIn(trie.root, entry, hash(entry.key), 0)
  return { size: trie.size + added, root }
}

/** So many at least are worth being sorted. */
const sortedMin = 4

/** Sets them one after another, where each node is copied but once. */
export const setAll = <E extends Entry>(trie: Trie<E>, entries: ReadonlyArray<E>): Trie<E> => {
  if (entries.length < sortedMin || entries.length > indexes) return entries.reduce(set, trie)
  // By hash, and of one hash in their order: both in one number.
  const order = new Float64Array(entries.length)
  for (let i = 0; i < order.length; i++) order[i] = hash(entries[i]!.key) * indexes + i
  order.sort()
  added = 0
  const root = setRange(trie.root, entries, order, 0, order.length, 0)
  return { size: trie.size + added, root }
}

/** Of the entries that are set together; above it, each goes alone. */
const indexes = 2 ** 20

/** Those from `start` to before `end` of the order, which all belong below this branch. */
const setRange = <E extends Entry>(
  branch: Branch<E>,
  entries: ReadonlyArray<E>,
  order: Float64Array,
  start: number,
  end: number,
  shift: number
): Branch<E> => {
  let copy = branch.slice()
  let i = start
  while (i < end) {
    const h = Math.floor(order[i]! / indexes)
    const bit = bitOf(h, shift)
    let stop = i + 1
    while (stop < end && bitOf(Math.floor(order[stop]! / indexes), shift) === bit) stop++
    const bitmap = bitmapOf(copy)
    const at = indexOf(bitmap, bit)
    if ((bitmap & bit) === 0) {
      added++
      copy = grown(copy, bitmap | bit, at, entries[order[i]! % indexes]!)
      i++
    }
    const child = copy[at] as Node<E>
    if (stop - i > 1 && isBranch(child)) {
      copy[at] = setRange(child, entries, order, i, stop, shift + bits)
      i = stop
    }
    for (; i < stop; i++) copy[at] = setBelow(copy[at] as Node<E>, entries, order[i]!, shift + bits)
  }
  return copy
}

const setBelow = <E extends Entry>(
  node: Node<E>,
  entries: ReadonlyArray<E>,
  ordered: number,
  shift: number
): Node<E> => {
  const entry = entries[ordered % indexes]!
  const h = Math.floor(ordered / indexes)
  return isBranch(node) ? setIn(node, entry, h, shift) : setAt(node, entry, h, shift)
}

const setIn = <E extends Entry>(branch: Branch<E>, entry: E, h: number, shift: number): Branch<E> => {
  const bitmap = bitmapOf(branch)
  const bit = bitOf(h, shift)
  const at = indexOf(bitmap, bit)
  if ((bitmap & bit) === 0) {
    added++
    return grown(branch, bitmap | bit, at, entry)
  }
  const copy = branch.slice()
  const child = branch[at] as Node<E>
  copy[at] = isBranch(child) ? setIn(child, entry, h, shift + bits) : setAt(child, entry, h, shift + bits)
  return copy
}

/** Exactly as long as it has to be: to an array that grows in place, room to spare is given. */
const grown = <E extends Entry>(branch: Branch<E>, bitmap: number, at: number, entry: E): Array<number | Node<E>> => {
  const copy = branch.toSpliced(at, 0, entry)
  copy[0] = bitmap
  return copy
}

const setAt = <E extends Entry>(bucket: Bucket<E>, entry: E, h: number, shift: number): Node<E> => {
  if (!isCollision(bucket) && bucket.key === entry.key) return entry
  const other = hashOf(bucket)
  if (other !== h) return setIn([bitOf(other, shift), bucket], entry, h, shift)
  const entries = entriesOf(bucket)
  const rest = entries.filter(({ key }) => key !== entry.key)
  if (rest.length === entries.length) added++
  return { collided: [...rest, entry] }
}

export const remove = <E extends Entry>(trie: Trie<E>, key: string): Trie<E> => {
  const root = removeIn(trie.root, key, hash(key), 0)
  return root === trie.root ? trie : { size: trie.size - 1, root: root ?? none }
}

const removeIn = <E extends Entry>(branch: Branch<E>, key: string, h: number, shift: number): Branch<E> | undefined => {
  const bitmap = bitmapOf(branch)
  const bit = bitOf(h, shift)
  if ((bitmap & bit) === 0) return branch
  const at = indexOf(bitmap, bit)
  const child = branch[at] as Node<E>
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
const lifted = <E extends Entry>(node: Node<E>): Node<E> => {
  if (!isBranch(node) || node.length > 2) return node
  const only = node[1] as Node<E>
  return isBranch(only) ? node : only
}

const removeFrom = <E extends Entry>(bucket: Bucket<E>, key: string): Bucket<E> | undefined => {
  const entries = entriesOf(bucket)
  const rest = entries.filter((entry) => entry.key !== key)
  if (rest.length === entries.length) return bucket
  return rest.length > 1 ? { collided: rest } : rest[0]
}

/** The entries whose keys have hashes from this one on, in the order of the hashes: taken bit by bit. */
export const from = <E extends Entry>({ root }: Trie<E>, start = 0): IterableIterator<E> => new Walk(root, start)

/** No generator: handlers of protocols walk, too. */
class Walk<E extends Entry> implements IterableIterator<E> {
  /** From the root to where it is; `at` is the child that comes next. */
  private readonly path: Array<{
    readonly branch: Branch<E>
    readonly shift: number
    readonly begins: number
    at: number
  }>
  /** The last first. */
  private readonly collided: Array<E> = []

  constructor(root: Branch<E>, start: number) {
    this.path = []
    this.enter(root, start, 0)
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<E> {
    const other = this.collided.pop()
    if (other !== undefined) return { done: false, value: other }
    for (let top = this.path.at(-1); top !== undefined; top = this.path.at(-1)) {
      const { begins, branch, shift } = top
      if (top.at >= branch.length) {
        this.path.pop()
        continue
      }
      const first = indexOf(bitmapOf(branch), bitOf(begins, shift))
      const isOnPath = top.at === first && (bitmapOf(branch) & bitOf(begins, shift)) !== 0
      const child = branch[top.at++] as Node<E>
      if (isBranch(child)) this.enter(child, isOnPath ? begins : 0, shift + bits)
      else if (!isOnPath || hashOf(child) >= begins) {
        const entries = entriesOf(child)
        for (let i = entries.length - 1; i > 0; i--) this.collided.push(entries[i]!)
        return { done: false, value: entries[0]! }
      }
    }
    return { done: true, value: undefined }
  }

  /** Of what comes before `begins` only the child on its path has any that count. */
  private enter(branch: Branch<E>, begins: number, shift: number): void {
    this.path.push({ branch, shift, begins, at: indexOf(bitmapOf(branch), bitOf(begins, shift)) })
  }
}
