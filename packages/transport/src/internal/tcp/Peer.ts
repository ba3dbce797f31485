/**
 * Another node, as seen from this one: what waits to be sent to it, the link if there is one, and the dialing if not.
 *
 * What is sent is encoded at once, behind what waits. Two buffers take turns: one is filled while the other is being
 * written, so that a burst leaves in one write and a peer that doesn't read costs no more than the outbound bound.
 */
import type * as Codec from "../../Codec.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Address } from "./address.ts"
import { Writer } from "../../Writer.ts"
import * as Frames from "../frames.ts"
import type { Connection } from "./Connection.ts"
import type { Source } from "./Inbox.ts"
import type { Node } from "./Node.ts"
import * as RealTime from "./realTime.ts"

/** A channel on the way to a peer. */
export interface Lane {
  readonly number: number
  readonly name: string
  readonly codec: string
  /** How many times the channel is open at this node: a lane that nobody uses may give its number away. */
  users: number
}

const initialBytes = 16 * 1024

/** Buffers above this are given back after a burst. */
const keepBytes = 1024 * 1024

/**
 * A burst that reaches this is written before its turn ends, so that the peer has something to do meanwhile. What follows
 * in the same turn goes out in parts that are twice as large each time.
 */
const leastEagerBytes = 2 * 1024
const mostEagerBytes = 64 * 1024

/** How long a link has to show that it lives when somebody else claims the peer's id. */
const probeMillis = 1000

/** One write at most, so that a long backlog shows progress. */
const writeBytes = 256 * 1024

export class Peer implements Source {
  readonly id: NodeId
  address: Address | undefined
  waitingBytes = 0
  waitingChannels = 0
  link: Connection | undefined = undefined
  /** The connection that this node makes to the peer, until it is a link. */
  dialing: Connection | undefined = undefined
  private readonly node: Node
  private readonly boundBytes: number
  private readonly maxFrameBytes: number
  private readonly lanes: Array<Lane> = []
  private out = new Writer(initialBytes)
  private outMessages = 0
  /** The other buffer: what is being written is its first `writing` bytes, of which `written` are. */
  private other = new Writer(initialBytes)
  private writing = 0
  private written = 0
  private writingMessages = 0
  private flushDue = false
  private eagerBytes = leastEagerBytes
  private pongDue = false
  private attempts = 0
  /** The peer has refused this node's connection in favour of its own, which is on its way. */
  private awaited = false
  private cancelBackoff: (() => void) | undefined = undefined
  /** Called once it is known whether the link lives. */
  private onProbed: (() => void) | undefined = undefined
  private probing: RealTime.Timer | undefined = undefined
  /** Called once nothing of this peer keeps the node from closing. */
  private onSettled: (() => void) | undefined = undefined

  constructor(node: Node, id: NodeId, address: Address | undefined) {
    this.node = node
    this.id = id
    this.address = address
    this.boundBytes = node.options.outboundBytes
    this.maxFrameBytes = node.options.maxFrameBytes
  }

  /** How many bytes wait to be written. */
  get backlogBytes(): number {
    return this.out.length + this.writing - this.written
  }

  // ------------------------------------------------------------------------------------------------------ messages

  /** The lane of a channel, made when it is first sent on. `undefined`: there are as many as may be, or too much waits. */
  lane(name: string, codec: string): Lane | undefined {
    const same = this.lanes.find((lane) => lane.name === name && lane.codec === codec)
    if (same !== undefined) {
      same.users++
      return same
    }
    const number = this.freeNumber()
    if (number === undefined || this.backlogBytes >= this.boundBytes) return undefined
    const lane: Lane = { number, name, codec, users: 1 }
    this.lanes[number] = lane
    if (this.link !== undefined) Frames.writeDeclaration(this.out, lane)
    return lane
  }

  private freeNumber(): number | undefined {
    if (this.lanes.length < Frames.maxChannels) return this.lanes.length
    // What waits may use any number. A link says what a number means in the order of sending, so it needn't be up.
    if (this.link === undefined && this.out.length > 0) return undefined
    const free = this.lanes.findIndex((lane) => lane.users === 0)
    return free < 0 ? undefined : free
  }

