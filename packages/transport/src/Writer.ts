/**
 * A growing run of bytes that codecs append to, so that a message is written once, where it leaves from.
 */

const encoder = new TextEncoder()

/** What Node's buffers can do and a browser's byte arrays can't: write text without a view of the rest. */
interface TextBuffer extends Uint8Array<ArrayBuffer> {
  utf8Write?(text: string, at: number): number
  latin1Write?(text: string, at: number): number
}

const node = (globalThis as { readonly Buffer?: { allocUnsafeSlow(size: number): TextBuffer } }).Buffer

const allocate = (capacity: number): TextBuffer =>
  node === undefined ? new Uint8Array(capacity) : node.allocUnsafeSlow(capacity)

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

export class Writer {
  buffer: Uint8Array<ArrayBuffer>
  /** How many bytes of `buffer` are written. */
  length = 0

  constructor(capacity: number) {
    this.buffer = allocate(capacity)
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed > this.buffer.length) this.grow(needed)
  }

  private grow(needed: number): void {
    const grown = allocate(Math.max(needed, this.buffer.length * 2))
    grown.set(this.buffer.subarray(0, this.length))
    this.buffer = grown
  }

  byte(value: number): void {
    this.reserve(1)
    this.buffer[this.length++] = value
  }

  /** Appends the last 16 bits of a whole number, the lowest first. */
  uint16(value: number): void {
    this.reserve(2)
    const { buffer, length } = this
    buffer[length] = value
    buffer[length + 1] = value >>> 8
    this.length = length + 2
  }

  /** Appends the last 32 bits of a whole number, the lowest first. */
  uint32(value: number): void {
    this.uint16(value)
    this.uint16(value >>> 16)
  }

  bytes(source: Uint8Array): void {
    const length = source.length
    this.reserve(length)
    this.buffer.set(source, this.length)
    this.length += length
  }

  /** Appends `value` in UTF-8. */
  text(value: string): void {
    this.reserve(value.length * 3)
    const buffer: TextBuffer = this.buffer
    this.length +=
      buffer.utf8Write === undefined
        ? encoder.encodeInto(value, buffer.subarray(this.length)).written
        : buffer.utf8Write(value, this.length)
  }

  /** Appends a text of characters below 256, a byte each. */
  latin1(value: string): void {
    const { length } = value
    this.reserve(length)
    const buffer: TextBuffer = this.buffer
    // Short ones are written before a native call would have begun.
    if (length > 16 && buffer.latin1Write !== undefined) buffer.latin1Write(value, this.length)
    else for (let i = 0; i < length; i++) buffer[this.length + i] = value.charCodeAt(i)
    this.length += length
  }

  /** Appends a whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first. */
  natural(value: number): void {
    if (!(value >= 0)) throw new RangeError(`${value} is not a natural number`)
    this.reserve(8)
    const { buffer } = this
    let rest = value
    while (rest >= 0x80) {
      buffer[this.length++] = (rest % 0x80) | 0x80
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80)
    }
    buffer[this.length++] = rest
  }

  /** Appends any number, in eight bytes. */
  float(value: number): void {
    float[0] = value
    this.bytes(floatBytes)
  }

  /** Appends four bytes, which `endSized` makes the length of what was appended after them. Gives what that is to know. */
  beginSized(): number {
    this.reserve(4)
    this.length += 4
    return this.length
  }

  endSized(begun: number): void {
    const size = this.length - begun
    const { buffer } = this
    buffer[begun - 4] = size
    buffer[begun - 3] = size >>> 8
    buffer[begun - 2] = size >>> 16
    buffer[begun - 1] = size >>> 24
  }

  /** What was written, as bytes of its own. */
  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer.buffer.slice(this.buffer.byteOffset, this.buffer.byteOffset + this.length))
  }
}
