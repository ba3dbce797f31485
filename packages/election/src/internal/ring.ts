/**
 * What all elections round a ring share: numbered elections, the announcement, and the repair of the ring.
 *
 * An algorithm elects once. Here elections are numbered, and each message carries the number of its own. A node that
 * hears of a later one drops what it knew of the earlier and takes part, as if it had just woken up; what belongs to an
 * earlier one is ignored. So an election is begun anew by beginning the next.
 *
 * The epoch of a leader is (number of its election) · N + (its rank): two leaders never share one, whatever goes wrong.
 *
 * Where a failure detector says who is dead, each node skips the dead, and begins anew when its leader has died, or, while
 * an election is under way, a neighbour: only there can a message have been lost. What a detector does not see, a node
 * that is back before it was suspected, shows by an election that stands still: that is begun anew as well.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { Suspicion } from "@troupe/failure-detection"
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import type { Leader } from "../Election.ts"
import { changeLeader, oneLeaderAnEpoch } from "./epochs.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** The number of an election, from 1. */
export const Round = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** "Hold an election": from one that begins it and does not stand. */
export const Call = Schema.TaggedStruct("Call", { round: Round })

/** "This election was won by `leader`": goes all round. */
export const Coordinator = Schema.TaggedStruct("Coordinator", { round: Round, leader: NodeId.NodeId })

/** To one who speaks of an election that is over: "this is the latest; `leader` has won it". */
export const Over = Schema.TaggedStruct("Over", { round: Round, leader: NodeId.NodeId })

type Outcome = typeof Coordinator.Type | typeof Over.Type

export type Message<Token> = Token | typeof Call.Type | Outcome

export type Command =
  /** Stands for election again. */
  | { readonly _tag: "Campaign" }
  /** Leads no longer, and leaves the election to the others. */
  | { readonly _tag: "Resign" }
  /** A failure detector takes a node for dead, or no longer. */
  | Suspicion.Suspicion
  /** Begins anew, if an election is under way: it has stood still for so long that a message must have been lost. */
  | { readonly _tag: "Retry" }

export type Event = { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined }

export interface State {
  /** Whether it wants to lead. */
  readonly standing: boolean
  /** The latest election that it has heard of. Never falls while the node is up. */
  readonly round: number
  /** Who won that election; none while it is under way. */
  readonly leader: Leader | undefined
  /** Whether the predecessor has said so: nothing more of this election comes from it. */
  readonly closed: boolean
  /** The latest election that a suspected node spoke of: one that begins anew goes beyond. */
  readonly missed: number

  // The ring.
  /** Whom it takes for dead: they are skipped, and not heard. */
  readonly suspected: ReadonlyArray<NodeId.NodeId>
  /** The next clockwise that is not suspected: itself when it is alone. */
  readonly successor: NodeId.NodeId
  /** The next the other way. */
  readonly predecessor: NodeId.NodeId
}

export interface Options {
  /** The nodes in the order in which they stand on the ring, clockwise. Default: the order of their names. */
  readonly ring?: ReadonlyArray<NodeId.NodeId>
}

export type Act<Token> = Protocol.Actions<Message<Token>, Event, never, Options>

/** What is an algorithm's own. */
export interface Algorithm<S extends State, Token> {
  /**
   * Takes part in the election `state.round` from now on: a candidate, or a relay when it does not stand. `begins`: nobody's
   * message woke it up, unless it was a call to begin. It is not alone.
   */
  readonly join: (state: S, act: Act<Token>, begins: boolean) => S
  /** Takes a message of the election under way. */
  readonly hear: (state: S, from: NodeId.NodeId, token: Token, act: Act<Token>) => S
}

/** Of a node that knows nothing yet. */
export const initial = (self: Protocol.Self<Options>): State => ({
  standing: true,
  round: 0,
  leader: undefined,
  closed: false,
  missed: 0,
  ...neighbours(self, [])
})

// ---------------------------------------------------------------------------------------------- what algorithms ask for

/** Sends on, clockwise. */
export const sendOn = <Token>(state: State, message: Message<Token>, act: Act<Token>): void => {
  if (state.successor !== act.self.id) act.send(state.successor, message)
}

/** The election is over, for this node and all behind it: `leader` has won. */
export const settle = <S extends State, Token>(state: S, leader: NodeId.NodeId, act: Act<Token>): S =>
  follow(state, leader, true, act)

