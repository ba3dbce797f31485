/** Trees over the nodes of a lock, as each node's parent. */
import type { NodeId } from "@troupe/transport"

/** The parent of each node; null for the root. */
export type Tree = Readonly<Record<NodeId.NodeId, NodeId.NodeId | null>>

/** As full and as low as can be, two children a node, laid out in the order of ranks as in a heap. */
export const binary = (nodes: ReadonlyArray<NodeId.NodeId>): Tree => shaped(nodes, (rank) => (rank - 1) >> 1)

/** The first node in the middle, all others around it. */
export const star = (nodes: ReadonlyArray<NodeId.NodeId>): Tree => shaped(nodes, () => 0)

const shaped = (nodes: ReadonlyArray<NodeId.NodeId>, parent: (rank: number) => number): Tree =>
  Object.fromEntries(nodes.map((node, rank) => [node, rank === 0 ? null : nodes[parent(rank)]!]))

/** How many links are between two nodes of `binary` at the most. */
export const binaryDiameter = (nodes: number): number => {
  if (nodes < 2) return 0
  const depth = Math.floor(Math.log2(nodes))
  const inLastRow = nodes - (2 ** depth - 1)
  return depth + (inLastRow > 2 ** (depth - 1) ? depth : depth - 1)
}

/** What is wrong with a tree that was given, if anything. */
export const problemOf = (tree: Tree, nodes: ReadonlyArray<NodeId.NodeId>): string | undefined => {
  const stranger = Object.keys(tree).find((node) => !nodes.includes(node))
  if (stranger !== undefined) return `the tree has "${stranger}", which is not among the nodes`
  for (const node of nodes) {
    const parent = tree[node]
    if (parent === undefined) return `the tree says no parent for "${node}". Give null for the root`
    if (parent !== null && !nodes.includes(parent)) {
      return `the tree has "${parent}" for the parent of "${node}", which is not among the nodes`
    }
  }
  const roots = nodes.filter((node) => tree[node] === null)
  if (roots.length > 1) return `the tree has two roots, "${roots[0]}" and "${roots[1]}". Give one of them a parent`
  const lost = nodes.find((node) => !reachesRoot(tree, node, nodes.length))
  return lost === undefined ? undefined : `from "${lost}" the parents in the tree lead round in a circle`
}

const reachesRoot = (tree: Tree, from: NodeId.NodeId, atMost: number): boolean => {
  let node: NodeId.NodeId | null = from
  for (let step = 0; step < atMost && node !== null; step++) node = tree[node]!
  return node === null
}
