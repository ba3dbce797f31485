/**
 * What replication by a primary assumes and promises, over the states of all nodes, and where it breaks.
 */
import type { Card } from "@troupe/actor"
import * as Log from "./log.ts"
import { safeAt, type State } from "./state.ts"

type Replicas = Card.Snapshot<State>

/** Whether each pair of nodes agrees. */
const pairwise = (nodes: Replicas, agree: (one: State, other: State) => boolean): boolean =>
  nodes.every(({ state }, i) => nodes.every((other, j) => j <= i || agree(state, other.state)))

/**
 * Whether both have the same batch at `at`, as far as they still know. Then all before are the same, too: a batch is taken
 * where its predecessor fits.
 */
const same = ({ replica: one }: State, { replica: other }: State, at: number): boolean => {
  const [a, b] = [Log.viewAt(one.log, at), Log.viewAt(other.log, at)]
  return a === undefined || b === undefined || a === b
}

export const guarantees: ReadonlyArray<Card.Guarantee<State>> = [
  {
    name: "no safe update is lost",
    kind: "always",
    description: "What one replica knows to be safe, no other has decided otherwise.",
    holds: (nodes) => pairwise(nodes, (one, other) => same(one, other, Math.min(safeAt(one), safeAt(other))))
  },
  {
    name: "one primary a view",
    kind: "always",
    description: "A place in the log that two nodes filled in one view holds the same at both.",
    holds: (nodes) =>
      pairwise(nodes, ({ replica: one }, { replica: other }) => {
        const at = Math.min(Log.last(one.log), Log.last(other.log))
        if (at <= Math.max(one.log.base.at, other.log.base.at)) return true
        const [a, b] = [Log.get(one.log, at), Log.get(other.log, at)]
        return a.view !== b.view || (a.before === b.before && a.entries.length === b.entries.length)
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

export const assumes: Card.Card["assumes"] = {
  timing: "partially synchronous",
  failures: "crash-recovery",
  channels: { loss: true, duplication: true, order: "any" },
  tolerates: ["none", "lossy", "crash", "partition", "chaos"]
}

export const weaknesses: ReadonlyArray<Card.Weakness> = [
  {
    name: "a majority is down",
    description: "Nothing becomes safe without a majority: updates wait, and end in doubt.",
    faults: "crash"
  },
  {
    name: "a detector that errs, where it must not",
    description: "With `perfect-detector`, a primary that is wrongly suspected goes on beside the next one.",
    faults: "partition",
    breaks: "no safe update is lost"
  },
  {
    name: "reads of backups are behind",
    description: "A local read may miss an update that another client has been told of: sequential, not linearizable.",
    faults: "none"
  },
  {
    name: "a disk that is lost",
    description: "A node that comes back with an empty disk has forgotten its votes and what it said was safe.",
    faults: "crash",
    breaks: "no safe update is lost"
  }
]