/** The election is over: says so to all. Each hands it on to the next, until it is back. */
export const announce = <S extends State, Token>(state: S, leader: NodeId.NodeId, act: Act<Token>): S => {
  sendOn(state, { _tag: "Coordinator", round: state.round, leader }, act)
  return follow(state, leader, false, act)
}

// --------------------------------------------------------------------------------------------------------- the handlers

/** The handlers of a protocol that elects by `algorithm`. */
export const electingBy = <S extends State, Token extends { readonly _tag: string; readonly round: number }>(
  algorithm: Algorithm<S, Token>
): Pick<
  Protocol.Protocol<S, Message<Token>, Command, Event, never, Options>,
  "onStart" | "onCommand" | "onMessage"
> => {
  type Acts = Act<Token>

  const join = (state: S, round: number, act: Acts, begins: boolean): S => {
    const joined = { ...changeLeader(state, undefined, act), round, closed: false }
    if (state.successor !== act.self.id) return algorithm.join(joined, act, begins)
    return state.standing ? settle(joined, act.self.id, act) : joined
  }

  const beginAnew = (state: S, act: Acts): S => {
    const joined = join(state, Math.max(state.round, state.missed) + 1, act, true)
    // A candidate wakes the others by its first message.
    if (!joined.standing) sendOn(joined, { _tag: "Call", round: joined.round }, act)
    return joined
  }

  const onSuspicion = (state: S, suspicion: Suspicion.Suspicion, act: Acts): S => {
    const { _tag, node } = suspicion
    const isSuspected = state.suspected.includes(node)
    if (node === act.self.id || (_tag === "Suspect") === isSuspected) return state
    const suspected = isSuspected ? state.suspected.filter((other) => other !== node) : [...state.suspected, node]
    const place = neighbours(act.self, suspected)
    const next = { ...state, ...place, closed: state.closed && place.predecessor === state.predecessor }
    return _tag === "Suspect" ? withoutNode(state, next, node, act) : withNode(next, node, act)
  }

  const withoutNode = (before: S, state: S, node: NodeId.NodeId, act: Acts): S => {
    if (state.leader === undefined)
      return node === before.successor || node === before.predecessor ? beginAnew(state, act) : state
    if (state.leader.id === node) return beginAnew(state, act)
    // It may have died before it handed the announcement on.
    if (node === before.successor)
      sendOn(state, { _tag: "Coordinator", round: state.round, leader: state.leader.id }, act)
    return state
  }

  /** What was sent to a node that was skipped, or came from one that was not heard, is lost. */
  const withNode = (state: S, node: NodeId.NodeId, act: Acts): S =>
    node === state.successor || node === state.predecessor ? beginAnew(state, act) : state

  const hearOutcome = (state: S, from: NodeId.NodeId, message: Outcome, act: Acts): S => {
    const { leader, round } = message
    if (!act.self.nodes.includes(leader)) return state
    const closed = message._tag === "Coordinator" && from === state.predecessor
    if (round === state.round && state.leader !== undefined)
      return closed && !state.closed ? { ...state, closed } : state
    // It was held without this node, or this node has forgotten that it won.
    const missed = round > state.round || message._tag === "Over"
    if (missed && state.standing && !NodeId.isHigher(leader, act.self.id)) return beginAnew({ ...state, round }, act)
    return { ...announce({ ...state, round }, leader, act), closed }
  }

  const onMessage = (before: S, from: NodeId.NodeId, message: Message<Token>, act: Acts): S => {
    if (before.suspected.includes(from))
      return message.round > before.missed ? { ...before, missed: message.round } : before
    if (before.leader !== undefined && isPast(before, from, message)) {
      act.send(from, { _tag: "Over", round: before.round, leader: before.leader.id })
      return before
    }
    if (message.round < before.round) return before
    if (isOutcome(message)) return hearOutcome(before, from, message, act)
    const wakes = message.round > before.round
    const state = wakes ? join(before, message.round, act, isCall(message)) : before
    if (isCall(message)) {
      if (wakes && !state.standing) sendOn(state, message, act)
      return state
    }
    return state.leader === undefined ? algorithm.hear(state, from, message, act) : state
  }

  return {
    onStart: beginAnew,

    onCommand: (state, command, act) => {
      switch (command._tag) {
        case "Campaign": {
          if (state.standing) return state
          const standing = { ...state, standing: true }
          const isLed = state.leader !== undefined && NodeId.isHigher(state.leader.id, act.self.id)
          return isLed ? standing : beginAnew(standing, act)
        }
        case "Resign": {
          if (!state.standing) return state
          const resigned = { ...state, standing: false }
          // While an election is under way it may be winning.
          const isFollower = state.leader !== undefined && state.leader.id !== act.self.id
          return isFollower ? resigned : beginAnew(resigned, act)
        }
        case "Suspect":
        case "Trust":
          return onSuspicion(state, command, act)
        case "Retry":
          return state.leader === undefined ? beginAnew(state, act) : state
      }
    },

    onMessage
  }
}

