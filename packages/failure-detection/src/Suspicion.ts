/**
 * Joins an actor, of a lock or an election say, to the failure detector of its context: what that thinks of a node becomes
 * a command, so that a pure protocol may go on without the dead.
 */
import type { Actor } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Effect, Option, type Scope, Stream } from "effect"
import { FailureDetector, type Opinion } from "./FailureDetector.ts"

export type Suspicion =
  /** The node is taken for dead: nobody waits for it any more. */
  | { readonly _tag: "Suspect"; readonly node: NodeId.NodeId }
  /** The suspicion was wrong, or the node is back. */
  | { readonly _tag: "Trust"; readonly node: NodeId.NodeId }

/**
 * Tells `actor` of every change of mind of the `FailureDetector` in the context, for as long as the scope lives; without
 * one, nothing. Returns how to tell it all again, for an actor that has started anew.
 */
export const follow = (
  actor: Pick<Actor.Actor<unknown, Suspicion, unknown>, "node" | "tell">
): Effect.Effect<() => void, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.serviceOption(FailureDetector),
    Option.match({
      onNone: () => Effect.succeed(() => {}),
      onSome: Effect.fnUntraced(function* (detector) {
        const suspected = new Set<NodeId.NodeId>()
        const hear = ({ node, status }: Opinion): void => {
          if (node === actor.node || (status !== "up") === suspected.has(node)) return
          if (status === "up") suspected.delete(node)
          else suspected.add(node)
          actor.tell({ _tag: status === "up" ? "Trust" : "Suspect", node })
        }
        yield* Effect.forkScoped(
          Stream.runForEach(detector.changes, (opinion) => Effect.sync(() => hear(opinion))),
          { startImmediately: true }
        )
        for (const opinion of (yield* detector.opinions).values()) hear(opinion)
        return () => {
          for (const node of suspected) actor.tell({ _tag: "Suspect", node })
        }
      })
    })
  )

/** `nodes` with this one, once, or without it. */
export const applied = (
  nodes: ReadonlyArray<NodeId.NodeId>,
  { _tag, node }: Suspicion
): ReadonlyArray<NodeId.NodeId> => {
  if ((_tag === "Suspect") === nodes.includes(node)) return nodes
  return _tag === "Suspect" ? [...nodes, node] : nodes.filter((each) => each !== node)
}
