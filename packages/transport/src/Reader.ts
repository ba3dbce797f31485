/**
 * Reads what a `Writer` has written, part by part, for codecs made by hand. It throws where the bytes end early, and reads
 * nothing behind the message that it was given.
 */
import type { Codec } from "./Codec.ts"

/** Node's way to read characters of a byte each, where there is one. */
const latin1Slice = (
  globalThis as {
    readonly Buffer?: { readonly prototype: { latin1Slice(this: Uint8Array, start: number, end: number): string } }
  }
).Buffer?.prototype.latin1Slice

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

export class Reader {
  readonly bytes: Uint8Array
  at: number
  readonly end: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  byte(): number {
    if (this.at >= this.end) throw new RangeError("the bytes end too early")
    return this.bytes[this.at++]!
  }

  uint16(): number {
    const at = this.skip(2)
    return this.bytes[at]! | (this.bytes[at + 1]! << 8)
  }

  uint32(): number {
    const at = this.skip(4)
    const { bytes } = this
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  }

  natural(): number {
    const first = this.bytes[this.at]
    if (first !== undefined && first < 0x80 && this.at < this.end) {
      this.at++
      return first
    }
    return this.long()
  }

  private long(): number {
    let value = 0
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new RangeError("a number is too large")
        return value
      }
    }
  }

  float(): number {
    const at = this.skip(8)
    for (let i = 0; i < 8; i++) floatBytes[i] = this.bytes[at + i]!
    return float[0]!
  }

  /** So many bytes, as a copy. */
  copy(count: number): Uint8Array {
    const at = this.skip(count)
    const copy = new Uint8Array(count)
    copy.set(this.bytes.subarray(at, at + count))
    return copy
  }

  /** So many characters of a byte each. */
  latin1(count: number): string {
    const at = this.skip(count)
    if (latin1Slice !== undefined) return latin1Slice.call(this.bytes, at, at + count)
    let text = ""
    for (let i = at; i < at + count; i++) text += String.fromCharCode(this.bytes[i]!)
    return text
  }

  /** So many bytes of UTF-8. */
  text(count: number): string {
    const at = this.skip(count)
    return decoder.decode(this.bytes.subarray(at, at + count))
  }

  /** The length that `endSized` has written. */
  size(): number {
    return this.uint32()
  }

  /** A message of another codec, after its length. */
  sized<Message>(codec: Codec<Message>): Message {
    const size = this.size()
    const at = this.skip(size)
    return codec.read(this.bytes, at, at + size)
  }

  /** Where so many bytes begin, which are behind it then. */
  private skip(count: number): number {
    const { at } = this
    if (count > this.end - at) throw new RangeError("the bytes end too early")
    this.at = at + count
    return at
  }

  /** Throws when there is more. */
  finish(): void {
    if (this.at !== this.end) throw new RangeError("there are more bytes than there should be")
  }
}
