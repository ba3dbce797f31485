/**
 * Election among candidates, begun by ordinary nodes: few answer, and as a rule one asks.
 *
 * Only candidates may lead. A node that misses its leader waits for its tiebreaker δ, which is 0 for one node and longer by
 * a step for each other: ordinary nodes come first. If it has heard of no election by then, it asks all candidates who is
 * up, waits a round trip for answers, and appoints the highest. That one announces itself to all. A step of δ is longer
 * than such an election takes, so that one is under way, not as many as there are nodes.
 *
 * Nobody bullies: a candidate that comes up, however high, follows the leader that there is.
 *
 * Epochs: a claim to lead carries a number higher than claimant and initiator have heard of, which leaves the claimant's
 * rank when divided by N. A node that knows of a higher one says so: a claimant claims anew, a leader steps down. It is to
 * keep epochs apart that the winner announces itself, where the sources let the initiator do so: one message more. A
 * claimant leads one round trip after its claim.
 *
 * Source: M. Gholipour, M. S. Kordafshari, M. Jahanshahi, A. M. Rahmani, "A New Approach For Election Algorithm in
 * Distributed Systems", CTRQ 2009; A. Petrov, "Database Internals", O'Reilly 2019, chapter 10.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import { Election, InvalidOptions, type Leader } from "./Election.ts"
import { electing } from "./internal/electing.ts"
import * as Epochs from "./internal/epochs.ts"
import { decode, Millis, millis } from "./internal/settings.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Epoch = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To all candidates: "which of you are up?" */
  Schema.TaggedStruct("Election", { seen: Epoch }),
  /** A candidate's answer: "I am, and would lead". */
  Schema.TaggedStruct("Alive", { seen: Epoch }),
  /** To the highest that answered: "lead". */
  Schema.TaggedStruct("Appoint", { seen: Epoch }),
  /** To all: "I am to lead in this epoch". */
  Schema.TaggedStruct("Coordinator", { epoch: Epoch }),
  /** From the leader to all: "I still lead". */
  Schema.TaggedStruct("Heartbeat", { epoch: Epoch }),
  /** To one who claims or leads in `epoch`: "there has been one as late, up to `seen`". */
  Schema.TaggedStruct("Stale", { epoch: Epoch, seen: Epoch }),
  /** From the leader to all: "I lead no longer". */
  Schema.TaggedStruct("Resigned", { epoch: Epoch })
])
export type Message = typeof Message.Type

export type Event = { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined }

export type Command =
  /** Stands for election again. Ignored by an ordinary node. */
  | { readonly _tag: "Campaign" }
  /** Leads no longer, and leaves the election to the others. */
  | { readonly _tag: "Resign" }

export interface State {
  /** Whether it is a candidate, and wants to lead. */
  readonly standing: boolean
  readonly role:
    /** Follows `leader`, or waits to hear of one. */
    | "following"
    /** Misses a leader, waits for its tiebreaker. */
    | "waiting"
    /** Has sent ELECTION, waits for answers. */
    | "asking"
    /** Has sent APPOINT, waits for COORDINATOR. */
    | "appointing"
    /** Has sent COORDINATOR, waits for objections. */
    | "claiming"
    | "leading"
  /** Whom this node follows, itself while it leads. */
  readonly leader: Leader | undefined
  /** While asking: the highest candidate that is up, as far as is known. */
  readonly best: NodeId.NodeId | undefined
  // Epochs. None of them falls while the node is up.
  /** The highest heard of, its own claims included. */
  readonly seen: number
  /** The highest in which it followed a leader. */
  readonly followed: number
  /** The highest that it claimed. */
  readonly claimed: number
}

export interface Options {
  /** How often the leader says that it is there. */
  readonly heartbeatEveryMillis: number
  /** The longest that a message and its answer take, the time to handle them included: the synchrony assumed. */
  readonly roundTripMillis: number
  /** How much longer each node waits than the one before it. An election takes two round trips; suspicions differ by half. */
  readonly tiebreakerMillis: number
  /** Who may lead. Default: the higher half, of an odd number the greater one. */
  readonly candidates?: ReadonlyArray<NodeId.NodeId>
}

