/**
 * The neighbours of a node: a few of all, so that the nodes together are connected. Gossip whose context has this service
 * speaks with them in place of everybody.
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, type Stream } from "effect"

export class Overlay extends Context.Service<
  Overlay,
  {
    /** This node. */
    readonly self: NodeId.NodeId
    readonly neighbours: Effect.Effect<ReadonlyArray<NodeId.NodeId>>
    /** The neighbours after each change from now on. A reader that lags by more than 1,024 misses the oldest. */
    readonly changes: Stream.Stream<ReadonlyArray<NodeId.NodeId>>
  }
>()("@troupe/gossip/Overlay") {}
