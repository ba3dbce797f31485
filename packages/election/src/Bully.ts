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
 * All of it rests on time: an answer that takes longer than `roundTrip` counts as none. When the network splits, each
 * part elects a leader.
 *
 * Source: H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on Computers C-31(1), 1982.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { Duration, Effect, Layer, Option, Schema } from "effect"
import { Election, InvalidOptions, type Leader } from "./Election.ts"
import { electing } from "./internal/electing.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Epoch = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To higher nodes: "is one of you up?" */
  Schema.TaggedStruct("Election", { seen: Epoch }),
  /** To a lower node: "yes; I take over". */
  Schema.TaggedStruct("Ok", { seen: Epoch }),
  /** To lower nodes: "I am to lead in this epoch". */
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
}

type Timer = "answer" | "coordinator" | "claim" | "heartbeat" | "suspect"

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
    {
      name: "at most one leader",
      kind: "always",
      description: "No two nodes lead at the same time.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.role === "leading").length <= 1
    },
    {
      name: "one leader an epoch",
      kind: "always",
      description: "Two nodes that know a leader of the same epoch know the same one. Holds under every fault.",
      holds: (nodes) => {
        const leaders = new Map<number, NodeId.NodeId>()
        for (const {
          state: { leader }
        } of nodes) {
          if (leader === undefined) continue
          const other = leaders.get(leader.epoch)
          if (other !== undefined && other !== leader.id) return false
          leaders.set(leader.epoch, leader.id)
        }
        return true
      }
    },
    {
      name: "the highest leads",
      kind: "eventually",
      description: "Every node that is up follows the highest that is up and stands for election, and that one leads.",
      holds: (nodes) => {
        const up = nodes.filter(({ alive }) => alive)
        const highest = up
          .filter(({ state }) => state.standing)
          .reduce<NodeId.NodeId | undefined>(
            (best, { node }) => (best === undefined || NodeId.isHigher(node, best) ? node : best),
            undefined
          )
        return up.every(
          ({ node, state }) => state.leader?.id === highest && (node === highest) === (state.role === "leading")
        )
      }
    },
    {
      name: "a leader is elected",
      kind: "sometimes",
      description: "The run has seen a leader.",
      holds: (nodes) => nodes.some(({ state }) => state.role === "leading")
    }
  ],
  weaknesses: [
    {
      name: "split brain",
      description: "When the network splits, each part takes the other for dead and elects a leader.",
      faults: "partition",
      breaks: "at most one leader"
    },
    {
      name: "forgotten epochs",
      description: "When every node that knows the latest epoch is down, epochs begin anew: they are not kept on disk.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "election",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "N²−1", of: (nodes) => nodes * nodes - 1 },
    background: ["Heartbeat"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "election/bully",
  card,
  message: Message,

  init: () => ({ standing: true, role: "following", leader: undefined, seen: 0, followed: 0, claimed: 0 }),

  onStart: (state, act) => holdElection(state, act),

  onCommand: (state, command, act) => {
    if ((command._tag === "Campaign") === state.standing) return state
    if (command._tag === "Campaign") return holdElection({ ...state, standing: true }, act)
    if (state.role === "leading") act.sendAll(act.self.peers, { _tag: "Resigned", epoch: state.claimed })
    const resigned = { ...state, standing: false }
    return state.role === "following" ? resigned : become("following", changeLeader(resigned, undefined, act), act)
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
        return holdElection(changeLeader(state, undefined, act), act)
    }
  }
}

const hear = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  switch (message._tag) {
    case "Election":
      if (!state.standing) return state
      act.send(from, { _tag: "Ok", seen: state.seen })
      // An election of its own would end as the last one did: it still leads.
      if (state.role === "leading") act.send(from, { _tag: "Heartbeat", epoch: state.claimed })
      // A node that has not heard of this node's leader cannot suspect it; one that has may know better.
      return state.role === "following" && message.seen >= state.followed ? holdElection(state, act) : state

    case "Ok":
      return state.role === "electing" || state.role === "claiming" ? defer(state, act) : state

    case "Coordinator":
    case "Heartbeat": {
      // Whoever leads below this node does not know that it is up.
      if (state.standing && NodeId.isHigher(act.self.id, from))
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
      return follows(state, from, message.epoch) ? holdElection(changeLeader(state, undefined, act), act) : state
  }
}

const higherThan = (self: Protocol.Self<Options>): ReadonlyArray<NodeId.NodeId> =>
  self.nodes.slice(self.nodes.indexOf(self.id) + 1)

const lowerThan = (self: Protocol.Self<Options>): ReadonlyArray<NodeId.NodeId> =>
  self.nodes.slice(0, self.nodes.indexOf(self.id))

const holdElection = (state: State, act: Act): State => {
  if (!state.standing) return become("following", state, act)
  const higher = higherThan(act.self)
  if (higher.length === 0) return claim(state, act)
  act.sendAll(higher, { _tag: "Election", seen: state.seen })
  return become("electing", state, act)
}

/** A higher node is up, and will lead. */
const defer = (state: State, act: Act): State =>
  become("deferring", state.role === "leading" ? changeLeader(state, undefined, act) : state, act)

/** Announces itself, in an epoch that no other node can claim: divided by N, the epochs of a node leave its rank. */
const claim = (state: State, act: Act): State => {
  const { id, nodes } = act.self
  const epoch = (Math.floor(state.seen / nodes.length) + 1) * nodes.length + nodes.indexOf(id)
  act.sendAll(lowerThan(act.self), { _tag: "Coordinator", epoch })
  return become("claiming", { ...changeLeader(state, undefined, act), seen: epoch, claimed: epoch }, act)
}

const lead = (state: State, act: Act): State =>
  beat(become("leading", changeLeader(state, { id: act.self.id, epoch: state.claimed }, act), act), act)

const beat = (state: State, act: Act): State => {
  act.sendAll(act.self.peers, { _tag: "Heartbeat", epoch: state.claimed })
  act.setTimer("heartbeat", act.self.options.heartbeatEveryMillis)
  return state
}

const follow = (state: State, leader: Leader, act: Act): State =>
  become("following", { ...changeLeader(state, leader, act), followed: leader.epoch }, act)

const follows = (state: State, id: NodeId.NodeId, epoch: number): boolean =>
  state.leader !== undefined && state.leader.id === id && state.leader.epoch === epoch

const changeLeader = (state: State, leader: Leader | undefined, act: Act): State => {
  if (leader === undefined ? state.leader === undefined : follows(state, leader.id, leader.epoch)) return state
  act.emit({ _tag: "LeaderChanged", leader })
  return { ...state, leader }
}

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

const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))
const Settings = Schema.Struct({ heartbeatEvery: Millis, roundTrip: Millis })

