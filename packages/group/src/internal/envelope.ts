/**
 * A message of an application on its way through a multicast's protocol, which looks at nothing of it.
 *
 * Within a process the value goes by reference. For a network it is encoded once, by its topic's codec, however many nodes
 * it is sent to; what comes from a network stays bytes until it is delivered, so that it is relayed as it came and a node
 * that has not opened the topic can keep it.
 */
import { type Channel, Codec } from "@troupe/transport"
import { Schema } from "effect"

/** What protocols carry. Theirs to keep, to send on and to deliver. */
export type Payload = unknown

/** What comes from a network: topic and message, as bytes. */
interface Carried {
  readonly bytes: Uint8Array
}

/** What a node sends, as it goes to nodes of the same process. */
export class Envelope implements Carried {
  readonly topic: string
  readonly message: unknown
  private readonly channel: Channel.Channel<any>
  private encoded: Uint8Array | undefined = undefined

  constructor(channel: Channel.Channel<any>, message: unknown) {
    this.topic = channel.name
    this.channel = channel
    this.message = message
  }

  /** Throws where the codec of the topic refuses the message. */
  get bytes(): Uint8Array {
    return (this.encoded ??= Codec.encode(written, this as never))
  }

  get isEncoded(): boolean {
    return this.encoded !== undefined
  }

  /** The same message, not encoded yet. */
  twin(): Envelope {
    return new Envelope(this.channel, this.message)
  }

  /** For traces. */
  toJSON(): unknown {
    return { topic: this.topic, message: this.message }
  }
}

/** Throws of bytes that no envelope wrote. */
export const topicOf = (payload: Payload): string =>
  payload instanceof Envelope ? payload.topic : nameIn((payload as Carried).bytes)

/** The message, as `codec` reads it where it came as bytes. Throws where it can't. */
export const messageOf = (payload: Payload, codec: Codec.Codec<any>): unknown => {
  if (payload instanceof Envelope) return payload.message
  const { bytes } = payload as Carried
  return codec.read(bytes, bodyStart(bytes), bytes.length)
}

/** The schema of what protocols carry. */
export const schema = Schema.Struct({ bytes: Schema.Uint8Array }) as unknown as Schema.Codec<Payload, any, never, never>

/** The same as a codec, for protocols whose messages have one made by hand. */
export const codec: Codec.Codec<Payload> = {
  name: "envelope",
  write: (payload, into) => into.bytes((payload as Carried).bytes),
  read: (bytes, start, end) => ({ bytes: Codec.bytes.read(bytes, start, end) })
}

/** The name of a topic: its length in characters (1 to 255), how many bytes each takes (1 or 2), and they. */
const written: Codec.Codec<any> = {
  name: "envelope",
  write: ({ channel, message, topic }: Unsealed, into) => {
    const width = isNarrow(topic) ? 1 : 2
    into.reserve(2 + width * topic.length)
    const { buffer } = into
    let at = into.length
    buffer[at++] = topic.length
    buffer[at++] = width
    for (let i = 0; i < topic.length; i++) {
      const unit = topic.charCodeAt(i)
      if (width === 2) buffer[at++] = unit >>> 8
      buffer[at++] = unit
    }
    into.length = at
    channel.codec.write(message, into)
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

const nameIn = (bytes: Uint8Array): string => {
  const end = bodyStart(bytes)
  const isNamed = bytes.length > 2 && end > 2 && bytes[1]! <= 2 && end <= bytes.length
  if (!isNamed) throw new Error("it does not begin with the name of a topic")
  let name = ""
  if (bytes[1] === 1) for (let at = 2; at < end; at++) name += String.fromCharCode(bytes[at]!)
  else for (let at = 2; at < end; at += 2) name += String.fromCharCode((bytes[at]! << 8) | bytes[at + 1]!)
  return name
}

const bodyStart = (bytes: Uint8Array): number => 2 + bytes[0]! * bytes[1]!
