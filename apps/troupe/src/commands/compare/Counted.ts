/** What is sent, counted on its way to a transport. */
import { Codec, type Transport } from "@troupe/transport"
import { Effect } from "effect"
import type { Demonstration } from "../../Demonstration.ts"

export interface Sent {
  messages: number
  bytes: number
}

/** The size of a message of the algorithm, encoded. What goes to all is encoded once. */
export const sizing = ({ protocol }: Demonstration): ((message: unknown) => number) => {
  const codec = Codec.binary(protocol.message)
  let latest: unknown
  let latestBytes = 0
  return (message) => {
    if (message !== latest) latestBytes = Codec.encode(codec, message).length
    latest = message
    return latestBytes
  }
}

/** The transport, which tells of each message that is sent on the algorithm's own channel. */
export const counted = (
  transport: Transport["Service"],
  { actor }: Demonstration,
  tell: (message: unknown) => void
): Transport["Service"] => ({
  ...transport,
  open: (channel, receive) => {
    const opened = transport.open(channel, receive)
    if (channel.name !== actor) return opened
    return Effect.map(opened, (send) => (to, message) => {
      tell(message)
      send(to, message)
    })
  }
})
