/**
 * Nodes on a network of datagrams: one UDP socket a node, for protocols that take a lost message for granted.
 *
 * What is sent to a peer within one turn of the event loop leaves in one packet, if it fits. A packet is never divided, so
 * a message has a largest size. A message may be lost, and may overtake another; it arrives at most once, and never
 * altered: a checksum, or with keys a seal, holds each packet together, and its number tells a second copy.
 *
 * With keys (`keyRing`), packets are encrypted and authenticated, and who is not of the cluster is neither understood nor
 * heard. Peers are then learnt from their packets, and followed where they move to.
 *
 * @example
 * import { Channel, Transport } from "@troupe/transport"
 * import * as Udp from "@troupe/transport/Udp"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Beat = Channel.make("beat", Schema.Int)
 *
 * const program = Effect.gen(function*() {
 *   const transport = yield* Transport
 *   const send = yield* transport.open(Beat, (from, count) => console.log(`${from}: ${count}`))
 *   send("n2", 1)
 * })
 *
 * const key = Uint8Array.from({ length: 32 }, (_, index) => index) // In earnest: 32 random bytes, kept secret.
 *
 * export const App = program.pipe(
 *   Effect.scoped,
 *   Effect.provide(
 *     Layer.unwrap(
 *       Effect.map(Udp.keyRing([key]), (keys) =>
 *         Udp.layer({ self: "n1", listen: ":7946", peers: { n2: "10.0.0.2:7946" }, keys })
 *       )
 *     )
 *   )
 * )
 */
import { Clock, Context, Effect, Layer, PubSub, Schema, type Scope, Stream } from "effect"
import type { Channel } from "./Channel.ts"
import { ListenFailed } from "./internal/ListenFailed.ts"
import * as Address from "./internal/tcp/address.ts"
import { KeyRing } from "./internal/udp/KeyRing.ts"
import { Node, type NodeOptions } from "./internal/udp/Node.ts"
import { maxIdBytes, messageHeaderBytes } from "./internal/udp/packet.ts"
import { type Counters, PacketReports } from "./internal/udp/PacketReports.ts"
import { Socket } from "./internal/udp/Socket.ts"
import { NodeId } from "./NodeId.ts"
import { ChannelInUse, type LinkEvent, type Receive, type Send, Transport } from "./Transport.ts"

export { ListenFailed } from "./internal/ListenFailed.ts"
export { KeyRefused, type KeyRing, keyRing } from "./internal/udp/KeyRing.ts"
export type { Counters } from "./internal/udp/PacketReports.ts"

export interface Options {
  /** At most 255 bytes in UTF-8. */
  readonly self: NodeId
  /** `host:port`, or `:port` for every interface, IPv6 and IPv4. Port 0: one that is free, see `UdpTransport.address`. */
  readonly listen: string
  /**
   * Nodes and their addresses. `null`: not known (yet), so that its packets must tell (see `learn`), or `introduce`. The
   * node itself may be among them. Default: none.
   */
  readonly peers?: Readonly<Record<NodeId, string | null>>
  /** Packets of other clusters are refused. 1 to 255 characters. Default: `"troupe"`. */
  readonly cluster?: string
  /** Seals packets with its first key, and opens with each. Default: none, anybody can read packets and make them. */
  readonly keys?: KeyRing
  /**
   * Whether proven packets teach: who is there, and that a peer's address is where its newest packet came from (a node
   * behind NAT changes it). If not, packets of unknown nodes are refused, and those of peers are taken from any address
   * without remembering it. Default: whether there are `keys`. With `true` and no keys, whoever can send a packet can
   * take the place of a node.
   */
  readonly learn?: boolean
  /** How many peers there may be before no more are learnt. Default: 65,536. */
  readonly maxPeers?: number
  /**
   * The largest packet, in bytes without the headers of IP and UDP, 512 to 65,507. It should fit into the frames of every
   * network on the way, since one that is divided is lost with each of its parts. Default: 1,400.
   */
  readonly packetBytes?: number
  /** Whether messages to one peer within a turn of the event loop share packets. Default: `true`. */
  readonly pack?: boolean
  /**
   * How many bytes of packets may be on their way to the system: those of this turn, and what it has no room for. One more
   * packet is dropped. Default: 1 MiB.
   */
  readonly outboundBytes?: number
  /** How many bytes the system is asked to keep of what came and was not read yet. It may allow less. Default: 1 MiB. */
  readonly receiveBufferBytes?: number
  /** How many messages of the node to itself wait; one more is dropped. Default: 65,536. */
  readonly selfMessages?: number
}

