/**
 * A message of an application on its way through a multicast's protocol, which looks at nothing of it.
 *
 * Within a process the value goes by reference. For a network it is encoded once, by its topic's codec, however many nodes
 * it is sent to; what comes from a network stays bytes until it is delivered, so that it is relayed as it came and a node
 * that has not opened the topic can keep it.
 */
import { type Channel, Codec } from "@troupe/transport"
import { Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"

/** What protocols carry. Theirs to keep, to send on and to deliver. */
export type Payload = unknown

export class Envelope {
  readonly topic: string
  /** The topic as its sender has it; none of what came from a network. */
  private readonly channel: Channel.Channel<any> | undefined
  private readonly message: unknown
  private encoded: Uint8Array | undefined

  constructor(
    topic: string,
    channel: Channel.Channel<any> | undefined,
    message: unknown,
    encoded: Uint8Array | undefined
  ) {
    this.topic = topic
    this.channel = channel
    this.message = message
    this.encoded = encoded
  }

  get isEncoded(): boolean {
    return this.encoded !== undefined
  }

  /** The same message, not encoded yet. */
  twin(): Envelope {
    return new Envelope(this.topic, this.channel, this.message, undefined)
  }

  /** Topic and message. Throws where the codec of the topic refuses the message. */
  bytes(): Uint8Array {
    return (this.encoded ??= Codec.encode(written, this))
  }

  /** The message, as `codec` reads it where it came as bytes. Throws where it can't. */
  read(codec: Codec.Codec<any>): unknown {
    if (this.channel !== undefined) return this.message
    const bytes = this.encoded!
    return codec.read(bytes, bodyStart(bytes), bytes.length)
  }

  /** For traces. */
  toJSON(): unknown {
    return this.channel === undefined
      ? { topic: this.topic, bytes: this.encoded!.length }
      : { topic: this.topic, message: this.message }
  }
}

/** The name of a topic: its length in characters (1 to 255), how many bytes each takes (1 or 2), and they. */
const written: Codec.Codec<any> = {
  name: "envelope",
  write: ({ channel, message, topic }: Unsealed, into) => {
    const width = isNarrow(topic) ? 1 : 2
    const start = into.length
    into.reserve(2 + width * topic.length)
    const { buffer } = into
    let at = start
    buffer[at++] = topic.length
    buffer[at++] = width
    for (let i = 0; i < topic.length; i++) {
      const unit = topic.charCodeAt(i)
      if (width === 2) buffer[at++] = unit >>> 8
      buffer[at++] = unit
    }
    into.length = at
    try {
      channel.codec.write(message, into)
    } catch (error) {
      into.length = start
      throw error
    }
  },
  read: Codec.bytes.read
}

interface Unsealed {
  readonly topic: string
  readonly channel: Channel.Channel<any>
  readonly message: unknown
}

const isNarrow = (name: string): boolean => {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 255) return false
  return true
}

const topicOf = (bytes: Uint8Array): string => {
  const end = bodyStart(bytes)
  let name = ""
  if (bytes[1] === 1) for (let at = 2; at < end; at++) name += String.fromCharCode(bytes[at]!)
  else for (let at = 2; at < end; at += 2) name += String.fromCharCode((bytes[at]! << 8) | bytes[at + 1]!)
  return name
}

const bodyStart = (bytes: Uint8Array): number => 2 + bytes[0]! * bytes[1]!

/** For one message. */
export const seal = <Message>(channel: Channel.Channel<Message>, message: Message): Envelope =>
  new Envelope(channel.name, channel, message, undefined)

/** Of bytes that nobody changes any more. Throws when they are none. */
export const fromBytes = (bytes: Uint8Array): Envelope => {
  const isNamed = bytes.length > 2 && bytes[0]! > 0 && (bytes[1] === 1 || bytes[1] === 2)
  if (!isNamed || bodyStart(bytes) > bytes.length) throw new Error("it does not begin with the name of a topic")
  return new Envelope(topicOf(bytes), undefined, undefined, bytes)
}

/** The codec of envelopes, for protocols whose messages have one made by hand. */
export const codec: Codec.Codec<Payload> = {
  name: "envelope",
  write: (payload, into) => into.bytes((payload as Envelope).bytes()),
  read: (bytes, start, end) => fromBytes(Codec.bytes.read(bytes, start, end))
}

/** The schema of what protocols carry. */
export const schema: Codec.MessageSchema<Payload> = Schema.Uint8Array.pipe(
  Schema.decodeTo(
    Schema.declare((value): value is Envelope => value instanceof Envelope, { expected: "a message of a topic" }),
    SchemaTransformation.transformEffect({
      decode: (bytes) => attempt(bytes, () => fromBytes(bytes.slice())),
      encode: (envelope) => attempt(envelope, () => envelope.bytes() as Uint8Array<ArrayBuffer>)
    })
  )
) as never

const attempt = <A>(input: unknown, make: () => A): Effect.Effect<A, SchemaIssue.Issue> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make())
    } catch (error) {
      return Effect.fail(new SchemaIssue.InvalidValue({ message: String(error) }, input))
    }
  })
