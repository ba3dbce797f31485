/**
 * Maekawa: permission from a quorum is enough where any two quorums have a node in common.
 *
 * Each node has one vote. To enter, a node asks all of its quorum for theirs, itself included, and gives them back when
 * it leaves: 3(|R|−1) messages, with |R| near √N. Two nodes cannot both have the vote of the node that their quorums
 * share.
 *
 * That alone deadlocks, in the variant `basic`: three nodes can each have a vote that the next one waits for. In Sanders'
 * form, the default, a node whose vote is out inquires for an earlier claim whether it may have it back, and who cannot
 * enter yet yields it. The rules of the votes are in `internal/voting.ts`.
 *
 * Source: M. Maekawa, "A √N Algorithm for Mutual Exclusion in Decentralized Systems", ACM TOCS 3(2), 1985; B. A. Sanders,
 * "The Information Structure of Distributed Mutual Exclusion Algorithms", ACM TOCS 5(3), 1987.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { grid, plane, planeSize, problemOf, quorumOf, type Quorums, sizesOf } from "./internal/quorums.ts"
import {
  contention,
  type Event,
  Message,
  nobodyAsks,
  receive,
  release,
  request,
  type Voting
} from "./internal/voting.ts"
import { inGroup } from "./internal/locking.ts"
import { InvalidOptions, Mutex } from "./Mutex.ts"

export type { Quorums } from "./internal/quorums.ts"
export { type Event, Message } from "./internal/voting.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }

export type State = Voting

export interface Options {
  /**
   * Whose votes a node takes. `plane`: lines of a projective plane, |R| = q+1 for the least q with q²+q+1 ≥ N that is a
   * power of a prime. `grid`: its row and its column in a square, 2√N − 1. Or the quorum of each node.
   */
  readonly quorums: "plane" | "grid" | Quorums
  /** `sanders`, with inquire, yield and fail, does not deadlock; `basic` does. */
  readonly variant: "sanders" | "basic"
}

// ------------------------------------------------------------------------------------------------------------- the card

/** Each claim at each other node of its quorum: a request, a vote and a release, at the worst an inquiry, a yield and a second vote. */
const cost = (messages: number): Card.Formula => ({
  text: `${messages}(|R|−1)`,
  of: (nodes) => messages * (planeSize(nodes) - 1)
})

export const card: Card.Card<State> = {
  title: "Maekawa",
  summary: "Votes of a quorum, of which any two share a node; who has a vote yields it to an earlier claim.",
  paper: {
    authors: "Mamoru Maekawa; deadlock resolved by Beverly A. Sanders, 1987",
    title: "A √N Algorithm for Mutual Exclusion in Decentralized Systems",
    venue: "ACM TOCS 3(2)",
    year: 1985
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [mutualExclusion, noStarvation, aNodeEnters],
  weaknesses: [
    {
      name: "a crash starves whose quorum it is in",
      description: "Its vote does not come; a holder or a waiter that crashes takes the votes that it has along.",
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
      description: "What is sent while the network is split is lost.",
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
  cost: { operation: "entry", best: cost(3), worst: cost(6), contention }
}

/** Of the variant without inquiries. */
export const basicCard: Card.Card<State> = {
  ...card,
  title: "Maekawa, basic",
  summary: "Votes of a quorum, of which any two share a node; a vote that is given stays until the release.",
  paper: { ...card.paper, authors: "Mamoru Maekawa" },
  assumes: { ...card.assumes, tolerates: [] },
  weaknesses: [
    {
      name: "deadlock",
      description: "Nodes can each have a vote that the next of them waits for.",
      faults: "none",
      breaks: "no starvation"
    },
    ...card.weaknesses
  ],
  cost: { operation: "entry", best: cost(3), worst: cost(3) }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "mutex/maekawa",
  card,
  message: Message,

  init: (self) => nobodyAsks(quorumFor(self), self.options.variant === "sanders"),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? request(state, state.quorum, act) : state
      case "Release":
        return state.phase === "idle" ? state : release(state, act)
    }
  },

  onMessage: receive
}

// ---------------------------------------------------------------------------------------------------- quorums and layer

/** The quorum of a node under these options; those that were given are checked by `layer`. */
export const quorumFor = ({ id, nodes, options }: Protocol.Self<Options>): ReadonlyArray<NodeId.NodeId> =>
  typeof options.quorums === "string" ? quorumOf(options.quorums, nodes, id) : options.quorums[id]!

export const defaults: Options = { quorums: "plane", variant: "sanders" }

/** The forms there are, the default one first. */
export const variants = {
  sanders: { card, options: defaults },
  basic: { card: basicCard, options: { ...defaults, variant: "basic" } }
} satisfies Readonly<Record<Options["variant"], { readonly card: Card.Card<State>; readonly options: Options }>>

/** What is worth telling of the lock among these nodes: how many of them have a quorum of which size. */
export const facts = (nodes: ReadonlyArray<NodeId.NodeId>, { quorums }: Options = defaults) => {
  const all = quorums === "plane" ? plane(nodes) : quorums === "grid" ? grid(nodes) : quorums
  return { quorumSizes: sizesOf(Object.values(all)) }
}

const reading: Reading<State> = {
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ queue }) => queue.length,
  waitsFor: ({ missing }) => missing
}

/**
 * A `Mutex` by Maekawa's algorithm among the nodes of the transport. `resource` names the lock: nodes that use the same
 * name exclude each other, and every node must build the layer with the same options. Fails with `InvalidOptions` where
 * two quorums have no node in common, a node is not in its own, or is in none, and on a node outside its group.
 */
export const layer = (
  options: { readonly resource: string } & Partial<Options>
): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { resource, ...given } = options
      const settings = yield* checked({ ...defaults, ...given }, (yield* Transport).nodes)
      const { mutex, onRestart } = yield* acquisition(reading)
      const name = `${protocol.name}/${resource}`
      return yield* mutex(yield* Actor.spawn(protocol, { name, options: settings, onRestart }))
    })
  )

const checked = (options: Options, nodes: ReadonlyArray<NodeId.NodeId>): Effect.Effect<Options, InvalidOptions> => {
  const { quorums, variant } = options
  const refuse = (reason: string) => Effect.fail(new InvalidOptions({ reason }))
  if (!Object.hasOwn(variants, variant)) {
    return refuse(`there is no variant "${variant}" of Maekawa's lock. Take "sanders" or "basic"`)
  }
  if (typeof quorums !== "string") {
    const problem = problemOf(quorums, nodes)
    return problem === undefined ? Effect.succeed(options) : refuse(problem)
  }
  return quorums === "plane" || quorums === "grid"
    ? Effect.succeed(options)
    : refuse(`there are no quorums "${String(quorums)}". Take "plane", "grid", or give the quorum of each node`)
}
