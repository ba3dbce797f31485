/** How the values of one schema stand in bytes: those that need no schema of their own to say so. */
import { DateTime, Predicate, type SchemaAST } from "effect"
import type { Reader } from "../../Reader.ts"
import type { Writer } from "../../Writer.ts"

export interface Part {
  /** What both ends must agree on. */
  readonly layout: string
  /** The fewest bytes that a value takes. */
  readonly least: number
  /** Returns whether it is of the schema. What is not leaves behind what it likes. */
  readonly write: (value: any, into: Writer) => boolean
  /** Throws where the bytes are none of the schema. */
  readonly read: (from: Reader) => any
}

/** How the values of a schema stand that another is made of. */
export type Inner = (of: SchemaAST.AST) => Part

/** In the place of a value, of a key that is not there. */
export const missing = Symbol("missing")

export class Malformed extends RangeError {}

/** Of one value, which takes no bytes. */
export const constant = (value: unknown): Part => ({
  layout: textOf(value),
  least: 0,
  write: (given) => given === value,
  read: () => value
})

const textOf = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : `${typeof value} ${String(value)}`

/** How many a place that is a byte can tell apart. */
export const mostPlaces = 256

/** Of one of a few values: its place among them. */
export const oneOf = (values: ReadonlyArray<unknown>): Part => {
  const places = new Map(values.map((value, place) => [value, place]))
  return {
    layout: `(${values.map(textOf).join("|")})`,
    least: 1,
    write: (value, into) => {
      const place = places.get(value)
      if (place === undefined) return false
      into.byte(place)
      return true
    },
    read: (from) => {
      const place = from.byte()
      if (place >= values.length) throw new Malformed("there is no such literal")
      return values[place]
    }
  }
}

export const boolean: Part = {
  layout: "boolean",
  least: 1,
  write: (value, into) => {
    if (typeof value !== "boolean") return false
    into.byte(value ? 1 : 0)
    return true
  },
  read: (from) => flag(from)
}

export const flag = (from: Reader): boolean => {
  const byte = from.byte()
  if (byte > 1) throw new Malformed("that is neither true nor false")
  return byte === 1
}

/** The lowest of the numbers that are a byte, and how many there are; what other first bytes say. */
const lowest = -16
const small = 0xf0
const int16 = 0xf0
const int32 = 0xf1
const natural48 = 0xf2
const float = 0xf3

const two32 = 2 ** 32

const writeNumber = (value: number, into: Writer): void => {
  if ((value | 0) !== value || (value === 0 && 1 / value < 0)) return writeLarge(value, into)
  if (value >= lowest && value < lowest + small) into.byte(value - lowest)
  else if ((value << 16) >> 16 === value) {
    into.byte(int16)
    into.uint16(value)
  } else {
    into.byte(int32)
    into.uint32(value)
  }
}

const writeLarge = (value: number, into: Writer): void => {
  if (value > 0 && value < 2 ** 48 && Math.floor(value) === value) {
    into.byte(natural48)
    into.uint32(value)
    into.uint16(Math.floor(value / two32))
  } else {
    into.byte(float)
    into.float(value)
  }
}

const readNumber = (from: Reader): number => {
  const first = from.byte()
  if (first < small) return first + lowest
  switch (first) {
    case int16:
      return (from.uint16() << 16) >> 16
    case int32:
      return from.uint32() | 0
    case natural48:
      return from.uint32() + from.uint16() * two32
    case float:
      return from.float()
    default:
      throw new Malformed("that is no number")
  }
}

export const number: Part = {
  layout: "number",
  least: 1,
  write: (value, into) => {
    if (typeof value !== "number") return false
    writeNumber(value, into)
    return true
  },
  read: readNumber
}

/** It stands like any number. */
export const integer: Part = {
  layout: number.layout,
  least: 1,
  write: (value, into) => {
    if (!Number.isSafeInteger(value)) return false
    writeNumber(value, into)
    return true
  },
  read: (from) => {
    const value = readNumber(from)
    if (!Number.isSafeInteger(value)) throw new Malformed("that is no integer")
    return value
  }
}

/** What comes before a text: an even number is twice its length, of a byte a character. */
const utf8 = 1
const utf16 = 3
const shortLength = 64

const writeText = (text: string, into: Writer): void => {
  if (text.length <= shortLength && writeLatin1(text, into)) return
  const isWhole = text.isWellFormed()
  into.byte(isWhole ? utf8 : utf16)
  const begun = into.beginSized()
  if (isWhole) into.text(text)
  else for (let i = 0; i < text.length; i++) into.uint16(text.charCodeAt(i))
  into.endSized(begun)
}

/** Whether all its characters are a byte each. Where they are not, nothing is written. */
const writeLatin1 = (text: string, into: Writer): boolean => {
  const { length } = text
  const start = into.length
  into.natural(2 * length)
  into.reserve(length)
  const { buffer, length: at } = into
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x100) {
      into.length = start
      return false
    }
    buffer[at + i] = code
  }
  into.length = at + length
  return true
}

const readText = (from: Reader): string => {
  const kind = from.natural()
  if (kind % 2 === 0) return from.latin1(kind / 2)
  const size = from.size()
  if (kind === utf8) return from.text(size)
  if (kind !== utf16 || size % 2 !== 0) throw new Malformed("that is no text")
  let text = ""
  for (let i = 0; i < size; i += 2) text += String.fromCharCode(from.uint16())
  return text
}

export const string: Part = {
  layout: "string",
  least: 1,
  write: (value, into) => {
    if (typeof value !== "string") return false
    writeText(value, into)
    return true
  },
  read: readText
}

export const bytes: Part = {
  layout: "bytes",
  least: 1,
  write: (value, into) => {
    if (!(value instanceof Uint8Array)) return false
    into.natural(value.length)
    into.bytes(value)
    return true
  },
  read: (from) => from.copy(from.natural())
}

export const date: Part = {
  layout: "date",
  least: 1,
  write: (value, into) => Predicate.isDate(value) && integer.write(value.getTime(), into),
  read: (from) => DateTime.toDateUtc(DateTime.makeUnsafe(readNumber(from)))
}

export const dateTimeUtc: Part = {
  layout: "dateTimeUtc",
  least: 1,
  write: (value, into) =>
    DateTime.isDateTime(value) && DateTime.isUtc(value) && integer.write(value.epochMilliseconds, into),
  read: (from) => DateTime.makeUnsafe(integer.read(from))
}

export const bigint: Part = {
  layout: "bigint",
  least: 1,
  write: (value, into) => typeof value === "bigint" && string.write(value.toString(16), into),
  read: (from) => {
    const text = readText(from)
    if (!/^-?[0-9a-f]+$/.test(text)) throw new Malformed("that is no bigint")
    return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`)
  }
}

/** Of what takes anything and comes to nothing. */
export const unit: Part = { layout: "void", least: 0, write: () => true, read: () => undefined }

/** Of what has no values. */
export const never: Part = {
  layout: "never",
  least: 0,
  write: () => false,
  read: () => {
    throw new Malformed("there is no such value")
  }
}
