/**
 * What differs between two sets, found from a few bytes a difference, however large the sets are.
 *
 * A sketch is a row of cells; each cell holds the sum (exclusive or) of some of the set's items, of their checksums,
 * and their count. An item is in cell 0, and in cell i with probability 1/(1 + i/2). Subtracting the cells of another
 * set's sketch leaves those of the difference alone: a cell that has one item of it shows that item, which is taken out
 * of its other cells, where others then show. About 1.35 cells a difference suffice when there are many, and up to 1.8
 * for few.
 *
 * It is rateless: the first m cells are the same however many follow. So who cannot decode what it was sent asks for
 * more cells, and no estimate need be right. One row serves every peer, and an item put in or taken out changes 2 ln m
 * cells of it; nothing goes over the set again.
 *
 * A sketch also holds a tug-of-war estimate of the difference: 128 counters, in each of which the items that fall into
 * it pull up or down by their hash. The squares of the differences of two sketches' counters add up to the number of
 * different items, with a standard error of 12.5 %, and exactly for one.
 *
 * Items are `Fingerprint`s. The seed decides which cells an item is in: who knows it can make items that never decode,
 * so it should be kept as the hash's key is. A decode that ends with something left is reported as none; one that a
 * checksum of 32 bits let pass by chance yields an item that nobody has.
 *
 * Sources: L. Yang, Y. Gilad, M. Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024; M. Goodrich, M.
 * Mitzenmacher, "Invertible Bloom Lookup Tables", Allerton 2011; N. Alon, Y. Matias, M. Szegedy, "The Space Complexity
 * of Approximating the Frequency Moments", STOC 1996; M. Thorup, Y. Zhang, "Tabulation Based 4-Universal Hashing", SODA
 * 2004.
 *
 * @example
 * import { Fingerprint, SetSketch } from "@troupe/gossip"
 *
 * const items = Array.from({ length: 10_000 }, (_, i) => Fingerprint.of([1, 2], `key ${i}`, "v1"))
 * const mine = SetSketch.fromItems({ seed: 7, cells: 64 }, items)
 * const theirs = SetSketch.fromItems({ seed: 7, cells: 64 }, items.slice(5))
 * // What a peer sends of its own are the first 20 cells, and how many items it has.
 * const sent = SetSketch.encode(theirs, 0, 20)
 * const cells = SetSketch.decodeCells(sent, 0, 20, theirs.items)
 * const found = cells && SetSketch.difference(mine, cells)
 * console.log(found?.mine.length, found?.theirs.length, sent.length < 400) // 5 0 true
 */
import type { Fingerprint } from "./Fingerprint.ts"
import { mix } from "./internal/antiEntropy/hash.ts"

/** Two sketches can be compared when they have the same seed. */
export interface Shape {
  /** A whole number of 32 bits. */
  readonly seed: number
  /** The most cells that can be sent, 1 to 1,048,576. 20 bytes of memory each. */
  readonly cells: number
}

/** An immutable value. */
export interface SetSketch extends Shape {
  /** How many items the set has. */
  readonly items: number
  /** Of each cell five words: the sums of positions, of `hi`, of `lo` and of checksums, and the count. */
  readonly row: Int32Array
  readonly counters: Int32Array
  /** Changes that are not in `row` and `counters` yet: taken in many at a time. */
  readonly pending: Change | undefined
  readonly pendingCount: number
}

interface Change {
  readonly item: Fingerprint
  readonly sign: 1 | -1
  readonly before: Change | undefined
}

/** What each of two sets has and the other lacks. */
export interface Difference {
  readonly mine: ReadonlyArray<Fingerprint>
  readonly theirs: ReadonlyArray<Fingerprint>
}

/** How many counters an estimate has. */
export const estimateCounters = 128

const words = 5
const pendingMax = 1_024
const estimateSalt = 0x2545f491
const rowSalt = 0x68e31da4

export const empty = ({ cells, seed }: Shape): SetSketch => ({
  seed,
  cells,
  items: 0,
  row: new Int32Array(words * cells),
  counters: new Int32Array(estimateCounters),
  pending: undefined,
  pendingCount: 0
})

/** The sketch of a set whose items are given once each. */
export const fromItems = (shape: Shape, items: Iterable<Fingerprint>): SetSketch => {
  const sketch = empty(shape)
  let count = 0
  for (const item of items) {
    toggle(sketch.row, sketch.counters, shape.seed, item, 1)
    count++
  }
  return { ...sketch, items: count }
}

