/**
 * The bully algorithm with next-in-line failover: the leader publishes its heirs, and the first that is up takes over.
 *
 * Whoever follows a leader tells it so, and the leader's heartbeats name the highest of them: its heirs. A node that
 * misses its leader asks the first heir to succeed. That one claims at once: a round of messages, and no election. When it
 * does not within a round trip, the next is asked. When no heir is left, an election is held as in the bully algorithm:
 * ELECTION to the higher nodes, OK from those that are up, COORDINATOR from the highest. A node that comes up holds one
 * at once, and so takes the lead from a lower one.
 *
 * Epochs and claims are those of `Bully`: a claim goes to an epoch above all that the claimant has heard of, a node that
 * knows of a higher one objects, and a claimant leads one round trip after its claim.
 *
 * Source: A. Petrov, "Database Internals", O'Reilly 2019, chapter 10, "Next-In-Line Failover"; for the election
 * H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on Computers C-31(1), 1982.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import { Election, type InvalidOptions, type Leader } from "./Election.ts"
import { electing } from "./internal/electing.ts"
import * as Epochs from "./internal/epochs.ts"
import { decode, Millis, millis } from "./internal/settings.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Epoch = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To the first heir: "the leader of `epoch` is gone; take over". */
  Schema.TaggedStruct("Succeed", { epoch: Epoch }),
  /** To higher nodes: "is one of you up?" */
  Schema.TaggedStruct("Election", { seen: Epoch }),
  /** To a lower node: "yes; I take over". */
  Schema.TaggedStruct("Ok", { seen: Epoch }),
  /** From an heir to all, or after an election to lower nodes: "I am to lead in this epoch". */
  Schema.TaggedStruct("Coordinator", { epoch: Epoch }),
  /** To one who claims or leads in `epoch`: "I follow, and would take over". */
  Schema.TaggedStruct("Follow", { epoch: Epoch }),
  /** From the leader to all: "I still lead, and these take over, in this order". */
  Schema.TaggedStruct("Heartbeat", { epoch: Epoch, heirs: Schema.Array(NodeId.NodeId) }),
  /** To one who claims or leads in `epoch`: "there has been one as late, up to `seen`". */
  Schema.TaggedStruct("Stale", { epoch: Epoch, seen: Epoch }),
  /** From the leader to all: "I lead no longer". */
  Schema.TaggedStruct("Resigned", { epoch: Epoch })
])
export type Message = typeof Message.Type

export type Event = { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined }

export type Command =
  /** Stands for election again. */
  | { readonly _tag: "Campaign" }
  /** Leads no longer, and leaves the lead to the heirs. */
  | { readonly _tag: "Resign" }

export interface State {
  /** Whether it wants to lead. */
  readonly standing: boolean
  readonly role:
    /** Follows `leader`, or waits to hear of one. */
    | "following"
    /** Has asked the first of `heirs` to succeed. */
    | "succeeding"
    /** Has sent ELECTION, waits for an OK. */
    | "electing"
    /** Has an OK, waits for COORDINATOR. */
    | "deferring"
    /** Has sent COORDINATOR, waits for objections. */
    | "claiming"
    | "leading"
  /** Whom this node follows, itself while it leads. */
  readonly leader: Leader | undefined
  /** Who takes over, the first first: of a follower, as published; while succeeding, who is left; of a leader, its own. */
  readonly heirs: ReadonlyArray<NodeId.NodeId>
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
  /** How many heirs a leader names. Each that is down delays its successor by a round trip. */
  readonly heirsMax: number
}