/**
 * An `Election` by the bully algorithm among the nodes of the transport.
 *
 * `heartbeatEvery` and `roundTrip` must be the same on all nodes. With a `roundTrip` that is too short for the network,
 * a live leader is deposed now and then, and two may lead for a moment: who fences by epoch is safe, but it costs an
 * election. Both are above 0 and below 24 days; fails with `InvalidOptions` when one is not.
 */
export const layer = (
  options: {
    /** How often the leader says that it is there. Default: 250 ms. */
    readonly heartbeatEvery?: Duration.Input
    /** The longest that a message and its answer take. Default: 400 ms. */
    readonly roundTrip?: Duration.Input
  } = {}
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      return yield* election(yield* Actor.spawn(protocol, { options: yield* settings(options), onRestart }))
    })
  )

const settings = (options: Parameters<typeof layer>[0]): Effect.Effect<Options, InvalidOptions> =>
  Schema.decodeUnknownEffect(Settings)({
    heartbeatEvery: millis(options?.heartbeatEvery, defaults.heartbeatEveryMillis),
    roundTrip: millis(options?.roundTrip, defaults.roundTripMillis)
  }).pipe(
    Effect.mapBoth({
      onSuccess: ({ heartbeatEvery, roundTrip }) => ({
        heartbeatEveryMillis: heartbeatEvery,
        roundTripMillis: roundTrip
      }),
      onFailure: ({ message }) => new InvalidOptions({ reason: message })
    })
  )

/** What is no duration stays as it is, for the schema to refuse. */
const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })
