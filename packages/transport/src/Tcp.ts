/**
 * Nodes on a network: every two of them share one TCP connection, with TLS or without.
 *
 * A node listens, and dials the peers whose address it knows until there is a link, again and again, at growing random
 * intervals. Who is at the other end is settled by a handshake (protocol version, cluster, node id, with mutual TLS the
 * certificate), what a channel carries by a declaration of its codec. Messages leave in one write a turn.
 *
 * @example
 * import { Channel, Transport } from "@troupe/transport"
 * import * as Tcp from "@troupe/transport/Tcp"
 * import { Effect, Schema } from "effect"
 *
 * const Greeting = Channel.make("greeting", Schema.String)
 *
 * const program = Effect.gen(function*() {
 *   const transport = yield* Transport
 *   const send = yield* transport.open(Greeting, (from, text) => console.log(`${from}: ${text}`))
 *   send("n2", "hello")
 * })
 *
 * export const App = program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Tcp.layer({ self: "n1", listen: ":7001", peers: { n2: "10.0.0.2:7001" } }))
 * )
 */
import { Clock, Duration, Effect, Layer, Option, PubSub, Random, Schema, type Scope, Stream } from "effect"
import * as Tls from "node:tls"
import type { Channel } from "./Channel.ts"
import { dataHeaderBytes } from "./internal/frames.ts"
import { ListenFailed } from "./internal/ListenFailed.ts"
import * as Address from "./internal/tcp/address.ts"
import { Node, type NodeOptions } from "./internal/tcp/Node.ts"
import { type Counters, Reports } from "./internal/tcp/Reports.ts"
import { NodeId, Order } from "./NodeId.ts"
import { ChannelInUse, type LinkEvent, type Receive, type Send, Transport } from "./Transport.ts"

export { ListenFailed } from "./internal/ListenFailed.ts"
export type { Counters } from "./internal/tcp/Reports.ts"

export interface Options {
  readonly self: NodeId
  /** `host:port`, or `:port` for every interface. Port 0: one that is free, see `TcpTransport.address`. */
  readonly listen: string
  /**
   * Every other node and its address. `null`: not known (yet), so that node must dial this one, or `setAddress` tells.
   * The node itself may be among them, with the port that it listens on: all nodes can share one map.
   */
  readonly peers: Readonly<Record<NodeId, string | null>>
  /** Nodes of other clusters are refused. 1 to 255 characters. Default: `"troupe"`. */
  readonly cluster?: string
  readonly tls?: TlsOptions
  /**
   * What may wait for one peer; one more message is dropped. Bytes, at least `maxFrameBytes`. Default: 32 MiB, or twice
   * `maxFrameBytes` if that is more.
   */
  readonly outboundBytes?: number
  /** The largest message, encoded; a larger one is refused by the sender, and closes the link at a receiver. Default: 16 MiB. */
  readonly maxFrameBytes?: number
  /** How many messages of one peer wait for one channel that is not open, of 4,096; one more is dropped. Default: 4,096. */
  readonly holdMessages?: number
  /** How many bytes of one peer wait for channels that are not open; more is dropped. Default: 16 MiB. */
  readonly holdBytes?: number
  /** How many messages of the node to itself wait; one more is dropped. Default: 65,536. */
  readonly selfMessages?: number
  /** How many connections may be without a handshake; one more closes the one that has been without for longest. Default: 64. */
  readonly maxHandshakes?: number
  /** How long a connection may take to be dialed and to shake hands. Default: 5 seconds. */
  readonly handshakeTimeout?: Duration.Input
  /** How often an idle link is asked for a sign of life. Default: 5 seconds. */
  readonly heartbeat?: Duration.Input
  /** How many heartbeats in a row go unanswered before a link is down. Default: 3. */
  readonly heartbeatMisses?: number
  /** The wait before a peer is dialed again is a random part of a bound: this at first, doubled at each failure... Default: 100 ms. */
  readonly backoffMin?: Duration.Input
  /** ...up to this. Default: 5 seconds. */
  readonly backoffMax?: Duration.Input
  /** How long closing may take to send what waits. What is left is dropped. Default: 2 seconds. */
  readonly drain?: Duration.Input
}

/** All in PEM. */
export interface TlsOptions {
  readonly cert: string
  readonly key: string
  /** Who signs the certificates of the peers. Default: the authorities that Node trusts. */
  readonly ca?: string
  /** Whether who dials shows a certificate too. Default: `true`. */
  readonly mutual?: boolean
  /** Whether a certificate must have the node id as its common name or one of its DNS names. Default: `true`. */
  readonly verifyIdentity?: boolean
}