type Timer = "heir" | "answer" | "coordinator" | "claim" | "heartbeat" | "suspect"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Next-in-line failover",
  summary:
    "The leader publishes its heirs, and the first that is up takes over at once; without one, the highest leads.",
  paper: { authors: "Alex Petrov", title: "Database Internals", venue: "O'Reilly", year: 2019 },
  assumes: {
    timing: "synchronous",
    failures: "crash-recovery",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none", "crash"]
  },
  guarantees: [Epochs.atMostOneLeader, Epochs.oneLeaderAnEpoch, Epochs.highestLeads(), Epochs.aLeaderIsElected],
  weaknesses: [
    {
      name: "split brain",
      description: "When the network splits, each part takes the other for dead and has a leader of its own.",
      faults: "partition",
      breaks: "at most one leader"
    },
    {
      name: "dead heirs",
      description:
        "A leader does not hear that an heir has crashed: each that is down costs its successor a round trip.",
      faults: "crash"
    },
    Epochs.forgottenEpochs
  ],
  cost: {
    operation: "election",
    best: { text: "2N−3", of: (nodes) => 2 * nodes - 3 },
    worst: { text: "N²+N−2", of: (nodes) => nodes * nodes + nodes - 2 },
    background: ["Heartbeat"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "election/next-in-line",
  card,
  message: Message,

  init: () => ({ standing: true, role: "following", leader: undefined, heirs: [], seen: 0, followed: 0, claimed: 0 }),

  onStart: (state, act) => holdElection(state, act),

  onCommand: (state, command, act) => {
    if ((command._tag === "Campaign") === state.standing) return state
    if (command._tag === "Campaign") return holdElection({ ...state, standing: true }, act)
    if (state.role === "leading") act.sendAll(act.self.peers, { _tag: "Resigned", epoch: state.claimed })
    const resigned = { ...state, standing: false }
    return state.role === "following" ? resigned : become("following", loseLeader({ ...resigned, heirs: [] }, act), act)
  },

  onMessage: (before, from, message, act) => {
    const epoch = "seen" in message ? message.seen : message.epoch
    const state = hear(epoch > before.seen ? { ...before, seen: epoch } : before, from, message, act)
    // Who claims or leads in an epoch that is not the latest claims anew.
    return (state.role === "claiming" || state.role === "leading") && state.claimed < state.seen
      ? claim(state, Epochs.lowerThan(act.self), act)
      : state
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      // The leader is silent for too long.
      case "suspect":
        return succeed(loseLeader(state, act), act)
      // So is its heir.
      case "heir":
        return succeed({ ...state, heirs: state.heirs.slice(1) }, act)
      // No higher node is up.
      case "answer":
        return claim(state, Epochs.lowerThan(act.self), act)
      // A higher node took over, and went down before it could lead.
      case "coordinator":
        return holdElection(state, act)
      // Nobody objected, and any lower leader has stepped down.
      case "claim":
        return lead(state, act)
      case "heartbeat":
        return beat(state, act)
    }
  }
}

const hear = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  switch (message._tag) {
    case "Succeed": {
      // Who has another leader, or none that it remembers, is no heir.
      const isHeir = (state.role === "following" || state.role === "succeeding") && state.followed === message.epoch
      return state.standing && isHeir ? claim(state, act.self.peers, act) : state
    }

    case "Election":
      if (!state.standing) return state
      act.send(from, { _tag: "Ok", seen: state.seen })
      // An election of its own would end as the last one did: it still leads.
      if (state.role === "leading") act.send(from, { _tag: "Heartbeat", epoch: state.claimed, heirs: state.heirs })
      // A node that has not heard of this node's leader cannot suspect it; one that has may know better.
      return state.role === "following" && message.seen >= state.followed ? holdElection(state, act) : state

    case "Ok":
      return state.role === "electing" || state.role === "claiming" ? defer(state, act) : state

    case "Coordinator":
    case "Heartbeat": {
      // Whoever leads below this node does not know that it is up.
      if (state.standing && NodeId.isHigher(act.self.id, from))
        return state.role === "following" || state.role === "succeeding" ? holdElection(state, act) : state
      // An epoch is claimed once: a second claim comes from a node that has forgotten the first in a crash.
      const fresh = message._tag === "Coordinator" ? message.epoch > state.followed : message.epoch >= state.followed
      if (fresh && message.epoch === state.seen) {
        const heirs = message._tag === "Heartbeat" ? message.heirs : []
        return follow(state, { id: from, epoch: message.epoch }, heirs, act)
      }
      act.send(from, { _tag: "Stale", epoch: message.epoch, seen: state.seen })
      return state.role === "leading" || state.role === "claiming" ? defer(state, act) : state
    }

    case "Follow":
      return hasClaimed(state, message.epoch) ? { ...state, heirs: withHeir(state.heirs, from, act) } : state

    case "Stale":
      // About an earlier claim, it has been answered by a new one.
      return hasClaimed(state, message.epoch) ? claim(state, Epochs.lowerThan(act.self), act) : state

    case "Resigned":
      return Epochs.follows(state, from, message.epoch) ? succeed(loseLeader(state, act), act) : state
  }
}

const hasClaimed = (state: State, epoch: number): boolean =>
  (state.role === "claiming" || state.role === "leading") && state.claimed === epoch

/** The highest first. */
const withHeir = (heirs: ReadonlyArray<NodeId.NodeId>, heir: NodeId.NodeId, act: Act): ReadonlyArray<NodeId.NodeId> => {
  if (heirs.includes(heir)) return heirs
  const at = heirs.findIndex((other) => NodeId.isHigher(heir, other))
  return heirs.toSpliced(at < 0 ? heirs.length : at, 0, heir).slice(0, act.self.options.heirsMax)
}

/** Lets the first heir take over: this node, when it is the first. */
const succeed = (state: State, act: Act): State => {
  const [heir] = state.heirs
  // A node above the heirs has come up since they were named.
  if (heir === undefined || !state.standing || NodeId.isHigher(act.self.id, heir)) return holdElection(state, act)
  if (heir === act.self.id) return claim(state, act.self.peers, act)
  act.send(heir, { _tag: "Succeed", epoch: state.followed })
  return become("succeeding", state, act)
}

