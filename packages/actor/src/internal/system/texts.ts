/** Texts on their way. Names and paths are short, and come again and again: they are written by hand, and made once. */
import type { Reader, Writer } from "@troupe/transport"

const shortBytes = 64

export const writeText = (text: string, into: Writer): void => {
  const begun = into.beginSized()
  if (!writeAscii(text, into)) into.text(text)
  into.endSized(begun)
}

/** Whether it was one that is short, of a byte a character. Where it was not, nothing is written. */
const writeAscii = (text: string, into: Writer): boolean => {
  const { length } = text
  if (length > shortBytes) return false
  into.reserve(length)
  const { buffer, length: at } = into
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return false
    buffer[at + i] = code
  }
  into.length = at + length
  return true
}

interface Known {
  readonly bytes: Uint8Array
  readonly text: string
}

/** Short texts that were read lately, each at the place of its bytes' hash. */
const known: Array<Known | undefined> = Array.from({ length: 1024 }, () => undefined)

export const readText = (reader: Reader): string => {
  const size = reader.size()
  if (size === 0 || size > shortBytes || size > reader.end - reader.at) return reader.text(size)
  const { at, bytes } = reader
  let hash = size
  for (let i = at; i < at + size; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0
  const place = (hash ^ (hash >>> 10)) & (known.length - 1)
  const found = known[place]
  if (found !== undefined && isAt(bytes, at, size, found.bytes)) {
    reader.at = at + size
    return found.text
  }
  const text = reader.text(size)
  known[place] = { bytes: Uint8Array.prototype.slice.call(bytes, at, at + size), text }
  return text
}

const isAt = (bytes: Uint8Array, at: number, size: number, expected: Uint8Array): boolean => {
  if (expected.length !== size) return false
  for (let i = 0; i < size; i++) if (bytes[at + i] !== expected[i]) return false
  return true
}