type Timer = "tiebreaker" | "answer" | "coordinator" | "claim" | "heartbeat" | "suspect"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

const candidatesAmong = (nodes: number): number => Math.ceil(nodes / 2)

export const card: Card.Card<State> = {
  title: "Candidate/ordinary",
  summary: "After a delay of its own, a node asks the candidates who is up, and appoints the highest.",
  paper: {
    authors: "Majid Gholipour, M. S. Kordafshari, Mohsen Jahanshahi, Amir Masoud Rahmani",
    title: "A New Approach For Election Algorithm in Distributed Systems",
    venue: "CTRQ",
    year: 2009
  },
  assumes: {
    timing: "synchronous",
    failures: "crash-recovery",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none", "crash"]
  },
  guarantees: [
    Epochs.atMostOneLeader,
    Epochs.oneLeaderAnEpoch,
    {
      name: "a candidate leads",
      kind: "eventually",
      description:
        "When a candidate is up and stands for election, one such leads, and every node that is up follows it.",
      holds: (nodes) => {
        const up = nodes.filter(({ alive }) => alive)
        const leading = up.find(({ state }) => state.role === "leading")
        return leading === undefined
          ? up.every(({ state }) => !state.standing && state.leader === undefined)
          : leading.state.standing && up.every(({ state }) => state.leader?.id === leading.node)
      }
    },
    Epochs.aLeaderIsElected
  ],
  weaknesses: [
    {
      name: "split brain",
      description: "When the network splits, each part with a candidate takes the other for dead and has a leader.",
      faults: "partition",
      breaks: "at most one leader"
    },
    {
      name: "no candidate is up",
      description: "While all candidates are down there is no leader, though ordinary nodes are up.",
      faults: "crash"
    },
    Epochs.forgottenEpochs
  ],
  cost: {
    operation: "election",
    best: { text: "2⌈N/2⌉+N−3", of: (nodes) => 2 * candidatesAmong(nodes) + nodes - 3 },
    worst: { text: "2⌈N/2⌉+N", of: (nodes) => 2 * candidatesAmong(nodes) + nodes },
    background: ["Heartbeat"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "election/candidate-ordinary",
  card,
  message: Message,

  init: (self) => ({
    ...{ standing: candidatesOf(self).includes(self.id), role: "following", leader: undefined, best: undefined },
    ...{ seen: 0, followed: 0, claimed: 0 }
  }),

  // There may be a leader already.
  onStart: (state, act) => become("following", state, act),

  onCommand: (state, command, act) => {
    if (command._tag === "Campaign")
      return state.standing || !candidatesOf(act.self).includes(act.self.id) ? state : { ...state, standing: true }
    const resigned = state.standing ? { ...state, standing: false } : state
    if (state.role !== "leading") return state.role === "claiming" ? become("following", resigned, act) : resigned
    act.sendAll(act.self.peers, { _tag: "Resigned", epoch: state.claimed })
    return missLeader(resigned, act)
  },

  onMessage: (before, from, message, act) => {
    const epoch = "seen" in message ? message.seen : message.epoch
    const state = hear(epoch > before.seen ? { ...before, seen: epoch } : before, from, message, act)
    if (state.claimed >= state.seen) return state
    // Who claims in an epoch that is not the latest claims anew; who leads in one has been deposed.
    if (state.role === "claiming") return claim(state, act)
    return state.role === "leading" ? become("following", Epochs.changeLeader(state, undefined, act), act) : state
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      // The leader is silent for too long.
      case "suspect":
        return missLeader(state, act)
      // Nobody else has begun.
      case "tiebreaker":
        return ask(state, act)
      case "answer":
        return appoint(state, act)
      // Whom it appointed went down, or stands no longer.
      case "coordinator":
        return ask(state, act)
      // Nobody objected, and any other leader has stepped down.
      case "claim":
        return lead(state, act)
      case "heartbeat":
        return beat(state, act)
    }
  }
}

const hear = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  switch (message._tag) {
    case "Election":
      if (state.standing) act.send(from, { _tag: "Alive", seen: state.seen })
      if (state.role === "leading") act.send(from, { _tag: "Heartbeat", epoch: state.claimed })
      // That one is under way.
      return state.role === "waiting" ? become("following", state, act) : state

    case "Alive":
      return state.role === "asking" && (state.best === undefined || NodeId.isHigher(from, state.best))
        ? { ...state, best: from }
        : state

    case "Appoint":
      return state.standing && state.role !== "claiming" && state.role !== "leading" ? claim(state, act) : state

    case "Coordinator":
    case "Heartbeat": {
      // An epoch is claimed once: a second claim comes from a node that has forgotten the first in a crash.
      const fresh = message._tag === "Coordinator" ? message.epoch > state.followed : message.epoch >= state.followed
      if (fresh && message.epoch === state.seen) return follow(state, { id: from, epoch: message.epoch }, act)
      act.send(from, { _tag: "Stale", epoch: message.epoch, seen: state.seen })
      return state
    }

    // All that it says is `seen`, unless that is the very epoch of the claim.
    case "Stale":
      return state.role === "claiming" && state.claimed === message.epoch ? claim(state, act) : state

    case "Resigned":
      return Epochs.follows(state, from, message.epoch) ? missLeader(state, act) : state
  }
}

