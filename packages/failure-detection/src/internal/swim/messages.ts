/** What SWIM's nodes say to each other, and how many bytes that takes. */
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** No incarnation is higher. Only a forger comes to it; whom he puts there can refute no more. */
export const incarnationMax = 2 ** 40

const Incarnation = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: incarnationMax }))
const about = { node: NodeId.NodeId, incarnation: Incarnation }

/** What is said of a member's life. Names and meaning are those of the paper (SWIM, §4.2), but for `Leave`. */
export const Rumour = Schema.Union([
  /** "It lives", and where, if that was said at its start. */
  Schema.TaggedStruct("Alive", { ...about, address: Schema.optionalKey(Schema.String) }),
  /** "It does not answer `by`." */
  Schema.TaggedStruct("Suspect", { ...about, by: NodeId.NodeId }),
  /** "It is dead." */
  Schema.TaggedStruct("Confirm", about),
  /** "I go." */
  Schema.TaggedStruct("Leave", about)
])
export type Rumour = typeof Rumour.Type

const sequence = Natural
const rumours = Schema.Array(Rumour)

export const Message = Schema.Union([
  /** "Are you there?" */
  Schema.TaggedStruct("Ping", { sequence, rumours }),
  /** "I am", or, from a helper, "it is". */
  Schema.TaggedStruct("Ack", { sequence, rumours }),
  /** "Is `target` there, as far as you can tell?" With `nack`: "say so if you hear nothing". */
  Schema.TaggedStruct("PingReq", { sequence, target: NodeId.NodeId, nack: Schema.Boolean, rumours }),
  /** "I am here, but `target` did not answer me." */
  Schema.TaggedStruct("Nack", { sequence }),
  /** News between probes. */
  Schema.TaggedStruct("Gossip", { rumours }),
  /**
   * What a node knows, or a packet of it. `Ask` wants an answer. `roster` stands for the members that the sender takes
   * for up until told otherwise: between nodes of one roster, only what differs from it is said.
   */
  Schema.TaggedStruct("Sync", { part: Schema.Literals(["Ask", "Answer", "More"]), roster: Natural, rumours })
])
export type Message = typeof Message.Type

/** A bound of the bytes of a message without its rumours and target. */
const overhead = 40

/** A bound of the bytes that a rumour adds to a message. */
export const rumourBytes = (rumour: Rumour): number =>
  12 + utf8Bytes(rumour.node) + (rumour._tag === "Suspect" ? 2 + utf8Bytes(rumour.by) : addressBytes(rumour))

const addressBytes = (rumour: Rumour): number =>
  rumour._tag !== "Alive" || rumour.address === undefined ? 0 : 2 + utf8Bytes(rumour.address)

/** What is left of a packet for rumours. */
export const room = (packetBytes: number, target?: NodeId.NodeId): number =>
  packetBytes - overhead - (target === undefined ? 0 : utf8Bytes(target))

const utf8Bytes = (text: string): number => {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3
  }
  return bytes
}
