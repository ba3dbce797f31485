/**
 * A transport whose messages carry stamps: any protocol that runs over it has a logical clock, and knows nothing of it.
 *
 * The stamp travels in front of each message of each channel, inside the channel's codec. `layer` stamps with Lamport's
 * clock, and provides that clock as the service `LogicalClock`: its time is past that of every message that this node
 * received, of whatever protocol. `traced` stamps with the vector clocks of a recorder of `@troupe/trace`: then its trace
 * knows of each message which one it is, and clocks are exact also where messages are lost, doubled and overtake.
 *
 * All nodes that speak on a channel must do so with the same stamps, or all without: the handshake of the channel says so.
 *
 * @example
 * import { LogicalClock, StampedTransport } from "@troupe/clocks"
 * import { Channel, Memory, Transport } from "@troupe/transport"
 * import { Effect, Schema } from "effect"
 *
 * const Greetings = Channel.make("greetings", Schema.String)
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 *
 * const program = Effect.gen(function*() {
 *   const clock = yield* LogicalClock
 *   const transport = yield* Transport
 *   const send = yield* transport.open(Greetings, () => {})
 *   send("n2", "hello")
 *   send("n2", "hello again")
 *   return yield* clock.now
 * }).pipe(Effect.scoped, Effect.provide(StampedTransport.layer), Effect.provide(Memory.layer(network, "n1")))
 * console.log(await Effect.runPromise(program)) // { time: 2, node: 'n1' }
 */
import { Channel, type ChannelInUse, Codec, type NodeId, type Receive, Transport, type Writer } from "@troupe/transport"
import { Context, Effect, Layer, Queue, Schema, Stream } from "effect"
import { Natural } from "./internal/Counting.ts"
import * as LamportTimestamp from "./LamportTimestamp.ts"
import { LogicalClock, type Stamped } from "./LogicalClock.ts"

/** Stamps the messages of one channel on one node. */
interface Stamper<in out Stamp> {
  /** The stamp of a message that is being sent. */
  readonly send: (to: NodeId.NodeId, message: unknown) => Stamp
  /** A message with this stamp is being handed over. */
  readonly receive: (from: NodeId.NodeId, message: unknown, stamp: Stamp) => void
}

class Carried<out Stamp, out Message> {
  readonly stamp: Stamp
  readonly message: Message

  constructor(stamp: Stamp, message: Message) {
    this.stamp = stamp
    this.message = message
  }
}

/** The same transport, whose messages go out with a stamp and arrive without. */
const stamped = <Stamp>(
  transport: Transport["Service"],
  stamps: Codec.Codec<Stamp>,
  stamperOf: (channel: string) => Stamper<Stamp>
): Transport["Service"] => ({
  ...transport,
  open: <Message>(channel: Channel.Channel<Message>, receive: Receive<Message>) => {
    const stamper = stamperOf(channel.name)
    const carrying = Channel.fromCodec(channel.name, carry(stamps, channel.codec))
    return Effect.map(
      transport.open(carrying, (from, carried) => {
        // In one process no codec would tell.
        if (!(carried instanceof Carried)) throw new UnstampedMessage({ from, channel: channel.name })
        const { message, stamp } = carried
        stamper.receive(from, message, stamp)
        receive(from, message)
      }),
      (send) => (to: NodeId.NodeId, message: Message) => send(to, new Carried(stamper.send(to, message), message))
    )
  }
})

/** How many bytes say how long the stamp is. */
const lengthBytes = 2

const carry = <Stamp, Message>(
  stamps: Codec.Codec<Stamp>,
  messages: Codec.Codec<Message>
): Codec.Codec<Carried<Stamp, Message>> => ({
  name: `stamped ${messages.name}`.slice(0, 255),
  write: ({ message, stamp }, into) => {
    const start = into.length
    try {
      into.reserve(lengthBytes)
      into.length += lengthBytes
      stamps.write(stamp, into)
      putLength(into, start)
      messages.write(message, into)
    } catch (error) {
      into.length = start
      throw error
    }
  },
  read: (bytes, start, end) => {
    const from = start + lengthBytes
    const length = from <= end ? bytes[start]! * 256 + bytes[start + 1]! : Infinity
    if (from + length > end) throw new MalformedStamp({ bytes: end - start })
    return new Carried(stamps.read(bytes, from, from + length), messages.read(bytes, from + length, end))
  }
})

