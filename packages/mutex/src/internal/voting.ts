/**
 * Nodes with one vote each, and nodes that ask a quorum for theirs: what the locks by quorums share.
 *
 * A vote that is given stays until the release. So that nodes which each have a vote that another waits for do not wait
 * for ever, a node whose vote is out when an earlier claim comes inquires whether it may have it back. Whoever has it
 * yields when it knows that it cannot enter yet: because some node has told it that its claim failed there, or because it
 * has yielded already. To know that in time it must also be told when an earlier claim of another comes before its own.
 *
 * A node that is suspected is given no vote, and the one that it has is given to the next: that is as safe as the
 * suspicion is right.
 *
 * Source: M. Maekawa, "A √N Algorithm for Mutual Exclusion in Decentralized Systems", ACM TOCS 3(2), 1985; B. A. Sanders,
 * "The Information Structure of Distributed Mutual Exclusion Algorithms", ACM TOCS 5(3), 1987.
 */
import type { Protocol } from "@troupe/actor"
import { LamportTimestamp } from "@troupe/clocks"
import type { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import type { FencingToken } from "../Mutex.ts"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** `request` is the time of the claim that a message is about, `vote` the time at which a vote was given. */
export const Message = Schema.Union([
  /** "May I have your vote?" */
  Schema.TaggedStruct("Request", { request: Natural }),
  /** "You have it." */
  Schema.TaggedStruct("Locked", { request: Natural, vote: Natural }),
  /** "You have it again", after a yield. */
  Schema.TaggedStruct("LockedAgain", { request: Natural, vote: Natural }),
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

/** Tags of messages that are sent only where several want to enter at once. */
export const contention = ["Failed", "Inquire", "Yield", "LockedAgain"]

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

/** Claims are earlier and later in Lamport's order, of two at one time by their nodes. */
interface Claim extends LamportTimestamp.LamportTimestamp {
  /** Whether it has had this node's vote, and yielded. */
  readonly yielded?: true
}

export interface Voting {
  // Lamport's clock: at least the time of every claim, vote and release that it has heard of.
  readonly time: number

  // As one who asks.
  /** Whom it asks. */
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
  /** Whether it asks for a vote back, for an earlier claim. */
  readonly inquires: boolean
  /** Claims that wait for its vote, the earliest first; where it does not inquire, in the order in which they came. */
  readonly queue: ReadonlyArray<Claim>
  /** The latest request of each node that is over: it may come after its release. */
  readonly over: Readonly<Record<NodeId.NodeId, number>>
  /** Who has no vote, and is given none. */
  readonly suspected: ReadonlyArray<NodeId.NodeId>
}

type Act = Protocol.Actions<Message, Event, never>

/** The vote of a node that nobody has asked, and that asks nobody. */
export const nobodyAsks = (quorum: ReadonlyArray<NodeId.NodeId>, inquires: boolean): Voting => ({
  time: 0,
  quorum,
  phase: "idle",
  claim: 0,
  missing: [],
  failed: [],
  inquired: [],
  votes: {},
  vote: undefined,
  inquires,
  queue: [],
  over: {},
  suspected: []
})

/** A message of a node arrives. */
export const receive = (state: Voting, from: NodeId.NodeId, message: Message, act: Act): Voting => {
  switch (message._tag) {
    case "Request":
      return onRequest(state, { time: message.request, node: from }, act)
    case "Locked":
    case "LockedAgain":
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

/** Hands a message to a node; one to itself costs none, and is handled at once. */
const tell = (state: Voting, to: NodeId.NodeId, message: Message, act: Act): Voting => {
  if (to === act.self.id) return receive(state, to, message, act)
  act.send(to, message)
  return state
}

const tellQuorum = (state: Voting, message: Message, act: Act): Voting =>
  state.quorum.reduce<Voting>((told, node) => tell(told, node, message, act), state)

const hear = (state: Voting, time: number): Voting => (time > state.time ? { ...state, time } : state)

// --------------------------------------------------------------------------------------------------------- who asks

/** Asks all of the quorum. Of none it never has all votes. */
export const request = (state: Voting, quorum: ReadonlyArray<NodeId.NodeId>, act: Act): Voting => {
  const time = state.time + 1
  const asking: Voting = { ...state, time, quorum, phase: "waiting", claim: time, missing: quorum, votes: {} }
  return tellQuorum(asking, { _tag: "Request", request: time }, act)
}

/** Leaves, or withdraws the request. */
export const release = (state: Voting, act: Act): Voting =>
  tellQuorum(
    { ...state, phase: "idle", missing: [], failed: [], inquired: [], votes: {} },
    { _tag: "Release", request: state.claim, time: state.time },
    act
  )

/** Whether a message is about the request that waits. */
const isAwaited = ({ claim, phase }: Voting, request: number): boolean => phase === "waiting" && request === claim

const onLocked = (before: Voting, from: NodeId.NodeId, given: Ballot, act: Act): Voting => {
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
const onInquire = (before: Voting, from: NodeId.NodeId, given: Ballot, act: Act): Voting => {
  const state = onLocked(before, from, given, act)
  const hasVote = isAwaited(state, given.request) && state.votes[from] === given.vote && !state.missing.includes(from)
  if (!hasVote || state.inquired.includes(from)) return state
  return state.failed.length > 0 ? yieldTo(state, from, act) : { ...state, inquired: [...state.inquired, from] }
}

/** Now it cannot enter before that node has voted for it: what others want back they get. */
const onFailed = (state: Voting, from: NodeId.NodeId, request: number, act: Act): Voting => {
  if (!isAwaited(state, request) || !state.missing.includes(from) || state.failed.includes(from)) return state
  const inquirers = state.inquired
  return inquirers.reduce<Voting>((failed, inquirer) => yieldTo(failed, inquirer, act), {
    ...state,
    failed: [...state.failed, from],
    inquired: []
  })
}

const yieldTo = (state: Voting, to: NodeId.NodeId, act: Act): Voting =>
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
const enter = (state: Voting, act: Act): Voting => {
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

const onRequest = (before: Voting, claim: Claim, act: Act): Voting => {
  const state = hear(before, claim.time)
  const isKnown = isSame(state.vote, claim) || state.queue.some((other) => isSame(other, claim))
  if (isKnown || claim.time <= (state.over[claim.node] ?? -1)) return state
  if (!state.inquires && state.vote !== undefined) return { ...state, queue: [...state.queue, claim] }
  const queued = { ...state, queue: inserted(state.queue, claim) }
  if (state.suspected.includes(claim.node)) return queued
  return state.vote === undefined ? giveNext(queued, act) : compete(queued, claim, state.vote, act)
}

/** Who waits is told that it failed, unless it comes first of all: then the vote is asked back. */
const compete = (state: Voting, claim: Claim, vote: NonNullable<Voting["vote"]>, act: Act): Voting => {
  const [first, second] = eligible(state)
  if (!isSame(first, claim) || LamportTimestamp.isBefore(vote, claim)) return fail(state, claim, act)
  if (!vote.inquired) {
    const inquiring = { ...state, vote: { ...vote, inquired: true } }
    return tell(inquiring, vote.node, { _tag: "Inquire", request: vote.time, vote: vote.at }, act)
  }
  // It was first until now, and has not been told yet (Sanders 1987).
  return second !== undefined && LamportTimestamp.isBefore(second, vote) ? fail(state, second, act) : state
}

const fail = (state: Voting, { node, time }: Claim, act: Act): Voting =>
  tell(state, node, { _tag: "Failed", request: time }, act)

const onYield = (state: Voting, from: NodeId.NodeId, given: Ballot, act: Act): Voting => {
  const claim = { time: given.request, node: from }
  return isSame(state.vote, claim) && state.vote!.at === given.vote
    ? giveNext({ ...state, vote: undefined, queue: inserted(state.queue, { ...claim, yielded: true }) }, act)
    : state
}

/** A release may overtake those of earlier requests, and its own request. */
const onRelease = (before: Voting, { node, time: request }: Claim, time: number, act: Act): Voting => {
  const heard = hear(before, time)
  if (request <= (heard.over[node] ?? -1)) return heard
  const isOver = (claim: Claim): boolean => claim.node === node && claim.time <= request
  const queue = heard.queue.filter((claim) => !isOver(claim))
  const state = { ...heard, queue, over: { ...heard.over, [node]: request } }
  return state.vote !== undefined && isOver(state.vote) ? giveNext({ ...state, vote: undefined }, act) : state
}

/** The claims of the queue that may have its vote. */
const eligible = ({ queue, suspected }: Voting): ReadonlyArray<Claim> =>
  suspected.length === 0 ? queue : queue.filter(({ node }) => !suspected.includes(node))

const giveNext = (state: Voting, act: Act): Voting => {
  const [first] = eligible(state)
  return first === undefined ? state : give({ ...state, queue: without(state.queue, first) }, first, act)
}

const give = (state: Voting, { node, time, yielded }: Claim, act: Act): Voting => {
  const at = state.time + 1
  const given: Voting = { ...state, time: at, vote: { time, node, at, inquired: false } }
  return tell(given, node, { _tag: yielded === true ? "LockedAgain" : "Locked", request: time, vote: at }, act)
}

const inserted = (queue: ReadonlyArray<Claim>, claim: Claim): ReadonlyArray<Claim> => {
  const at = queue.findIndex((other) => LamportTimestamp.isBefore(claim, other))
  return at < 0 ? [...queue, claim] : queue.toSpliced(at, 0, claim)
}

const without = <A>(all: ReadonlyArray<A>, one: A): ReadonlyArray<A> =>
  all.includes(one) ? all.filter((each) => each !== one) : all

// ---------------------------------------------------------------------------------------------------------- suspicions

/**
 * Where times begin anew when a node is suspected: past all that it may have entered at, so that whoever enters instead
 * has a higher token.
 */
const timesPerSuspicion = 2 ** 30

/** The vote that the node has goes to the next; its claims are kept, for it may be up. */
export const suspect = (before: Voting, node: NodeId.NodeId, act: Act): Voting => {
  if (before.suspected.includes(node)) return before
  const time = (Math.floor(before.time / timesPerSuspicion) + 1) * timesPerSuspicion
  const state = { ...before, time, suspected: [...before.suspected, node] }
  if (state.vote?.node !== node) return state
  const { time: claimed } = state.vote
  return giveNext(
    { ...state, vote: undefined, queue: inserted(state.queue, { time: claimed, node, yielded: true }) },
    act
  )
}

/** The claims of the node compete as if they had come now. */
export const trust = (state: Voting, node: NodeId.NodeId, act: Act): Voting => {
  if (!state.suspected.includes(node)) return state
  const claims = state.queue.filter((claim) => claim.node === node)
  return claims.reduce<Voting>((trusting, claim) => onRequest(trusting, claim, act), {
    ...state,
    suspected: without(state.suspected, node),
    queue: state.queue.filter((claim) => claim.node !== node)
  })
}
