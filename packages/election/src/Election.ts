/**
 * Who leads, as each node sees it. Programs use this service; an algorithm is a layer for it.
 *
 * @example
 * import { Election } from "@troupe/election"
 * import { Effect, Option } from "effect"
 *
 * export const ifLeading = Effect.gen(function*() {
 *   const election = yield* Election
 *   const leader = yield* election.leader
 *   if (Option.isSome(leader) && leader.value.id === election.self) yield* Effect.log(`epoch ${leader.value.epoch} is ours`)
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
