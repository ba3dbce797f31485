/** Who there is: the nodes of a system, one array that all nodes of a process share. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"

/** The places of an array's nodes, worked out once for all who share it. */
const places = new WeakMap<ReadonlyArray<NodeId.NodeId>, ReadonlyMap<NodeId.NodeId, number>>()

const placesOf = (nodes: ReadonlyArray<NodeId.NodeId>): ReadonlyMap<NodeId.NodeId, number> => {
  let found = places.get(nodes)
  if (found === undefined) places.set(nodes, (found = new Map(nodes.map((node, place) => [node, place]))))
  return found
}

export const isMember = ({ nodes }: Protocol.Self, node: NodeId.NodeId): boolean => placesOf(nodes).has(node)

/** Up to `count` of the other nodes that are not `except`ed, at random, none of them twice. */
export const sample = (
  { id, nodes }: Protocol.Self,
  count: number,
  isExcepted: (node: NodeId.NodeId) => boolean,
  random: () => number
): ReadonlyArray<NodeId.NodeId> => {
  if (nodes.length <= 2 * count + 1) return pick(nodes, count, (node) => node === id || isExcepted(node), random)
  const chosen: Array<NodeId.NodeId> = []
  // Where nearly all are excepted, fewer will do.
  for (let look = 0; look < 8 * count + 16 && chosen.length < count; look++) {
    const node = nodes[Math.floor(random() * nodes.length)]!
    if (node !== id && !chosen.includes(node) && !isExcepted(node)) chosen.push(node)
  }
  return chosen
}

/** The same of a short list, all of which is looked at. */
export const pick = (
  nodes: ReadonlyArray<NodeId.NodeId>,
  count: number,
  isExcepted: (node: NodeId.NodeId) => boolean,
  random: () => number
): ReadonlyArray<NodeId.NodeId> => {
  const left = nodes.filter((node) => !isExcepted(node))
  for (let i = 0; i < Math.min(count, left.length - 1); i++) {
    const at = i + Math.floor(random() * (left.length - i))
    const node = left[at]!
    left[at] = left[i]!
    left[i] = node
  }
  if (left.length > count) left.length = count
  return left
}
