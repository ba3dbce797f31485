/** With whom a node gossips: everybody, or its neighbours of an overlay; without those that it is told are dead. */
import type { Protocol } from "@troupe/actor"
import type { Suspicion } from "@troupe/failure-detection"
import type { NodeId } from "@troupe/transport"
import { HashSet } from "effect"
import * as Roster from "./roster.ts"

export interface Peers {
  readonly suspected: HashSet.HashSet<NodeId.NodeId>
  /** `undefined`: everybody is. */
  readonly neighbours: ReadonlyArray<NodeId.NodeId> | undefined
}

/** Who the peers are may change. */
export type Change =
  | Suspicion.Suspicion
  /** The neighbours are these now. */
  | { readonly _tag: "Neighbours"; readonly nodes: ReadonlyArray<NodeId.NodeId> }

export const everybody: Peers = { suspected: HashSet.empty(), neighbours: undefined }

export const changed = (peers: Peers, change: Change): Peers => {
  switch (change._tag) {
    case "Suspect":
      return { ...peers, suspected: HashSet.add(peers.suspected, change.node) }
    case "Trust":
      return { ...peers, suspected: HashSet.remove(peers.suspected, change.node) }
    case "Neighbours":
      return { ...peers, neighbours: change.nodes }
  }
}

const nobody = (): boolean => false

/** Up to `count` peers at random. */
export const sample = (
  { neighbours, suspected }: Peers,
  self: Protocol.Self,
  count: number,
  random: () => number
): ReadonlyArray<NodeId.NodeId> => {
  const isSuspected = HashSet.isEmpty(suspected) ? nobody : (node: NodeId.NodeId) => HashSet.has(suspected, node)
  return neighbours === undefined
    ? Roster.sample(self, count, isSuspected, random)
    : Roster.pick(neighbours, count, isSuspected, random)
}

/** All of them: for who has few. */
export const all = ({ neighbours, suspected }: Peers, self: Protocol.Self): ReadonlyArray<NodeId.NodeId> =>
  HashSet.isEmpty(suspected)
    ? (neighbours ?? self.peers)
    : (neighbours ?? self.peers).filter((node) => !HashSet.has(suspected, node))
