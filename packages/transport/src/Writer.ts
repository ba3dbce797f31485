/**
 * A growing run of bytes that codecs append to, so that a message is written once, where it leaves from.
 */
const encoder = new TextEncoder()

/** What Node's buffers can do and a browser's byte arrays can't: write text without a view of the rest. */
interface TextBuffer extends Uint8Array<ArrayBuffer> {
  utf8Write?(text: string, at: number): number
}

const node = (globalThis as { readonly Buffer?: { allocUnsafeSlow(size: number): TextBuffer } }).Buffer

const allocate = (capacity: number): TextBuffer =>
  node === undefined ? new Uint8Array(capacity) : node.allocUnsafeSlow(capacity)

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

  /** What was written, as bytes of its own. */
  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer.buffer.slice(this.buffer.byteOffset, this.buffer.byteOffset + this.length))
  }
}
