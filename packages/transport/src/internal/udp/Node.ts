/**
 * A node on a network of datagrams: what goes out in packets, what comes in, and where its peers are.
 */
import { type Clock, Schema, type Scheduler } from "effect"
import type { Buffer } from "node:buffer"
import type { RemoteInfo } from "node:dgram"
import type { Channel } from "../../Channel.ts"
import type * as Codec from "../../Codec.ts"
import { NodeId, Order } from "../../NodeId.ts"
import type { Send } from "../../Transport.ts"
import { Writer } from "../../Writer.ts"
import { type Address, show } from "../tcp/address.ts"
import * as RealTime from "../tcp/realTime.ts"
import { Inbox } from "./Inbox.ts"
import { type Keys, LineKeys, salt, seal } from "./Keys.ts"
import * as Packet from "./packet.ts"
import type { PacketReports } from "./PacketReports.ts"
import { makePeer, type Peer, type Session } from "./Peer.ts"
import type { Socket } from "./Socket.ts"
import { Window } from "./Window.ts"

/** The options of `Udp`, checked and complete. */
export interface NodeOptions {
  readonly self: NodeId
  readonly listen: Address
  readonly peers: ReadonlyMap<NodeId, Address | undefined>
  readonly cluster: string
  readonly keys: Keys | undefined
  readonly learn: boolean
  readonly maxPeers: number
  readonly packetBytes: number
  readonly pack: boolean
  readonly outboundBytes: number
  readonly receiveBufferBytes: number
  readonly selfMessages: number
}

/** What a node takes from Effect. */
export interface Services {
  readonly clock: Clock.Clock
  readonly dispatcher: Scheduler.SchedulerDispatcher
  readonly reports: PacketReports
}

const isNodeId = Schema.is(NodeId)

/** How long a host that has no address is not looked up again. */
const lookUpAgainMillis = 5_000

/** How many buffers for packets are kept for the next ones. */
const maxSpare = 256

export class Node {
  readonly options: NodeOptions
  readonly self: NodeId
  readonly reports: PacketReports
  readonly inbox: Inbox
  readonly peers = new Map<NodeId, Peer>()
  /** How many bytes of messages, with the headers of messages, fit into a packet. */
  readonly roomBytes: number
  private readonly socket: Socket
  private readonly clock: Clock.Clock
  private readonly incarnation: Packet.Incarnation
  private readonly head: Buffer
  /** Where the messages of a packet must end. */
  private readonly bodyEnd: number
  private readonly checksum: number
  private spare: Array<Writer> = []
  /** Peers with a packet to be sent when this turn ends. */
  private due: Array<Peer> = []
  private sortedNodes: ReadonlyArray<NodeId> | undefined = undefined
  private closed = false
  /** Where the numbers of packets to a new peer begin: who was forgotten and comes again must get none twice. */
  private firstNumber = 0

  constructor(options: NodeOptions, socket: Socket, { clock, dispatcher, reports }: Services) {
    this.options = options
    this.self = options.self
    this.socket = socket
    this.clock = clock
    this.reports = reports
    this.inbox = new Inbox(options.self, options.selfMessages, reports, dispatcher)
    this.incarnation = Packet.incarnation(clock.currentTimeNanosUnsafe(), salt())
    const kind = options.keys === undefined ? Packet.Kind.plain : Packet.Kind.sealed
    this.head = Packet.makeHead(kind, options.self, this.incarnation)
    this.bodyEnd = options.packetBytes - (options.keys === undefined ? Packet.checksumBytes : Packet.tagBytes)
    this.roomBytes = this.bodyEnd - this.head.length
    this.checksum = Packet.receiverChecksum(options.cluster, options.self)
    for (const [id, address] of options.peers) {
      if (address === undefined) this.peer(id)
      else this.introduce(id, address)
    }
  }

  start(): void {
    this.socket.start(this.receive, (error) => this.reports.warn(`the socket failed: ${error.message}`))
  }

  get address(): Address {
    return this.socket.address
  }

  get nodes(): ReadonlyArray<NodeId> {
    return (this.sortedNodes ??= [this.self, ...this.peers.keys()].sort(Order))
  }

  // --------------------------------------------------------------------------------------------------------- peers

  private peer(id: NodeId): Peer {
    let peer = this.peers.get(id)
    if (peer === undefined) {
      peer = makePeer(id, Packet.receiverChecksum(this.options.cluster, id), this.firstNumber)
      this.peers.set(id, peer)
      this.reports.meet(id)
      this.sortedNodes = undefined
    }
    return peer
  }

