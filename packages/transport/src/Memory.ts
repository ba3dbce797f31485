/**
 * A network inside one process: messages are handed over by reference, in the order of sending, on the next turn of the
 * scheduler. For tests, benchmarks and applications that live in one process, in Node or in a browser.
 *
 * Messages are shared, so they must be immutable, as Schema's decoded values are. `encode: "always"` sends each one
 * through its codec instead, which finds a message that its schema refuses before a network does.
 *
 * @example
 * import { Channel, Memory, Transport } from "@troupe/transport"
 * import { Deferred, Effect, Schema } from "effect"
 *
 * const Greeting = Channel.make("greeting", Schema.String)
 *
 * const program = Effect.gen(function*() {
 *   const network = Memory.network({ nodes: ["n1", "n2"] })
 *   const heard = yield* Deferred.make<string>()
 *   const n2 = yield* Memory.connect(network, "n2")
 *   yield* n2.open(Greeting, (from, text) => Deferred.doneUnsafe(heard, Effect.succeed(`${from}: ${text}`)))
 *   const n1 = yield* Memory.connect(network, "n1")
 *   const send = yield* n1.open(Greeting, () => {})
 *   send("n2", "hello")
 *   return yield* Deferred.await(heard)
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // n1: hello
 */
import { Cause, Effect, type Fiber, Layer, PubSub, Schema, type Scheduler, type Scope, Stream } from "effect"
import type { Channel } from "./Channel.ts"
import * as Codec from "./Codec.ts"
import { textOf } from "./internal/textOf.ts"
import { NodeId, Order } from "./NodeId.ts"
import { ChannelInUse, type DropReason, type LinkEvent, type Receive, type Send, Transport } from "./Transport.ts"

export interface Options {
  readonly nodes: ReadonlyArray<NodeId>
  /** `"always"`: each message goes through its channel's codec, as it would over a network. Default: `"never"`. */
  readonly encode?: "never" | "always"
  /** How many messages may be under way in the whole network; one more is dropped. Default: 1,048,576. */
  readonly capacityMessages?: number
  /** How many messages wait for a channel that its node has not opened; one more is dropped. Default: 4,096. */
  readonly holdMessages?: number
}

/** A network and what is under way in it. Made by `network`, joined by `layer` or `connect`. */
export interface Network {
  readonly nodes: ReadonlyArray<NodeId>
}

export class NodeUnavailable extends Schema.TaggedError<NodeUnavailable>()("NodeUnavailable", {
  node: Schema.String,
  reason: Schema.Literals(["unknown", "connected"])
}) {
  override get message(): string {
    return this.reason === "unknown"
      ? `Node "${this.node}" is not one of the network's nodes. Name it in Memory.network({ nodes }).`
      : `Node "${this.node}" is connected already. A network has one node of a name at a time.`
  }
}

export const network = (options: Options): Network => new MemoryNetwork(options)

/** The transport of `self`, connected for as long as the scope lives. */
export const connect = (
  network: Network,
  self: NodeId
): Effect.Effect<Transport["Service"], NodeUnavailable, Scope.Scope> =>
  Effect.withFiber((fiber) =>
    Effect.acquireRelease(
      Effect.suspend(() => (network as MemoryNetwork).connect(self, fiber)),
      (node) => Effect.sync(() => node.close())
    )
  )

/** The transport of `self` in `network`. */
export const layer = (network: Network, self: NodeId): Layer.Layer<Transport, NodeUnavailable> =>
  Layer.effect(Transport, connect(network, self))

/** Under way to a port that has been opened while messages waited for it. */
const opened = Symbol("opened")

/** How many deliveries the network makes before others get their turn. */
const messagesPerTurn = 4096

class MemoryNetwork implements Network {
  readonly nodes: ReadonlyArray<NodeId>
  readonly encode: boolean
  readonly holdMessages: number
  readonly connected = new Map<NodeId, MemoryNode>()
  readonly channels = new Map<string, Map<NodeId, Port>>()
  readonly capacity: number
  // The messages under way, a ring of ports, senders and messages.
  private ports: Array<Port | undefined> = new Array(1024).fill(undefined)
  private senders: Array<NodeId> = new Array(1024).fill("")
  private messages: Array<unknown> = new Array(1024).fill(undefined)
  private head = 0
  private size = 0
  private scheduled = false
  // Those of the node that connected last: all nodes share one process.
  private dispatcher: Scheduler.SchedulerDispatcher | undefined = undefined
  private fork: (effect: Effect.Effect<void>) => unknown = Effect.runFork

