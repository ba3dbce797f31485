/**
 * What passive replication promises, over the states of all nodes.
 */
import type { Card } from "@troupe/actor"
import * as Log from "./log.ts"
import { lastOf, safeAt, type State } from "./state.ts"

type Replicas = Card.Snapshot<State>

/** Whether each pair of nodes agrees. */
const pairwise = (nodes: Replicas, agree: (one: State, other: State) => boolean): boolean =>
  nodes.every(({ state }, i) => nodes.every((other, j) => j <= i || agree(state, other.state)))

/** Whether both have the same batches up to `at`, as far as they still know. */
const sameUpTo = (one: State, other: State, at: number): boolean => {
  const from = Math.max(one.replica.log.base.at, other.replica.log.base.at)
  for (let each = Math.max(1, from); each <= at; each++) {
    if (Log.viewAt(one.replica.log, each) !== Log.viewAt(other.replica.log, each)) return false
  }
  return true
}

export const all: ReadonlyArray<Card.Guarantee<State>> = [
  {
    name: "no safe update is lost",
    kind: "always",
    description: "What one replica knows to be safe, no other has decided otherwise.",
    holds: (nodes) => pairwise(nodes, (one, other) => sameUpTo(one, other, Math.min(safeAt(one), safeAt(other))))
  },
  {
    name: "one primary a view",
    kind: "always",
    description: "Two nodes that hold the same batch position of the same view hold the same batch.",
    holds: (nodes) =>
      pairwise(nodes, (one, other) => {
        const at = Math.min(lastOf(one), lastOf(other))
        for (let each = at; each > Math.max(one.replica.log.base.at, other.replica.log.base.at); each--) {
          const [a, b] = [Log.get(one.replica.log, each), Log.get(other.replica.log, each)]
          if (a.view === b.view && a.before !== b.before) return false
        }
        return true
      })
  },
  {
    name: "replicas converge",
    kind: "eventually",
    description: "All nodes that are up follow one primary, and know the same to be safe.",
    holds: (nodes) => {
      const up = nodes.filter(({ alive }) => alive)
      return (
        up.length * 2 <= nodes.length ||
        up.every(
          ({ state }) =>
            state.status === "normal" && state.view === up[0]!.state.view && safeAt(state) === safeAt(up[0]!.state)
        )
      )
    }
  },
  {
    name: "an update becomes safe",
    kind: "sometimes",
    description: "The run has seen one.",
    holds: (nodes) => nodes.some(({ state }) => safeAt(state) > 0)
  }
]
