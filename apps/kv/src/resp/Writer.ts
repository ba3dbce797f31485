/** Replies as bytes, in the older protocol (2) or the newer (3), gathered until they are taken. */
import type { Reply } from "../Reply.ts"

export type Version = 2 | 3

const okBytes = Buffer.from("+OK\r\n")

export class Writer {
  version: Version = 2
  private buffer = Buffer.allocUnsafeSlow(4096)
  private used = 0

  get bytes(): number {
    return this.used
  }

  /** All that was written since the last time; they are the caller's. */
  take(): Uint8Array {
    const { buffer, used } = this
    this.used = 0
    if (used * 2 < buffer.length) return Buffer.from(buffer.subarray(0, used))
    this.buffer = Buffer.allocUnsafeSlow(4096)
    return buffer.subarray(0, used)
  }

  write(reply: Reply): void {
    switch (reply._tag) {
      case "Simple":
        if (reply.text === "OK") return this.bytesOf(okBytes)
        return this.line("+", reply.text)
      case "Failure":
        return this.line("-", reply.text)
      case "Integer":
        return this.line(":", String(reply.value))
      case "Long":
        return this.line(":", reply.digits)
      case "Bulk":
        return this.bulk(reply.bytes)
      case "Null":
        return this.version === 3 ? this.line("_", "") : this.line("$", "-1")
      case "NullArray":
        return this.version === 3 ? this.line("_", "") : this.line("*", "-1")
      case "Multiple":
        return this.items("*", reply.items.length, reply.items)
      case "Mapping":
        if (this.version === 2) return this.items("*", reply.items.length, reply.items)
        return this.items("%", reply.items.length / 2, reply.items)
    }
  }

  private items(kind: string, count: number, items: ReadonlyArray<Reply>): void {
    this.line(kind, String(count))
    for (const item of items) this.write(item)
  }

  private bulk(bytes: string): void {
    this.line("$", String(bytes.length))
    this.reserve(bytes.length + 2)
    this.used += this.buffer.write(bytes, this.used, "latin1")
    this.buffer[this.used++] = 13
    this.buffer[this.used++] = 10
  }

  private line(kind: string, text: string): void {
    this.reserve(text.length + 3)
    const { buffer } = this
    buffer[this.used++] = kind.charCodeAt(0)
    if (text.length > 16) this.used += buffer.write(text, this.used, "latin1")
    else for (let i = 0; i < text.length; i++) buffer[this.used++] = text.charCodeAt(i)
    buffer[this.used++] = 13
    buffer[this.used++] = 10
  }

  private bytesOf(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.used)
    this.used += bytes.length
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.used + bytes))
    this.buffer.copy(grown, 0, 0, this.used)
    this.buffer = grown
  }
}
