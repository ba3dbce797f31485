/**
 * Joins a lock to the failure detector of its context: what that thinks of a node becomes a command.
 */
import type { Actor } from "@troupe/actor"
import { FailureDetector, type Status } from "@troupe/failure-detection"
import type { NodeId } from "@troupe/transport"
import { Effect, Option, type Scope, Stream } from "effect"

export type Suspicion =
  /** The node is taken for dead: nobody waits for it any more. */
  | { readonly _tag: "Suspect"; readonly node: NodeId.NodeId }
  /** The suspicion was wrong, or the node is back. */
  | { readonly _tag: "Trust"; readonly node: NodeId.NodeId }

/** The command for a status: whoever is not up is suspected. */
const command = (node: NodeId.NodeId, status: Status): Suspicion => ({
  _tag: status === "up" ? "Trust" : "Suspect",
  node
})

/**
 * Tells `lock` of every change of mind of the `FailureDetector` in the context, for as long as the scope lives; without
 * one, nothing. Returns how to tell it all again, for a lock that has started anew.
 */
export const followSuspicions = (
  lock: Pick<Actor.Actor<unknown, Suspicion, unknown>, "node" | "tell">
): Effect.Effect<() => void, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.serviceOption(FailureDetector),
    Option.match({
      onNone: () => Effect.succeed(() => {}),
      onSome: Effect.fnUntraced(function* (detector) {
        const suspected = new Set<NodeId.NodeId>()
        const hear = ({ node, status }: { readonly node: NodeId.NodeId; readonly status: Status }): void => {
          if (node === lock.node || (status !== "up") === suspected.has(node)) return
          if (status === "up") suspected.delete(node)
          else suspected.add(node)
          lock.tell(command(node, status))
        }
        yield* Effect.forkScoped(
          Stream.runForEach(detector.changes, (opinion) => Effect.sync(() => hear(opinion))),
          { startImmediately: true }
        )
        for (const opinion of (yield* detector.opinions).values()) hear(opinion)
        return () => {
          for (const node of suspected) lock.tell({ _tag: "Suspect", node })
        }
      })
    })
  )

/** `nodes` with this one, once, or without it. */
export const suspecting = (
  nodes: ReadonlyArray<NodeId.NodeId>,
  { _tag, node }: Suspicion
): ReadonlyArray<NodeId.NodeId> => {
  if ((_tag === "Suspect") === nodes.includes(node)) return nodes
  return _tag === "Suspect" ? [...nodes, node] : nodes.filter((each) => each !== node)
}
