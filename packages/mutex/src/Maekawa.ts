/**
 * Maekawa: permission from a quorum is enough where any two quorums have a node in common.
 *
 * Each node has one vote. To enter, a node asks all of its quorum for theirs, itself included, and gives them back when
 * it leaves: 3(|R|−1) messages, with |R| near √N. Two nodes cannot both have the vote of the node that their quorums
 * share.
 *
 * That alone deadlocks, in the variant `basic`: three nodes can each have a vote that the next one waits for. In Sanders'
 * form, the default, a node whose vote is out when an earlier claim comes inquires whether it may have it back. Whoever
 * has it yields when it knows that it cannot enter yet: because some node has told it that its claim failed there, or
 * because it has yielded already. To know that in time it must also be told when a later claim of another comes before
 * its own, which Maekawa had left out.
 *
 * Source: M. Maekawa, "A √N Algorithm for Mutual Exclusion in Decentralized Systems", ACM TOCS 3(2), 1985; B. A. Sanders,
 * "The Information Structure of Distributed Mutual Exclusion Algorithms", ACM TOCS 5(3), 1987.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { LamportTimestamp } from "@troupe/clocks"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { planeSize, problemOf, quorumOf, type Quorums } from "./internal/quorums.ts"
import { type FencingToken, InvalidOptions, Mutex } from "./Mutex.ts"

export type { Quorums } from "./internal/quorums.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** `request` is the time of the claim that a message is about, `vote` the time at which a vote was given. */
export const Message = Schema.Union([
  /** "May I have your vote?" */
  Schema.TaggedStruct("Request", { request: Natural }),
  /** "You have it." */
  Schema.TaggedStruct("Locked", { request: Natural, vote: Natural }),
  /** "Not yet: an earlier claim comes before yours." */
  Schema.TaggedStruct("Failed", { request: Natural }),
  /** "I gave you my vote, and an earlier claim has come: may I have it back?" */
  Schema.TaggedStruct("Inquire", { request: Natural, vote: Natural }),
  /** "Have it back, and keep my claim." */
  Schema.TaggedStruct("Yield", { request: Natural, vote: Natural }),
  /** "I am done with it, or have withdrawn." `time`: the sender's clock. */
  Schema.TaggedStruct("Release", { request: Natural, time: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

/** Claims are earlier and later in Lamport's order, of two at one time by their nodes. */
type Claim = LamportTimestamp.LamportTimestamp

export interface State {
  // Lamport's clock: at least the time of every claim, vote and release that it has heard of.
  readonly time: number

  // As one who asks.
  /** Itself among them. */
  readonly quorum: ReadonlyArray<NodeId.NodeId>
  readonly phase: "idle" | "waiting" | "inside"
  /** The time of its latest request. */
  readonly claim: number
  /** Whose vote it does not have. Empty unless waiting. */
  readonly missing: ReadonlyArray<NodeId.NodeId>
  /** Of these, who has said that it will take longer, or had the vote back. */
  readonly failed: ReadonlyArray<NodeId.NodeId>
  /** Who wants back a vote that it has. Empty once somebody failed it. */
  readonly inquired: ReadonlyArray<NodeId.NodeId>
  /** The latest vote of each node for this request. */
  readonly votes: Readonly<Record<NodeId.NodeId, number>>

  // As one who is asked.
  /** The claim that has its vote, and when it was given. */
  readonly vote: (Claim & { readonly at: number; readonly inquired: boolean }) | undefined
  /** Claims that wait for its vote, the earliest first; in the basic variant, in the order in which they came. */
  readonly queue: ReadonlyArray<Claim>
  /** The latest request of each node that is over: it may come after its release. */
  readonly over: Readonly<Record<NodeId.NodeId, number>>
}

export interface Options {
  /**
   * Whose votes a node takes. `plane`: lines of a projective plane, |R| = q+1 for the least q with q²+q+1 ≥ N that is a
   * power of a prime. `grid`: its row and its column in a square, 2√N − 1. Or the quorum of each node.
   */
  readonly quorums: "plane" | "grid" | Quorums
  /** `sanders`, with inquire, yield and fail, does not deadlock; `basic` does. */
  readonly variant: "sanders" | "basic"
}

type Act = Protocol.Actions<Message, Event, never, Options>

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
  cost: { operation: "entry", best: cost(3), worst: cost(6) }
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

  init: (self) => ({
    time: 0,
    quorum: quorumFor(self),
    phase: "idle",
    claim: 0,
    missing: [],
    failed: [],
    inquired: [],
    votes: {},
    vote: undefined,
    queue: [],
    over: {}
  }),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? request(state, act) : state
      case "Release":
        return state.phase === "idle" ? state : release(state, act)
    }
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Request":
        return onRequest(state, { time: message.request, node: from }, act)
      case "Locked":
        return onLocked(state, from, message, act)
      case "Failed":
        return onFailed(state, from, message.request, act)
      case "Inquire":
        return onInquire(state, from, message, act)
      case "Yield":
        return onYield(state, from, message, act)
      case "Release":
        return onRelease(state, { time: message.request, node: from }, message.time, act)
    }
  }
}

