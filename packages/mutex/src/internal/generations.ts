/**
 * Generations: numbers of which no two nodes take the same, so that what one node makes anew, a token or an office, is
 * told from all that was before. And fencing tokens made of a generation and a count.
 */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type { FencingToken } from "../Mutex.ts"

/** A generation above `seen` that is this node's to take: divided by N, it leaves the node's rank. */
export const nextGeneration = (seen: number, self: Protocol.Self): number =>
  (Math.floor(seen / self.nodes.length) + 1) * self.nodes.length + self.nodes.indexOf(self.id)

/** Whose generation it is. */
export const ownerOf = (generation: number, { nodes }: Protocol.Self): NodeId.NodeId =>
  nodes[generation % nodes.length]!

/** So many entries a generation; and 2^23 generations. */
const countsPerGeneration = 2 ** 30

/** Later generations have higher tokens, whatever was counted in earlier ones. */
export const fencingToken = (generation: number, count: number): FencingToken => {
  const token = generation * countsPerGeneration + count
  if (count >= countsPerGeneration || !Number.isSafeInteger(token)) {
    throw new RangeError("fencing tokens are used up: 2^30 of a generation, 2^23 generations")
  }
  return token
}

/** Whether the node is none of the group: it may know the lock's name, and is not heard. */
export const isStranger = (node: NodeId.NodeId, { nodes }: Protocol.Self): boolean => !nodes.includes(node)

export const without = (nodes: ReadonlyArray<NodeId.NodeId>, node: NodeId.NodeId): ReadonlyArray<NodeId.NodeId> =>
  nodes.includes(node) ? nodes.filter((each) => each !== node) : nodes
