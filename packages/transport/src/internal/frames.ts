/**
 * The wire format of `Tcp`, pure and synchronous: bytes in, frames out, and back.
 *
 * A frame is its length (4 bytes, big endian, without itself), its type (1 byte) and its body. The decoder keeps at most
 * one frame that has not arrived in full, and grows with what arrives, not with what a length claims.
 *
 * | type | body |
 * |---|---|
 * | hello, welcome | magic (4), version (2), incarnation (8), handshake (4), node id, cluster, target: strings |
 * | refuse | code (1), reason (string) |
 * | declare | channel number (2), name, codec name: strings |
 * | data | channel number (2), the message in the channel's codec |
 * | notice | what the sender refused of what it got (string) |
 * | ping, pong, goodbye | nothing |
 *
 * A string is its length in bytes (2) and UTF-8; the names in a declaration have 1 to 255 characters. Magic and version stay where they are in every version.
 */
import type { Writer } from "../Writer.ts"

export const version = 1

/** What comes before a frame's body. */
export const headerBytes = 5

/** What comes before the message in a data frame. */
export const dataHeaderBytes = headerBytes + 2

/** The largest hello, welcome or refuse: what a peer may send that nobody knows yet. */
export const maxHandshakeBytes = 4096

/** The longest name of a channel or a codec, in characters. */
export const maxNameLength = 255

/** Channel numbers go from 0 to this, excluded. */
export const maxChannels = 4096

export const Type = {
  hello: 1,
  welcome: 2,
  refuse: 3,
  declare: 4,
  data: 5,
  ping: 6,
  pong: 7,
  notice: 8,
  goodbye: 9
} as const

/** Takes a frame: its body lies in `bytes` from `start` to `end`, and is gone when this returns. Must not throw. */
export type OnFrame = (type: number, bytes: Uint8Array, start: number, end: number) => void

const nothing = new Uint8Array(0)

/** Cuts a stream of bytes into frames. */
export class FrameDecoder {
  /** Frames of more bytes (type included) are malformed. */
  maxFrameBytes: number
  private readonly onFrame: OnFrame
  /** Whether the frame that is taken now has come without others. */
  isAlone = false
  private stopped = false
  /** The frame that has not arrived in full: its first `pendingLength` bytes. */
  private pending: Uint8Array = nothing
  private pendingLength = 0

  constructor(maxFrameBytes: number, onFrame: OnFrame) {
    this.maxFrameBytes = maxFrameBytes
    this.onFrame = onFrame
  }

  /** How many bytes it holds memory for. At most twice what arrived of an unfinished frame, and a frame. */
  get capacity(): number {
    return this.pending.length
  }

  /** Ignores everything from now on; may be called from within a frame. */
  stop(): void {
    this.stopped = true
    this.pending = nothing
    this.pendingLength = 0
  }

  /** Takes the next bytes of the stream. Returns what is wrong with them, having stopped, or `undefined`. */
  push(chunk: Uint8Array): string | undefined {
    if (this.stopped) return undefined
    let at = 0
    if (this.pendingLength > 0) {
      at = this.complete(chunk)
      if (at < 0) return this.malformed(this.pending, 0)
    }
    const end = chunk.length
    while (end - at >= 4) {
      if (this.stopped) return undefined
      const length = readUint32(chunk, at)
      if (length === 0 || length > this.maxFrameBytes) return this.malformed(chunk, at)
      const next = at + 4 + length
      if (next > end) break
      this.isAlone = at === 0 && next === end
      this.onFrame(chunk[at + 4]!, chunk, at + headerBytes, next)
      at = next
    }
    if (at < end && !this.stopped) this.keep(chunk, at, end)
    return undefined
  }

  /** Goes on with the unfinished frame. Returns how much of the chunk it took, or -1 when the frame is malformed. */
  private complete(chunk: Uint8Array): number {
    let at = 0
    if (this.pendingLength < 4) {
      at = Math.min(4 - this.pendingLength, chunk.length)
      this.keep(chunk, 0, at)
      if (this.pendingLength < 4) return at
      const length = readUint32(this.pending, 0)
      if (length === 0 || length > this.maxFrameBytes) return -1
    }
    const whole = 4 + readUint32(this.pending, 0)
    const take = Math.min(whole - this.pendingLength, chunk.length - at)
    this.keep(chunk, at, at + take)
    if (this.pendingLength === whole) {
      const frame = this.pending
      this.pending = nothing
      this.pendingLength = 0
      this.isAlone = false
      this.onFrame(frame[4]!, frame, headerBytes, whole)
    }
    return at + take
  }

  private keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.pendingLength + end - start
    if (needed > this.pending.length) {
      const grown = new Uint8Array(Math.max(64, needed, Math.min(2 * needed, 4 + this.maxFrameBytes)))
      grown.set(this.pending.subarray(0, this.pendingLength))
      this.pending = grown
    }
    this.pending.set(chunk.subarray(start, end), this.pendingLength)
    this.pendingLength = needed
  }

  private malformed(bytes: Uint8Array, at: number): string {
    const length = readUint32(bytes, at)
    this.stop()
    return length === 0
      ? "a frame of no bytes"
      : `a frame of ${length} bytes, more than the ${this.maxFrameBytes} that are allowed`
  }
}

export const readUint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

export const readUint16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

const writeUint16 = (into: Writer, value: number): void => {
  into.reserve(2)
  into.buffer[into.length++] = value >>> 8
  into.buffer[into.length++] = value
}

