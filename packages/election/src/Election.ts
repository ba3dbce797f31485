/**
 * Who leads, as each node sees it. Programs use this service; an algorithm is a layer for it.
 *
 * @example
 * import { Election } from "@troupe/election"
 * import { Effect } from "effect"
 *
 * export const sweep = Effect.gen(function*() {
 *   const election = yield* Election
 *   // Runs wherever the leader is, and is interrupted when that is no longer here.
 *   yield* election.whileLeader((epoch) => Effect.log(`sweeping in epoch ${epoch}`).pipe(Effect.andThen(Effect.never)))
 * })
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, type Option, Schema, type Stream } from "effect"

export interface Leader {
  readonly id: NodeId.NodeId
  /**
   * No two nodes lead in the same epoch, and of two leaders the later one has the higher: fence a deposed leader by it.
   * How long epochs are remembered, the algorithm's card says.
   */
  readonly epoch: number
}

export class Election extends Context.Service<
  Election,
  {
    /** This node. */
    readonly self: NodeId.NodeId
    /** The leader that this node knows of; none while one is being elected. Another node may see another for a while. */
    readonly leader: Effect.Effect<Option.Option<Leader>>
    /** The leader now, then each change. A reader that lags by more than 64 changes misses the oldest. */
    readonly changes: Stream.Stream<Option.Option<Leader>>
    /** Stands for election, from now on. Every node does from its start. */
    readonly campaign: Effect.Effect<void>
    /** Leads no longer, and stands for no election, until `campaign` or a restart of the node. */
    readonly resign: Effect.Effect<void>
    /**
     * Waits until this node leads, runs `body` with the epoch, and ends as it does. When this node hears that it leads no
     * longer in that epoch, `body` is interrupted, and the wait begins anew. A deposed leader may not have heard yet: fence
     * by the epoch what must not be done twice. Dies of `ActorFailed` when this node's part of the election has failed for
     * good; is interrupted when the layer closes.
     */
    readonly whileLeader: <A, E, R>(body: (epoch: number) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("@troupe/election/Election") {}

/** An option of an election's layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The election cannot start: ${this.reason}`
  }
}
