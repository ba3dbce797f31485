/** With whom a node gossips: everybody, or its neighbours of an overlay; without those that it is told are dead. */
import type { Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import type { NodeId } from "@troupe/transport"
import * as Roster from "./roster.ts"

export interface Peers {
  readonly suspected: ReadonlyArray<NodeId.NodeId>
  /** `undefined`: everybody is. */
  readonly neighbours: ReadonlyArray<NodeId.NodeId> | undefined
}

/** Who the peers are may change. */
export type Change =
  | Suspicion.Suspicion
  /** The neighbours are these now. */
  | { readonly _tag: "Neighbours"; readonly nodes: ReadonlyArray<NodeId.NodeId> }

export const everybody: Peers = { suspected: [], neighbours: undefined }

export const changed = (peers: Peers, change: Change): Peers =>
  change._tag === "Neighbours"
    ? { ...peers, neighbours: change.nodes }
    : { ...peers, suspected: Suspicion.applied(peers.suspected, change) }

const nobody = (): boolean => false

/** Up to `count` peers at random. */
export const sample = (
  { neighbours, suspected }: Peers,
  self: Protocol.Self,
  count: number,
  random: () => number
): ReadonlyArray<NodeId.NodeId> => {
  const isSuspected = suspected.length === 0 ? nobody : (node: NodeId.NodeId) => suspected.includes(node)
  return neighbours === undefined
    ? Roster.sample(self, count, isSuspected, random)
    : Roster.pick(neighbours, count, isSuspected, random)
}

/** All of them: for who has few. */
export const all = ({ neighbours, suspected }: Peers, self: Protocol.Self): ReadonlyArray<NodeId.NodeId> =>
  suspected.length === 0
    ? (neighbours ?? self.peers)
    : (neighbours ?? self.peers).filter((node) => !suspected.includes(node))
