/**
 * Comparing by the tree. Each message stands for itself: it says what its sender has, and the receiver answers with what follows
 * from that, without remembering anything. What is lost on the way is found again in a later round.
 */
import * as MerkleTree from "../../MerkleTree.ts"
import { fetch, readable, want } from "./entries.ts"
import { type Nodes, overhead } from "./messages.ts"
import { groupBytes, itemBytes, type Range, rangeBytes, readGroups, readRanges, Words } from "./packed.ts"
import { type Act, Malformed, refuse, say, type State } from "./state.ts"

/** Nodes with no more entries are listed: that takes no more bytes than going further down. */
export const listMax = 32

/**
 * With how many messages a node goes further down in answer to one: a few, and no more than a quarter of what it has left, so that
 * what is compared in a round reaches the leaves, however much differs, and is not used up on the levels above them.
 */
const descentMax = ({ said }: State, { self: { options } }: Act): number =>
  Math.max(1, Math.min(4, Math.floor((options.messagesPerRound - said) / 4)))

/** What a node does about the nodes that it has looked at. */
interface Plan {
  readonly level: number
  readonly listed: Array<number>
  readonly descended: Array<number>
  readonly given: Array<string>
}

/** A peer's root is this one. */
export const onRoot = (
  state: State,
  peer: string,
  root: { readonly hi: number; readonly lo: number },
  act: Act
): State => {
  const plan: Plan = { level: 0, listed: [], descended: [], given: [] }
  look(state.tree, plan, 0, root.hi, root.lo, readable(state, act))
  return carryOut(state, peer, plan, act)
}

/** Begins at the root, with a peer that is known to differ. */
export const descend = (state: State, peer: string, act: Act): State => goDown(state, peer, 0, [0], act)

/** A peer tells the hashes of some nodes. */
export const onNodes = (state: State, from: string, { level, nodes }: Nodes, act: Act): State => {
  const { depth, fanOut } = state.tree.layout
  const groups = level < depth ? readGroups(nodes, fanOut, fanOut ** level) : undefined
  if (groups === undefined) return refuse(state, from, new Malformed({ from, what: "nodes" }), act)
  const { indexes, view } = groups
  const plan: Plan = { level: level + 1, listed: [], descended: [], given: [] }
  const limit = readable(state, act)
  const start = Math.floor(act.random() * indexes.length)
  for (let i = 0; i < indexes.length; i++) {
    const group = (start + i) % indexes.length
    const hashes = group * groupBytes(fanOut) + 4
    for (let child = 0; child < fanOut; child++) {
      const [hi, lo] = [view.getInt32(hashes + 8 * child), view.getInt32(hashes + 8 * child + 4)]
      look(state.tree, plan, indexes[group]! * fanOut + child, hi, lo, limit)
    }
  }
  return carryOut(state, from, plan, act)
}

/** Decides about a node of which a peer has this hash. */
const look = (
  tree: MerkleTree.MerkleTree,
  { descended, given, level, listed }: Plan,
  index: number,
  hi: number,
  lo: number,
  limit: number
): void => {
  const node = MerkleTree.nodeAt(tree, level, index)
  if (node.hi === hi && node.lo === lo) return
  if (hi === 0 && lo === 0) {
    // The peer has nothing there.
    const [first, last] = MerkleTree.range(tree.layout, level, index)
    if (given.length < limit) MerkleTree.walk(tree, first, last, ({ key }) => given.push(key) < limit)
  } else if (node.count <= listMax || level === tree.layout.depth) listed.push(index)
  else descended.push(index)
}

const carryOut = (state: State, peer: string, { descended, given, level, listed }: Plan, act: Act): State => {
  const fetched = fetch(state, peer, given, act)
  return goDown(list(fetched, peer, level, listed, act), peer, level, descended, act)
}

/** Tells the hashes of the children of these nodes, of as many as a few messages hold. */
const goDown = (state: State, peer: string, level: number, indexes: ReadonlyArray<number>, act: Act): State => {
  const { fanOut } = state.tree.layout
  const perPacket = Math.floor((act.self.options.packetBytes - overhead) / groupBytes(fanOut))
  let next = state
  for (let from = 0; from < Math.min(indexes.length, descentMax(state, act) * perPacket); from += perPacket) {
    const words = new Words()
    for (const index of indexes.slice(from, from + perPacket)) {
      words.push(index)
      const { children } = MerkleTree.nodeAt(state.tree, level, index)
      for (let child = 0; child < fanOut; child++) {
        words.push(children[child]?.hi ?? 0)
        words.push(children[child]?.lo ?? 0)
      }
    }
    next = say(next, peer, { _tag: "Nodes", level, nodes: words.take() }, act)
  }
  return next
}

/** Lists what is in the ranges of these nodes, as far as the round's messages go. */
const list = (state: State, peer: string, level: number, indexes: ReadonlyArray<number>, act: Act): State => {
  const { messagesPerRound, packetBytes } = act.self.options
  const room = packetBytes - overhead
  let next = state
  let words = new Words()
  const flush = (): void => {
    if (words.length === 0) return
    next = say(next, peer, { _tag: "List", ranges: words.take() }, act)
    words = new Words()
  }
  for (const index of indexes) {
    if (next.said >= messagesPerRound) return next
    for (const part of parts(state.tree, level, index, Math.floor((room - rangeBytes) / itemBytes))) {
      if (words.length + rangeBytes + itemBytes * part.items.length > room) flush()
      words.push(part.from)
      words.push(part.to)
      words.push(part.items.length)
      for (const item of part.items) words.item(item)
    }
  }
  flush()
  return next
}

/** The range of a node in parts of so many entries each, or more where these have one position. */
const parts = (tree: MerkleTree.MerkleTree, level: number, index: number, limit: number): ReadonlyArray<Range> => {
  const [first, last] = MerkleTree.range(tree.layout, level, index)
  const entries = MerkleTree.between(tree, first, last)
  const found: Array<Range> = []
  let from = first
  for (let at = 0; at < entries.length || found.length === 0;) {
    let end = Math.min(entries.length, at + limit)
    while (end < entries.length && entries[end]!.position === entries[end - 1]!.position) end++
    const to = end === entries.length ? last : (entries[end]!.position >>> 0) - 1
    found.push({ from, to, items: entries.slice(at, end) })
    from = to + 1
    at = end
  }
  return found
}

/** A peer lists all that it has in some ranges: it gets what it lacks, and is asked for what it alone has. */
export const onList = (state: State, from: string, bytes: Uint8Array, act: Act): State => {
  const ranges = readRanges(bytes)
  if (ranges === undefined) return refuse(state, from, new Malformed({ from, what: "ranges" }), act)
  const { tree } = state
  const given: Array<string> = []
  const limit = readable(state, act)
  for (const { from: first, items, to: last } of ranges) {
    if (given.length >= limit) break
    const theirs = new Set(items.map(({ lo }) => lo))
    // Two items of a list have one `lo` by chance, if ever: then one more entry waits until they are in other lists.
    MerkleTree.walk(tree, first, last, ({ key, lo }) => theirs.has(lo) || given.push(key) < limit)
  }
  const lacking = ranges.flatMap(({ items }) => items.filter((item) => MerkleTree.find(tree, item) === undefined))
  return want(fetch(state, from, given, act), from, lacking, act)
}
