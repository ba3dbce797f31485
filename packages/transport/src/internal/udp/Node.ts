/**
 * A node on a network of datagrams: what goes out in packets, what comes in, and where its peers are.
 */
import { type Clock, Schema, type Scheduler } from "effect"
import type { Buffer } from "node:buffer"
import type { RemoteInfo } from "node:dgram"
import type { Channel } from "../../Channel.ts"
import { NodeId, Order } from "../../NodeId.ts"
import type { Send } from "../../Transport.ts"
import { type Address, show } from "../tcp/address.ts"
import { Inbox } from "./Inbox.ts"
import { LineKeys, salt } from "./Keys.ts"
import { Outbox, type OutboxOptions } from "./Outbox.ts"
import * as Packet from "./packet.ts"
import type { PacketReports } from "./PacketReports.ts"
import { makePeer, type Peer, type Session } from "./Peer.ts"
import type { Socket } from "./Socket.ts"
import { Window } from "./Window.ts"

/** The options of `Udp`, checked and complete. */
export interface NodeOptions extends OutboxOptions {
  readonly listen: Address
  readonly peers: ReadonlyMap<NodeId, Address | undefined>
  readonly learn: boolean
  readonly maxPeers: number
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

export class Node {
  readonly options: NodeOptions
  readonly self: NodeId
  readonly reports: PacketReports
  readonly inbox: Inbox
  readonly peers = new Map<NodeId, Peer>()
  readonly outbox: Outbox
  private readonly socket: Socket
  private readonly clock: Clock.Clock
  private readonly checksum: number
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
    const incarnation = Packet.incarnation(clock.currentTimeNanosUnsafe(), salt())
    this.outbox = new Outbox(options, incarnation, socket, reports)
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
    this.outbox.flush(peer)
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
    const number = Packet.channelNumber(name)
    const lane = { name, codec, number, codecNumber: Packet.codecNumber(codec.name) }
    return (to, message) => {
      if (this.closed) return
      if (to === this.self) return this.inbox.arriveFromSelf(number, message)
      const peer = this.peers.get(to)
      if (peer === undefined) return this.reports.dropped(to, "unknown-node", 1)
      if (peer.place === undefined) {
        this.lookUp(peer)
        return this.reports.dropped(to, "unknown-node", 1)
      }
      this.outbox.send(peer, lane, message)
    }
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
    this.outbox.close()
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