const writeUint32 = (into: Writer, value: number): void => {
  writeUint16(into, value >>> 16)
  writeUint16(into, value & 0xffff)
}

const writeString = (into: Writer, value: string): void => {
  const at = into.length
  writeUint16(into, 0)
  into.text(value)
  const length = into.length - at - 2
  into.buffer[at] = length >>> 8
  into.buffer[at + 1] = length
}

/** Begins a frame; `endFrame` with what this returns puts its length in. */
export const beginFrame = (into: Writer, type: number): number => {
  const at = into.length
  into.reserve(headerBytes)
  into.buffer[at + 4] = type
  into.length = at + headerBytes
  return at
}

export const endFrame = (into: Writer, at: number): void => {
  const length = into.length - at - 4
  const buffer = into.buffer
  buffer[at] = length >>> 24
  buffer[at + 1] = length >>> 16
  buffer[at + 2] = length >>> 8
  buffer[at + 3] = length
}

/** Who speaks: the body of hello and welcome. */
export interface Introduction {
  readonly version: number
  /** Chosen at random when a node starts: 16 hexadecimal digits. Tells a node that restarted from one that goes on. */
  readonly incarnation: string
  /** Counts the handshakes of an incarnation, so that an old one is not mistaken for a new one. */
  readonly handshake: number
  readonly node: string
  readonly cluster: string
  /** The node that it wants to speak with. */
  readonly target: string
}

const magic = 0x74_72_70_65

export const writeIntroduction = (into: Writer, type: 1 | 2, introduction: Introduction): void => {
  const at = beginFrame(into, type)
  writeUint32(into, magic)
  writeUint16(into, introduction.version)
  writeUint32(into, parseInt(introduction.incarnation.slice(0, 8), 16))
  writeUint32(into, parseInt(introduction.incarnation.slice(8), 16))
  writeUint32(into, introduction.handshake)
  writeString(into, introduction.node)
  writeString(into, introduction.cluster)
  writeString(into, introduction.target)
  endFrame(into, at)
}

/** Why a handshake is refused. `duplicate`: another connection of the same two nodes has won; nobody is at fault. */
export const RefusalCode = { refused: 1, duplicate: 2 } as const

export interface Refusal {
  readonly code: number
  readonly reason: string
}

export const writeRefusal = (into: Writer, refusal: Refusal): void => {
  const at = beginFrame(into, Type.refuse)
  into.reserve(1)
  into.buffer[into.length++] = refusal.code
  writeString(into, refusal.reason.slice(0, 1024))
  endFrame(into, at)
}

/** A channel's number on a connection. */
export interface Declaration {
  readonly number: number
  readonly name: string
  readonly codec: string
}

export const writeDeclaration = (into: Writer, declaration: Declaration): void => {
  const at = beginFrame(into, Type.declare)
  writeUint16(into, declaration.number)
  writeString(into, declaration.name)
  writeString(into, declaration.codec)
  endFrame(into, at)
}

export const writeNotice = (into: Writer, reason: string): void => {
  const at = beginFrame(into, Type.notice)
  writeString(into, reason.slice(0, 1024))
  endFrame(into, at)
}

/** A ping, a pong or a goodbye. */
export const writeEmpty = (into: Writer, type: number): void => endFrame(into, beginFrame(into, type))

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

class Reader {
  private readonly bytes: Uint8Array
  private at: number
  private readonly end: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  private take(count: number): number {
    const at = this.at
    if (at + count > this.end) throw new RangeError("it ends too soon")
    this.at = at + count
    return at
  }

  uint8(): number {
    return this.bytes[this.take(1)]!
  }

  uint16(): number {
    return readUint16(this.bytes, this.take(2))
  }

  uint32(): number {
    return readUint32(this.bytes, this.take(4))
  }

  string(): string {
    const length = this.uint16()
    const at = this.take(length)
    return utf8.decode(this.bytes.subarray(at, at + length))
  }

  name(): string {
    const name = this.string()
    if (name.length === 0 || name.length > maxNameLength) throw new RangeError(`a name of ${name.length} characters`)
    return name
  }

  finish<A>(value: A): A {
    if (this.at !== this.end) throw new RangeError("it goes on after its end")
    return value
  }
}

/** The readers throw when the body is not one. */
export const readIntroduction = (bytes: Uint8Array, start: number, end: number): Introduction => {
  const reader = new Reader(bytes, start, end)
  if (reader.uint32() !== magic) throw new RangeError("it does not speak this protocol")
  const theirs = reader.uint16()
  // What follows may differ in another version.
  if (theirs !== version) return { version: theirs, incarnation: "", handshake: 0, node: "", cluster: "", target: "" }
  const hex = (): string => reader.uint32().toString(16).padStart(8, "0")
  return reader.finish({
    version: theirs,
    incarnation: hex() + hex(),
    handshake: reader.uint32(),
    node: reader.string(),
    cluster: reader.string(),
    target: reader.string()
  })
}

export const readRefusal = (bytes: Uint8Array, start: number, end: number): Refusal => {
  const reader = new Reader(bytes, start, end)
  return reader.finish({ code: reader.uint8(), reason: reader.string() })
}

export const readDeclaration = (bytes: Uint8Array, start: number, end: number): Declaration => {
  const reader = new Reader(bytes, start, end)
  return reader.finish({ number: reader.uint16(), name: reader.name(), codec: reader.name() })
}

export const readNotice = (bytes: Uint8Array, start: number, end: number): string => {
  const reader = new Reader(bytes, start, end)
  return reader.finish(reader.string())
}
