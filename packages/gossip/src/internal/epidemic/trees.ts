/**
 * Which links a node pushes on at once, and on which it only tells of what it has: for one tree that all items share, or for
 * a tree of each publisher. Plain readonly data; of a tree, what is stored is the links that are lazy.
 */
import type { NodeId } from "@troupe/transport"

export interface Trees {
  readonly neighbours: ReadonlyArray<NodeId.NodeId>
  /** By the key of the tree, the latest used last; of one that is not here, all links are eager. */
  readonly lazy: ReadonlyArray<Tree>
}

interface Tree {
  readonly key: string
  readonly lazy: ReadonlyArray<NodeId.NodeId>
}

/** How many trees are remembered. Of one that is forgotten all links are eager again, until they are pruned. */
const treesMax = 1_024

export const none: Trees = { neighbours: [], lazy: [] }

const nobody: ReadonlyArray<NodeId.NodeId> = []

export const lazy = (trees: Trees, key: string): ReadonlyArray<NodeId.NodeId> =>
  trees.lazy.find((tree) => tree.key === key)?.lazy ?? nobody

export const eager = (trees: Trees, key: string): ReadonlyArray<NodeId.NodeId> => {
  const not = lazy(trees, key)
  return not.length === 0 ? trees.neighbours : trees.neighbours.filter((node) => !not.includes(node))
}

const withLazy = (trees: Trees, key: string, nodes: ReadonlyArray<NodeId.NodeId>): Trees => ({
  neighbours: trees.neighbours,
  lazy: [...trees.lazy.filter((tree) => tree.key !== key), { key, lazy: nodes }].slice(-treesMax)
})

export const makeLazy = (trees: Trees, key: string, node: NodeId.NodeId): Trees => {
  const not = lazy(trees, key)
  if (not.includes(node) || !trees.neighbours.includes(node)) return trees
  return withLazy(trees, key, [...not, node])
}

export const makeEager = (trees: Trees, key: string, node: NodeId.NodeId): Trees => {
  const not = lazy(trees, key)
  if (!not.includes(node)) return trees
  return withLazy(
    trees,
    key,
    not.filter((each) => each !== node)
  )
}

/** Newcomers are eager in every tree; who is gone is in none. */
export const withNeighbours = ({ lazy, neighbours }: Trees, nodes: ReadonlyArray<NodeId.NodeId>): Trees => {
  if (neighbours.every((node) => nodes.includes(node))) return { neighbours: nodes, lazy }
  return {
    neighbours: nodes,
    lazy: lazy.map((tree) => ({ key: tree.key, lazy: tree.lazy.filter((node) => nodes.includes(node)) }))
  }
}