const candidatesOf = ({ nodes, options }: Protocol.Self<Options>): ReadonlyArray<NodeId.NodeId> =>
  options.candidates ?? nodes.slice(nodes.length - candidatesAmong(nodes.length))

/** Its δ: ordinary nodes wait less than candidates, and of either the higher less than the lower. */
const tiebreakerOf = (self: Protocol.Self<Options>): number => {
  const candidates = candidatesOf(self)
  const isCandidate = candidates.includes(self.id)
  const likes = self.nodes.filter((node) => candidates.includes(node) === isCandidate)
  const place = likes.length - 1 - likes.indexOf(self.id)
  return (isCandidate ? self.nodes.length - candidates.length + place : place) * self.options.tiebreakerMillis
}

const missLeader = (state: State, act: Act): State => {
  const without = Epochs.changeLeader(state, undefined, act)
  return tiebreakerOf(act.self) === 0 ? ask(without, act) : become("waiting", without, act)
}

const ask = (state: State, act: Act): State => {
  const others = candidatesOf(act.self).filter((node) => node !== act.self.id)
  act.sendAll(others, { _tag: "Election", seen: state.seen })
  return become("asking", { ...state, best: state.standing ? act.self.id : undefined }, act)
}

const appoint = ({ best, ...asking }: State, act: Act): State => {
  const state = { ...asking, best: undefined }
  if (best === undefined) return become("following", state, act)
  if (best === act.self.id) return claim(state, act)
  act.send(best, { _tag: "Appoint", seen: state.seen })
  return become("appointing", state, act)
}

/** Announces itself, in an epoch that no other node can claim. */
const claim = (state: State, act: Act): State => {
  const epoch = Epochs.nextEpoch(state.seen, act.self)
  act.sendAll(act.self.peers, { _tag: "Coordinator", epoch })
  const claimed = { ...Epochs.changeLeader(state, undefined, act), best: undefined, seen: epoch, claimed: epoch }
  return become("claiming", claimed, act)
}

const lead = (state: State, act: Act): State =>
  beat(become("leading", Epochs.changeLeader(state, { id: act.self.id, epoch: state.claimed }, act), act), act)

const beat = (state: State, act: Act): State => {
  act.sendAll(act.self.peers, { _tag: "Heartbeat", epoch: state.claimed })
  act.setTimer("heartbeat", act.self.options.heartbeatEveryMillis)
  return state
}

const follow = (state: State, leader: Leader, act: Act): State =>
  become("following", { ...Epochs.changeLeader(state, leader, act), best: undefined, followed: leader.epoch }, act)

