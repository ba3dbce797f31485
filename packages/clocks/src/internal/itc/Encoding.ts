/**
 * The binary form (§6), bit by bit as the reference implementation has it, filled with zeros to whole bytes. Small counts
 * and the shapes that are met most take the fewest bits.
 */
import type { Event } from "./Event.ts"
import { type Id, maxDepth } from "./Id.ts"
import type { Stamp } from "./NormalForm.ts"

class BitWriter {
  private readonly bytes: Array<number> = []
  private used = 0

  /** The lowest `width` bits, the highest first. */
  write(value: number, width: number): void {
    for (let bit = width - 1; bit >= 0; bit--) {
      if (this.used % 8 === 0) this.bytes.push(0)
      // Counts are wider than the 32 bits of JavaScript's shifts.
      if (Math.floor(value / 2 ** bit) % 2 === 1) this.bytes[this.bytes.length - 1]! |= 128 >> (this.used % 8)
      this.used++
    }
  }

  done(): Uint8Array {
    return Uint8Array.from(this.bytes)
  }
}

/** What is wrong with bytes that are being read. */
export class Malformed {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

class BitReader {
  private readonly bytes: Uint8Array
  private used = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  read(width: number): number {
    let value = 0
    for (let i = 0; i < width; i++) {
      const byte = this.bytes[this.used >> 3]
      if (byte === undefined) throw new Malformed(`they end too soon, after ${this.bytes.length}`)
      value = value * 2 + ((byte >> (7 - (this.used & 7))) & 1)
      this.used++
    }
    return value
  }
}

// ---------------------------------------------------------------------------------------------------------------- writing

export const encode = ({ id, event }: Stamp): Uint8Array => {
  const bits = new BitWriter()
  writeId(bits, id)
  writeEvent(bits, event)
  return bits.done()
}

const writeId = (bits: BitWriter, id: Id): void => {
  if (typeof id === "number") return bits.write(id, 3)
  const [left, right] = id
  bits.write((left === 0 ? 0 : 2) + (right === 0 ? 0 : 1), 2)
  if (left !== 0) writeId(bits, left)
  if (right !== 0) writeId(bits, right)
}

const writeEvent = (bits: BitWriter, event: Event): void => {
  if (typeof event === "number") {
    bits.write(1, 1)
    return writeCount(bits, event)
  }
  const [base, left, right] = event
  if (base === 0) {
    bits.write(right === 0 ? 1 : left === 0 ? 0 : 2, 3)
  } else {
    bits.write(right === 0 ? 0b01101 : left === 0 ? 0b01100 : 0b0111, right === 0 || left === 0 ? 5 : 4)
    writeEvent(bits, base)
  }
  if (left !== 0) writeEvent(bits, left)
  if (right !== 0) writeEvent(bits, right)
}

/** In 2 bits if it fits; else a 1, and what is beyond in 3 bits if it fits, and so on. */
const writeCount = (bits: BitWriter, count: number): void => {
  let width = 2
  let rest = count
  for (; rest >= 2 ** width; width++) {
    bits.write(1, 1)
    rest -= 2 ** width
  }
  bits.write(rest, width + 1)
}

// ---------------------------------------------------------------------------------------------------------------- reading

/** Throws `Malformed`. What it returns may still not be in normal form. */
export const decode = (bytes: Uint8Array): Stamp => {
  const bits = new BitReader(bytes)
  const id = readId(bits, 0)
  return { id, event: readEvent(bits, 0) }
}

const checkDepth = (depth: number): void => {
  if (depth > maxDepth) throw new Malformed(`a tree is more than ${maxDepth} levels deep`)
}

const readId = (bits: BitReader, depth: number): Id => {
  checkDepth(depth)
  const shape = bits.read(2)
  if (shape === 0) return bits.read(1) === 0 ? 0 : 1
  const left = shape >= 2 ? readId(bits, depth + 1) : 0
  return [left, shape % 2 === 1 ? readId(bits, depth + 1) : 0]
}

const readEvent = (bits: BitReader, depth: number): Event => {
  checkDepth(depth)
  if (bits.read(1) === 1) return readCount(bits)
  const shape = bits.read(2)
  if (shape < 3) return readHalves(bits, depth, 0, shape !== 0, shape !== 1)
  if (bits.read(1) === 1) return readHalves(bits, depth, readBase(bits), true, true)
  const hasLeft = bits.read(1) === 1
  return readHalves(bits, depth, readBase(bits), hasLeft, !hasLeft)
}

const readHalves = (bits: BitReader, depth: number, base: number, hasLeft: boolean, hasRight: boolean): Event => {
  const left = hasLeft ? readEvent(bits, depth + 1) : 0
  return [base, left, hasRight ? readEvent(bits, depth + 1) : 0]
}

const readBase = (bits: BitReader): number => {
  if (bits.read(1) === 0) throw new Malformed("a tree stands where a count is due")
  return readCount(bits)
}

const readCount = (bits: BitReader): number => {
  let width = 2
  let below = 0
  for (; bits.read(1) === 1; width++) {
    below += 2 ** width
    if (!Number.isSafeInteger(below)) throw new Malformed("a count passes 2^53 - 1")
  }
  return below + bits.read(width)
}