/** Hands a message to a node; one to itself costs none, and is handled at once. */
const tell = (state: State, to: NodeId.NodeId, message: Message, act: Act): State => {
  if (to === act.self.id) return protocol.onMessage(state, to, message, act)
  act.send(to, message)
  return state
}

const tellQuorum = (state: State, message: Message, act: Act): State =>
  state.quorum.reduce<State>((told, node) => tell(told, node, message, act), state)

const hear = (state: State, time: number): State => (time > state.time ? { ...state, time } : state)

// --------------------------------------------------------------------------------------------------------- who asks

const request = (state: State, act: Act): State => {
  const time = state.time + 1
  const asking: State = { ...state, time, phase: "waiting", claim: time, missing: state.quorum, votes: {} }
  return tellQuorum(asking, { _tag: "Request", request: time }, act)
}

const release = (state: State, act: Act): State =>
  tellQuorum(
    { ...state, phase: "idle", missing: [], failed: [], inquired: [], votes: {} },
    { _tag: "Release", request: state.claim, time: state.time },
    act
  )

/** Whether a message is about the request that waits. */
const isAwaited = ({ claim, phase }: State, request: number): boolean => phase === "waiting" && request === claim

const onLocked = (before: State, from: NodeId.NodeId, given: Ballot, act: Act): State => {
  const state = hear(before, given.vote)
  if (!isAwaited(state, given.request) || given.vote <= (state.votes[from] ?? -1)) return state
  const missing = without(state.missing, from)
  const voted = {
    ...state,
    missing,
    failed: without(state.failed, from),
    votes: { ...state.votes, [from]: given.vote }
  }
  return missing.length === 0 ? enter(voted, act) : voted
}

/** Says that this request has a vote: the message that gave it may be behind. */
const onInquire = (before: State, from: NodeId.NodeId, given: Ballot, act: Act): State => {
  const state = onLocked(before, from, given, act)
  const hasVote = isAwaited(state, given.request) && state.votes[from] === given.vote && !state.missing.includes(from)
  if (!hasVote || state.inquired.includes(from)) return state
  return state.failed.length > 0 ? yieldTo(state, from, act) : { ...state, inquired: [...state.inquired, from] }
}

/** Now it cannot enter before that node has voted for it: what others want back they get. */
const onFailed = (state: State, from: NodeId.NodeId, request: number, act: Act): State => {
  if (!isAwaited(state, request) || !state.missing.includes(from) || state.failed.includes(from)) return state
  const inquirers = state.inquired
  return inquirers.reduce<State>((failed, inquirer) => yieldTo(failed, inquirer, act), {
    ...state,
    failed: [...state.failed, from],
    inquired: []
  })
}

const yieldTo = (state: State, to: NodeId.NodeId, act: Act): State =>
  tell(
    { ...state, missing: [...state.missing, to], failed: [...state.failed, to] },
    to,
    { _tag: "Yield", request: state.claim, vote: state.votes[to]! },
    act
  )

/**
 * The token is the time of entry. The next to enter has a vote of a node that has heard of this entry's release, and
 * gave it at a later time.
 */
const enter = (state: State, act: Act): State => {
  if (!Number.isSafeInteger(state.time)) throw new RangeError("fencing tokens are used up: 2^53 of them")
  act.emit({ _tag: "Acquired", token: state.time })
  return { ...state, phase: "inside", inquired: [] }
}

