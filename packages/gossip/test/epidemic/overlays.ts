/** HyParView, and Plumtree over its active views, in synchronous rounds. */
import { HyParView, Plumtree } from "@troupe/gossip"
import { world } from "./rounds.ts"

/** Rounds of keep-alives, with a shuffle in each tenth, until views have settled. */
export const overlay = (given: {
  readonly nodes: number
  readonly seed: number
  readonly rounds?: number
  readonly options?: Partial<HyParView.Options>
}) => {
  const it = world(HyParView.protocol, { ...given, options: { ...HyParView.defaults, ...given.options } })
  const live = (rounds: number): void => {
    for (let i = 0; i < rounds; i++) {
      const tenth = it.round % 10 === 9 ? ["shuffle"] : []
      it.fire("keepAlive", "answer", ...tenth, ...(it.round % 60 === 59 ? ["mix"] : []))
    }
  }
  live(given.rounds ?? 60)
  return { ...it, live, world: it }
}

export type Overlay = ReturnType<typeof overlay>

const neighboursOf = (world: Overlay["world"], at: number): ReadonlyArray<string> =>
  world.states[at]!.active.map(({ node }) => node)

/** How many of those that are up the largest part of connected nodes has. */
export const largestPart = ({ dead, nodes, ...world }: Overlay["world"]): number => {
  const places = new Map(nodes.map((node, at) => [node, at]))
  const seen = new Set(dead)
  let largest = 0
  for (let first = 0; first < nodes.length; first++) {
    if (seen.has(first)) continue
    const part = [first]
    seen.add(first)
    for (const at of part) {
      for (const node of neighboursOf({ dead, nodes, ...world }, at)) {
        const to = places.get(node)!
        if (seen.has(to)) continue
        seen.add(to)
        part.push(to)
      }
    }
    largest = Math.max(largest, part.length)
  }
  return largest
}

/** How many have each node that is up as neighbour. */
export const inDegrees = ({ dead, nodes, states }: Overlay["world"]): ReadonlyArray<number> => {
  const degrees = new Map(nodes.map((node) => [node, 0]))
  for (const [at, { active }] of states.entries()) {
    if (!dead.has(at)) for (const { node } of active) degrees.set(node, degrees.get(node)! + 1)
  }
  return nodes.flatMap((node, at) => (dead.has(at) ? [] : [degrees.get(node)!]))
}

/** Plumtree over the views of an overlay, which it goes on to follow. */
export const broadcast = (
  views: Overlay,
  given: { readonly seed: number; readonly options?: Partial<Plumtree.Options> }
) => {
  const options = { ...Plumtree.defaults, ...given.options }
  const trees = world(Plumtree.protocol, { nodes: views.nodes.length, seed: given.seed, options })
  const meet = (at: number, nodes: ReadonlyArray<string>): void => trees.command(at, { _tag: "Neighbours", nodes })
  for (let at = 0; at < views.nodes.length; at++) meet(at, neighboursOf(views.world, at))
  trees.settle()
  views.world.onEvent = (at, { nodes }) => meet(at, nodes)
  const heard: Array<number> = []
  trees.onEvent = (at, event) => {
    if (event._tag === "Heard") heard.push(at)
  }
  /** One item from `at`; after so many rounds of word and grafts, who has heard, and what it took. */
  const publish = (at: number, rounds = 0) => {
    const before = { ...trees.sent }
    heard.length = 0
    trees.command(at, { _tag: "Publish", topic: "news", payload: Uint8Array.of(1) })
    trees.settle()
    const eagerly = heard.length
    for (let i = 0; i < rounds; i++) trees.fire("announce", "graft")
    const count = (tag: string): number => (trees.sent[tag] ?? 0) - (before[tag] ?? 0)
    const payloads = count("Gossip") + count("Items")
    return {
      eagerly,
      heard: heard.length,
      /** Relative message redundancy: payloads a node that hears, past the one that it needs (Leitão et al. 2007b, §4). */
      redundancy: heard.length < 2 ? 0 : payloads / (heard.length - 1) - 1,
      payloads,
      control: count("IHave") + count("Graft") + count("Prune")
    }
  }
  return { trees, publish }
}

/** Lets a share of the nodes die at once; never `spared`. */
export const kill = (
  views: Overlay,
  share: number,
  random: () => number,
  spared: number,
  also?: { readonly dead: Set<number> }
) => {
  const { length } = views.nodes
  while (views.dead.size < share * length) {
    const at = Math.floor(random() * length)
    if (at === spared) continue
    views.dead.add(at)
    also?.dead.add(at)
  }
}
