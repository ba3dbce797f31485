/**
 * Where messages arrive at a node: the channels that it has opened, what waits for those that it has not, and what it
 * sends to itself. Handlers are called from here only, one at a time.
 */
import type { Scheduler } from "effect"
import type { Channel } from "../../Channel.ts"
import type * as Codec from "../../Codec.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Receive } from "../../Transport.ts"
import { maxChannels } from "../frames.ts"
import type { Reports } from "./Reports.ts"

/** A sender of messages, and how much of them waits for channels that are not open, on how many. */
export interface Source {
  readonly id: NodeId
  waitingBytes: number
  waitingChannels: number
}

/** Where the messages of a channel arrive. */
export class Port {
  readonly name: string
  codec: Codec.Codec<any> | undefined = undefined
  receive: Receive<any> | undefined = undefined
  held: Array<Waiting> = []
  /** How many messages of a sender wait here. A sender must not use up what others may. */
  readonly waiting = new Map<Source, number>()
  /** Messages for it in the inbox's queue. */
  queued = 0
  /** Those of them that peers have sent, which must come before what arrives now. */
  replaying = 0
  /** Connections that have a number for it. */
  routes = 0

  constructor(name: string) {
    this.name = name
  }
}

/** What a channel number means on a connection. */
export interface Route {
  readonly port: Port
  readonly codecName: string
  /** The port's codec once it is known to be the sender's too. */
  codec: Codec.Codec<any> | undefined
  /** The port's codec once it is known not to be the sender's, so that this is told once. */
  refused: Codec.Codec<any> | undefined
}

/** A message that waits: as the bytes of a route, or (sent by the node itself) as it is. */
interface Waiting {
  readonly port: Port
  readonly source: Source
  readonly route: Route | undefined
  readonly message: any
  readonly size: number
}

/** What a message that waits costs besides its bytes. */
const overheadBytes = 64

export interface Bounds {
  readonly holdMessages: number
  readonly holdBytes: number
  readonly selfMessages: number
}

/** How many deliveries of the queue are made before others get their turn. */
const messagesPerTurn = 4096

export class Inbox {
  private readonly ports = new Map<string, Port>()
  private readonly self: Source
  private readonly bounds: Bounds
  private readonly reports: Reports
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  /** Tells a sender that its codec is not the channel's. */
  private readonly onMismatch: (source: Source, reason: string) => void
  private queue: Array<Waiting> = []
  private head = 0
  /** How many messages of the node to itself wait. */
  private selfMessages = 0
  private scheduled = false
  private closed = false

  constructor(
    self: NodeId,
    bounds: Bounds,
    reports: Reports,
    dispatcher: Scheduler.SchedulerDispatcher,
    onMismatch: (source: Source, reason: string) => void
  ) {
    this.self = { id: self, waitingBytes: 0, waitingChannels: 0 }
    this.bounds = bounds
    this.reports = reports
    this.dispatcher = dispatcher
    this.onMismatch = onMismatch
  }

  /** Opens a channel, unless it is open. What waits for it comes on later turns, before what arrives from now on. */
  open(channel: Channel<any>, receive: Receive<any>): Port | undefined {
    const port = this.port(channel.name)
    if (port.receive !== undefined) return undefined
    port.codec = channel.codec
    port.receive = receive
    const held = port.held
    port.held = []
    for (const waiting of held) this.enqueue(waiting)
    return port
  }

  release(port: Port): void {
    port.receive = undefined
    this.forget(port)
  }

  /** A connection will send on a channel. */
  route(name: string, codecName: string): Route {
    const port = this.port(name)
    port.routes++
    return { port, codecName, codec: undefined, refused: undefined }
  }

  unroute(route: Route): void {
    route.port.routes--
    this.forget(route.port)
  }

  close(): void {
    this.closed = true
    for (const port of this.ports.values()) port.receive = undefined
    this.queue = []
    this.head = 0
  }

  /** A message of a peer. Its bytes are read or copied before this returns. */
  arrive(source: Source, route: Route, bytes: Uint8Array, start: number, end: number): void {
    const port = route.port
    if (port.receive === undefined) return this.wait(port, source, route, bytes, start, end)
    if (port.replaying > 0) {
      this.runQueued(this.queue.length - this.head)
      if (port.receive === undefined) return this.wait(port, source, route, bytes, start, end)
    }
    if (route.codec !== port.codec && !this.agree(source, route)) return
    this.deliver(port, source, bytes, start, end)
  }

