/**
 * The messages of a kernel as bytes. Those that there are many of are written by hand: a byte that tells what it is, numbers
 * of seven bits a byte, the stamp with its length before it, and the payload to the end. All others go by their schema.
 *
 * A message is written once, however many nodes it is sent to one after the other.
 */
import { Codec } from "@troupe/transport"
import type { Order } from "./order.ts"
import { type Message, messageSchema, type Numbered } from "./wire.ts"

type Writer = Parameters<Codec.Codec<unknown>["write"]>[1]

const data = 1
const control = 2
const report = 3
const question = 4
const repair = 5
const other = 6

export const kernelCodec = <Payload>(
  order: Order<any, any, any>,
  payload: Codec.Codec<Payload>,
  schema: Codec.MessageSchema<Payload>
): Codec.Codec<Message<Payload>> => {
  const rare = Codec.binary(messageSchema(order, schema))
  const stamps: Codec.Codec<unknown> = order.codec ?? Codec.binary(order.stamp)

  const writeNumbered = (message: Numbered<Payload>, into: Writer): void => {
    writeNumber(message.view, into)
    writeNumber(message.life, into)
    writeNumber(message.sequence, into)
    // The length of the stamp, in two bytes, is known when it is written.
    into.reserve(2)
    const at = into.length
    into.length += 2
    stamps.write(message.stamp, into)
    const length = into.length - at - 2
    if (length > 0xffff) throw new RangeError(`the stamp of a message has ${length} bytes, more than 65,535`)
    into.buffer[at] = length >>> 8
    into.buffer[at + 1] = length
    if (message._tag === "Data") payload.write(message.payload, into)
  }

  const readNumbered = (reader: Reader, isControl: boolean): Numbered<Payload> => {
    const view = reader.number()
    const life = reader.number()
    const sequence = reader.number()
    const length = reader.byte() * 256 + reader.byte()
    const start = reader.skip(length)
    const stamp = stamps.read(reader.bytes, start, start + length)
    if (!isControl) {
      const value = payload.read(reader.bytes, reader.at, reader.end)
      return { _tag: "Data", view, life, sequence, stamp, payload: value }
    }
    reader.finish()
    return { _tag: "Control", view, life, sequence, stamp }
  }

  const write = (message: Message<Payload>, into: Writer): void => {
    switch (message._tag) {
      case "Data":
      case "Control":
        writeByte(message._tag === "Data" ? data : control, into)
        return writeNumbered(message, into)
      case "Report":
        writeByte(message.asks ? question : report, into)
        writeNumber(message.view, into)
        for (const count of message.received) writeNumber(count, into)
        return
      case "Repair":
        writeByte(repair, into)
        writeNumber(message.view, into)
        writeNumber(message.rank, into)
        writeByte(message.message._tag === "Data" ? data : control, into)
        return writeNumbered(message.message, into)
      default:
        writeByte(other, into)
        rare.write(message, into)
    }
  }

  const read = (bytes: Uint8Array, start: number, end: number): Message<Payload> => {
    const reader = new Reader(bytes, start, end)
    const kind = reader.byte()
    switch (kind) {
      case data:
      case control:
        return readNumbered(reader, kind === control)
      case report:
      case question: {
        const view = reader.number()
        const received: Array<number> = []
        while (reader.at < end) received.push(reader.number())
        return { _tag: "Report", view, received, asks: kind === question }
      }
      case repair: {
        const view = reader.number()
        const rank = reader.number()
        const inner = reader.byte()
        if (inner !== data && inner !== control) throw new Error(`it repairs by a message of unknown kind ${inner}`)
        return { _tag: "Repair", view, rank, message: readNumbered(reader, inner === control) }
      }
      case other:
        return rare.read(bytes, reader.at, end)
      default:
        throw new Error(`it is a message of unknown kind ${kind}`)
    }
  }

  let last: Message<Payload> | undefined
  let lastBytes = new Uint8Array(0)
  return {
    name: "group/1",
    write: (message, into) => {
      if (message === last) return into.bytes(lastBytes)
      const start = into.length
      try {
        write(message, into)
      } catch (error) {
        into.length = start
        throw error
      }
      last = message
      // Of a Node buffer `slice` is a view, and what it shows is written over.
      lastBytes = Uint8Array.prototype.slice.call(into.buffer, start, into.length)
    },
    read
  }
}

const writeByte = (value: number, into: Writer): void => {
  into.reserve(1)
  into.buffer[into.length++] = value
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
const writeNumber = (value: number, into: Writer): void => {
  into.reserve(8)
  let left = value
  while (left >= 0x80) {
    into.buffer[into.length++] = (left & 0x7f) | 0x80
    left = left < 0x8000_0000 ? left >>> 7 : Math.floor(left / 0x80)
  }
  into.buffer[into.length++] = left
}

class Reader {
  readonly bytes: Uint8Array
  readonly end: number
  at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  byte(): number {
    if (this.at >= this.end) throw new Error("it ends too early")
    return this.bytes[this.at++]!
  }

  number(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) throw new Error("it has a number above 2^53")
      if (byte < 0x80) return value
    }
  }

  /** Where these bytes start. */
  skip(count: number): number {
    const start = this.at
    if (start + count > this.end) throw new Error("it ends too early")
    this.at += count
    return start
  }

  finish(): void {
    if (this.at !== this.end) throw new Error("it goes on after its end")
  }
}
