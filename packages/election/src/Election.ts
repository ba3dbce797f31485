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
import { Context, type Effect, type Option, type Stream } from "effect"

export interface Leader {
  readonly id: NodeId.NodeId
  /** Of two leaders the later one has the higher epoch, and no two nodes lead in the same. Fence a deposed leader by it. */
  readonly epoch: number
}

export class Election extends Context.Service<Election, {
  /** This node. */
  readonly self: NodeId.NodeId
  /** The leader that this node knows of; none while one is being elected. Another node may see another for a while. */
  readonly leader: Effect.Effect<Option.Option<Leader>>
  /** The leader now, then each change. A reader that lags by more than 64 changes misses the oldest. */
  readonly changes: Stream.Stream<Option.Option<Leader>>
}>()("@troupe/election/Election") {}
