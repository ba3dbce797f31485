/** Values that say themselves what they are, where a schema takes any: those of JSON, and other plain data. */
import { Predicate } from "effect"
import type { Reader } from "../../Reader.ts"
import type { Writer } from "../../Writer.ts"
import { put } from "./holders.ts"
import { bigint, bytes, constant, date, Malformed, number, type Part, string } from "./Part.ts"
import { deeper } from "./recursion.ts"

const array: Part = {
  layout: "any[]",
  least: 1,
  write: (value: ReadonlyArray<unknown>, into) => {
    into.natural(value.length)
    for (let i = 0; i < value.length; i++) if (!any.write(value[i], into)) return false
    return true
  },
  read: (from) => {
    const value: Array<unknown> = []
    for (let left = from.natural(); left > 0; left--) value.push(any.read(from))
    return value
  }
}

const object: Part = {
  layout: "record any",
  least: 1,
  write: (value: Record<string, unknown>, into) => {
    const keys = Object.keys(value)
    into.natural(keys.length)
    return keys.every((key) => string.write(key, into) && any.write(value[key], into))
  },
  read: (from) => {
    const value: Record<string, unknown> = {}
    for (let left = from.natural(); left > 0; left--) put(value, string.read(from) as string, any.read(from))
    return value
  }
}

/** Whether nothing would be lost of it but where it comes from. */
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** In the order of their numbers on the way. */
const kinds: ReadonlyArray<Part> = [
  constant(null),
  constant(undefined),
  constant(false),
  constant(true),
  number,
  string,
  bigint,
  bytes,
  date,
  { ...array, ...deeper({ part: array }) },
  { ...object, ...deeper({ part: object }) }
]

const kindOf = (value: unknown): number => {
  switch (typeof value) {
    case "undefined":
      return 1
    case "boolean":
      return value ? 3 : 2
    case "number":
      return 4
    case "string":
      return 5
    case "bigint":
      return 6
    case "object":
      return value === null ? 0 : kindOfObject(value)
    default:
      return -1
  }
}

const kindOfObject = (value: object): number => {
  if (Array.isArray(value)) return 9
  if (isPlain(value)) return 10
  if (value instanceof Uint8Array) return 7
  return Predicate.isDate(value) ? 8 : -1
}

export const any: Part = {
  layout: "any",
  least: 1,
  write: (value: unknown, into: Writer) => {
    const kind = kindOf(value)
    if (kind < 0) return false
    into.byte(kind)
    return kinds[kind]!.write(value, into)
  },
  read: (from: Reader): unknown => {
    const kind = kinds[from.byte()]
    if (kind === undefined) throw new Malformed("there is no such kind of value")
    return kind.read(from)
  }
}