  send(lane: Lane, codec: Codec.Codec<any>, message: unknown): void {
    const out = this.out
    const start = out.length
    if (start + this.writing >= this.boundBytes) return this.drop()
    out.reserve(Frames.dataHeaderBytes)
    out.length = start + Frames.dataHeaderBytes
    try {
      codec.write(message, out)
    } catch (error) {
      this.rewind(start)
      return this.node.reports.misfit(this.id, lane.name, error)
    }
    const length = out.length - start - 4
    if (length > this.maxFrameBytes || out.length + this.writing > this.boundBytes)
      return this.undo(start, length, lane)
    const buffer = out.buffer
    buffer[start] = length >>> 24
    buffer[start + 1] = length >>> 16
    buffer[start + 2] = length >>> 8
    buffer[start + 3] = length
    buffer[start + 4] = Frames.Type.data
    buffer[start + 5] = lane.number >>> 8
    buffer[start + 6] = lane.number
    this.outMessages++
    if (this.link !== undefined) this.leave()
  }

  private undo(start: number, length: number, lane: Lane): void {
    this.rewind(start)
    if (length <= this.maxFrameBytes) return this.drop()
    const reason = `a message of ${length} bytes on channel "${lane.name}", more than maxFrameBytes (${this.maxFrameBytes})`
    this.node.reports.rejected(this.id, reason, true)
  }

  /** Takes back what was written since there were so many bytes, and memory that only this took. */
  private rewind(length: number): void {
    this.out.length = length
    if (this.out.buffer.length <= this.boundBytes) return
    const less = new Writer(Math.max(initialBytes, this.out.length))
    less.bytes(this.out.buffer.subarray(0, this.out.length))
    this.out = less
  }

  private drop(): void {
    this.node.reports.dropped(this.id, "outbound-full", 1)
  }

  // ------------------------------------------------------------------------------------------------------- the link

  /**
   * At the end of the turn, with what else is sent in it. The first answer to what has come alone is likely the only one: it
   * leaves at once, and what is still to be done here is done meanwhile.
   */
  private leave(): void {
    const isFirst = !this.flushDue
    this.flushSoon()
    if (isFirst && this.node.isForOne) this.flush()
    else if (this.out.length > this.eagerBytes && this.writing === 0) this.flushEagerly()
  }

  private flushSoon(): void {
    if (this.flushDue) return
    this.flushDue = true
    if (!this.node.endsTurn(this)) RealTime.endOfTurn(this.endTurn)
  }

  /** Nothing more comes in this turn. */
  readonly endTurn = (): void => {
    this.flushDue = false
    this.eagerBytes = leastEagerBytes
    this.flush()
  }

  private flushEagerly(): void {
    this.eagerBytes = Math.min(2 * this.eagerBytes, mostEagerBytes)
    this.flush()
  }

  private flush(): void {
    const link = this.link
    if (link === undefined || this.writing > 0) return
    const out = this.out
    if (this.pongDue) {
      this.pongDue = false
      Frames.writeEmpty(out, Frames.Type.pong)
    }
    if (out.length === 0) return
    this.out = this.other
    this.other = out
    this.writing = out.length
    this.written = 0
    this.writingMessages = this.outMessages
    this.outMessages = 0
    this.write(link)
  }

  private write(link: Connection): void {
    const end = Math.min(this.writing, this.written + writeBytes)
    const count = end - this.written
    this.node.reports.counters.bytesSent += count
    const { buffer, byteOffset } = this.other.buffer
    const view = Buffer.from(buffer, byteOffset + this.written, count)
    this.written = end
    if (link.write(view)) this.onWritten(link)
  }

  /** What was given to the link last is written. */
  onWritten(link: Connection): void {
    if (this.link !== link) return
    if (this.written < this.writing) return this.write(link)
    this.node.reports.counters.sent += this.writingMessages
    this.endWriting()
    if (this.out.length > 0 || this.pongDue) this.flush()
    if (this.onSettled !== undefined) this.settle()
  }

  private endWriting(): void {
    this.writing = 0
    this.written = 0
    this.writingMessages = 0
    this.other.length = 0
    if (this.other.buffer.length > keepBytes) this.other = new Writer(initialBytes)
  }

  /** The connection becomes the link. `greeting` goes out first. */
  establish(link: Connection, greeting: Writer): void {
    this.stopDialing()
    this.awaited = false
    this.link = link
    for (const lane of this.lanes) Frames.writeDeclaration(greeting, lane)
    if (greeting.length > 0) link.socket.write(greeting.take())
    this.node.reports.up(this.id)
    this.node.changed()
    this.flush()
    if (this.onSettled !== undefined) this.settle()
  }

