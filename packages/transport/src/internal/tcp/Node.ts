/**
 * A node on a TCP network: its listener, its peers, and the connections between them on the way to being links.
 */
import { type Clock, Duration, Effect, type Fiber, type Random, type Scheduler } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Channel } from "../../Channel.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Send } from "../../Transport.ts"
import * as Frames from "../frames.ts"
import { type Address, show } from "./address.ts"
import { certificateNames, judge, judgeAnswer, type Knowledge, taken } from "./admission.ts"
import { Connection } from "./Connection.ts"
import { Inbox } from "./Inbox.ts"
import { type Lane, Peer } from "./Peer.ts"
import * as RealTime from "./realTime.ts"
import type { Reports } from "./Reports.ts"

/** The options of `Tcp`, checked and complete. */
export interface NodeOptions {
  readonly self: NodeId
  readonly listen: Address
  readonly peers: ReadonlyMap<NodeId, Address | undefined>
  readonly cluster: string
  readonly tls: TlsOptions | undefined
  readonly outboundBytes: number
  readonly maxFrameBytes: number
  readonly holdMessages: number
  readonly holdBytes: number
  readonly selfMessages: number
  readonly maxHandshakes: number
  readonly handshakeMillis: number
  readonly heartbeatMillis: number
  readonly heartbeatMisses: number
  readonly backoffMinMillis: number
  readonly backoffMaxMillis: number
  readonly drainMillis: number
}

export interface TlsOptions {
  readonly credentials: { readonly cert: string; readonly key: string; readonly ca?: string }
  readonly mutual: boolean
  readonly verifyIdentity: boolean
}

/** What a node takes from Effect. */
export interface Services {
  readonly clock: Clock.Clock
  readonly random: Random.Random
  readonly dispatcher: Scheduler.SchedulerDispatcher
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly reports: Reports
}

export class Node implements Knowledge {
  readonly options: NodeOptions
  readonly self: NodeId
  readonly cluster: string
  readonly reports: Reports
  readonly random: Random.Random
  readonly inbox: Inbox
  readonly peers = new Map<NodeId, Peer>()
  /** How many heartbeats there were. */
  beats = 0
  closing = false
  /** Peers to which what was sent in reading from a socket is written when that is done. */
  private readonly due: Array<Peer> = []
  private reading: Frames.FrameDecoder | undefined = undefined
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly incarnation: string
  private handshakes = 0
  private readonly server: Net.Server
  /** Accepted sockets without a handshake yet, by remote address. */
  private readonly strangers = new Map<string, Net.Socket>()
  private readonly connections = new Set<Connection>()
  private heart: RealTime.Timer | undefined = undefined
  private watchers: Array<() => void> = []

  constructor(options: NodeOptions, services: Services) {
    this.options = options
    this.self = options.self
    this.cluster = options.cluster
    this.reports = services.reports
    this.random = services.random
    this.clock = services.clock
    this.fork = services.fork
    this.inbox = new Inbox(options.self, options, services.reports, services.dispatcher, (source, reason) => {
      this.peers.get(source.id)?.notice(reason)
    })
    this.incarnation = this.hex32() + this.hex32()
    for (const [id, address] of options.peers) this.peers.set(id, new Peer(this, id, address))
    this.server = this.makeServer()
  }