/** With an item that the set did not have. */
export const add = (sketch: SetSketch, item: Fingerprint): SetSketch => changed(sketch, item, 1)

/** Without an item that the set had. */
export const remove = (sketch: SetSketch, item: Fingerprint): SetSketch => changed(sketch, item, -1)

const changed = (sketch: SetSketch, item: Fingerprint, sign: 1 | -1): SetSketch => {
  const { cells, counters, items, pending, pendingCount, row, seed } = sketch
  const next: SetSketch = {
    seed,
    cells,
    items: items + sign,
    row,
    counters,
    pending: { item, sign, before: pending },
    pendingCount: pendingCount + 1
  }
  return next.pendingCount < pendingMax ? next : settled(next)
}

/** The same sketch with all changes taken in: what reads a sketch often should keep it so. */
export const settled = (sketch: SetSketch): SetSketch => {
  if (sketch.pending === undefined) return sketch
  const row = sketch.row.slice()
  const counters = sketch.counters.slice()
  for (let change: Change | undefined = sketch.pending; change !== undefined; change = change.before) {
    toggle(row, counters, sketch.seed, change.item, change.sign)
  }
  return { ...sketch, row, counters, pending: undefined, pendingCount: 0 }
}

// ------------------------------------------------------------------------------------------------------------- estimates

/** The counters, as bytes for a peer. */
export const estimate = (sketch: SetSketch): Uint8Array => {
  const { counters } = settled(sketch)
  const bytes = new Uint8Array(5 * estimateCounters)
  let end = 0
  for (let i = 0; i < estimateCounters; i++) end = writeSigned(bytes, end, counters[i]!)
  return bytes.slice(0, end)
}

/** About how many items are in one set only, from the peer's estimate; `undefined` of bytes that are none. */
export const estimated = (sketch: SetSketch, bytes: Uint8Array): number | undefined => {
  const { counters } = settled(sketch)
  const reader: Reader = { bytes, at: 0 }
  let sum = 0
  for (let i = 0; i < estimateCounters; i++) {
    const theirs = readSigned(reader)
    if (theirs === undefined) return undefined
    sum += (theirs - counters[i]!) ** 2
  }
  return reader.at === bytes.length ? sum : undefined
}

// ----------------------------------------------------------------------------------------------------------------- cells

/** A bound of the bytes of a cell. */
export const cellBytes = 4 * (words - 1) + 5

/** How many items cell `at` has of a set of so many, on average. */
const expected = (items: number, at: number): number => Math.round(items / (1 + at / 2))

/** The cells from `from` to before `to`: 16 bytes each, and one or two that say how far its count is off its mean. */
export const encode = (sketch: SetSketch, from: number, to: number): Uint8Array => {
  const { items, row } = settled(sketch)
  const bytes = new Uint8Array(cellBytes * Math.max(0, to - from))
  const view = new DataView(bytes.buffer)
  let end = 0
  for (let at = from; at < to; at++) {
    for (let word = 0; word < words - 1; word++, end += 4) view.setInt32(end, row[words * at + word]!)
    end = writeSigned(bytes, end, row[words * at + words - 1]! - expected(items, at))
  }
  return bytes.slice(0, end)
}

