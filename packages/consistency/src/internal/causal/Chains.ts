/**
 * What came before what, where vertices stand in chains: the operations of a process, the transactions of a session.
 *
 * How much of a past a vertex knows is one number a chain, its vector clock: how many of the chain's vertices, from the
 * first on, come before it or are it.
 */
import type { Digraph } from "./Digraph.ts"

export interface Chains {
  readonly size: number
  readonly count: number
  /** Of each vertex, its chain and its place there, from 0. */
  readonly chain: Int32Array
  readonly position: Int32Array
}

/** The clocks of all vertices, `chains.count` numbers each, given an order that their graph allows. */
export const clocks = (chains: Chains, graph: Digraph, order: Int32Array): Int32Array => {
  const { chain, count, position, size } = chains
  const clock = new Int32Array(size * count)
  const { edges, offsets } = graph.incoming()
  for (const vertex of order) {
    const own = vertex * count
    for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) {
      const other = graph.from[edges[i]!]! * count
      for (let c = 0; c < count; c++) if (clock[other + c]! > clock[own + c]!) clock[own + c] = clock[other + c]!
    }
    clock[own + chain[vertex]!] = position[vertex]! + 1
  }
  return clock
}

/** Bytes that `clocks` takes. */
export const clockBytes = (chains: Chains): number => chains.size * chains.count * 4

export const precedes = (chains: Chains, clock: Int32Array, before: number, after: number): boolean =>
  before !== after && clock[after * chains.count + chains.chain[before]!]! > chains.position[before]!

/** Who wrote a key, chain by chain. */
export interface Writers {
  /** The groups of a key: from `keyGroups[key]` up to `keyGroups[key + 1]`. Each is the key's writers in one chain. */
  readonly keyGroups: Int32Array
  readonly groupChain: Int32Array
  /** A group's writers, by place: from `groupStart[group]` up to `groupStart[group + 1]`. */
  readonly groupStart: Int32Array
  readonly vertices: Int32Array
}

/**
 * @param keys how many
 * @param key of each write its key, and `vertex` who made it: by chain, and by place in a chain
 */
export const writers = (chains: Chains, keys: number, key: Int32Array, vertex: Int32Array): Writers => {
  const offsets = new Int32Array(keys + 1)
  for (let i = 0; i < key.length; i++) offsets[key[i]! + 1]!++
  for (let k = 0; k < keys; k++) offsets[k + 1]! += offsets[k]!
  const next = offsets.slice()
  const vertices = new Int32Array(key.length)
  for (let i = 0; i < key.length; i++) vertices[next[key[i]!]!++] = vertex[i]!
  const keyGroups = new Int32Array(keys + 1)
  const groupChain = new Int32Array(key.length)
  const groupStart = new Int32Array(key.length + 1)
  let groups = 0
  for (let k = 0; k < keys; k++) {
    for (let i = offsets[k]!; i < offsets[k + 1]!; i++) {
      const chain = chains.chain[vertices[i]!]!
      if (i > offsets[k]! && groupChain[groups - 1] === chain) continue
      groupChain[groups] = chain
      groupStart[groups++] = i
    }
    keyGroups[k + 1] = groups
  }
  groupStart[groups] = key.length
  return { keyGroups, groupChain, groupStart, vertices }
}

/** The last writer of a group among the first `known` of its chain, or -1. */
export const lastKnown = (chains: Chains, writers: Writers, group: number, known: number): number => {
  let low = writers.groupStart[group]!
  const start = low
  let high = writers.groupStart[group + 1]!
  while (low < high) {
    const middle = (low + high) >>> 1
    if (chains.position[writers.vertices[middle]!]! < known) low = middle + 1
    else high = middle
  }
  return low === start ? -1 : writers.vertices[low - 1]!
}
