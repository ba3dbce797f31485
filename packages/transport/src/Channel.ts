/**
 * A named stream of messages of one schema between nodes. Two protocols, or two instances of one protocol, share the
 * links between nodes by having a channel each.
 *
 * @example
 * import { Channel } from "@troupe/transport"
 * import { Schema } from "effect"
 *
 * export const Greetings = Channel.make("greetings", Schema.Struct({ text: Schema.String }))
 */
import * as Codec from "./Codec.ts"

export interface Channel<in out Message> {
  /** 1 to 255 characters. Names the channel on the wire. */
  readonly name: string
  readonly codec: Codec.Codec<Message>
}

/** A channel whose messages travel in the compact binary codec, or in another that the schema gives. */
export const make = <Message>(
  name: string,
  schema: Codec.MessageSchema<Message>,
  codec: (schema: Codec.MessageSchema<Message>) => Codec.Codec<Message> = Codec.binary
): Channel<Message> => fromCodec(name, codec(schema))

/** A channel with a codec made by hand, such as `Codec.bytes`. */
export const fromCodec = <Message>(name: string, codec: Codec.Codec<Message>): Channel<Message> => {
  checkName("channel", name)
  checkName("codec", codec.name)
  return { name, codec }
}

const checkName = (what: string, { length }: string): void => {
  if (length === 0 || length > 255)
    throw new RangeError(`a ${what}'s name has 1 to 255 characters, this one has ${length}`)
}
