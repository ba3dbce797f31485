/**
 * What one node says to another about actors that move: none of it lost, doubled or overtaken while both know each other.
 *
 * Each end has a session with a number of its own, and takes nothing but what was said to this one by the session that it
 * knows. A connection is a pair of sessions. It breaks when an end begins anew: because its node did, or because it has taken
 * the other for dead. What was under way then is gone, and both ends are told.
 *
 * Within a connection, words are numbered, acknowledged, and said again while they are not.
 */
import { Schema } from "effect"

/** `has`: the session of the receiver that the sender knows; empty, none. `first`: the number of the first piece. */
export const Packet = Schema.Struct({
  node: Schema.String,
  from: Schema.String,
  to: Schema.String,
  has: Schema.String,
  first: Schema.Int,
  acknowledged: Schema.Int,
  pieces: Schema.Array(Schema.Struct({ bytes: Schema.Uint8Array, more: Schema.Boolean }))
})
export type Packet = typeof Packet.Type

type Piece = Packet["pieces"][number]

export type Said = ReadonlySet<Piece>

/**
 * `down`: the other node was taken for dead here. `restarted`: it has begun a new life. `given up`: it has taken this one
 * for dead, and lives.
 */
export type Cause = "down" | "restarted" | "given up"

export interface Hooks {
  readonly node: string
  /** Of this node's life. */
  readonly life: string
  readonly retryMillis: number
  /** What the transport carries. */
  readonly maxBytes: number
  readonly transmit: (packet: Packet) => void
  readonly setTimer: (timer: "retry" | "acknowledge", millis: number) => void
  readonly clearTimer: (timer: "retry" | "acknowledge") => void
  readonly onWord: (word: Uint8Array) => void
  readonly onBreak: (cause: Cause) => void
  readonly onUp: () => void
}

/** The most that goes out at once, besides what a packet and a piece have of their own. */
const packetBytes = 64 * 1024
const headBytes = 512
const pieceHeadBytes = 8
/** Pieces that go out before they are acknowledged. */
const window = 256
/** Of those that were not acknowledged in time, so many go out again. */
const again = 32
const acknowledgeMillis = 10
/** With so many pieces that wait, what may be refused is. */
export const capacity = 65_536

const lifeOf = (session: string): string => session.slice(0, session.indexOf("/"))

export class Link {
  private readonly hooks: Hooks
  private turn = 0
  private readonly largest: number
  private mine: string
  private theirs = ""
  /** Taken for dead, and not heard of since. */
  isDown = false
  // Outbound: the first piece has the number `base`, those below `sent` went out, and `next` goes out next: what is not
  // acknowledged in time is lost, and what went out after it is not taken.
  private queue: Array<Piece> = []
  /** Of the queue, the smaller half: what was taken back. */
  private readonly unsaid = new Set<Piece>()
  private base = 1
  private next = 1
  private sent = 1
  private waits = 1
  // Inbound.
  private expected = 1
  private parts: Array<Uint8Array> = []
  private unacknowledged = 0

  constructor(hooks: Hooks) {
    this.hooks = hooks
    this.mine = `${hooks.life}/0`
    this.largest = Math.max(64, Math.min(packetBytes, hooks.maxBytes) - headBytes)
  }

  get isUp(): boolean {
    return this.theirs !== ""
  }

  /** Whether what may be refused is taken. */
  get hasRoom(): boolean {
    return this.queue.length - this.unsaid.size < capacity
  }

  /** What is going to be said, as long as nothing breaks. */
  say(word: Uint8Array): Said | undefined {
    if (this.isDown) return undefined
    const isFirst = this.queue.length === 0
    const said = new Set<Piece>()
    const { largest } = this
    for (let at = 0; at === 0 || at < word.length; at += largest) {
      const end = at + largest
      said.add({ bytes: word.subarray(at, end), more: end < word.length })
    }
    this.queue.push(...said)
    if (this.isUp && !this.isRepeating) this.advance()
    else if (isFirst) this.hello()
    return said
  }

  /** Whether it could be taken back: nobody was there to hear it. */
  unsay(said: Said): boolean {
    if (this.isUp) return false
    for (const piece of said) this.unsaid.add(piece)
    if (2 * this.unsaid.size >= this.queue.length) this.sweep()
    return true
  }

  private sweep(): void {
    if (this.unsaid.size > 0) this.queue = this.queue.filter((piece) => !this.unsaid.has(piece))
    this.unsaid.clear()
  }

  /** It is taken for dead. */
  giveUp(): void {
    this.isDown = true
    this.renew()
    this.hooks.onBreak("down")
    this.hello()
  }

