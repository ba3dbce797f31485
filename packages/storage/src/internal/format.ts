/**
 * How records lie in a file. All numbers are little-endian, and everything starts at a multiple of 8.
 *
 *     file    magic (8)  version (4)  sequence (4)  index (8)  0 (4)  checksum of these (4)
 *     record  length + 1 (4)  checksum of the header (4)  sequence (4)  mask (4)  crc32 of the data (4)  data  0 to 7 zeros
 *
 * The checksum of a record's header covers its place and its file, so that bytes that were a record elsewhere are none
 * here. `sequence` counts flushes: what has a number of two more than a record was written when that was durable.
 *
 * The part of a record in each sector of 512 bytes is never all zeros: where it would be, the data are written with a mask
 * of four bytes exclusive-or. So a sector of zeros inside a record was never written, and anything else that is wrong is
 * damage.
 */
import { crc32 } from "node:zlib"

export const version = 1
export const fileHeaderBytes = 32
const recordHeaderBytes = 20
const sectorBytes = 512
/** Of one record. */
export const recordBytesMax = 256 * 1024 * 1024

export type Kind = "log" | "snapshot" | "cell"

const magicOf = (kind: Kind): Uint8Array =>
  new TextEncoder().encode({ log: "TroupeLg", snapshot: "TroupeSn", cell: "TroupeCl" }[kind])

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const encodeFileHeader = (kind: Kind, index: number, sequence: number): Uint8Array => {
  const header = new Uint8Array(fileHeaderBytes)
  header.set(magicOf(kind))
  const view = viewOf(header)
  view.setUint32(8, version, true)
  view.setUint32(12, sequence, true)
  view.setUint32(16, index % 2 ** 32, true)
  view.setUint32(20, Math.floor(index / 2 ** 32), true)
  view.setUint32(28, crc32(header.subarray(0, 28)), true)
  return header
}

export interface FileHeader {
  readonly index: number
  readonly sequence: number
  /** Goes into the checksums of its records. */
  readonly seed: number
}

/** What is wrong with it, as text. */
export const decodeFileHeader = (kind: Kind, bytes: Uint8Array): FileHeader | string => {
  if (bytes.length < fileHeaderBytes) return `the file ends within its header`
  if (magicOf(kind).some((byte, at) => bytes[at] !== byte)) return `it does not begin as a ${kind} does`
  const view = viewOf(bytes)
  const given = view.getUint32(8, true)
  const seed = view.getUint32(28, true)
  const isIntact = crc32(bytes.subarray(0, 28)) === seed
  if (given > version && (isIntact || given < 1000)) {
    return `it has format ${given}, and this version of the program knows ${version}: use a newer one`
  }
  if (!isIntact || given !== version) return "the checksum of its header is wrong"
  return {
    index: view.getUint32(16, true) + view.getUint32(20, true) * 2 ** 32,
    sequence: view.getUint32(12, true),
    seed
  }
}

/** Bytes of a record with its header. */
export const recordSize = (length: number): number => (recordHeaderBytes + length + 7) & ~7

export const dataOffset = recordHeaderBytes

/** Each word of it changes the sum by itself. */
const headerChecksum = (
  seed: number,
  at: number,
  length: number,
  sequence: number,
  mask: number,
  sum: number
): number => {
  let hash = mix(seed, at)
  hash = mix(hash, Math.floor(at / 2 ** 32))
  hash = mix(hash, length)
  hash = mix(hash, sequence)
  hash = mix(hash, mask)
  return mix(hash, sum) >>> 0
}

/** For each `hash` one-to-one in `word`, and the other way round. */
const mix = (hash: number, word: number): number => {
  let next = Math.imul(hash ^ word, 0x85ebca6b)
  next ^= next >>> 13
  next = Math.imul(next + 0x9e3779b9, 0xc2b2ae35)
  return next ^ (next >>> 16)
}

/** Writes a record into `target` at `offset`, which comes to lie at `at` in the file. There must be room. */
export const encodeRecord = (
  target: Buffer,
  offset: number,
  record: Uint8Array,
  at: number,
  seed: number,
  sequence: number
): void => {
  const data = offset + recordHeaderBytes
  const end = offset + recordSize(record.length)
  target.fill(0, data + record.length, end)
  target.set(record, data)
  for (let attempt = 0; ; attempt++) {
    // Golden-ratio multiples: their bytes differ, and few are zero.
    const mask = Math.imul(attempt, 0x9e3779b9) >>> 0
    if (attempt > 0) {
      target.set(record, data)
      exclusiveOr(target, data, record.length, mask)
    }
    const sum = crc32(target.subarray(data, data + record.length))
    target.writeUInt32LE(record.length + 1, offset)
    target.writeUInt32LE(headerChecksum(seed, at, record.length, sequence, mask, sum), offset + 4)
    target.writeUInt32LE(sequence, offset + 8)
    target.writeUInt32LE(mask, offset + 12)
    target.writeUInt32LE(sum, offset + 16)
    if (emptySector(target, offset, end, at) === undefined) return
  }
}