  get isFull(): boolean {
    return this.peers.size >= this.options.maxPeers
  }

  introduce(id: NodeId, address: Address): void {
    const peer = this.peer(id)
    peer.place = this.socket.placeOf(address)
    peer.host = peer.place === undefined ? { name: address.host, port: address.port } : undefined
    peer.lookUpAtMillis = 0
    if (peer.host !== undefined) this.lookUp(peer)
  }

  forget(id: NodeId): void {
    const peer = this.peers.get(id)
    if (peer === undefined) return
    this.flush(peer)
    this.firstNumber = Math.max(this.firstNumber, peer.next)
    this.peers.delete(id)
    this.reports.forget(id)
    this.sortedNodes = undefined
  }

  addressOf(id: NodeId): string | undefined {
    const peer = this.peers.get(id)
    if (peer?.place !== undefined) return placeText(peer.place.ip, peer.place.port)
    return peer?.host === undefined ? undefined : `${peer.host.name}:${peer.host.port}`
  }

  private lookUp(peer: Peer): void {
    const host = peer.host
    if (host === undefined || peer.isLookingUp || this.nowMillis() < peer.lookUpAtMillis) return
    peer.isLookingUp = true
    this.socket.lookUp(host.name, (ip) => {
      peer.isLookingUp = false
      // It may have been told, or heard from, meanwhile.
      if (this.closed || peer.host !== host || peer.place !== undefined) return
      peer.place = ip === undefined ? undefined : this.socket.placeOf({ host: ip, port: host.port })
      peer.lookUpAtMillis = this.nowMillis() + lookUpAgainMillis
      if (ip === undefined) this.reports.rejected(peer.id, `its host "${host.name}" has no address`, true)
    })
  }

  private nowMillis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  // ------------------------------------------------------------------------------------------------------- sending