/** Enters a role: each waits for one thing. */
const become = (role: State["role"], state: State, act: Act): State => {
  const { heartbeatEveryMillis, roundTripMillis } = act.self.options
  for (const timer of ["tiebreaker", "answer", "coordinator", "claim", "heartbeat", "suspect"] as const)
    act.clearTimer(timer)
  switch (role) {
    case "following":
      // A claimant is silent for one round trip, a leader between heartbeats; an election takes two.
      act.setTimer("suspect", Math.max(2 * heartbeatEveryMillis, roundTripMillis) + roundTripMillis)
      break
    case "waiting":
      act.setTimer("tiebreaker", tiebreakerOf(act.self))
      break
    // An answer may take the whole of a round trip: what comes in its last moment still counts.
    case "asking":
      act.setTimer("answer", roundTripMillis + 1)
      break
    case "appointing":
      act.setTimer("coordinator", roundTripMillis + 1)
      break
    case "claiming":
      act.setTimer("claim", roundTripMillis)
      break
    case "leading":
      break
  }
  return state.role === role ? state : { ...state, role }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default. */
export const defaults: Options = { heartbeatEveryMillis: 250, roundTripMillis: 400, tiebreakerMillis: 1200 }

const Settings = Schema.Struct({
  heartbeatEveryMillis: Millis,
  roundTripMillis: Millis,
  tiebreakerMillis: Millis,
  candidates: Schema.optionalKey(Schema.Array(NodeId.NodeId))
})

/**
 * An `Election` among candidates of the nodes of the transport.
 *
 * The options must be the same on all nodes. With a `roundTrip` that is too short for the network, a live leader is deposed
 * now and then, and two may lead for a moment: who fences by epoch is safe. With a `tiebreaker` below two and a half round
 * trips, several nodes may begin an election; that costs messages alone. Durations are above 0 and below 24 days. Fails
 * with `InvalidOptions` when an option is out of its range, there is no candidate, or one is named twice or is no node.
 */
export const layer = (
  options: {
    /** How often the leader says that it is there. Default: 250 ms. */
    readonly heartbeatEvery?: Duration.Input
    /** The longest that a message and its answer take. Default: 400 ms. */
    readonly roundTrip?: Duration.Input
    /** By how much the delays of two nodes differ at least. Default: three round trips. */
    readonly tiebreaker?: Duration.Input
    /** Who may lead. Default: the higher half of the nodes, of an odd number the greater one. */
    readonly candidates?: ReadonlyArray<NodeId.NodeId>
  } = {}
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      return yield* election(yield* Actor.spawn(protocol, { options: yield* settings(options), onRestart }))
    })
  )

const settings = Effect.fnUntraced(function* (options: NonNullable<Parameters<typeof layer>[0]>) {
  const roundTripMillis = millis(options.roundTrip, defaults.roundTripMillis)
  const decoded = yield* decode<Options>(Settings, {
    heartbeatEveryMillis: millis(options.heartbeatEvery, defaults.heartbeatEveryMillis),
    roundTripMillis,
    tiebreakerMillis: millis(options.tiebreaker, 3 * Number(roundTripMillis)),
    ...(options.candidates === undefined ? {} : { candidates: options.candidates })
  })
  const { nodes } = yield* Transport
  const reason = wrongWith(decoded.candidates ?? nodes, nodes)
  return reason === undefined ? decoded : yield* new InvalidOptions({ reason })
})

const wrongWith = (
  candidates: ReadonlyArray<NodeId.NodeId>,
  nodes: ReadonlyArray<NodeId.NodeId>
): string | undefined => {
  if (candidates.length === 0) return "there are no candidates; name at least one"
  const twice = candidates.find((node, at) => candidates.indexOf(node) !== at)
  if (twice !== undefined) return `the candidate "${twice}" is named twice`
  const stranger = candidates.find((node) => !nodes.includes(node))
  return stranger === undefined ? undefined : `the candidate "${stranger}" is no node of the transport`
}