/** Cells as another node has sent them, of a set of `items`; `undefined` of bytes that are not exactly these. */
export const decodeCells = (bytes: Uint8Array, from: number, to: number, items: number): Int32Array | undefined => {
  // So no array is made for more than has come.
  if (!(to >= from) || bytes.length < (4 * (words - 1) + 1) * (to - from)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const row = new Int32Array(words * (to - from))
  const reader: Reader = { bytes, at: 0 }
  for (let at = from; at < to; at++) {
    if (reader.at + 4 * (words - 1) > bytes.length) return undefined
    const cell = words * (at - from)
    for (let word = 0; word < words - 1; word++, reader.at += 4) row[cell + word] = view.getInt32(reader.at)
    const off = readSigned(reader)
    if (off === undefined) return undefined
    row[cell + words - 1] = expected(items, at) + off
  }
  return reader.at === bytes.length ? row : undefined
}

/**
 * The difference to a set of which these are the first cells; `undefined` if it takes more cells than these to tell. The work
 * is bounded by the number of cells, whatever is in them.
 */
export const difference = (sketch: SetSketch, theirs: Int32Array): Difference | undefined => {
  const cells = theirs.length / words
  if (!Number.isInteger(cells) || cells < 1 || cells > sketch.cells) return undefined
  const { row: own, seed } = settled(sketch)
  const row = new Int32Array(theirs.length)
  for (let at = 0; at < row.length; at += words) {
    for (let word = at; word < at + words - 1; word++) row[word] = own[word]! ^ theirs[word]!
    row[at + words - 1] = own[at + words - 1]! - theirs[at + words - 1]!
  }
  const found: { readonly mine: Array<Fingerprint>; readonly theirs: Array<Fingerprint> } = { mine: [], theirs: [] }
  const pure: Array<number> = []
  for (let at = 0; at < row.length; at += words) if (isPure(row, at, seed)) pure.push(at)
  for (let at = pure.pop(); at !== undefined; at = pure.pop()) {
    if (!isPure(row, at, seed)) continue
    // No m cells hold more than m items that can be told apart: more is a forgery that goes round in circles.
    if (found.mine.length + found.theirs.length === cells) return undefined
    const sign = row[at + words - 1] as 1 | -1
    const item: Fingerprint = { position: row[at]!, hi: row[at + 1]!, lo: row[at + 2]! }
    ;(sign === 1 ? found.mine : found.theirs).push(item)
    peel(row, seed, item, sign, pure)
  }
  return row.every((word) => word === 0) ? found : undefined
}

/** Whether a cell has one item: its count says so, and its checksum is that of its sum. */
const isPure = (row: Int32Array, at: number, seed: number): boolean => {
  const count = row[at + words - 1]!
  return (count === 1 || count === -1) && row[at + 3] === checksum(seed, row[at]!, row[at + 1]!, row[at + 2]!)
}

/** Takes an item out of all its cells, and notes those that have one item then. */
const peel = (row: Int32Array, seed: number, item: Fingerprint, sign: 1 | -1, pure: Array<number>): void => {
  const check = checksum(seed, item.position, item.hi, item.lo)
  let state = mix(check ^ rowSalt)
  for (let cell = 0; words * cell < row.length;) {
    const at = words * cell
    change(row, at, item, check, -sign)
    if (isPure(row, at, seed)) pure.push(at)
    state = (state + 0x9e3779b9) | 0
    cell = following(cell, state)
  }
}

/** Puts an item into a row and its estimate, or takes it out. */
const toggle = (row: Int32Array, counters: Int32Array, seed: number, item: Fingerprint, sign: 1 | -1): void => {
  const check = checksum(seed, item.position, item.hi, item.lo)
  let state = mix(check ^ rowSalt)
  for (let cell = 0; words * cell < row.length;) {
    change(row, words * cell, item, check, sign)
    state = (state + 0x9e3779b9) | 0
    cell = following(cell, state)
  }
  const pull = mix(check ^ estimateSalt)
  counters[pull & (estimateCounters - 1)]! += pull < 0 ? -sign : sign
}

const change = (row: Int32Array, at: number, item: Fingerprint, check: number, sign: number): void => {
  row[at]! ^= item.position
  row[at + 1]! ^= item.hi
  row[at + 2]! ^= item.lo
  row[at + 3]! ^= check
  row[at + 4]! += sign
}

/** The cell that an item is in after `cell`: with u uniform, the inverse of the distribution of gaps (Yang et al., §4.2). */
const following = (cell: number, state: number): number => {
  const u = ((mix(state) >>> 0) + 1) / 2 ** 32
  return cell + Math.max(1, Math.ceil((cell + 1.5) * (1 / Math.sqrt(u) - 1)))
}

const checksum = (seed: number, position: number, hi: number, lo: number): number =>
  mix(mix(mix(position ^ seed) ^ hi) ^ lo)

// --------------------------------------------------------------------------------------------- signed numbers as bytes

interface Reader {
  readonly bytes: Uint8Array
  at: number
}

/** Seven bits a byte, the sign in the lowest. Small numbers of either sign take one. */
const writeSigned = (bytes: Uint8Array, start: number, value: number): number => {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let at = start
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
  bytes[at++] = rest
  return at
}

const readSigned = (reader: Reader): number | undefined => {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    if (reader.at >= reader.bytes.length) return undefined
    const byte = reader.bytes[reader.at++]!
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return value >= 2 ** 32 ? undefined : (value >>> 1) ^ -(value & 1)
  }
  return undefined
}