/** A transport over UDP, with what only it has. */
export interface UdpTransport extends Readonly<Transport["Service"]> {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number }
  /** What it has done since it started. */
  readonly counters: Readonly<Counters>
  /** How large a message may be, encoded. */
  readonly maxMessageBytes: number
  /** Tells where a node is, known or not. Dies when that is no address. */
  readonly introduce: (peer: NodeId, address: string) => Effect.Effect<void>
  /** Forgets a node, and which of its packets have been taken. */
  readonly forget: (peer: NodeId) => Effect.Effect<void>
  /** Where packets to a node go, as told or as learnt. */
  readonly addressOf: (peer: NodeId) => string | undefined
}

/** The transport of a node, where a program needs more of it than `Transport` has. */
export class Udp extends Context.Service<Udp, UdpTransport>()("@troupe/transport/Udp") {}

export class UdpOptionsInvalid extends Schema.TaggedError<UdpOptionsInvalid>()("UdpOptionsInvalid", {
  node: Schema.String,
  option: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Option "${this.option}" of the UDP transport of node "${this.node}": ${this.reason}`
  }
}

export type UdpError = UdpOptionsInvalid | ListenFailed

/** A node on the network for as long as the scope lives. */
export const make = (options: Options): Effect.Effect<UdpTransport, UdpError, Scope.Scope> =>
  Effect.flatMap(decode(options), (checked) => Effect.map(acquire(checked), ({ events, node }) => expose(node, events)))

/** The transport of a node on the network. */
export const layer = (options: Options): Layer.Layer<Transport | Udp, UdpError> =>
  Layer.effectContext(
    Effect.map(make(options), (transport) => Context.make(Transport, transport).pipe(Context.add(Udp, transport)))
  )

const acquire = (options: NodeOptions) =>
  Effect.acquireRelease(
    Effect.withFiber((fiber) =>
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        const events = yield* PubSub.sliding<LinkEvent>(1024)
        const fork = Effect.runForkWith(fiber.context)
        const reports = new PacketReports(options.self, [], events, clock, fork)
        const socket = yield* bind(options)
        const node = new Node(options, socket, { clock, dispatcher: fiber.currentDispatcher, reports })
        node.start()
        return { node, events }
      })
    ),
    ({ node }) => Effect.callback<void>((resume) => node.close(() => resume(Effect.void)))
  )

const bind = ({ listen, receiveBufferBytes, self }: NodeOptions): Effect.Effect<Socket, ListenFailed> =>
  Effect.tryPromise({
    try: () => Socket.bind(listen, receiveBufferBytes),
    catch: (error) => {
      const { code, message } = error as NodeJS.ErrnoException
      return new ListenFailed({ node: self, address: Address.show(listen), code: code ?? message })
    }
  })

const expose = (node: Node, events: PubSub.PubSub<LinkEvent>): UdpTransport => ({
  self: node.self,
  get nodes() {
    return node.nodes
  },
  links: Stream.fromPubSub(events),
  open: <Message>(channel: Channel<Message>, receive: Receive<Message>) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const port = node.inbox.open(channel, receive)
        if (typeof port !== "string") return Effect.succeed(port)
        if (port === channel.name) return Effect.fail(new ChannelInUse({ node: node.self, channel: port }))
        return Effect.die(
          new RangeError(`channels "${channel.name}" and "${port}" have one number: rename one of them`)
        )
      }),
      (port) => Effect.sync(() => node.inbox.release(port))
    ).pipe(Effect.map((): Send<Message> => node.sender(channel))),
  address: node.address,
  counters: node.reports.packets,
  maxMessageBytes: node.outbox.roomBytes - messageHeaderBytes,
  introduce: (peer, text) =>
    Effect.sync(() => {
      Schema.asserts(NodeId, peer)
      const address = parsePeer(text)
      if (typeof address === "string") throw new RangeError(address)
      if (peer !== node.self) node.introduce(peer, address)
    }),
  forget: (peer) => Effect.sync(() => node.forget(peer)),
  addressOf: (peer) => node.addressOf(peer)
})

// ------------------------------------------------------------------------------------------------------------ options

const MiB = 1024 * 1024

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** The most that a packet can carry over IPv4. */
const maxPacketBytes = 65_507

/** Has room for a message beside the longest head. */
const minPacketBytes = 512

const OptionsSchema = Schema.Struct({
  self: NodeId,
  listen: Schema.String,
  peers: Schema.optionalKey(Schema.Record(NodeId, Schema.NullOr(Schema.String))),
  cluster: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^[^]{1,255}$/u, { expected: "1 to 255 characters" }))
  ),
  keys: Schema.optionalKey(Schema.instanceOf(KeyRing, { expected: "a key ring, as Udp.keyRing makes it" })),
  learn: Schema.optionalKey(Schema.Boolean),
  maxPeers: Schema.optionalKey(Count),
  packetBytes: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: minPacketBytes, maximum: maxPacketBytes }))
  ),
  pack: Schema.optionalKey(Schema.Boolean),
  outboundBytes: Schema.optionalKey(Count),
  receiveBufferBytes: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 0x7fff_ffff }))),
  selfMessages: Schema.optionalKey(Count)
})

const decodeOptions = Schema.decodeUnknownEffect(OptionsSchema)

/** Where a peer is; a `string` says why that is no address of one. */
const parsePeer = (text: string): Address.Address | string => {
  const address = Address.parse(text)
  if (typeof address === "string") return address
  if (address.port === 0) return `"${text}" has port 0, which nobody listens on. Give the port that the node has.`
  return address.host === "" ? { host: "localhost", port: address.port } : address
}

/** The options with their defaults, or what is wrong with which. */
const decode = (input: Options): Effect.Effect<NodeOptions, UdpOptionsInvalid> =>
  Effect.gen(function* () {
    const node = String((input as Partial<Options> | undefined)?.self)
    const invalid = (option: string, reason: string) => new UdpOptionsInvalid({ node, option, reason })
    const options: Options = yield* Effect.mapError(decodeOptions(input, { onExcessProperty: "error" }), (error) =>
      invalid(optionOf(error.message), error.message)
    )
    const idBytes = Buffer.byteLength(options.self)
    if (idBytes > maxIdBytes) {
      return yield* invalid("self", `its id has ${idBytes} bytes in UTF-8, of ${maxIdBytes} that a packet has for it`)
    }
    const listen = Address.parse(options.listen)
    if (typeof listen === "string") return yield* invalid("listen", listen)
    const peers = new Map<NodeId, Address.Address | undefined>()
    for (const [id, text] of Object.entries(options.peers ?? {})) {
      const address = text === null ? undefined : parsePeer(text)
      if (typeof address === "string") return yield* invalid(`peers.${id}`, address)
      if (id !== options.self) peers.set(id, address)
    }
    const packetBytes = options.packetBytes ?? 1400
    const outboundBytes = options.outboundBytes ?? MiB
    if (outboundBytes < packetBytes) {
      return yield* invalid("outboundBytes", `${outboundBytes} bytes have no room for a packet of ${packetBytes}`)
    }
    return {
      self: options.self,
      listen,
      peers,
      cluster: options.cluster ?? "troupe",
      keys: options.keys?.keys,
      learn: options.learn ?? options.keys !== undefined,
      maxPeers: options.maxPeers ?? 65_536,
      packetBytes,
      pack: options.pack ?? true,
      outboundBytes,
      receiveBufferBytes: options.receiveBufferBytes ?? MiB,
      selfMessages: options.selfMessages ?? 65_536
    }
  })

/** The option that an error of the schema is about: the first of its path. */
const optionOf = (message: string): string => /at \["([^"]+)"\]/.exec(message)?.[1] ?? "options"
