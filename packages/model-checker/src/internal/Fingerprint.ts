/**
 * 64 bits that stand for a value: two values of the same content have the same, whoever made them and in which order.
 *
 * Each half is a MurmurHash3 of the content with a seed and multipliers of its own. What has no order (the keys of an
 * object, a Set, a Map) is summed, part by part. Two different values share their 64 bits with a probability of 2⁻⁶⁴.
 *
 * Source: A. Appleby, MurmurHash3, 2011, for the mixing.
 */
import { Chunk, HashMap, HashSet, Option } from "effect"

/** The halves of the latest fingerprint. Two numbers would have to be allocated. */
export let high = 0
export let low = 0

/** A value that is no plain data: it cannot be told from another. */
export class NotPlain extends Error {
  readonly path: string
  readonly what: string

  constructor(path: string, what: string) {
    super(`${path === "" ? "it" : path} is ${what}`)
    this.path = path
    this.what = what
  }
}

/** What texts are read as, where that is not what they are. */
let renames: ReadonlyMap<string, string> | undefined

/**
 * Leaves the fingerprint of `value` in `high` and `low`: of the value in which each text that `names` has, key or not, is
 * what it has for it. Throws `NotPlain`.
 */
export const take = (value: unknown, names?: ReadonlyMap<string, string>): void => {
  renames = names
  high = 0x9747b28c | 0
  low = 0x1b873593
  add(value)
  finish()
}

/** One number that follows from two, well mixed: for a component at its place. */
export const mix = (x: number, y: number): number => {
  let h = Math.imul(x ^ 0x2c1b3c6d, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15) ^ y, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f)
  return h ^ (h >>> 16)
}

const word = (x: number): void => {
  let k = Math.imul(x, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  high ^= k
  high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0
  k = Math.imul(x ^ 0x5bd1e995, 0x239b961b)
  k = Math.imul((k << 16) | (k >>> 16), 0xab0e9789)
  low ^= k
  low = (Math.imul((low << 17) | (low >>> 15), 5) + 0x561ccd1b) | 0
}

const scramble = (x: number): number => {
  let h = x ^ (x >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

const finish = (): void => {
  high = scramble((high + low) | 0)
  low = scramble((low + high) | 0)
}

const doubles = new Float64Array(1)
const halves = new Int32Array(doubles.buffer)

const name = (value: string): void => text(renames === undefined ? value : (renames.get(value) ?? value))

const text = (value: string): void => {
  word(value.length)
  for (let i = 0; i < value.length; i++) word(value.charCodeAt(i))
}

const add = (value: unknown): void => {
  switch (typeof value) {
    case "string":
      word(1)
      return name(value)
    case "number":
      if (value === (value | 0)) {
        word(2)
        return word(value)
      }
      doubles[0] = value === 0 ? 0 : value
      word(3)
      word(halves[0]!)
      return word(halves[1]!)
    case "boolean":
      return word(value ? 4 : 5)
    case "undefined":
      return word(6)
    case "bigint":
      word(7)
      return text(String(value))
    case "object":
      return value === null ? word(8) : structure(value)
    default:
      throw new NotPlain("", `a ${typeof value}`)
  }
}

/** What is inside the outermost part that is being added, to find its way out of a circle. */
let depth = 0
const maxDepth = 1_000
/** Characters of a path that are told: one round a circle has no end. */
const maxPath = 80

const structure = (value: object): void => {
  if (depth === maxDepth) throw new NotPlain("", `nested more than ${maxDepth} deep, or in a circle`)
  depth++
  try {
    if (Array.isArray(value)) {
      word(9)
      word(value.length)
      for (let i = 0; i < value.length; i++) at(value[i], i)
      return
    }
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return record(value as Record<string, unknown>)
    if (value instanceof Set || HashSet.isHashSet(value)) return unordered(10, value)
    if (value instanceof Map || HashMap.isHashMap(value)) return unordered(11, value)
    if (Chunk.isChunk(value)) return structure(Chunk.toReadonlyArray(value))
    if (Option.isOption(value)) {
      word(12)
      return Option.isSome(value) ? at(value.value, "value") : word(8)
    }
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      word(13)
      return structure(Array.from(value as unknown as ArrayLike<number>))
    }
    const { name } = (value.constructor ?? Object) as { readonly name: string }
    throw new NotPlain("", `an instance of ${name || "a class"}, not plain data`)
  } finally {
    depth--
  }
}

/** Adds a part, and tells where it is when it is no plain data. */
const at = (value: unknown, where: string | number): void => {
  if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") return add(value)
  try {
    add(value)
  } catch (error) {
    if (!(error instanceof NotPlain)) throw error
    const path = `${typeof where === "number" ? `[${where}]` : `.${where}`}${error.path}`
    throw new NotPlain(path.length > maxPath ? `${path.slice(0, maxPath)}…` : path, error.what)
  }
}

const record = (value: Readonly<Record<string, unknown>>): void => {
  const [outerHigh, outerLow] = [high, low]
  let sumHigh = 0
  let sumLow = 0
  let size = 0
  for (const key in value) {
    const part = value[key]
    // As in JSON: a key without a value is no key.
    if (part === undefined) continue
    high = 0x3c6ef372
    low = 0x510e527f
    name(key)
    at(part, key)
    finish()
    sumHigh = (sumHigh + high) | 0
    sumLow = (sumLow + low) | 0
    size++
  }
  close(14, size, outerHigh, outerLow, sumHigh, sumLow)
}

const unordered = (tag: number, parts: Iterable<unknown>): void => {
  const [outerHigh, outerLow] = [high, low]
  let sumHigh = 0
  let sumLow = 0
  let size = 0
  for (const part of parts) {
    high = 0x1f83d9ab
    low = 0x5be0cd19
    at(part, size)
    finish()
    sumHigh = (sumHigh + high) | 0
    sumLow = (sumLow + low) | 0
    size++
  }
  close(tag, size, outerHigh, outerLow, sumHigh, sumLow)
}

const close = (
  tag: number,
  size: number,
  outerHigh: number,
  outerLow: number,
  sumHigh: number,
  sumLow: number
): void => {
  high = outerHigh
  low = outerLow
  word(tag)
  word(size)
  word(sumHigh)
  word(sumLow)
}
