/**
 * Which nodes hold a key, where not all do: the first of an order that is different for each key, and the same at all nodes.
 * When a node is added or taken away, the orders of the others stay.
 *
 * Source: D. G. Thaler, C. V. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM ToN 6(1), 1998.
 */
import * as Trie from "../../Trie.ts"
import type { Self } from "./state.ts"

/** All ranks: the homes of the key first, then who stands in for them. */
export const preference = (key: string, { nodes }: Self): ReadonlyArray<number> => {
  const scores = nodes.map((node) => Trie.hash(`${node} ${key}`))
  return nodes.map((_, rank) => rank).sort((a, b) => scores[b]! - scores[a]! || a - b)
}

/** Whether each node holds all keys. */
export const isWhole = ({ nodes, options }: Self): boolean => options.copies === nodes.length

export const homes = (key: string, self: Self): ReadonlyArray<number> =>
  preference(key, self).slice(0, self.options.copies)

export const isHome = (key: string, rank: number, self: Self): boolean =>
  isWhole(self) || homes(key, self).includes(rank)

/**
 * Whom an operation asks: the homes of the key. Where quorums are sloppy, one more for each that is in `absent`, the next who
 * is not.
 */
export const asked = (key: string, absent: (rank: number) => boolean, self: Self): ReadonlyArray<number> => {
  const { copies, sloppy } = self.options
  const order = preference(key, self)
  const first = order.slice(0, copies)
  if (!sloppy) return first
  const missing = first.filter(absent).length
  return [
    ...first,
    ...order
      .slice(copies)
      .filter((rank) => !absent(rank))
      .slice(0, missing)
  ]
}
