/**
 * Joins an election to the failure detector of its context: what that thinks of a node becomes a command.
 */
import type { Actor } from "@troupe/actor"
import { FailureDetector, type Opinion } from "@troupe/failure-detection"
import type { NodeId } from "@troupe/transport"
import { Effect, Option, type Scope, Stream } from "effect"

export type Suspicion =
  /** The node is taken for dead. */
  | { readonly _tag: "Suspect"; readonly node: NodeId.NodeId }
  /** The suspicion was wrong, or the node is back. */
  | { readonly _tag: "Trust"; readonly node: NodeId.NodeId }

/**
 * Tells `election` of every change of mind of the `FailureDetector` in the context, for as long as the scope lives;
 * without one, nothing. Returns how to tell it all again, for an election that has started anew.
 */
export const followSuspicions = (
  election: Pick<Actor.Actor<unknown, Suspicion, unknown>, "node" | "tell">
): Effect.Effect<() => void, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.serviceOption(FailureDetector),
    Option.match({
      onNone: () => Effect.succeed(() => {}),
      onSome: Effect.fnUntraced(function* (detector) {
        const suspected = new Set<NodeId.NodeId>()
        const hear = ({ node, status }: Opinion): void => {
          if (node === election.node || (status !== "up") === suspected.has(node)) return
          if (status === "up") suspected.delete(node)
          else suspected.add(node)
          election.tell({ _tag: status === "up" ? "Trust" : "Suspect", node })
        }
        yield* Effect.forkScoped(
          Stream.runForEach(detector.changes, (opinion) => Effect.sync(() => hear(opinion))),
          { startImmediately: true }
        )
        for (const opinion of (yield* detector.opinions).values()) hear(opinion)
        return () => {
          for (const node of suspected) election.tell({ _tag: "Suspect", node })
        }
      })
    })
  )