  constructor(options: Options) {
    this.nodes = [...new Set(options.nodes)].sort(Order)
    this.nodes.forEach((node) => Schema.asserts(NodeId, node))
    this.encode = options.encode === "always"
    this.capacity = options.capacityMessages ?? 1_048_576
    this.holdMessages = options.holdMessages ?? 4096
  }

  connect(self: NodeId, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<MemoryNode, NodeUnavailable> {
    if (!this.nodes.includes(self)) return Effect.fail(new NodeUnavailable({ node: self, reason: "unknown" }))
    if (this.connected.has(self)) return Effect.fail(new NodeUnavailable({ node: self, reason: "connected" }))
    this.dispatcher = fiber.currentDispatcher
    this.fork = Effect.runForkWith(fiber.context)
    return Effect.map(PubSub.sliding<LinkEvent>(1024), (events) => {
      const node = new MemoryNode(this, self, events)
      for (const peer of this.connected.values()) {
        peer.tell({ _tag: "Up", peer: self })
        node.tell({ _tag: "Up", peer: peer.self })
      }
      this.connected.set(self, node)
      return node
    })
  }

  /** The port of a node on a channel: made when first sent to or opened, so that early messages have a place to wait. */
  port(channel: Channel<any>, ports: Map<NodeId, Port>, node: NodeId): Port | undefined {
    let port = ports.get(node)
    if (port === undefined && this.nodes.includes(node)) {
      port = { node, codec: channel.codec, receive: undefined, opening: undefined, held: [] }
      ports.set(node, port)
    }
    return port
  }

  portsOf(name: string): Map<NodeId, Port> {
    let ports = this.channels.get(name)
    if (ports === undefined) this.channels.set(name, (ports = new Map()))
    return ports
  }

  enqueue(port: Port, from: NodeId, message: unknown): boolean {
    if (this.size >= this.capacity) return false
    this.place(port, from, message)
    return true
  }

  private place(port: Port, from: NodeId, message: unknown): void {
    if (this.size === this.ports.length) this.grow()
    const at = (this.head + this.size++) & (this.ports.length - 1)
    this.ports[at] = port
    this.senders[at] = from
    this.messages[at] = message
    if (!this.scheduled) this.schedule()
  }

  /** Opens a port. What waits there comes first, so what is under way to it joins what waits until that has its turn. */
  open(port: Port, receive: Receive<any>): void {
    if (port.held.length === 0) port.receive = receive
    else {
      port.opening = receive
      this.place(port, port.node, opened)
    }
  }

  private grow(): void {
    const rotate = <A>(ring: Array<A>, fill: A): Array<A> => [
      ...ring.slice(this.head),
      ...ring.slice(0, this.head),
      ...new Array<A>(ring.length).fill(fill)
    ]
    this.ports = rotate(this.ports, undefined)
    this.senders = rotate(this.senders, "")
    this.messages = rotate(this.messages, undefined)
    this.head = 0
  }

  private schedule(): void {
    this.scheduled = true
    this.dispatcher!.scheduleTask(this.deliver, 0)
  }

  private readonly deliver = (): void => {
    for (let left = messagesPerTurn; left > 0 && this.size > 0; left--) {
      const at = this.head
      const port = this.ports[at]!
      const message = this.messages[at]
      this.ports[at] = undefined
      this.messages[at] = undefined
      this.head = (at + 1) & (this.ports.length - 1)
      this.size--
      if (port.receive === undefined) this.hold(port, this.senders[at]!, message)
      else {
        try {
          port.receive(this.senders[at]!, message)
        } catch (defect) {
          this.report(port, defect)
        }
      }
    }
    this.scheduled = false
    if (this.size > 0) this.schedule()
  }

  private report(port: Port, defect: unknown): void {
    this.fork(Effect.logError(`a handler on node "${port.node}" threw`, Cause.die(defect)))
  }

  private hold(port: Port, from: NodeId, message: unknown): void {
    if (message === opened) this.release(port)
    else if (port.opening !== undefined || port.held.length < this.holdMessages) port.held.push({ from, message })
    else {
      const receiver = this.connected.get(port.node)
      if (receiver !== undefined) receiver.dropped(from, "channel-not-open")
      else this.connected.get(from)?.dropped(port.node, "outbound-full")
    }
  }

  /** Delivers what waited for a port that has been opened. Its handler may close it again meanwhile. */
  private release(port: Port): void {
    const held = port.held
    let next = 0
    for (; next < held.length && port.opening !== undefined; next++) {
      const { from, message } = held[next]!
      try {
        port.opening(from, message)
      } catch (defect) {
        this.report(port, defect)
      }
    }
    port.held = held.slice(next)
    port.receive = port.opening
    port.opening = undefined
  }
}

/** Where the messages of a channel arrive at a node. */
interface Port {
  readonly node: NodeId
  /** Of the sender, until the port is opened. */
  codec: Codec.Codec<any>
  receive: Receive<any> | undefined
  /** The handler of a port that is open, until it has been given what waited. */
  opening: Receive<any> | undefined
  held: Array<{ readonly from: NodeId; readonly message: unknown }>
}

class MemoryNode {
  readonly nodes: ReadonlyArray<NodeId>
  readonly links: Stream.Stream<LinkEvent>
  private readonly network: MemoryNetwork
  readonly self: NodeId
  private readonly events: PubSub.PubSub<LinkEvent>
  private readonly opened = new Set<Port>()
  private closed = false