const holdElection = (before: State, act: Act): State => {
  const state = before.heirs.length === 0 || before.leader !== undefined ? before : { ...before, heirs: [] }
  if (!state.standing) return become("following", state, act)
  const higher = Epochs.higherThan(act.self)
  if (higher.length === 0) return claim(state, Epochs.lowerThan(act.self), act)
  act.sendAll(higher, { _tag: "Election", seen: state.seen })
  return become("electing", state, act)
}

/** A higher node is up, and will lead. */
const defer = (state: State, act: Act): State =>
  become("deferring", state.role === "leading" ? loseLeader({ ...state, heirs: [] }, act) : state, act)

/** Announces itself, in an epoch that no other node can claim. An heir has asked nobody, and so tells everybody. */
const claim = (state: State, told: ReadonlyArray<NodeId.NodeId>, act: Act): State => {
  const epoch = Epochs.nextEpoch(state.seen, act.self)
  act.sendAll(told, { _tag: "Coordinator", epoch })
  return become("claiming", { ...loseLeader(state, act), heirs: [], seen: epoch, claimed: epoch }, act)
}

const lead = (state: State, act: Act): State =>
  beat(become("leading", Epochs.changeLeader(state, { id: act.self.id, epoch: state.claimed }, act), act), act)

const beat = (state: State, act: Act): State => {
  act.sendAll(act.self.peers, { _tag: "Heartbeat", epoch: state.claimed, heirs: state.heirs })
  act.setTimer("heartbeat", act.self.options.heartbeatEveryMillis)
  return state
}

const follow = (state: State, leader: Leader, heirs: ReadonlyArray<NodeId.NodeId>, act: Act): State => {
  const isNews = !Epochs.follows(state, leader.id, leader.epoch)
  if (isNews && state.standing) act.send(leader.id, { _tag: "Follow", epoch: leader.epoch })
  return become("following", { ...Epochs.changeLeader(state, leader, act), heirs, followed: leader.epoch }, act)
}

const loseLeader = (state: State, act: Act): State => Epochs.changeLeader(state, undefined, act)

/** Enters a role: each waits for one thing. */
const become = (role: State["role"], state: State, act: Act): State => {
  const { heartbeatEveryMillis, roundTripMillis } = act.self.options
  for (const timer of ["heir", "answer", "coordinator", "claim", "heartbeat", "suspect"] as const) act.clearTimer(timer)
  switch (role) {
    case "following":
      // A claimant is silent for one round trip, a leader between heartbeats.
      act.setTimer("suspect", Math.max(2 * heartbeatEveryMillis, roundTripMillis) + roundTripMillis)
      break
    case "succeeding":
      act.setTimer("heir", roundTripMillis)
      break
    case "electing":
      act.setTimer("answer", roundTripMillis)
      break
    case "deferring":
      // Whoever took over asks the nodes above it, then announces itself.
      act.setTimer("coordinator", 3 * roundTripMillis)
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

/** The settings that `layer` has by default: a leader that crashes is replaced within 2 seconds by any of three heirs. */
export const defaults: Options = { heartbeatEveryMillis: 250, roundTripMillis: 400, heirsMax: 3 }

const Settings = Schema.Struct({
  heartbeatEveryMillis: Millis,
  roundTripMillis: Millis,
  heirsMax: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
})

/**
 * An `Election` with next-in-line failover among the nodes of the transport.
 *
 * `heartbeatEvery` and `roundTrip` must be the same on all nodes, both above 0 and below 24 days. With a `roundTrip` that
 * is too short for the network, a live leader is deposed now and then, and two may lead for a moment: who fences by epoch
 * is safe. Fails with `InvalidOptions` when an option is out of its range.
 */
export const layer = (
  options: {
    /** How often the leader says that it is there. Default: 250 ms. */
    readonly heartbeatEvery?: Duration.Input
    /** The longest that a message and its answer take. Default: 400 ms. */
    readonly roundTrip?: Duration.Input
    /** How many heirs a leader names, from 0 to 1,000. Default: 3. */
    readonly heirs?: number
  } = {}
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      return yield* election(yield* Actor.spawn(protocol, { options: yield* settings(options), onRestart }))
    })
  )

const settings = (options: NonNullable<Parameters<typeof layer>[0]>) =>
  decode<Options>(Settings, {
    heartbeatEveryMillis: millis(options.heartbeatEvery, defaults.heartbeatEveryMillis),
    roundTripMillis: millis(options.roundTrip, defaults.roundTripMillis),
    heirsMax: options.heirs ?? defaults.heirsMax
  })
