/**
 * Groups that fail as one: whoever of a group fails, or says that it failed, all others hear of it, in any case and once.
 *
 * A failure detector says what it thinks of a node, and two nodes may think differently. Here a program asks something
 * simpler of the nodes that work together on one thing: that either all go on, or all know that it is over. What is lost
 * with a group is up to them; to go on, they make a new one.
 *
 * @example
 * import { FailureNotification } from "@troupe/failure-detection"
 * import { Effect } from "effect"
 *
 * // Works on something with others; cleans up when any of them is gone, or has given up.
 * export const together = (group: string, work: Effect.Effect<void>, cleanUp: Effect.Effect<void>) =>
 *   Effect.gen(function*() {
 *     const notification = yield* FailureNotification
 *     yield* Effect.raceFirst(
 *       work.pipe(Effect.tapCause(() => notification.signal(group))),
 *       Effect.andThen(notification.failed(group), cleanUp)
 *     )
 *   })
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Effect, Schema, type Stream } from "effect"

/** Names a group among all there ever were. */
export type GroupId = string

/** Why a node took a group for failed. */
export type Reason =
  /** Its own user said so. */
  | { readonly _tag: "Signalled" }
  /** A member said so, or no longer knew of the group. */
  | { readonly _tag: "Told"; readonly by: NodeId.NodeId }
  /** A member was silent: it failed, or the way to it did. */
  | { readonly _tag: "Silent"; readonly node: NodeId.NodeId }
  /** This node does not know of the group: it failed before, or was never made, or this node has crashed since. */
  | { readonly _tag: "Unknown" }

/** That a group has failed. */
export interface Notification {
  readonly group: GroupId
  readonly reason: Reason
}

export class FailureNotification extends Context.Service<
  FailureNotification,
  {
    /** This node. */
    readonly self: NodeId.NodeId
    /**
     * Makes a group of these nodes and this one; comes when all of them know of it. One that cannot be made fails at all
     * members that had heard of it.
     */
    readonly create: (members: ReadonlyArray<NodeId.NodeId>) => Effect.Effect<GroupId, CannotCreate>
    /** The groups that this node is in, with their members. */
    readonly groups: Effect.Effect<ReadonlyMap<GroupId, ReadonlyArray<NodeId.NodeId>>>
    /** Waits until a group has failed. Comes at once for one that this node doesn't know of, or no longer. */
    readonly failed: (group: GroupId) => Effect.Effect<Reason>
    /** Lets a group fail: because the work is done, or can't be. Does nothing for one that this node doesn't know of. */
    readonly signal: (group: GroupId) => Effect.Effect<void>
    /**
     * Each group's failure, once, from now on. Whoever reads slowly holds nobody up: a reader that lags by more than 1,024
     * misses the oldest. `failed` misses none.
     */
    readonly notifications: Stream.Stream<Notification>
  }
>()("@troupe/failure-detection/FailureNotification") {}

/** A group could not be made. */
export class CannotCreate extends Schema.TaggedError<CannotCreate>()("CannotCreate", {
  self: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.self} cannot make the group: ${this.reason}`
  }
}