/** A transport over TCP, with what only it has. */
export interface TcpTransport extends Readonly<Transport["Service"]> {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number }
  /** What it has done since it started. */
  readonly counters: Readonly<Counters>
  /** Tells where a peer listens, now or from the next dialing on. Dies when the address is none, or the peer unknown. */
  readonly setAddress: (peer: NodeId, address: string) => Effect.Effect<void>
  readonly isUp: (peer: NodeId) => boolean
  /** Waits until there is a link to the peer. */
  readonly awaitUp: (peer: NodeId) => Effect.Effect<void>
  /** How many bytes wait to be written to the peer: 0 to `outboundBytes`. */
  readonly backlogBytes: (peer: NodeId) => number
}

export class TcpOptionsInvalid extends Schema.TaggedError<TcpOptionsInvalid>()("TcpOptionsInvalid", {
  node: Schema.String,
  option: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Option "${this.option}" of the TCP transport of node "${this.node}": ${this.reason}`
  }
}

export type TcpError = TcpOptionsInvalid | ListenFailed

/** A node on the network for as long as the scope lives. When the scope closes, what waits is sent first. */
export const make = (options: Options): Effect.Effect<TcpTransport, TcpError, Scope.Scope> =>
  Effect.flatMap(decode(options), (checked) => Effect.map(acquire(checked), ({ events, node }) => expose(node, events)))

/** The transport of a node on the network. */
export const layer = (options: Options): Layer.Layer<Transport, TcpError> => Layer.effect(Transport, make(options))

const acquire = (options: NodeOptions) =>
  Effect.acquireRelease(
    Effect.withFiber((fiber) =>
      Effect.gen(function* () {
        const fork = Effect.runForkWith(fiber.context)
        const clock = yield* Clock.Clock
        const events = yield* PubSub.sliding<LinkEvent>(1024)
        const reports = new Reports(options.self, [...options.peers.keys()], events, clock, fork)
        const dispatcher = fiber.currentDispatcher
        const node = new Node(options, { clock, random: yield* Random.Random, dispatcher, fork, reports })
        yield* listen(node)
        return { node, events }
      })
    ),
    ({ node }) => Effect.callback<void>((resume) => node.close(() => resume(Effect.void)))
  )

const listen = (node: Node): Effect.Effect<void, ListenFailed> =>
  Effect.callback((resume) => {
    node.listen((error) => {
      if (error !== undefined) {
        const { listen, self } = node.options
        const code = error.code ?? error.message
        return resume(Effect.fail(new ListenFailed({ node: self, address: Address.show(listen), code })))
      }
      node.start()
      resume(Effect.void)
    })
  })

const expose = (node: Node, events: PubSub.PubSub<LinkEvent>): TcpTransport => ({
  self: node.self,
  nodes: [node.self, ...node.peers.keys()].sort(Order),
  links: Stream.fromPubSub(events),
  maxMessageBytes: node.options.maxFrameBytes - (dataHeaderBytes - 4),
  open: <Message>(channel: Channel<Message>, receive: Receive<Message>) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.suspend(() => {
          const port = node.inbox.open(channel, receive)
          return port === undefined
            ? Effect.fail(new ChannelInUse({ node: node.self, channel: channel.name }))
            : Effect.succeed({ port, sender: node.sender(channel) })
        }),
        ({ port, sender }) =>
          Effect.sync(() => {
            node.inbox.release(port)
            sender.release()
          })
      ),
      ({ sender }): Send<Message> => sender.send
    ),
  address: node.address,
  counters: node.reports.counters,
  setAddress: (peer, text) =>
    Effect.sync(() => {
      const address = Address.parse(text)
      if (typeof address === "string") throw new RangeError(address)
      const known = node.peers.get(peer)
      if (known === undefined) throw new RangeError(`"${peer}" is not among the peers of "${node.self}"`)
      known.address = address
      known.dial()
    }),
  isUp: (peer) => node.peers.get(peer)?.link !== undefined,
  awaitUp: (peer) =>
    Effect.callback<void>((resume) => {
      const stop = node.watch(() => {
        if (node.peers.get(peer)?.link === undefined) return false
        resume(Effect.void)
        return true
      })
      return Effect.sync(stop)
    }),
  backlogBytes: (peer) => node.peers.get(peer)?.backlogBytes ?? 0
})

// ------------------------------------------------------------------------------------------------------------ options

const MiB = 1024 * 1024

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

const DurationInput = Schema.declare(
  (input): input is Duration.Input => {
    const duration = Duration.fromInput(input as Duration.Input)
    const millis = Option.isSome(duration) ? Duration.toMillis(duration.value) : 0
    return millis >= 1 && millis <= 0x7fff_ffff
  },
  { expected: 'a duration of 1 millisecond to 24 days, such as "5 seconds"' }
)

const Text = Schema.String.check(Schema.isPattern(/^[^]{1,255}$/u, { expected: "1 to 255 characters" }))

const OptionsSchema = Schema.Struct({
  self: NodeId,
  listen: Schema.String,
  peers: Schema.Record(NodeId, Schema.NullOr(Schema.String)),
  cluster: Schema.optionalKey(Text),
  tls: Schema.optionalKey(
    Schema.Struct({
      cert: Schema.String,
      key: Schema.String,
      ca: Schema.optionalKey(Schema.String),
      mutual: Schema.optionalKey(Schema.Boolean),
      verifyIdentity: Schema.optionalKey(Schema.Boolean)
    })
  ),
  outboundBytes: Schema.optionalKey(Count),
  maxFrameBytes: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 64, maximum: 1024 * MiB }))),
  holdMessages: Schema.optionalKey(Count),
  holdBytes: Schema.optionalKey(Count),
  selfMessages: Schema.optionalKey(Count),
  maxHandshakes: Schema.optionalKey(Count),
  handshakeTimeout: Schema.optionalKey(DurationInput),
  heartbeat: Schema.optionalKey(DurationInput),
  heartbeatMisses: Schema.optionalKey(Count),
  backoffMin: Schema.optionalKey(DurationInput),
  backoffMax: Schema.optionalKey(DurationInput),
  drain: Schema.optionalKey(DurationInput)
})

const decodeOptions = Schema.decodeUnknownEffect(OptionsSchema)

/** The options with their defaults, or what is wrong with which. */
const decode = (input: Options): Effect.Effect<NodeOptions, TcpOptionsInvalid> =>
  Effect.gen(function* () {
    const node = String((input as Partial<Options> | undefined)?.self)
    const invalid = (option: string, reason: string) => new TcpOptionsInvalid({ node, option, reason })
    const options: Options = yield* Effect.mapError(decodeOptions(input, { onExcessProperty: "error" }), (error) =>
      invalid(optionOf(error.message), error.message)
    )
    const address = (option: string, text: string) => {
      const parsed = Address.parse(text)
      return typeof parsed === "string" ? Effect.fail(invalid(option, parsed)) : Effect.succeed(parsed)
    }
    const listen = yield* address("listen", options.listen)
    const peers = new Map<NodeId, Address.Address | undefined>()
    for (const [id, text] of Object.entries(options.peers)) {
      const parsed = text === null ? undefined : yield* address(`peers.${id}`, text)
      if (id !== options.self) peers.set(id, parsed)
      else if (parsed !== undefined && parsed.port !== listen.port) {
        const reason = `this node listens on ${options.listen}, and is said to be at ${text}. Leave it out, or correct it.`
        return yield* invalid(`peers.${id}`, reason)
      }
    }
    const maxFrameBytes = options.maxFrameBytes ?? 16 * MiB
    const outboundBytes = options.outboundBytes ?? Math.max(32 * MiB, 2 * maxFrameBytes)
    if (outboundBytes < maxFrameBytes) {
      const reason = `${outboundBytes} bytes have no room for a message of maxFrameBytes (${maxFrameBytes})`
      return yield* invalid("outboundBytes", reason)
    }
    return {
      self: options.self,
      listen,
      peers,
      cluster: options.cluster ?? "troupe",
      tls: options.tls === undefined ? undefined : yield* credentials(options.tls, invalid),
      outboundBytes,
      maxFrameBytes,
      holdMessages: options.holdMessages ?? 4096,
      holdBytes: options.holdBytes ?? 16 * MiB,
      selfMessages: options.selfMessages ?? 65_536,
      maxHandshakes: options.maxHandshakes ?? 64,
      handshakeMillis: Duration.toMillis(options.handshakeTimeout ?? "5 seconds"),
      heartbeatMillis: Duration.toMillis(options.heartbeat ?? "5 seconds"),
      heartbeatMisses: options.heartbeatMisses ?? 3,
      backoffMinMillis: Duration.toMillis(options.backoffMin ?? "100 millis"),
      backoffMaxMillis: Duration.toMillis(options.backoffMax ?? "5 seconds"),
      drainMillis: Duration.toMillis(options.drain ?? "2 seconds")
    }
  })

/** The option that an error of the schema is about: the first of its path. */
const optionOf = (message: string): string => /at \["([^"]+)"\]/.exec(message)?.[1] ?? "options"

const credentials = (
  { ca, cert, key, mutual, verifyIdentity }: TlsOptions,
  invalid: (option: string, reason: string) => TcpOptionsInvalid
): Effect.Effect<NonNullable<NodeOptions["tls"]>, TcpOptionsInvalid> =>
  Effect.try({
    try: () => {
      const credentials = ca === undefined ? { cert, key } : { cert, key, ca }
      Tls.createSecureContext(credentials)
      return { credentials, mutual: mutual ?? true, verifyIdentity: verifyIdentity ?? true }
    },
    catch: (error) => invalid("tls", `${String(error)}. Give a certificate and its own key, in PEM.`)
  })
