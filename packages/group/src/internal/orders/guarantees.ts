/** What holds of the states of nodes that put messages in an order: for cards. */
import type { Card } from "@troupe/actor"
import { together } from "../guarantees.ts"
import * as Log from "../log.ts"
import type { State } from "../state.ts"
import type { Numbers } from "./numbers.ts"

type Guarantee = Card.Guarantee<State<any, any>>

const delivered = ({ order }: State<any, any>): Numbers => (order as { readonly delivered: Numbers }).delivered

export const oneOrder: Guarantee = {
  name: "one order",
  kind: "always",
  description: "Of two members of a view, one has delivered all that the other has: both are at a point of one order.",
  holds: (nodes) =>
    together(nodes, (a, b) => {
      const theirs = delivered(b)
      const differences = delivered(a).map((count, rank) => count - theirs[rank]!)
      return differences.every((each) => each <= 0) || differences.every((each) => each >= 0)
    })
}

/** @param past pairs of a rank and how many of its messages are before one that carries this */
export const pastDelivered = (past: (stamp: Numbers) => ReadonlyArray<readonly [number, number]>): Guarantee => ({
  name: "no message before its past",
  kind: "always",
  description: "Whoever has delivered a message has delivered what it carries as its past.",
  holds: (nodes) =>
    nodes.every(({ alive, state }) => {
      if (!alive || state.failed !== undefined || state.view === undefined) return true
      const counts = delivered(state)
      return state.streams.every(({ delivered, log }) =>
        Log.items(log).every(
          ({ sequence, stamp }) =>
            sequence > delivered || past(stamp as Numbers).every(([rank, count]) => count <= counts[rank]!)
        )
      )
    })
})
