/**
 * One socket, from the handshake to its end: what its frames mean, and what happens when they mean nothing.
 */
import type { Socket } from "node:net"
import { Writer } from "../../Writer.ts"
import * as Frames from "../frames.ts"
import { taken } from "./admission.ts"
import type { Route } from "./Inbox.ts"
import type { Node } from "./Node.ts"
import type { Peer } from "./Peer.ts"
import * as RealTime from "./realTime.ts"

/** How long a socket that this node has ended may take to close. */
const lingerMillis = 1000

const nothing = new Uint8Array(0)

export class Connection {
  readonly socket: Socket
  readonly remote: string
  /** `contending`: its id is taken, by a link that must show that it lives. `ended`: what arrives is not looked at. */
  private state: "handshake" | "contending" | "live" | "ended" = "handshake"
  /** Whether this node has introduced itself, on a connection that it dialed. */
  introduced = false
  /** Who is at the other end: known from the start when dialed. */
  peer: Peer | undefined
  incarnation = ""
  handshake = 0
  /** Heartbeats in a row without a sign of life. */
  missed = 0
  /** Whether there was a sign of life since the last heartbeat. */
  heard = true
  /** Who else waits for a sign of life. */
  private onSign: (() => void) | undefined = undefined
  private readonly node: Node
  private readonly dialed: boolean
  private readonly decoder: Frames.FrameDecoder
  private readonly routes: Array<Route | undefined> = []
  private readonly upSince: number
  /** The heartbeat at which the write under way began. */
  private writeBeat = 0
  private timer: RealTime.Timer

  constructor(node: Node, socket: Socket, remote: string, peer: Peer | undefined) {
    this.node = node
    this.socket = socket
    this.remote = remote
    this.peer = peer
    this.dialed = peer !== undefined
    this.upSince = node.nowMillis()
    this.decoder = new Frames.FrameDecoder(Frames.maxHandshakeBytes, this.onFrame)
    this.timer = RealTime.after(node.options.handshakeMillis, this.onSilence)
    socket.setNoDelay(true)
    socket.on("data", this.onData)
    socket.on("error", this.onError)
    socket.on("close", this.onClose)
  }

  get live(): boolean {
    return this.state === "live"
  }

  wasUpMillis(): number {
    return this.node.nowMillis() - this.upSince
  }

  private readonly onSilence = (): void => {
    const reason = `no handshake within ${this.node.options.handshakeMillis} ms`
    if (this.dialed && !this.introduced) this.close(reason)
    else this.refused(reason)
  }

  // -------------------------------------------------------------------------------------------------------- socket