const exclusiveOr = (target: Uint8Array, from: number, length: number, mask: number): void => {
  for (let i = 0; i < length; i++) target[from + i]! ^= mask >>> (8 * (i & 3))
}

/** Where in the file a sector begins of which the part in `[from, to)` is all zeros; `from` lies at `at` in the file. */
const emptySector = (bytes: Uint8Array, from: number, to: number, at: number): number | undefined => {
  let start = from
  while (start < to) {
    const place = at + start - from
    const end = Math.min(to, start + sectorBytes - (place % sectorBytes))
    let i = start
    while (i < end && bytes[i] === 0) i++
    if (i === end) return place
    start = end
  }
  return undefined
}

export type Found =
  /** `data` may be a view of the bytes read. */
  | { readonly _tag: "Record"; readonly data: Uint8Array; readonly sequence: number; readonly end: number }
  /** Nothing was written here. */
  | { readonly _tag: "End" }
  /** What was written here did not come to its end. */
  | { readonly _tag: "Torn" }
  | { readonly _tag: "Damaged"; readonly detail: string }

/** Reads what lies at `offset` of bytes that begin at `base` in the file and end with it. */
export const decodeRecord = (bytes: Buffer, offset: number, base: number, seed: number): Found => {
  const at = base + offset
  const left = bytes.length - offset
  if (left < recordHeaderBytes) return isBlank(bytes, offset) ? end : torn
  const lengthWord = bytes.readUInt32LE(offset)
  if (!hasHeader(bytes, offset, at, seed)) {
    // To the end of the sector: a header has data behind it, or the rest of its own.
    const rest = Math.min(sectorBytes - (at % sectorBytes), left)
    const isUnwritten = emptySector(bytes, offset, offset + rest, at) !== undefined
    if (isUnwritten) return lengthWord === 0 && isBlank(bytes, offset + rest) ? end : torn
    if (rest < recordHeaderBytes) {
      const next = Math.min(sectorBytes, left - rest)
      if (emptySector(bytes, offset + rest, offset + rest + next, at + rest) !== undefined) return torn
    }
    return { _tag: "Damaged", detail: "the checksum of a record's header is wrong" }
  }
  const length = lengthWord - 1
  const size = recordSize(length)
  if (size > left) return torn
  const data = bytes.subarray(offset + recordHeaderBytes, offset + recordHeaderBytes + length)
  if (crc32(data) !== bytes.readUInt32LE(offset + 16)) {
    return emptySector(bytes, offset, offset + size, at) === undefined
      ? { _tag: "Damaged", detail: "the checksum of a record is wrong" }
      : torn
  }
  return {
    _tag: "Record",
    data: unmask(data, bytes.readUInt32LE(offset + 12)),
    sequence: bytes.readUInt32LE(offset + 8),
    end: offset + size
  }
}

const end: Found = { _tag: "End" }
const torn: Found = { _tag: "Torn" }

const isBlank = (bytes: Uint8Array, from: number): boolean => {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false
  return true
}

const hasHeader = (bytes: Buffer, offset: number, at: number, seed: number): boolean => {
  const lengthWord = bytes.readUInt32LE(offset)
  if (lengthWord === 0) return false
  const sum = bytes.readUInt32LE(offset + 16)
  const checksum = headerChecksum(
    seed,
    at,
    lengthWord - 1,
    bytes.readUInt32LE(offset + 8),
    bytes.readUInt32LE(offset + 12),
    sum
  )
  return bytes.readUInt32LE(offset + 4) === checksum
}

const unmask = (data: Uint8Array, mask: number): Uint8Array => {
  if (mask === 0) return data
  const copy = Uint8Array.from(data)
  exclusiveOr(copy, 0, copy.length, mask)
  return copy
}

/** Where, after a record that did not come to its end, one lies of a flush after `sequence`. */
export const laterRecord = (
  bytes: Buffer,
  offset: number,
  base: number,
  seed: number,
  sequence: number
): number | undefined => {
  for (let i = offset + 8; i + recordHeaderBytes <= bytes.length; i += 8) {
    // Numbers of flushes go round.
    if (bytes.readUInt32LE(i) === 0 || ((bytes.readUInt32LE(i + 8) - sequence) | 0) <= 0) continue
    if (hasHeader(bytes, i, base + i, seed)) return base + i
  }
  return undefined
}
