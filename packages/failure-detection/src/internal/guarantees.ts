/** What cards of detectors promise (Chandra, Toueg 1996: completeness and accuracy, both eventual). */
import type { Card } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type { Status } from "../FailureDetector.ts"

/** What a node in this state holds of another. */
type StatusOf<State> = (state: State, node: NodeId.NodeId) => Status | undefined

/** Strong completeness: whoever has crashed is suspected by all. */
export const completeness = <State>(statusOf: StatusOf<State>): Card.Guarantee<State> => ({
  name: "completeness",
  kind: "eventually",
  description: "Every node that is up suspects, or takes for dead, every node that has crashed.",
  holds: (nodes) =>
    nodes.every(
      ({ alive, state }) => !alive || nodes.every((other) => other.alive || statusOf(state, other.node) !== "up")
    )
})

/** Eventual strong accuracy: nobody who is up is suspected by anybody. */
export const accuracy = <State>(statusOf: StatusOf<State>): Card.Guarantee<State> => ({
  name: "accuracy",
  kind: "eventually",
  description: "No node that is up suspects another that is.",
  holds: (nodes) =>
    nodes.every(
      ({ alive, node, state }) =>
        !alive || nodes.every((other) => !other.alive || other.node === node || statusOf(state, other.node) === "up")
    )
})
