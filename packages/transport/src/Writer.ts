/**
 * A growing run of bytes that codecs append to, so that a message is written once, where it leaves from.
 */
const encoder = new TextEncoder()

export class Writer {
  buffer: Uint8Array<ArrayBuffer>
  /** How many bytes of `buffer` are written. */
  length = 0

  constructor(capacity: number) {
    this.buffer = new Uint8Array(capacity)
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2))
    grown.set(this.buffer.subarray(0, this.length))
    this.buffer = grown
  }

  bytes(source: Uint8Array): void {
    this.reserve(source.length)
    this.buffer.set(source, this.length)
    this.length += source.length
  }

  /** Appends `value` in UTF-8. */
  text(value: string): void {
    this.reserve(value.length * 3)
    this.length += encoder.encodeInto(value, this.buffer.subarray(this.length)).written
  }

  /** What was written, as bytes of its own. */
  take(): Uint8Array<ArrayBuffer> {
    return this.buffer.slice(0, this.length)
  }
}