  receive(packet: Packet): void {
    if (packet.to !== this.mine) return this.transmit(packet.from, 0, 0)
    if (this.theirs === "") {
      // It knows a session of this end that is no more: told of this one, it finds out.
      if (packet.has !== "" && packet.has !== this.mine) return this.transmit(packet.from, 0, 0)
      this.adopt(packet)
    } else if (packet.from !== this.theirs) {
      const cause = lifeOf(packet.from) === lifeOf(this.theirs) ? "given up" : "restarted"
      this.renew()
      this.hooks.onBreak(cause)
      return this.transmit(packet.from, 0, 0)
    }
    this.acknowledge(packet)
    this.take(packet)
  }

  timedOut(timer: "retry" | "acknowledge"): void {
    if (timer === "acknowledge") return this.transmit(this.theirs, 0, 0)
    if (!this.isUp) return this.hello()
    this.waits = Math.min(8, 2 * this.waits)
    this.next = Math.min(this.sent, this.base + again)
    this.transmit(this.theirs, this.base, this.next)
    this.wait()
  }

  /** A new session: the other end has not heard of it. */
  private renew(): void {
    this.mine = `${this.hooks.life}/${++this.turn}`
    this.theirs = ""
    this.queue = []
    this.unsaid.clear()
    this.base = this.next = this.sent = this.expected = this.waits = 1
    this.parts = []
    this.hooks.clearTimer("retry")
    this.hooks.clearTimer("acknowledge")
  }

  private hello(): void {
    this.transmit("", 0, 0)
    this.hooks.setTimer("retry", this.hooks.retryMillis * this.waits)
    this.waits = Math.min(8, 2 * this.waits)
  }

  private adopt({ from, has }: Packet): void {
    this.sweep()
    this.theirs = from
    this.isDown = false
    this.waits = 1
    this.hooks.clearTimer("retry")
    if (has === "") this.transmit(from, 0, 0)
    this.hooks.onUp()
    this.advance()
  }

  private acknowledge({ acknowledged }: Packet): void {
    if (acknowledged <= this.base || acknowledged > this.sent) return
    this.queue.splice(0, acknowledged - this.base)
    this.base = acknowledged
    this.next = Math.max(this.next, acknowledged)
    this.waits = 1
    this.hooks.clearTimer("retry")
    this.advance()
    if (this.base < this.sent) this.wait()
  }

  private take({ first, pieces }: Packet): void {
    const { mine } = this
    let isNew = false
    for (let at = 0; at < pieces.length; at++) {
      // What a word led to may have ended the session.
      if (this.mine !== mine) return
      if (first + at !== this.expected) continue
      isNew = true
      this.expected++
      this.unacknowledged++
      const { bytes, more } = pieces[at]!
      this.parts.push(bytes)
      if (more) continue
      const word = joined(this.parts)
      this.parts = []
      this.hooks.onWord(word)
    }
    if (this.mine !== mine || pieces.length === 0) return
    if (!isNew || this.unacknowledged >= window / 4) this.transmit(this.theirs, 0, 0)
    else if (this.unacknowledged > 0) this.hooks.setTimer("acknowledge", acknowledgeMillis)
  }

  /** Sends what the window allows. */
  private advance(): void {
    const end = Math.min(this.base + window, this.base + this.queue.length)
    if (!this.isUp || end <= this.next) return
    const isFirst = this.base === this.sent
    this.transmit(this.theirs, this.next, end)
    this.next = end
    this.sent = Math.max(this.sent, end)
    if (isFirst) this.wait()
  }

  /** Until something is acknowledged, nothing new goes out. */
  private get isRepeating(): boolean {
    return this.next < this.sent
  }

  private wait(): void {
    this.hooks.setTimer("retry", this.hooks.retryMillis * this.waits)
  }

  private transmit(to: string, first: number, end: number): void {
    const { base, expected: acknowledged, mine, queue, theirs: has } = this
    this.unacknowledged = 0
    this.hooks.clearTimer("acknowledge")
    let next = first
    do {
      const from = next
      let left = this.largest
      while (next < end && (next === from || queue[next - base]!.bytes.length <= left)) {
        left -= queue[next++ - base]!.bytes.length + pieceHeadBytes
      }
      const pieces = queue.slice(from - base, next - base)
      this.hooks.transmit({ node: this.hooks.node, from: mine, to, has, first: from, acknowledged, pieces })
    } while (next < end)
  }
}

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (parts.length === 1) return parts[0]!
  const word = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    word.set(part, at)
    at += part.length
  }
  return word
}