const putLength = (into: Writer, start: number): void => {
  const length = into.length - start - lengthBytes
  if (length >= 2 ** (8 * lengthBytes)) throw new StampTooLong({ bytes: length })
  into.buffer[start] = length >> 8
  into.buffer[start + 1] = length & 255
}

/** A message that ends within its stamp. */
export class MalformedStamp extends Schema.TaggedError<MalformedStamp>()("MalformedStamp", { bytes: Schema.Int }) {
  override get message(): string {
    return `A message of ${this.bytes} bytes ends within its stamp: its sender does not stamp messages as this node does`
  }
}

/** A message without a stamp came from a node of this process. It is not handed over. */
export class UnstampedMessage extends Schema.TaggedError<UnstampedMessage>()("UnstampedMessage", {
  from: Schema.String,
  channel: Schema.String
}) {
  override get message(): string {
    return `A message of "${this.from}" on channel "${this.channel}" has no stamp: stamp the messages of all nodes, or of none`
  }
}

/** A stamp of more than 65,535 bytes: a vector clock of thousands of nodes. */
export class StampTooLong extends Schema.TaggedError<StampTooLong>()("StampTooLong", { bytes: Schema.Int }) {
  override get message(): string {
    return `A stamp of ${this.bytes} bytes is above 65535: there are too many nodes for vector clocks`
  }
}

// -------------------------------------------------------------------------------------------------------------- Lamport

const Sent = Channel.make("clocks/stamped", Schema.Null)

const Time = Schema.Struct({ time: Natural })

/**
 * The transport with Lamport's timestamps on all its messages, and the `LogicalClock` that they move. `LogicalClock.send`
 * sends a message of nothing but a stamp, on the channel `clocks/stamped`.
 */
export const layer: Layer.Layer<Transport | LogicalClock, ChannelInUse, Transport> = Layer.effectContext(
  Effect.gen(function* () {
    const plain = yield* Transport
    let clock = LamportTimestamp.zero(plain.self)
    const listeners = new Set<(event: Stamped) => void>()
    const happen = (event: Stamped): LamportTimestamp.LamportTimestamp => {
      clock = event.at
      for (const listener of listeners) listener(event)
      return clock
    }
    const receive = (sent: LamportTimestamp.LamportTimestamp) =>
      happen({ kind: "receive", at: LamportTimestamp.receive(clock, sent.time), sent })
    const stamper: Stamper<typeof Time.Type> = {
      send: (to) => ({ time: happen({ kind: "send", at: LamportTimestamp.next(clock), to }).time }),
      receive: (from, _, { time }) => void receive({ time, node: from })
    }
    const transport = stamped(plain, Codec.binary(Time), () => stamper)
    const send = yield* transport.open(Sent, () => {})
    const service: LogicalClock["Service"] = {
      now: Effect.sync(() => clock),
      tick: Effect.sync(() => happen({ kind: "local", at: LamportTimestamp.next(clock) })),
      send: (to) =>
        Effect.sync(() => {
          send(to, null)
          return clock
        }),
      witness: (sent) => Effect.sync(() => receive(sent)),
      events: Stream.callback<Stamped>(
        (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const listener = (event: Stamped): void => void Queue.offerUnsafe(queue, event)
              listeners.add(listener)
              return listener
            }),
            (listener) => Effect.sync(() => listeners.delete(listener))
          ),
        { bufferSize: 1_024, strategy: "sliding" }
      )
    }
    return Context.make(Transport, transport).pipe(Context.add(LogicalClock, service))
  })
)

// -------------------------------------------------------------------------------------------------------------- a trace

/** A message's number, and what its sender knew: how many events of each node. */
const Known = Schema.Struct({ id: Natural, clock: Schema.Record(Schema.String, Natural) })

/** Who numbers messages and keeps vector clocks: `stamps` of a recorder of `@troupe/trace` is one. */
export interface Stamps {
  /** The messages of a channel of a node, from when it is opened. */
  readonly open: (node: NodeId.NodeId, channel: string) => Stamper<typeof Known.Type>
}

/** The transport with the stamps of a recorder, whose trace then knows which message is which. */
export const traced = (stamps: Stamps): Layer.Layer<Transport, never, Transport> =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (plain) => stamped(plain, Codec.binary(Known), (channel) => stamps.open(plain.self, channel)))
  )