  private readonly onData = (chunk: Buffer): void => {
    if (this.state === "ended") return
    this.signOfLife()
    this.node.reports.counters.bytesReceived += chunk.length
    this.node.beginReading(this.decoder)
    // A plain array: codecs copy with `slice`, which gives a view of a Buffer.
    const malformed = this.decoder.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length))
    this.node.endReading()
    if (malformed !== undefined) this.refused(malformed)
  }

  private readonly onError = (error: NodeJS.ErrnoException): void => {
    if (this.dialed && error.message.includes("before secure TLS connection"))
      this.node.reports.warn(`"${this.peer!.id}" at ${this.remote} hangs up on TLS. Does it speak TLS?`)
    // What goes wrong with the network is no fault of the other end; what TLS doesn't like is.
    if (this.state === "live" || /^E(?!RR_|PROTO)[A-Z_]+$/.test(error.code ?? "")) this.close(error.message)
    else this.refused(error.message)
  }

  private readonly onClose = (): void => {
    this.timer.stop()
    this.node.forget(this)
    this.close("the connection was lost")
  }

  /** Whether the system has all of it at once. Where it has not, the peer is told when it does. */
  write(bytes: Uint8Array): boolean {
    const { socket } = this
    socket.write(bytes)
    if (socket.writableLength === 0 && !socket.destroyed && socket.errored === null) return true
    this.writeBeat = this.node.beats
    socket.write(nothing, this.onWritten)
    return false
  }

  private readonly onWritten = (error?: Error | null): void => {
    if (error !== undefined && error !== null) return
    // A write that was stuck for a heartbeat has moved: the other end has taken something.
    if (this.writeBeat !== this.node.beats) this.signOfLife()
    this.peer!.onWritten(this)
  }

  private signOfLife(): void {
    this.heard = true
    if (this.onSign !== undefined) this.onSign()
  }

  /** Calls `onSign` at signs of life from now on; that a write goes on which is stuck now is one. */
  listen(onSign: () => void): void {
    this.onSign = onSign
    this.writeBeat = -1
  }

  listenNoMore(): void {
    this.onSign = undefined
  }

  /** Ends the connection, telling nobody. */
  discard(): void {
    this.end()
    this.socket.destroy()
  }

  /** Ends the connection, as a link or as an attempt at one. */
  close(reason: string): void {
    if (this.state === "ended") return
    this.discard()
    this.gone(reason)
  }

  private gone(reason: string): void {
    this.peer?.lost(this, reason)
    if (this.dialed) this.peer!.dialFailed(this, reason)
  }

  /** The other end has broken the rules. */
  refused(reason: string): void {
    if (this.state === "ended") return
    const known = this.state === "live"
    this.close(reason)
    this.node.reports.rejected(this.peer?.id ?? this.remote, reason, known)
  }

  /** Stops listening to the other end. */
  private end(): void {
    this.state = "ended"
    this.decoder.stop()
    this.timer.stop()
    for (const route of this.routes) if (route !== undefined) this.node.inbox.unroute(route)
    this.routes.length = 0
  }

  /** Ends the connection once these bytes are out, or after a while. */
  private endWith(bytes: Uint8Array, millis: number): void {
    this.end()
    this.socket.end(bytes)
    // Destroying it at once would throw away what the other end has not read yet.
    this.timer = RealTime.after(millis, () => this.socket.destroy())
  }

  /** Tells the other end that this one stops, after everything that was sent. */
  goodbye(): void {
    if (this.state !== "live") return
    const frame = new Writer(Frames.headerBytes)
    Frames.writeEmpty(frame, Frames.Type.goodbye)
    this.endWith(frame.take(), this.node.options.drainMillis)
    this.socket.once("close", () => this.gone("closed"))
  }

  // ----------------------------------------------------------------------------------------------------- handshake

  /** A dialed connection is open. */
  introduce(): void {
    if (this.state === "ended") return
    this.introduced = true
    const frame = new Writer(256)
    Frames.writeIntroduction(frame, Frames.Type.hello, this.node.introduction(this.peer!.id))
    this.socket.write(frame.take())
  }

  /** `contested`: the link that has the id, if there still is one, has shown that it lives. */
  private onHello(them: Frames.Introduction, contested = false): void {
    const refusal = this.node.judge(this, them)
    const peer = this.node.peers.get(them.node)!
    if (refusal === taken && !contested && !this.node.closing && this.contend(peer, them)) return
    if (refusal !== undefined) return this.refuse(them.node, refusal)
    peer.link?.close("the peer has connected anew")
    this.incarnation = them.incarnation
    this.handshake = them.handshake
    const greeting = new Writer(1024)
    Frames.writeIntroduction(greeting, Frames.Type.welcome, this.node.introduction(them.node))
    this.establish(peer, greeting)
  }

  /** Waits for the link that has the id to show that it lives. `false`: somebody else does so already. */
  private contend(peer: Peer, them: Frames.Introduction): boolean {
    const waits = peer.probe(() => {
      if (this.state !== "contending") return
      this.state = "handshake"
      this.onHello(them, true)
    })
    if (waits) this.state = "contending"
    return waits
  }

  private onWelcome(them: Frames.Introduction): void {
    const peer = this.peer!
    const refusal = this.node.judgeAnswer(them, peer.id)
    if (refusal !== undefined) return this.refuse(peer.id, refusal)
    this.incarnation = them.incarnation
    this.handshake = them.handshake
    this.establish(peer, new Writer(1024))
  }

  private establish(peer: Peer, greeting: Writer): void {
    this.timer.stop()
    this.node.admitted(this)
    this.state = "live"
    this.peer = peer
    // A declaration needs some room, however small the messages are.
    this.decoder.maxFrameBytes = Math.max(this.node.options.maxFrameBytes, Frames.maxHandshakeBytes)
    peer.establish(this, greeting)
  }

  private refuse(claimed: string, refusal: Frames.Refusal): void {
    const frame = new Writer(256)
    Frames.writeRefusal(frame, refusal)
    this.endWith(frame.take(), lingerMillis)
    if (refusal.code !== Frames.RefusalCode.duplicate) {
      const who = this.node.knows(claimed) ? claimed : this.remote
      this.node.reports.rejected(who, `${refusal.reason} (from ${this.remote})`, false)
    }
    this.gone(refusal.reason)
  }

  private onRefuse(refusal: Frames.Refusal): void {
    const peer = this.peer!
    if (refusal.code === Frames.RefusalCode.duplicate && this.dialed && this.state === "handshake") {
      this.discard()
      return peer.dialFailed(this, refusal.reason, true)
    }
    this.refused(`"${peer.id}" refuses this node: ${refusal.reason}`)
  }

  // -------------------------------------------------------------------------------------------------------- frames

  private readonly onFrame = (type: number, bytes: Uint8Array, start: number, end: number): void => {
    if (type === Frames.Type.data && this.state === "live") {
      const route = end - start < 2 ? undefined : this.routes[Frames.readUint16(bytes, start)]
      if (route === undefined) return this.refused("a message on a channel that was not declared")
      return this.node.inbox.arrive(this.peer!, route, bytes, start + 2, end)
    }
    try {
      this.onControl(type, bytes, start, end)
    } catch (error) {
      this.refused(`a malformed frame of type ${type}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  private onControl(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.state === "live") return this.onLive(type, bytes, start, end)
    if (this.state === "ended") return
    if (!this.dialed && this.state === "handshake" && type === Frames.Type.hello)
      return this.onHello(Frames.readIntroduction(bytes, start, end))
    if (this.introduced && type === Frames.Type.welcome)
      return this.onWelcome(Frames.readIntroduction(bytes, start, end))
    if (this.introduced && type === Frames.Type.refuse) return this.onRefuse(Frames.readRefusal(bytes, start, end))
    this.refused(`a frame of type ${type} in the handshake`)
  }

  private onLive(type: number, bytes: Uint8Array, start: number, end: number): void {
    const peer = this.peer!
    switch (type) {
      case Frames.Type.declare:
        return this.onDeclare(Frames.readDeclaration(bytes, start, end))
      case Frames.Type.ping:
        return peer.pong()
      case Frames.Type.pong:
        return
      case Frames.Type.notice:
        return this.node.reports.rejected(peer.id, `"${peer.id}" says: ${Frames.readNotice(bytes, start, end)}`, true)
      case Frames.Type.refuse:
        return this.onRefuse(Frames.readRefusal(bytes, start, end))
      case Frames.Type.goodbye: {
        this.endWith(new Uint8Array(0), lingerMillis)
        return peer.lost(this, "closed")
      }
      default:
        return this.refused(`a frame of unknown type ${type}`)
    }
  }

  private onDeclare(declaration: Frames.Declaration): void {
    if (declaration.number >= Frames.maxChannels) return this.refused(`channel number ${declaration.number}`)
    const before = this.routes[declaration.number]
    if (before !== undefined) {
      if (before.port.name === declaration.name && before.codecName === declaration.codec) return
      this.node.inbox.unroute(before)
    }
    // Numbers come one after another: an array with holes would be as large as its holes.
    while (this.routes.length < declaration.number) this.routes.push(undefined)
    this.routes[declaration.number] = this.node.inbox.route(declaration.name, declaration.codec)
  }
}
