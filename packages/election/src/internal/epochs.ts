/**
 * Epochs that no two nodes can claim, and whom a node follows: what elections share whose leaders announce themselves.
 */
import type { Card, Protocol } from "@troupe/actor"
import { NodeId } from "@troupe/transport"
import type { Leader } from "../Election.ts"

/** Knows of a leader, itself while it leads. */
export interface Following {
  readonly leader: Leader | undefined
}

/** The first epoch above `seen` that this node may claim: divided by N, the epochs of a node leave its rank. */
export const nextEpoch = (seen: number, { id, nodes }: Protocol.Self): number =>
  (Math.floor(seen / nodes.length) + 1) * nodes.length + nodes.indexOf(id)

export const higherThan = ({ id, nodes }: Protocol.Self): ReadonlyArray<NodeId.NodeId> =>
  nodes.slice(nodes.indexOf(id) + 1)

export const lowerThan = ({ id, nodes }: Protocol.Self): ReadonlyArray<NodeId.NodeId> =>
  nodes.slice(0, nodes.indexOf(id))

export const follows = ({ leader }: Following, id: NodeId.NodeId, epoch: number): boolean =>
  leader !== undefined && leader.id === id && leader.epoch === epoch

interface LeaderChanged {
  readonly _tag: "LeaderChanged"
  readonly leader: Leader | undefined
}

/** The state with this leader, after telling the user where that is news. */
export const changeLeader = <State extends Following>(
  state: State,
  leader: Leader | undefined,
  act: { emit(event: LeaderChanged): void }
): State => {
  if (leader === undefined ? state.leader === undefined : follows(state, leader.id, leader.epoch)) return state
  act.emit({ _tag: "LeaderChanged", leader })
  return { ...state, leader }
}

// ----------------------------------------------------------------------------------------------- what their cards promise

interface Role {
  readonly role: string
}

export const atMostOneLeader: Card.Guarantee<Role> = {
  name: "at most one leader",
  kind: "always",
  description: "No two nodes lead at the same time.",
  holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.role === "leading").length <= 1
}

export const oneLeaderAnEpoch: Card.Guarantee<Following> = {
  name: "one leader an epoch",
  kind: "always",
  description: "Two nodes that know a leader of the same epoch know the same one. Holds under every fault.",
  holds: (nodes) => {
    const leaders = new Map<number, NodeId.NodeId>()
    for (const {
      state: { leader }
    } of nodes) {
      if (leader === undefined) continue
      const other = leaders.get(leader.epoch)
      if (other !== undefined && other !== leader.id) return false
      leaders.set(leader.epoch, leader.id)
    }
    return true
  }
}

interface Standing extends Role, Following {
  readonly standing: boolean
}

type Seen<State> = { readonly node: NodeId.NodeId; readonly state: State }

/** Of a bully, by which of two is above the other: without a ranking, that of the higher id. */
export const highestLeads = <State extends Standing>(
  isAbove: (one: Seen<State>, other: Seen<State>) => boolean = (one, other) => NodeId.isHigher(one.node, other.node)
): Card.Guarantee<State> => ({
  name: "the highest leads",
  kind: "eventually",
  description: "Every node that is up follows the highest that is up and stands for election, and that one leads.",
  holds: (nodes) => {
    const up = nodes.filter(({ alive }) => alive)
    const highest = up
      .filter(({ state }) => state.standing)
      .reduce<(typeof up)[number] | undefined>(
        (best, each) => (best === undefined || isAbove(each, best) ? each : best),
        undefined
      )?.node
    return up.every(
      ({ node, state }) => state.leader?.id === highest && (node === highest) === (state.role === "leading")
    )
  }
})

export const forgottenEpochs: Card.Weakness = {
  name: "forgotten epochs",
  description: "When every node that knows the latest epoch is down, epochs begin anew: they are not kept on disk.",
  faults: "crash"
}

export const aLeaderIsElected: Card.Guarantee<Role> = {
  name: "a leader is elected",
  kind: "sometimes",
  description: "The run has seen a leader.",
  holds: (nodes) => nodes.some(({ state }) => state.role === "leading")
}