  private hex32(): string {
    return Math.floor(this.random.nextDoubleUnsafe() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0")
  }

  nowMillis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Calls `then` after a while of the clock's time. Returns how to stop that. */
  after(millis: number, then: () => void): () => void {
    const fiber = this.fork(Effect.andThen(this.clock.sleep(Duration.millis(millis)), Effect.sync(then)))
    return () => fiber.interruptUnsafe()
  }

  // ----------------------------------------------------------------------------------------------------- listening

  private makeServer(): Net.Server {
    const tls = this.options.tls
    const server =
      tls === undefined
        ? Net.createServer()
        : Tls.createServer({
            ...tls.credentials,
            requestCert: tls.mutual,
            rejectUnauthorized: tls.mutual,
            handshakeTimeout: this.options.handshakeMillis
          })
    server.on("connection", (socket: Net.Socket) => this.arrived(socket))
    server.on(tls === undefined ? "connection" : "secureConnection", (socket: Net.Socket) => this.accept(socket))
    server.on("tlsClientError", (error: Error, socket: Net.Socket) => {
      this.reports.rejected(remoteOf(socket), `TLS: ${error.message}`, false)
    })
    return server
  }

  /** Starts to listen; `done` gets the error if it can't. */
  listen(done: (error: NodeJS.ErrnoException | undefined) => void): void {
    const { host, port } = this.options.listen
    this.server.once("error", done)
    const listening = (): void => {
      this.server.off("error", done)
      this.server.on("error", (error) => this.reports.warn(`the listener failed: ${error.message}`))
      done(undefined)
    }
    if (host === "") this.server.listen(port, listening)
    else this.server.listen(port, host, listening)
  }

  get address(): Address {
    const { address, port } = this.server.address() as Net.AddressInfo
    return { host: address, port }
  }

  /** Dials the peers and starts the heartbeat. */
  start(): void {
    this.heart = RealTime.every(this.options.heartbeatMillis, () => this.beat())
    for (const peer of this.peers.values()) peer.dial()
  }

  private arrived(socket: Net.Socket): void {
    const remote = remoteOf(socket)
    socket.on("error", () => socket.destroy())
    if (this.strangers.size >= this.options.maxHandshakes) this.evict()
    this.strangers.set(remote, socket)
    socket.once("close", () => {
      if (this.strangers.get(remote) === socket) this.strangers.delete(remote)
    })
  }

  /** Closes the stranger that has been here longest: who means well is done soon, and so finds room among who doesn't. */
  private evict(): void {
    for (const [remote, socket] of this.strangers) {
      this.strangers.delete(remote)
      socket.destroy()
      const reason = `more than ${this.options.maxHandshakes} connections without a handshake`
      return this.reports.rejected(remote, reason, false)
    }
  }

  private accept(socket: Net.Socket): void {
    const remote = remoteOf(socket)
    if (!this.strangers.has(remote)) socket.destroy()
    else this.connections.add(new Connection(this, socket, remote, undefined))
  }

  /** A connection has a handshake: it no longer counts as a stranger's. */
  admitted(connection: Connection): void {
    this.strangers.delete(connection.remote)
  }

  forget(connection: Connection): void {
    this.connections.delete(connection)
  }

  // ------------------------------------------------------------------------------------------------------- dialing

  connect(peer: Peer, address: Address): Connection {
    const host = address.host === "" ? "localhost" : address.host
    const tls = this.options.tls
    const socket =
      tls === undefined
        ? Net.connect({ host, port: address.port })
        : Tls.connect({
            host,
            port: address.port,
            ...tls.credentials,
            checkServerIdentity: (_host, certificate) => this.checkIdentity(peer.id, certificate)
          })
    const connection = new Connection(this, socket, show(address), peer)
    this.connections.add(connection)
    socket.once(tls === undefined ? "connect" : "secureConnect", () => connection.introduce())
    return connection
  }

  private checkIdentity(peer: NodeId, certificate: Tls.PeerCertificate): Error | undefined {
    if (!this.options.tls!.verifyIdentity || certificateNames(certificate).includes(peer)) return undefined
    return new Error(`the certificate is for ${certificateNames(certificate).join(", ")}, not for "${peer}"`)
  }

  // ----------------------------------------------------------------------------------------------------- handshake

  introduction(target: NodeId): Frames.Introduction {
    return {
      version: Frames.version,
      incarnation: this.incarnation,
      handshake: this.handshakes++,
      node: this.self,
      cluster: this.cluster,
      target
    }
  }

  readonly known = (node: NodeId): boolean => this.peers.has(node)
  readonly knows = (node: NodeId): boolean => node === this.self || this.peers.has(node)
  readonly live = (node: NodeId): Connection | undefined => this.peers.get(node)?.link
  readonly dialing = (node: NodeId): boolean => this.peers.get(node)?.dialing?.introduced === true

  judge(connection: Connection, them: Frames.Introduction): Frames.Refusal | undefined {
    const refusal = judge(them, this)
    if (refusal !== undefined && refusal !== taken) return refusal
    // Who cannot prove that it is that node must not put its link to the test.
    const tls = this.options.tls
    if (tls !== undefined && tls.mutual && tls.verifyIdentity) {
      const wrong = this.checkIdentity(them.node, (connection.socket as Tls.TLSSocket).getPeerCertificate())
      if (wrong !== undefined) return { code: Frames.RefusalCode.refused, reason: wrong.message }
    }
    if (this.closing && !this.peers.get(them.node)!.hasWaiting) {
      return { code: Frames.RefusalCode.duplicate, reason: "the node is closing" }
    }
    return refusal
  }

  judgeAnswer(them: Frames.Introduction, peer: NodeId): Frames.Refusal | undefined {
    return judgeAnswer(them, peer, this)
  }

  // ---------------------------------------------------------------------------------------------------------- life

  /** A link without a sign of life since the last beat is asked for one; one that misses too many is dead. */
  private beat(): void {
    this.beats++
    for (const peer of this.peers.values()) {
      const link = peer.link
      if (link === undefined) continue
      if (link.heard) link.missed = 0
      else if (++link.missed > this.options.heartbeatMisses) {
        link.close(`no sign of life for ${link.missed} heartbeats`)
        continue
      }
      if (!link.heard) peer.ping()
      link.heard = false
    }
  }

  /** The way to send on a channel. */
  sender(channel: Channel<any>): { readonly send: Send<any>; readonly release: () => void } {
    const { codec, name } = channel
    const lanes = new Map<NodeId, { readonly peer: Peer; readonly lane: Lane }>()
    let released = false
    const laneTo = (to: NodeId): { readonly peer: Peer; readonly lane: Lane } | undefined => {
      const peer = this.peers.get(to)
      if (peer === undefined) {
        this.reports.dropped(to, "unknown-node", 1)
        return undefined
      }
      const lane = peer.lane(name, codec.name)
      if (lane === undefined) {
        this.reports.dropped(to, "outbound-full", 1)
        return undefined
      }
      const entry = { peer, lane }
      if (released) lane.users--
      else lanes.set(to, entry)
      return entry
    }
    const send: Send<any> = (to, message) => {
      if (this.closing) return
      if (to === this.self) return this.inbox.arriveFromSelf(name, message)
      const entry = lanes.get(to) ?? laneTo(to)
      if (entry !== undefined) entry.peer.send(entry.lane, codec, message)
    }
    const release = (): void => {
      released = true
      for (const { lane } of lanes.values()) lane.users--
      lanes.clear()
    }
    return { send, release }
  }

  beginReading(decoder: Frames.FrameDecoder): void {
    this.reading = decoder
  }

  endReading(): void {
    this.reading = undefined
    for (let peer = this.due.pop(); peer !== undefined; peer = this.due.pop()) peer.endTurn()
  }

  /** Whether it is told when the turn ends. */
  endsTurn(peer: Peer): boolean {
    if (this.reading === undefined) return false
    this.due.push(peer)
    return true
  }

  /** Whether what runs now does so for a message that has come without others. */
  get isForOne(): boolean {
    return this.reading !== undefined && this.reading.isAlone
  }

  /** Calls `watcher` when a link comes or goes, until it says that it has seen enough. */
  watch(watcher: () => boolean): () => void {
    const entry = (): void => {
      if (watcher()) stop()
    }
    const stop = (): void => {
      this.watchers = this.watchers.filter((other) => other !== entry)
    }
    this.watchers.push(entry)
    entry()
    return stop
  }

  changed(): void {
    for (const watcher of this.watchers) watcher()
  }

  /** Sends what waits within `drainMillis`, says goodbye and closes every socket. Then `done`. */
  close(done: () => void): void {
    this.closing = true
    this.inbox.close()
    this.heart?.stop()
    let left = this.peers.size + 1
    const settled = (): void => {
      if (--left > 0) return
      deadline.stop()
      for (const connection of this.connections) connection.discard()
      for (const socket of this.strangers.values()) socket.destroy()
      this.reports.close()
      this.server.close(() => done())
    }
    const deadline = RealTime.after(this.options.drainMillis, () => {
      for (const peer of this.peers.values()) peer.abandon()
    })
    for (const peer of this.peers.values()) peer.drain(settled)
    settled()
  }
}

const remoteOf = (socket: Net.Socket): string =>
  show({ host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 })
