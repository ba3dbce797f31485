/**
 * Agrawal–El Abbadi: votes of a path through a tree, from the root to a leaf; where a node has failed, of two.
 *
 * The nodes form a binary tree. A quorum is a path from the root to a leaf, of log₂N nodes; in place of a node that has
 * failed stand two paths, from each of its children to a leaf. Any two quorums have a node in common, whoever takes whom
 * for failed: so it costs less than a grid while all are up, degrades gracefully, and goes on without the root. Only where
 * a leaf has failed on every path is there no quorum. Votes are asked for, inquired about and yielded as in Sanders' form
 * of Maekawa's algorithm; the rules are in `internal/voting.ts`.
 *
 * With a `FailureDetector` in the context, a node that waits for the vote of a suspected one asks another quorum, and the
 * votes that a suspected node has go to the next. Without one, whoever needs a vote of the dead waits.
 *
 * Source: D. Agrawal, A. El Abbadi, "An Efficient and Fault-Tolerant Solution for Distributed Mutual Exclusion", ACM TOCS
 * 9(1), 1991.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { Suspicion } from "@troupe/failure-detection"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import type { Reading } from "./internal/acquisition.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup, locking } from "./internal/locking.ts"
import { sizesOf } from "./internal/quorums.ts"
import {
  contention,
  type Event,
  Message,
  nobodyAsks,
  receive,
  release,
  request,
  suspect,
  trust,
  type Voting
} from "./internal/voting.ts"
import { type InvalidOptions, Mutex } from "./Mutex.ts"

export { type Event, Message } from "./internal/voting.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }
  | Suspicion.Suspicion

/** `quorum` is that of the latest request; empty where there was none without the suspected. */
export type State = Voting

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

/** How many nodes a path has, while nobody has failed. */
const longestPath = (nodes: number): number => Math.floor(Math.log2(nodes)) + 1
/** One less, unless nobody but the leaves of the last row has no child. */
const shortestPath = (nodes: number): number => longestPath(nodes) - (nodes + 2 >= 2 ** longestPath(nodes) ? 0 : 1)

export const card: Card.Card<State> = {
  title: "Agrawal–El Abbadi",
  summary: "Votes of a path from the root of a tree to a leaf; two paths stand in for a node that has failed.",
  paper: {
    authors: "Divyakant Agrawal, Amr El Abbadi",
    title: "An Efficient and Fault-Tolerant Solution for Distributed Mutual Exclusion",
    venue: "ACM TOCS 9(1)",
    year: 1991
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [mutualExclusion, noStarvation, aNodeEnters],
  weaknesses: [
    {
      name: "a crash that nobody detects starves",
      description:
        "The root is in every quorum, and a holder or a waiter takes votes along: a FailureDetector has to say so. A bystander is missed by those whose path it is on.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "one lost message starves",
      description: "A request, vote or release that is lost is not sent again.",
      faults: "lossy",
      breaks: "no starvation"
    },
    {
      name: "a split starves",
      description:
        "What is sent while the network is split is lost; and a holder that is wrongly suspected is not alone any more, though its token is the lower one.",
      faults: "partition",
      breaks: "no starvation"
    },
    {
      name: "a node that forgets",
      description: "A node that comes back without its vote's whereabouts gives it a second time.",
      faults: "crash",
      breaks: "mutual exclusion"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "3(|R|−1), |R| ≥ ⌊log₂N⌋", of: (nodes) => 3 * (shortestPath(nodes) - 1) },
    worst: { text: "6(|R|−1), |R| ≤ ⌊log₂N⌋+1", of: (nodes) => 6 * (longestPath(nodes) - 1) },
    contention
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "mutex/agrawal-el-abbadi",
  card,
  message: Message,

  init: () => nobodyAsks([], true),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? ask(state, act) : state
      case "Release":
        return state.phase === "idle" ? state : release(state, act)
      case "Suspect": {
        const suspecting = suspect(state, command.node, act)
        // Votes that the dead have given hold: any quorum without them meets this one elsewhere.
        return suspecting.missing.includes(command.node) ? askAnew(suspecting, act) : suspecting
      }
      case "Trust": {
        const trusting = trust(state, command.node, act)
        return trusting.phase === "waiting" && trusting.quorum.length === 0 ? askAnew(trusting, act) : trusting
      }
    }
  },

  onMessage: receive
}

const ask = (state: State, act: Act): State =>
  request(state, quorumOf(act.self.nodes, act.self.id, state.suspected) ?? [], act)

const askAnew = (state: State, act: Act): State => ask(release(state, act), act)

// ----------------------------------------------------------------------------------------------------------- the quorums

/**
 * A tree quorum without the failed, if there is one. The nodes are laid out in the order of ranks as in a heap. The path
 * goes through the node itself where it can, which saves a message, and below it to the right, where it is shorter.
 */
export const quorumOf = (
  nodes: ReadonlyArray<NodeId.NodeId>,
  self: NodeId.NodeId,
  failed: ReadonlyArray<NodeId.NodeId> = []
): ReadonlyArray<NodeId.NodeId> | undefined => {
  const above = ranksAbove(nodes.indexOf(self))
  const below = (rank: number): ReadonlyArray<number> | undefined => {
    const children = [2 * rank + 2, 2 * rank + 1].filter((child) => child < nodes.length)
    if (failed.includes(nodes[rank]!)) return inPlaceOf(children, below)
    if (children.length === 0) return [rank]
    // The sort keeps the order of those that are alike.
    for (const child of children.toSorted((a, b) => Number(above.includes(b)) - Number(above.includes(a)))) {
      const path = below(child)
      if (path !== undefined) return [rank, ...path]
    }
    return undefined
  }
  return below(0)?.map((rank) => nodes[rank]!)
}

/** A leaf has nobody in its place; of other nodes all children have a path. */
const inPlaceOf = (
  children: ReadonlyArray<number>,
  below: (rank: number) => ReadonlyArray<number> | undefined
): ReadonlyArray<number> | undefined => {
  if (children.length === 0) return undefined
  const paths = children.map(below)
  return paths.every((path) => path !== undefined) ? paths.flat() : undefined
}

/** A node and those that it is below of. */
const ranksAbove = (rank: number): ReadonlyArray<number> =>
  rank === 0 ? [0] : [rank, ...ranksAbove(Math.floor((rank - 1) / 2))]

/** What is worth telling of the lock among these nodes: how many of them have a quorum of which size, while all are up. */
export const facts = (nodes: ReadonlyArray<NodeId.NodeId>) => ({
  quorumSizes: sizesOf(nodes.map((node) => quorumOf(nodes, node)!))
})

// ------------------------------------------------------------------------------------------------------------ the layer

const reading: Reading<State> = {
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ queue }) => queue.length,
  waitsFor: ({ missing, phase, quorum, suspected }) =>
    phase === "waiting" && quorum.length === 0 ? suspected : missing
}

/**
 * A `Mutex` by Agrawal and El Abbadi's algorithm among the nodes of the transport. `resource` names the lock: nodes that
 * use the same name exclude each other, and every node must build the layer.
 *
 * A `FailureDetector` in the context is heard. Exclusion is as good as its opinion of holders: where it is wrong, let what
 * the lock guards refuse a token lower than one it has seen. Fails with `InvalidOptions` on a node outside its group.
 */
export const layer = (options: {
  readonly resource: string
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.andThen(
      inGroup,
      Effect.map(locking(protocol, reading, { resource: options.resource, options: undefined }), ({ mutex }) => mutex)
    )
  )