// ------------------------------------------------------------------------------------------------------- who is asked

/** What a message says about a vote. */
interface Ballot {
  readonly request: number
  readonly vote: number
}

const isSame = (one: Claim | undefined, other: Claim): boolean =>
  one !== undefined && one.time === other.time && one.node === other.node

const onRequest = (before: State, claim: Claim, act: Act): State => {
  const state = hear(before, claim.time)
  const isKnown = isSame(state.vote, claim) || state.queue.some((other) => isSame(other, claim))
  if (isKnown || claim.time <= (state.over[claim.node] ?? -1)) return state
  if (state.vote === undefined) return give(state, claim, act)
  return act.self.options.variant === "basic"
    ? { ...state, queue: [...state.queue, claim] }
    : compete({ ...state, queue: inserted(state.queue, claim) }, claim, state.vote, act)
}

/** Who waits is told that it failed, unless it comes first of all: then the vote is asked back. */
const compete = (state: State, claim: Claim, vote: NonNullable<State["vote"]>, act: Act): State => {
  const [first, second] = state.queue
  if (!isSame(first, claim) || LamportTimestamp.isBefore(vote, claim)) return fail(state, claim, act)
  if (!vote.inquired) {
    const inquiring = { ...state, vote: { ...vote, inquired: true } }
    return tell(inquiring, vote.node, { _tag: "Inquire", request: vote.time, vote: vote.at }, act)
  }
  // It was first until now, and has not been told yet (Sanders 1987).
  return second !== undefined && LamportTimestamp.isBefore(second, vote) ? fail(state, second, act) : state
}

const fail = (state: State, { node, time }: Claim, act: Act): State =>
  tell(state, node, { _tag: "Failed", request: time }, act)

const onYield = (state: State, from: NodeId.NodeId, given: Ballot, act: Act): State => {
  const claim = { time: given.request, node: from }
  return isSame(state.vote, claim) && state.vote!.at === given.vote
    ? giveNext({ ...state, vote: undefined, queue: inserted(state.queue, claim) }, act)
    : state
}

/** A release may overtake those of earlier requests, and its own request. */
const onRelease = (before: State, { node, time: request }: Claim, time: number, act: Act): State => {
  const heard = hear(before, time)
  if (request <= (heard.over[node] ?? -1)) return heard
  const isOver = (claim: Claim): boolean => claim.node === node && claim.time <= request
  const queue = heard.queue.filter((claim) => !isOver(claim))
  const state = { ...heard, queue, over: { ...heard.over, [node]: request } }
  return state.vote !== undefined && isOver(state.vote) ? giveNext({ ...state, vote: undefined }, act) : state
}

const giveNext = (state: State, act: Act): State => {
  const [first, ...queue] = state.queue
  return first === undefined ? state : give({ ...state, queue }, first, act)
}

const give = (state: State, { node, time }: Claim, act: Act): State => {
  const at = state.time + 1
  const given: State = { ...state, time: at, vote: { time, node, at, inquired: false } }
  return tell(given, node, { _tag: "Locked", request: time, vote: at }, act)
}

const inserted = (queue: ReadonlyArray<Claim>, claim: Claim): ReadonlyArray<Claim> => {
  const at = queue.findIndex((other) => LamportTimestamp.isBefore(claim, other))
  return at < 0 ? [...queue, claim] : queue.toSpliced(at, 0, claim)
}

const without = (nodes: ReadonlyArray<NodeId.NodeId>, node: NodeId.NodeId): ReadonlyArray<NodeId.NodeId> =>
  nodes.includes(node) ? nodes.filter((other) => other !== node) : nodes

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

const reading: Reading<State> = {
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ queue }) => queue.length,
  waitsFor: ({ missing }) => missing
}

/**
 * A `Mutex` by Maekawa's algorithm among the nodes of the transport. `resource` names the lock: nodes that use the same
 * name exclude each other, and every node must build the layer with the same options. Fails with `InvalidOptions` where
 * two quorums have no node in common, a node is not in its own, or is in none.
 */
export const layer = (
  options: { readonly resource: string } & Partial<Options>
): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
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
