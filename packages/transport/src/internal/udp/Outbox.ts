/**
 * What leaves a node: packets that are filled with the messages of a turn, a peer at a time, and proven.
 */
import { Buffer } from "node:buffer"
import type * as Codec from "../../Codec.ts"
import type { NodeId } from "../../NodeId.ts"
import { Writer } from "../../Writer.ts"
import * as RealTime from "../tcp/realTime.ts"
import { type Keys, LineKeys, seal } from "./Keys.ts"
import * as Packet from "./packet.ts"
import type { PacketReports } from "./PacketReports.ts"
import type { Peer } from "./Peer.ts"
import type { Socket } from "./Socket.ts"

export interface OutboxOptions {
  readonly self: NodeId
  readonly cluster: string
  readonly keys: Keys | undefined
  readonly packetBytes: number
  readonly pack: boolean
  readonly outboundBytes: number
}

/** A channel as packets name it. */
export interface Lane {
  readonly name: string
  readonly codec: Codec.Codec<any>
  readonly number: number
  readonly codecNumber: number
}

/** How many buffers for packets are kept for the next ones. */
const maxSpare = 256

export class Outbox {
  /** How many bytes of messages, with the headers of messages, fit into a packet. */
  readonly roomBytes: number
  private readonly options: OutboxOptions
  private readonly socket: Socket
  private readonly reports: PacketReports
  private readonly incarnation: Packet.Incarnation
  private readonly head: Buffer
  /** Where the messages of a packet must end. */
  private readonly bodyEnd: number
  private spare: Array<Writer> = []
  /** Peers with a packet to be sent when this turn ends. */
  private due: Array<Peer> = []
  /** Of packets that the system has not said to have taken. */
  private underWayBytes = 0
  private closed = false

  constructor(options: OutboxOptions, incarnation: Packet.Incarnation, socket: Socket, reports: PacketReports) {
    const [kind, proofBytes] =
      options.keys === undefined ? [Packet.Kind.plain, Packet.checksumBytes] : [Packet.Kind.sealed, Packet.tagBytes]
    this.options = options
    this.socket = socket
    this.reports = reports
    this.incarnation = incarnation
    this.head = Packet.makeHead(kind, options.self, incarnation)
    this.bodyEnd = options.packetBytes - proofBytes
    this.roomBytes = this.bodyEnd - this.head.length
  }

  /** Puts a message into the packet that is being filled for a peer. */
  send(peer: Peer, lane: Lane, message: unknown): void {
    const { codec, codecNumber, name, number } = lane
    const out = peer.out ?? this.begin(peer)
    const start = out.length
    if (!this.write(out, codec, message, peer, name)) return
    Packet.writeMessageHeader(out.buffer, start, number, codecNumber, out.length - start - Packet.messageHeaderBytes)
    if (out.length > this.bodyEnd && !this.moveOn(peer, out, start, name)) return
    peer.outMessages++
    if (!this.options.pack) this.flush(peer)
  }

  private write(out: Writer, codec: Codec.Codec<any>, message: unknown, peer: Peer, name: string): boolean {
    const start = out.length
    out.reserve(Packet.messageHeaderBytes)
    out.length = start + Packet.messageHeaderBytes
    try {
      codec.write(message, out)
      return true
    } catch (error) {
      out.length = start
      this.reports.misfit(peer.id, name, error)
      return false
    }
  }

  /** The last message does not fit: it begins the next packet, unless it fits into none. */
  private moveOn(peer: Peer, out: Writer, start: number, name: string): boolean {
    const end = out.length
    out.length = start
    if (end - start > this.roomBytes) {
      const room = this.roomBytes - Packet.messageHeaderBytes
      const length = end - start - Packet.messageHeaderBytes
      const reason = `a message of ${length} bytes on channel "${name}": a packet has room for ${room}`
      this.reports.rejected(peer.id, reason, true)
      return false
    }
    const next = this.buffer()
    next.bytes(out.buffer.subarray(start, end))
    // It stays among those that are due.
    this.flush(peer)
    peer.out = next
    return true
  }

  private begin(peer: Peer): Writer {
    if (this.options.pack) {
      if (this.due.length === 0) RealTime.endOfTurn(this.flushAll)
      this.due.push(peer)
    }
    return (peer.out = this.buffer())
  }

  /** A packet without messages, and with room for some more than may be, so that it seldom grows. */
  private buffer(): Writer {
    const out = this.spare.pop() ?? new Writer(2 * this.options.packetBytes)
    out.reserve(this.head.length)
    out.length = this.head.length
    return out
  }

  private release(out: Writer): void {
    if (this.spare.length < maxSpare && out.buffer.length <= 4 * this.options.packetBytes) this.spare.push(out)
  }

  private readonly flushAll = (): void => {
    const due = this.due
    this.due = []
    for (const peer of due) this.flush(peer)
  }

  /** Sends the packet that is being filled for a peer. */
  flush(peer: Peer): void {
    const out = peer.out
    if (out === undefined) return
    const messages = peer.outMessages
    peer.out = undefined
    peer.outMessages = 0
    if (messages > 0) this.leave(peer, out, messages)
    else this.release(out)
  }

  private leave(peer: Peer, out: Writer, messages: number): void {
    const place = peer.place
    const isFull = this.underWayBytes + out.length > this.options.outboundBytes
    if (this.closed || place === undefined || isFull) {
      this.release(out)
      return this.reports.dropped(peer.id, isFull ? "outbound-full" : "link-lost", messages)
    }
    let packet = this.finish(peer, out)
    // While the system takes a small packet, it must not keep a large buffer.
    const isSmall = 4 * packet.length < out.buffer.length
    if (isSmall) {
      packet = Buffer.from(packet)
      this.release(out)
    }
    this.underWayBytes += packet.length
    this.socket.send(packet, place, (error) => {
      this.underWayBytes -= packet.length
      if (!isSmall) this.release(out)
      if (error !== null) return this.failed(peer, messages, error)
      const { packets } = this.reports
      packets.sent += messages
      packets.packetsSent++
      packets.bytesSent += packet.length
    })
  }

  private failed(peer: Peer, messages: number, { code, message }: NodeJS.ErrnoException): void {
    const isFull = code === "ENOBUFS" || code === "EAGAIN"
    this.reports.dropped(peer.id, isFull ? "outbound-full" : "link-lost", messages)
    if (code === "ECANCELED") return
    const advice =
      code === "EMSGSIZE" ? `. The network takes no packets of ${this.options.packetBytes} bytes: give less` : ""
    this.reports.rejected(peer.id, `a packet could not be sent: ${message}${advice}`, true)
  }

  /** Puts the head before the messages of a packet, and what proves it behind. */
  private finish(peer: Peer, out: Writer): Uint8Array {
    const headEnd = this.head.length
    const end = out.length
    out.reserve(Packet.tagBytes)
    const { buffer } = out
    buffer.set(this.head)
    Packet.writeNumber(buffer, headEnd, peer.next++)
    const { cluster, keys, self: sender } = this.options
    if (keys === undefined) {
      Packet.writeUint32(buffer, end, Packet.checksum(peer.checksum, buffer.subarray(0, end)))
      return buffer.subarray(0, end + Packet.checksumBytes)
    }
    peer.sealing ??= new LineKeys({
      cluster,
      sender,
      receiver: peer.id,
      incarnation: this.incarnation
    })
    seal(peer.sealing.of(keys.first), buffer, headEnd, end)
    return buffer.subarray(0, end + Packet.tagBytes)
  }

  /** Sends what this turn has packed, and no more. */
  close(): void {
    this.flushAll()
    this.closed = true
  }
}
