/**
 * The service of a logical clock: timestamps for a node's events that agree with what caused what across nodes.
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, type Stream } from "effect"
import type { LamportTimestamp } from "./LamportTimestamp.ts"

/** An event of this node, stamped. `sent` is the sender's timestamp of what was received. */
export type Stamped =
  | { readonly kind: "local"; readonly at: LamportTimestamp }
  | { readonly kind: "send"; readonly at: LamportTimestamp; readonly to: NodeId.NodeId }
  | { readonly kind: "receive"; readonly at: LamportTimestamp; readonly sent: LamportTimestamp }

export class LogicalClock extends Context.Service<
  LogicalClock,
  {
    /** The timestamp of the latest event. */
    readonly now: Effect.Effect<LamportTimestamp>
    /** Stamps an event of this node. */
    readonly tick: Effect.Effect<LamportTimestamp>
    /** Sends a stamped message to `to`, whose clock passes this one when it arrives. Returns the stamp. */
    readonly send: (to: NodeId.NodeId) => Effect.Effect<LamportTimestamp>
    /** Stamps the receipt of a message of the user's own, which carried the stamp of its sending. */
    readonly witness: (sent: LamportTimestamp) => Effect.Effect<LamportTimestamp>
    /** The events of this node from now on. */
    readonly events: Stream.Stream<Stamped>
  }
>()("@troupe/clocks/LogicalClock") {}