  /** The link is gone. What was handed to it is lost, what still waits goes over the next one. */
  lost(link: Connection, reason: string): void {
    if (this.link !== link) return
    this.link = undefined
    if (this.writingMessages > 0) this.node.reports.dropped(this.id, "link-lost", this.writingMessages)
    // The socket may still hold on to the buffer.
    if (this.writing > 0) this.other = new Writer(initialBytes)
    this.endWriting()
    this.pongDue = false
    if (link.wasUpMillis() >= this.node.options.backoffMaxMillis) this.attempts = 0
    this.node.reports.down(this.id, reason)
    this.node.changed()
    this.dialLater()
    this.endProbe()
    if (this.onSettled !== undefined) this.settle()
  }

  /** Finds out whether the link lives. Calls `onProbed` when it has shown that it does, or is gone. One may ask at a time. */
  probe(onProbed: () => void): boolean {
    const link = this.link!
    if (this.onProbed !== undefined) return false
    this.onProbed = onProbed
    const millis = Math.min(probeMillis, this.node.options.handshakeMillis / 2)
    this.probing = RealTime.after(millis, () => link.close("no sign of life when the peer connected anew"))
    link.listen(() => this.endProbe())
    this.ping()
    return true
  }

  private endProbe(): void {
    const onProbed = this.onProbed
    if (onProbed === undefined) return
    this.onProbed = undefined
    this.probing?.stop()
    this.link?.listenNoMore()
    onProbed()
  }

  ping(): void {
    if (this.writing > 0) return
    Frames.writeEmpty(this.out, Frames.Type.ping)
    this.flush()
  }

  pong(): void {
    this.pongDue = true
    this.flushSoon()
  }

  /** Tells the peer what was refused of what it sent. */
  notice(reason: string): void {
    if (this.link === undefined || this.backlogBytes >= this.boundBytes) return
    Frames.writeNotice(this.out, reason)
    this.flushSoon()
  }

  // -------------------------------------------------------------------------------------------------------- dialing

  dial(): void {
    this.cancelBackoff?.()
    this.cancelBackoff = undefined
    if (this.link !== undefined || this.dialing !== undefined || this.address === undefined || this.node.closing) return
    this.dialing = this.node.connect(this, this.address)
  }

  /** The dialed connection came to nothing. */
  dialFailed(connection: Connection, reason: string, awaited = false): void {
    if (this.dialing !== connection) return
    this.dialing = undefined
    this.awaited = awaited
    this.node.reports.debug(`no link to "${this.id}": ${reason}`)
    this.dialLater()
    if (this.onSettled !== undefined) this.settle()
  }

  /** Exponential backoff with full jitter: the wait is a random part of a bound that doubles. */
  private dialLater(): void {
    if (this.link !== undefined || this.address === undefined || this.node.closing) return
    const { backoffMaxMillis, backoffMinMillis } = this.node.options
    const bound = Math.min(backoffMaxMillis, backoffMinMillis * 2 ** Math.min(this.attempts++, 30))
    this.cancelBackoff?.()
    this.cancelBackoff = this.node.after(bound * this.node.random.nextDoubleUnsafe(), () => {
      this.cancelBackoff = undefined
      this.dial()
    })
  }

  private stopDialing(): void {
    this.cancelBackoff?.()
    this.cancelBackoff = undefined
    const dialing = this.dialing
    this.dialing = undefined
    if (dialing !== undefined && !dialing.live) dialing.discard()
  }

  // -------------------------------------------------------------------------------------------------------- closing

  /** Sends what waits, as far as there is a link or one is being made, and says goodbye. */
  drain(onSettled: () => void): void {
    this.onSettled = onSettled
    this.cancelBackoff?.()
    this.cancelBackoff = undefined
    this.settle()
  }

  /** Whether closing would lose what a connection that is being made could still carry. */
  get hasWaiting(): boolean {
    return this.outMessages > 0
  }

  private settle(): void {
    const link = this.link
    if (link !== undefined) {
      if (this.writing === 0 && this.out.length === 0) link.goodbye()
      else this.flush()
    } else if (!this.expectsLink()) this.settled()
  }

  /** Whether to wait for a link: for what there is to send, or because the peer may think already that there is one. */
  private expectsLink(): boolean {
    if (this.dialing !== undefined) return this.dialing.introduced || this.hasWaiting
    return this.awaited && this.hasWaiting
  }

  /** Gives up what is left. */
  abandon(): void {
    this.link?.discard()
    this.dialing?.discard()
    this.settled()
  }

  private settled(): void {
    const onSettled = this.onSettled
    this.onSettled = undefined
    const left = this.outMessages + this.writingMessages
    if (left > 0) this.node.reports.dropped(this.id, "link-lost", left)
    this.outMessages = 0
    this.writingMessages = 0
    this.probing?.stop()
    this.out = new Writer(0)
    onSettled?.()
  }
}
