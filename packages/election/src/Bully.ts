/**
 * The bully algorithm: of the nodes that are up, the one with the highest id leads.
 *
 * A node that misses its leader sends ELECTION to all higher nodes. Each that is up answers OK, "I take over", and holds
 * an election of its own. A node that hears no OK is the highest that is up: it sends COORDINATOR to all lower nodes.
 * A node that comes up holds an election at once, and so takes the lead from a lower one: hence the name.
 *
 * Two refinements. Epochs: each claim to lead carries a number higher than the claimant has heard of; a node that knows
 * of a higher one says so, and the claim is made anew. And a claimant leads only one round trip after its claim: by then
 * a lower leader has stepped down, or an objection has come.
 *
 * An unstable highest node makes an election each time that it comes and goes. `ranking` cures that: nodes report the
 * quality of their hosts, which goes before ids, and which is 0 until a node has been up for a while or has claimed to
 * lead. Who outranks whom is then known to nobody beforehand, so all are asked and told, not the higher or lower alone.
 *
 * All of it rests on time: an answer that takes longer than `roundTrip` counts as none. When the network splits, each
 * part elects a leader.
 *
 * Source: H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on Computers C-31(1), 1982.
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
/** Of the sender's host. Left out where all are equal. */
const quality = Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))

export const Message = Schema.Union([
  /** To higher nodes: "is one of you up?" */
  Schema.TaggedStruct("Election", { seen: Epoch, quality }),
  /** To a lower node: "yes; I take over". */
  Schema.TaggedStruct("Ok", { seen: Epoch }),
  /** To lower nodes: "I am to lead in this epoch". */
  Schema.TaggedStruct("Coordinator", { epoch: Epoch, quality }),
  /** From the leader to all: "I still lead". */
  Schema.TaggedStruct("Heartbeat", { epoch: Epoch, quality }),
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
  /** Leads no longer, and leaves the election to the others. */
  | { readonly _tag: "Resign" }

export interface State {
  /** Whether it wants to lead. */
  readonly standing: boolean
  readonly role:
    /** Follows `leader`, or waits to hear of one. */
    | "following"
    /** Has sent ELECTION, waits for an OK. */
    | "electing"
    /** Has an OK, waits for COORDINATOR. */
    | "deferring"
    /** Has sent COORDINATOR, waits for objections. */
    | "claiming"
    | "leading"
  /** Whom this node follows, itself while it leads. */
  readonly leader: Leader | undefined
  /** What it reports: it never falls while the node is up. 0 without `ranking`. */
  readonly quality: number
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
  /** How hosts are told apart, on all nodes or on none. Without it, ids alone count. */
  readonly ranking?: {
    /** The quality of this node's host, above 0: each node has its own. */
    readonly quality: number
    /** How long a node has been up before that counts; 0: from its start. A node that claims to lead need not wait. */
    readonly stableForMillis: number
  }
}

type Timer = "answer" | "coordinator" | "claim" | "heartbeat" | "suspect" | "stable"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Bully",
  summary: "The highest node that is up leads; a node that finds no higher one up announces itself.",
  paper: {
    authors: "Hector Garcia-Molina",
    title: "Elections in a Distributed Computing System",
    venue: "IEEE Transactions on Computers C-31(1)",
    year: 1982
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
    Epochs.highestLeads((one, other) => outranks(one, other)),
    Epochs.aLeaderIsElected
  ],
  weaknesses: [
    {
      name: "split brain",
      description: "When the network splits, each part takes the other for dead and elects a leader.",
      faults: "partition",
      breaks: "at most one leader"
    },
    Epochs.forgottenEpochs,
    {
      name: "an unstable highest node",
      description: "It makes an election each time that it comes and goes, unless `ranking` makes it wait.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "election",
    best: { text: "N−2", of: (nodes) => Math.max(0, nodes - 2) },
    worst: { text: "N²−1", of: (nodes) => nodes * nodes - 1 },
    background: ["Heartbeat"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "election/bully",
  card,
  message: Message,

  init: ({ options: { ranking } }) => ({
    ...{ standing: true, role: "following", leader: undefined, seen: 0, followed: 0, claimed: 0 },
    quality: ranking === undefined || ranking.stableForMillis > 0 ? 0 : ranking.quality
  }),

  onStart: (state, act) => {
    const { stableForMillis = 0 } = act.self.options.ranking ?? {}
    if (stableForMillis > 0) act.setTimer("stable", stableForMillis)
    return holdElection(state, act)
  },

  onCommand: (state, command, act) => {
    if ((command._tag === "Campaign") === state.standing) return state
    if (command._tag === "Campaign") return holdElection({ ...state, standing: true }, act)
    if (state.role === "leading") act.sendAll(act.self.peers, { _tag: "Resigned", epoch: state.claimed })
    const resigned = { ...state, standing: false }
    return state.role === "following"
      ? resigned
      : become("following", Epochs.changeLeader(resigned, undefined, act), act)
  },

  onMessage: (before, from, message, act) => {
    const epoch = "seen" in message ? message.seen : message.epoch
    const state = hear(epoch > before.seen ? { ...before, seen: epoch } : before, from, message, act)
    // Who claims or leads in an epoch that is not the latest claims anew.
    return (state.role === "claiming" || state.role === "leading") && state.claimed < state.seen
      ? claim(state, act)
      : state
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      // No higher node is up.
      case "answer":
        return claim(state, act)
      // A higher node took over, and went down before it could lead.
      case "coordinator":
        return holdElection(state, act)
      // Nobody objected, and any lower leader has stepped down.
      case "claim":
        return lead(state, act)
      case "heartbeat":
        return beat(state, act)
      // The leader is silent for too long.
      case "suspect":
        return missLeader(state, act)
      // The heartbeat of a leader that it outranks makes it hold an election.
      case "stable":
        return proven(state, act)
    }
  }
}

const hear = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  switch (message._tag) {
    case "Election":
      if (!state.standing || !isAbove(state, from, message, act)) return state
      act.send(from, { _tag: "Ok", seen: state.seen })
      // An election of its own would end as the last one did: it still leads.
      if (state.role === "leading") act.send(from, { _tag: "Heartbeat", epoch: state.claimed, ...report(state, act) })
      // A node that has not heard of this node's leader cannot suspect it; one that has may know better.
      return state.role === "following" && message.seen >= state.followed ? holdElection(state, act) : state

    case "Ok":
      return state.role === "electing" || state.role === "claiming" ? defer(state, act) : state

    case "Coordinator":
    case "Heartbeat": {
      // Whoever leads below this node does not know that it is up.
      if (state.standing && isAbove(state, from, message, act))
        return state.role === "following" ? holdElection(state, act) : state
      // An epoch is claimed once: a second claim comes from a node that has forgotten the first in a crash.
      const fresh = message._tag === "Coordinator" ? message.epoch > state.followed : message.epoch >= state.followed
      if (fresh && message.epoch === state.seen) return follow(state, { id: from, epoch: message.epoch }, act)
      act.send(from, { _tag: "Stale", epoch: message.epoch, seen: state.seen })
      return state.role === "leading" || state.role === "claiming" ? defer(state, act) : state
    }

    case "Stale":
      // About an earlier claim, it has been answered by a new one.
      return (state.role === "leading" || state.role === "claiming") && state.claimed === message.epoch
        ? claim(state, act)
        : state

    case "Resigned":
      return Epochs.follows(state, from, message.epoch)
        ? holdElection(Epochs.changeLeader(state, undefined, act), act)
        : state
  }
}

interface Ranked {
  readonly node: NodeId.NodeId
  readonly state: { readonly quality: number }
}

const outranks = (one: Ranked, other: Ranked): boolean =>
  one.state.quality === other.state.quality
    ? NodeId.isHigher(one.node, other.node)
    : one.state.quality > other.state.quality

/** Whether this node outranks a sender. */
const isAbove = (
  state: State,
  node: NodeId.NodeId,
  { quality = 0 }: { readonly quality?: number },
  act: Act
): boolean => outranks({ node: act.self.id, state }, { node, state: { quality } })

/** What a message says of this node's host. */
const report = ({ quality }: State, act: Act): { readonly quality?: number } =>
  act.self.options.ranking === undefined ? {} : { quality }

/** A node that has been up for long enough, or that claims to lead. */
const proven = (state: State, act: Act): State => {
  const { quality = 0 } = act.self.options.ranking ?? {}
  return state.quality === quality ? state : { ...state, quality }
}

/** Its leader is silent. Where nobody else is above, there is nobody to ask. */
const missLeader = (state: State, act: Act): State => {
  const left = Epochs.changeLeader(state, undefined, act)
  const isNext = electors(act).every((node) => node === state.leader?.id)
  return state.standing && isNext ? claim(left, act) : holdElection(left, act)
}

/** Who may be above this node. */
const electors = ({ self }: Act): ReadonlyArray<NodeId.NodeId> =>
  self.options.ranking === undefined ? Epochs.higherThan(self) : self.peers

const holdElection = (state: State, act: Act): State => {
  if (!state.standing) return become("following", state, act)
  const asked = electors(act)
  if (asked.length === 0) return claim(state, act)
  act.sendAll(asked, { _tag: "Election", seen: state.seen, ...report(state, act) })
  return become("electing", state, act)
}

/** A higher node is up, and will lead. */
const defer = (state: State, act: Act): State =>
  become("deferring", state.role === "leading" ? Epochs.changeLeader(state, undefined, act) : state, act)

/** Announces itself, in an epoch that no other node can claim. */
const claim = (before: State, act: Act): State => {
  const state = proven(before, act)
  const epoch = Epochs.nextEpoch(state.seen, act.self)
  const told = act.self.options.ranking === undefined ? Epochs.lowerThan(act.self) : act.self.peers
  act.sendAll(told, { _tag: "Coordinator", epoch, ...report(state, act) })
  return become("claiming", { ...Epochs.changeLeader(state, undefined, act), seen: epoch, claimed: epoch }, act)
}

const lead = (state: State, act: Act): State =>
  beat(become("leading", Epochs.changeLeader(state, { id: act.self.id, epoch: state.claimed }, act), act), act)

const beat = (state: State, act: Act): State => {
  act.sendAll(act.self.peers, { _tag: "Heartbeat", epoch: state.claimed, ...report(state, act) })
  act.setTimer("heartbeat", act.self.options.heartbeatEveryMillis)
  return state
}

const follow = (state: State, leader: Leader, act: Act): State =>
  become("following", { ...Epochs.changeLeader(state, leader, act), followed: leader.epoch }, act)

/** Enters a role: each waits for one thing. */
const become = (role: State["role"], state: State, act: Act): State => {
  const { heartbeatEveryMillis, roundTripMillis } = act.self.options
  for (const timer of ["answer", "coordinator", "claim", "heartbeat", "suspect"] as const) act.clearTimer(timer)
  switch (role) {
    case "following":
      // A claimant is silent for one round trip, a leader between heartbeats.
      act.setTimer("suspect", Math.max(2 * heartbeatEveryMillis, roundTripMillis) + roundTripMillis)
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

/** The settings that `layer` has by default: a leader that crashes is replaced within 2 seconds. */
export const defaults: Options = { heartbeatEveryMillis: 250, roundTripMillis: 400 }

const Settings = Schema.Struct({
  heartbeatEveryMillis: Millis,
  roundTripMillis: Millis,
  ranking: Schema.optionalKey(
    Schema.Struct({
      quality: Schema.Finite.check(Schema.isGreaterThan(0)),
      stableForMillis: Schema.Union([Millis, Schema.Literal(0)])
    })
  )
})

/**
 * An `Election` by the bully algorithm among the nodes of the transport.
 *
 * `heartbeatEvery` and `roundTrip` must be the same on all nodes. With a `roundTrip` that is too short for the network,
 * a live leader is deposed now and then, and two may lead for a moment: who fences by epoch is safe, but it costs an
 * election. Both are above 0 and below 24 days; fails with `InvalidOptions` when an option is out of its range.
 */
export const layer = (
  options: {
    /** How often the leader says that it is there. Default: 250 ms. */
    readonly heartbeatEvery?: Duration.Input
    /** The longest that a message and its answer take. Default: 400 ms. */
    readonly roundTrip?: Duration.Input
    /** Ranks nodes by the quality of their hosts, then by id: on all nodes, or on none. Default: by id alone. */
    readonly ranking?: {
      /** Of this node's host: any number above 0, higher is better. Default: 1. */
      readonly quality?: number
      /**
       * How long a node has been up before its quality counts, so that one which comes and goes leaves a good leader alone.
       * Longer than it stays up is enough. Default: 0, at once.
       */
      readonly stableFor?: Duration.Input
    }
  } = {}
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      return yield* election(yield* Actor.spawn(protocol, { options: yield* settings(options), onRestart }))
    })
  )

const settings = ({ heartbeatEvery, ranking, roundTrip }: NonNullable<Parameters<typeof layer>[0]>) =>
  decode<Options>(Settings, {
    heartbeatEveryMillis: millis(heartbeatEvery, defaults.heartbeatEveryMillis),
    roundTripMillis: millis(roundTrip, defaults.roundTripMillis),
    ...(ranking === undefined
      ? {}
      : { ranking: { quality: ranking.quality ?? 1, stableForMillis: millis(ranking.stableFor, 0) } })
  })