  constructor(network: MemoryNetwork, self: NodeId, events: PubSub.PubSub<LinkEvent>) {
    this.network = network
    this.self = self
    this.events = events
    this.nodes = network.nodes
    this.links = Stream.fromPubSub(events)
  }

  readonly open = <Message>(
    channel: Channel<Message>,
    receive: Receive<Message>
  ): Effect.Effect<Send<Message>, ChannelInUse, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const ports = this.network.portsOf(channel.name)
        const port = this.network.port(channel, ports, this.self)!
        if (port.receive !== undefined || port.opening !== undefined) {
          return Effect.fail(new ChannelInUse({ node: this.self, channel: channel.name }))
        }
        port.codec = channel.codec
        this.opened.add(port)
        this.network.open(port, receive)
        return Effect.succeed({ port, send: this.sender(channel, ports) })
      }),
      ({ port }) => Effect.sync(() => this.release(port))
    ).pipe(Effect.map(({ send }) => send))

  private sender<Message>(channel: Channel<Message>, ports: Map<NodeId, Port>): Send<Message> {
    const network = this.network
    const self = this.self
    return (to, message) => {
      if (this.closed) return
      const port = ports.get(to) ?? network.port(channel, ports, to)
      if (port === undefined) return this.dropped(to, "unknown-node")
      let delivered: unknown = message
      if (network.encode) {
        try {
          delivered = reread(channel, port.codec, message)
        } catch (error) {
          return this.tell({ _tag: "Rejected", peer: to, reason: `channel "${channel.name}": ${textOf(error)}` })
        }
      }
      if (!network.enqueue(port, self, delivered)) this.dropped(to, "outbound-full")
    }
  }

  /** Once: what the node has closed may be open again, in a later life of it. */
  private release(port: Port): void {
    if (!this.opened.delete(port)) return
    port.receive = undefined
    port.opening = undefined
  }

  close(): void {
    this.closed = true
    this.opened.forEach((port) => this.release(port))
    this.network.connected.delete(this.self)
    for (const peer of this.network.connected.values()) peer.tell({ _tag: "Down", peer: this.self, reason: "closed" })
  }

  tell(event: LinkEvent): void {
    PubSub.publishUnsafe(this.events, event)
  }

  dropped(peer: NodeId, reason: DropReason): void {
    this.tell({ _tag: "Dropped", peer, count: 1, reason })
  }
}

/** A message as the other end of a network would read it. */
const reread = (channel: Channel<any>, theirs: Codec.Codec<any>, message: unknown): unknown => {
  const bytes = Codec.encode(channel.codec, message)
  if (theirs.name !== channel.codec.name)
    throw new Error(`it has codec "${channel.codec.name}" here and "${theirs.name}" there`)
  return Codec.decode(theirs, bytes)
}