  /** The way to send on a channel. */
  sender({ codec, name }: Channel<any>): Send<any> {
    const channel = Packet.channelNumber(name)
    const codecNumber = Packet.codecNumber(codec.name)
    return (to, message) => {
      if (this.closed) return
      if (to === this.self) return this.inbox.arriveFromSelf(channel, message)
      const peer = this.peers.get(to)
      if (peer === undefined) return this.reports.dropped(to, "unknown-node", 1)
      if (peer.place === undefined) {
        this.lookUp(peer)
        return this.reports.dropped(to, "unknown-node", 1)
      }
      const out = peer.out ?? this.begin(peer)
      const start = out.length
      if (!this.write(out, codec, message, peer, name)) return
      Packet.writeMessageHeader(out.buffer, start, channel, codecNumber, out.length - start - Packet.messageHeaderBytes)
      if (out.length > this.bodyEnd && !this.moveOn(peer, out, start, name)) return
      peer.outMessages++
      if (!this.options.pack) this.flush(peer)
    }
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
      this.reports.rejected(peer.id, `a message on channel "${name}": ${String(error)}`, true)
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

  private flush(peer: Peer): void {
    const out = peer.out
    if (out === undefined) return
    const messages = peer.outMessages
    peer.out = undefined
    peer.outMessages = 0
    if (messages === 0) return this.release(out)
    if (this.closed || peer.place === undefined) return this.lose(peer, out, "link-lost", messages)
    if (this.socket.backlogBytes + out.length > this.options.outboundBytes) {
      return this.lose(peer, out, "outbound-full", messages)
    }
    const packet = this.finish(peer, out)
    this.socket.send(packet, peer.place, (error) => {
      if (error !== null) return this.failed(peer, out, messages, error)
      const { packets } = this.reports
      packets.sent += messages
      packets.packetsSent++
      packets.bytesSent += packet.length
      this.release(out)
    })
  }

  private lose(peer: Peer, out: Writer, reason: "link-lost" | "outbound-full", messages: number): void {
    this.release(out)
    this.reports.dropped(peer.id, reason, messages)
  }

  private failed(peer: Peer, out: Writer, messages: number, { code, message }: NodeJS.ErrnoException): void {
    this.lose(peer, out, code === "ENOBUFS" || code === "EAGAIN" ? "outbound-full" : "link-lost", messages)
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
    const { cluster, keys } = this.options
    if (keys === undefined) {
      Packet.writeUint32(buffer, end, Packet.checksum(peer.checksum, buffer.subarray(0, end)))
      return buffer.subarray(0, end + Packet.checksumBytes)
    }
    peer.sealing ??= new LineKeys({ cluster, sender: this.self, receiver: peer.id, incarnation: this.incarnation })
    seal(peer.sealing.of(keys.first), buffer, headEnd, end)
    return buffer.subarray(0, end + Packet.tagBytes)
  }

  // ----------------------------------------------------------------------------------------------------- receiving

  private readonly receive = (bytes: Buffer, from: RemoteInfo): void => {
    if (this.closed) return
    const { packets } = this.reports
    packets.packetsReceived++
    packets.bytesReceived += bytes.length
    const head = Packet.readHead(bytes)
    if (head === "truncated") packets.packetsTruncated++
    else if (head === "malformed") packets.packetsMalformed++
    else return this.judge(head, bytes, from)
    this.reports.rejected(placeText(from.address, from.port), `a packet that is ${head}`, false)
  }

  /** Takes a packet if it is its sender's and was not taken before. */
  private judge(head: Packet.Head, bytes: Buffer, from: RemoteInfo): void {
    const { packets } = this.reports
    const { incarnation, number, sender } = head
    const known = this.peers.get(sender)
    if (known === undefined && (!this.options.learn || sender === this.self || this.isFull || !isNodeId(sender))) {
      packets.packetsUnknown++
      return this.refuse(from, `a packet of an unknown node`)
    }
    const before = known?.session
    const order = before === undefined ? 1 : Packet.compare(incarnation, before.incarnation)
    if (order < 0) {
      packets.packetsReplayed++
      const remedy =
        "if it is none, its clock was set back: forget the node here, or wait until its clock has caught up"
      return this.refuse(from, `a packet from before the last start of "${sender}", as a replay is; ${remedy}`)
    }
    if (order === 0 && before!.window.isTaken(number)) return void packets.packetsReplayed++
    const session = order === 0 ? before! : this.session(sender, incarnation)
    const messages = this.open(session, head, bytes)
    if (messages === undefined) {
      packets.packetsForged++
      return this.refuse(from, "a packet whose checksum or seal is not right")
    }
    const peer = known ?? this.peer(sender)
    peer.session = session
    if (session.window.take(number)) this.heardFrom(peer, from)
    const wrong = this.inbox.arrive(sender, messages.bytes, messages.start, messages.end)
    if (wrong === undefined) return
    packets.packetsMalformed++
    this.reports.rejected(sender, wrong, true)
  }

  private refuse({ address, port }: RemoteInfo, reason: string): void {
    this.reports.rejected(placeText(address, port), reason, false)
  }

  private session(sender: NodeId, incarnation: Packet.Incarnation): Session {
    const { cluster, keys } = this.options
    const line = { cluster, sender, receiver: this.self, incarnation }
    return { incarnation, window: new Window(), keys: keys === undefined ? undefined : new LineKeys(line) }
  }

  /** The messages of a packet, if it is proven. */
  private open(
    { keys: lineKeys }: Session,
    { end, kind }: Packet.Head,
    bytes: Buffer
  ): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } | undefined {
    const { keys } = this.options
    if (keys !== undefined) {
      const messages = kind === Packet.Kind.sealed ? lineKeys!.open(keys, bytes, end) : undefined
      return messages === undefined ? undefined : { bytes: messages, start: 0, end: messages.length }
    }
    const bodyEnd = bytes.length - Packet.checksumBytes
    if (kind !== Packet.Kind.plain) return undefined
    if (Packet.checksum(this.checksum, bytes.subarray(0, bodyEnd)) !== bytes.readUInt32BE(bodyEnd)) return undefined
    return { bytes, start: end, end: bodyEnd }
  }

  /** A peer is where its newest packet came from. */
  private heardFrom(peer: Peer, { address, port }: RemoteInfo): void {
    const place = peer.place
    if (!this.options.learn || (place !== undefined && place.port === port && place.ip === address)) return
    peer.place = { ip: address, port }
  }

  // ------------------------------------------------------------------------------------------------------- closing

  /** Sends what this turn has packed, and closes the socket. */
  close(done: () => void): void {
    this.flushAll()
    this.closed = true
    this.inbox.close()
    this.socket.close(() => {
      this.reports.close()
      done()
    })
  }
}

const placeText = (ip: string, port: number): string =>
  show({ host: ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice(7) : ip, port })