/**
 * Whether a message is of an election that is over, so that its sender does not know of the latest: it has started anew, or
 * was cut off. Links are FIFO, so that after its announcement nothing more comes from a predecessor that has not forgotten.
 */
const isPast = (
  { closed, predecessor, round }: State,
  from: NodeId.NodeId,
  message: { readonly _tag: string; readonly round: number }
): boolean =>
  message._tag !== "Over" &&
  (message.round < round ||
    (closed && message.round === round && from === predecessor && message._tag !== "Coordinator"))

const isCall = (message: { readonly _tag: string }): message is typeof Call.Type => message._tag === "Call"

const isOutcome = (message: { readonly _tag: string }): message is Outcome =>
  message._tag === "Coordinator" || message._tag === "Over"

const follow = <S extends State, Token>(state: S, leader: NodeId.NodeId, closed: boolean, act: Act<Token>): S => {
  const { nodes } = act.self
  const epoch = state.round * nodes.length + nodes.indexOf(leader)
  return { ...changeLeader(state, { id: leader, epoch }, act), closed }
}

/** A node's place on the ring, without those whom it suspects. */
const neighbours = (
  { id, nodes, options }: Protocol.Self<Options>,
  suspected: ReadonlyArray<NodeId.NodeId>
): Pick<State, "suspected" | "successor" | "predecessor"> => {
  const ring = (options.ring ?? nodes).filter((node) => node === id || !suspected.includes(node))
  const at = ring.indexOf(id)
  return { suspected, successor: ring[(at + 1) % ring.length]!, predecessor: ring.at(at - 1)! }
}

// ----------------------------------------------------------------------------------------------------------- the cards

/** What each of these elections guarantees. */
export const guarantees: ReadonlyArray<Card.Guarantee<State>> = [
  {
    name: "at most one leader",
    kind: "always",
    description: "No two nodes lead at the same time.",
    holds: (nodes) => nodes.filter(({ alive, node, state }) => alive && state.leader?.id === node).length <= 1
  },
  oneLeaderAnEpoch,
  {
    name: "the highest leads",
    kind: "eventually",
    description: "Every node that is up follows the highest that is up and stands for election.",
    holds: (nodes) => {
      const up = nodes.filter(({ alive }) => alive)
      const highest = up
        .filter(({ state }) => state.standing)
        .map(({ node }) => node)
        .reduce<NodeId.NodeId | undefined>(
          (best, node) => (best === undefined || NodeId.isHigher(node, best) ? node : best),
          undefined
        )
      return up.every(({ state }) => state.leader?.id === highest)
    }
  },
  {
    name: "a leader is elected",
    kind: "sometimes",
    description: "The run has seen a leader.",
    holds: (nodes) => nodes.some(({ node, state }) => state.leader?.id === node)
  }
]

/** Where each of them breaks. */
export const weaknesses: ReadonlyArray<Card.Weakness> = [
  {
    name: "a crash starves",
    description:
      "What was sent to a node that is down is lost, and the election with it. A failure detector in the context repairs the ring.",
    faults: "crash",
    breaks: "the highest leads"
  },
  {
    name: "one lost message starves",
    description: "A message that is lost is not sent again.",
    faults: "lossy",
    breaks: "the highest leads"
  },
  {
    name: "a split starves",
    description: "A message that crosses a split is lost. With a failure detector each part elects a leader.",
    faults: "partition",
    breaks: "the highest leads"
  },
  {
    name: "forgotten epochs",
    description: "When every node that knows the latest election is down, they are counted anew: none is kept on disk.",
    faults: "crash"
  }
]