  /** A message of the node to itself. */
  arriveFromSelf(name: string, message: unknown): void {
    const self = this.self
    if (this.closed) return
    if (this.selfMessages >= this.bounds.selfMessages) return this.reports.dropped(self.id, "outbound-full", 1)
    this.selfMessages++
    this.reports.counters.sent++
    this.enqueue({ port: this.port(name), source: self, route: undefined, message, size: 0 })
  }

  private deliver(port: Port, source: Source, bytes: Uint8Array, start: number, end: number): void {
    let message: unknown
    try {
      message = port.codec!.read(bytes, start, end)
    } catch (error) {
      return this.reports.misfit(source.id, port.name, error)
    }
    this.call(port, source.id, message)
  }

  private call(port: Port, from: NodeId, message: unknown): void {
    this.reports.counters.received++
    try {
      port.receive!(from, message)
    } catch (defect) {
      this.reports.defect(port.name, defect)
    }
  }

  /** Whether both ends of a route use one codec. If they don't, the message is dropped. */
  private agree(source: Source, route: Route): boolean {
    const codec = route.port.codec!
    if (route.codecName === codec.name) {
      route.codec = codec
      return true
    }
    const reason = `channel "${route.port.name}" has codec "${codec.name}" here and "${route.codecName}" there`
    this.reports.rejected(source.id, reason, true)
    if (route.refused !== codec) {
      route.refused = codec
      this.onMismatch(source, reason)
    }
    return false
  }

  private wait(port: Port, source: Source, route: Route, bytes: Uint8Array, start: number, end: number): void {
    if (this.closed) return
    const size = end - start + overheadBytes
    const before = port.waiting.get(source) ?? 0
    const full = before === 0 ? source.waitingChannels >= maxChannels : before >= this.bounds.holdMessages
    if (full || source.waitingBytes + size > this.bounds.holdBytes) {
      return this.reports.dropped(source.id, "channel-not-open", 1)
    }
    if (before === 0) source.waitingChannels++
    port.waiting.set(source, before + 1)
    source.waitingBytes += size
    const message = Uint8Array.prototype.slice.call(bytes, start, end)
    port.held.push({ port, source, route, message, size })
  }

  private enqueue(waiting: Waiting): void {
    waiting.port.queued++
    if (waiting.source !== this.self) waiting.port.replaying++
    this.queue.push(waiting)
    if (!this.scheduled) this.schedule()
  }

  private schedule(): void {
    this.scheduled = true
    this.dispatcher.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    this.runQueued(messagesPerTurn)
    this.scheduled = false
    if (this.queue.length > 0) this.schedule()
  }

  private runQueued(most: number): void {
    for (let left = most; left > 0 && this.head < this.queue.length; left--) {
      const waiting = this.queue[this.head]!
      this.queue[this.head++] = undefined as never
      this.runOne(waiting)
    }
    this.queue = this.head === this.queue.length ? [] : this.queue.slice(this.head)
    this.head = 0
  }

  private runOne(waiting: Waiting): void {
    const { message, port, route, source } = waiting
    port.queued--
    if (source !== this.self) port.replaying--
    if (port.receive === undefined) return this.hold(waiting)
    if (route === undefined) {
      this.selfMessages--
      return this.call(port, source.id, message)
    }
    const left = port.waiting.get(source)! - 1
    if (left === 0) {
      port.waiting.delete(source)
      source.waitingChannels--
    } else port.waiting.set(source, left)
    source.waitingBytes -= waiting.size
    if (route.codec === port.codec || this.agree(source, route)) this.deliver(port, source, message, 0, message.length)
  }

  /** The channel of a message on its way is not open (any more). A peer's has its place, the node's own may have none. */
  private hold(waiting: Waiting): void {
    if (waiting.source !== this.self || waiting.port.held.length < this.bounds.holdMessages) {
      waiting.port.held.push(waiting)
    } else {
      this.selfMessages--
      this.reports.dropped(this.self.id, "channel-not-open", 1)
    }
  }

  private port(name: string): Port {
    let port = this.ports.get(name)
    if (port === undefined) this.ports.set(name, (port = new Port(name)))
    return port
  }

  /** Peers name channels as they like: one that nobody uses any more must not stay. */
  private forget(port: Port): void {
    if (port.receive === undefined && port.routes === 0 && port.held.length === 0 && port.queued === 0) {
      this.ports.delete(port.name)
    }
  }
}
