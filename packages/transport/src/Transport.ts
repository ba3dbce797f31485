/**
 * The seam between nodes: messages go out by `send`, come in by the handler that `open` was given.
 *
 * What every transport promises that loses nothing while a link lives, and the suite `conformance` of
 * `@troupe/transport/testing` checks:
 *
 * - **Fire and forget.** `send` returns at once and never fails: a message that cannot go is dropped and counted, and
 *   `links` tells.
 * - **At most once.** A message arrives once or never.
 * - **FIFO per pair and channel while a link lives.** Of what one node sends to another on a channel, what arrives
 *   arrives in the order of sending. After a link broke, what was under way may be missing, later messages not.
 * - **Never re-entrant.** A handler is never called from inside `send`; two handlers of a node never overlap.
 * - **Bounded.** Everything that waits has a bound, and what is over it is dropped, newest first.
 *
 * A node may be sent to before it is up: its messages wait, within the bound, and so do messages that arrive for a
 * channel which their node has not opened yet. Anything stronger (retries, acknowledgements, order across links) is the
 * work of a protocol.
 *
 * A transport of datagrams (`@troupe/transport/Udp`) promises less, which the suite `unreliable` checks: a message may be
 * lost, even early ones and with both nodes up, and may overtake another. What arrives is whole, from its sender, and for
 * its channel; sending is as above, and so are handlers and bounds. It has no links to tell of, only drops and refusals.
 */
import { Context, Effect, Layer, Schema, type Scope, type Stream } from "effect"
import type { Channel } from "./Channel.ts"
import { NodeId, Order } from "./NodeId.ts"

/** Sends a message to a node, itself included. Returns at once; the message arrives at most once. */
export type Send<in Message> = (to: NodeId, message: Message) => void

/** Takes a message that arrived. Runs to the end before the next one; what it throws is logged as a defect. */
export type Receive<in Message> = (from: NodeId, message: Message) => void

export class Transport extends Context.Service<
  Transport,
  {
    readonly self: NodeId
    /** Every node that this transport was told of, itself included, in the order of `NodeId.Order`. */
    readonly nodes: ReadonlyArray<NodeId>
    /** Takes a channel for as long as the scope lives; the way to send on it comes back. */
    readonly open: <Message>(
      channel: Channel<Message>,
      receive: Receive<Message>
    ) => Effect.Effect<Send<Message>, ChannelInUse, Scope.Scope>
    /** What happens to the links of this node, from the moment of subscription. A slow subscriber misses the oldest. */
    readonly links: Stream.Stream<LinkEvent>
    /** The largest message that it carries, encoded, in bytes. Without: any. */
    readonly maxMessageBytes?: number
  }
>()("@troupe/transport/Transport") {}

/**
 * The same transport, as a group of its nodes sees it: for those who share a network with nodes that take no part, such
 * as clients. `nodes` becomes the group; all can still be sent to.
 */
export const among = (group: ReadonlyArray<NodeId>): Layer.Layer<Transport, never, Transport> =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport) => ({ ...transport, nodes: [...group].sort(Order) }))
  )

export class ChannelInUse extends Schema.TaggedError<ChannelInUse>()("ChannelInUse", {
  node: NodeId,
  channel: Schema.String
}) {
  override get message(): string {
    return `Channel "${this.channel}" is open on node "${this.node}" already. Give this instance a name of its own, or close the other.`
  }
}

/** Why messages were dropped. */
export type DropReason =
  /** More waits for the peer than the outbound bound allows. */
  | "outbound-full"
  /** The link went away, or the node closed, with messages on it. */
  | "link-lost"
  /** The receiver has not opened the channel, and holds as much for it as its bound allows. */
  | "channel-not-open"
  /** No node of that name, or no address of it, is known to the transport. */
  | "unknown-node"

export type LinkEvent =
  | { readonly _tag: "Up"; readonly peer: NodeId }
  | { readonly _tag: "Down"; readonly peer: NodeId; readonly reason: string }
  /** `count` messages, to or from `peer`, were dropped since the last such event for this peer and reason. */
  | { readonly _tag: "Dropped"; readonly peer: NodeId; readonly count: number; readonly reason: DropReason }
  /** Something from (or for) `peer` was refused: a frame, a handshake, a message that its schema does not allow. */
  | { readonly _tag: "Rejected"; readonly peer: NodeId; readonly reason: string }
