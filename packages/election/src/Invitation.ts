/**
 * The invitation algorithm: groups, each with a leader, that merge by invitation. For systems where nobody can tell slow
 * from dead: it allows several leaders, one a group, and never waits for those that don't answer.
 *
 * Each node starts as the leader of a group of its own. A leader invites every node outside its group, time and again. A
 * leader that is invited by that of a larger group (of two of a size, by the higher) leads no more: it asks to join, with
 * its members. The other welcomes them, and only they need hear of a new leader. A node that follows lets invitations be:
 * its own leader was invited too. A member that misses its leader leads a group of its own again.
 *
 * Groups are numbered: an epoch is claimed by one leader, once, and names one group. A node goes into groups of higher
 * epochs alone. So where the smaller group has the higher epoch, the merged one takes a new one, and all of it is told. What
 * holds, holds of each group: two nodes in the same one have the same leader.
 *
 * A leader's list of members is what it has heard: who has gone elsewhere says so when it hears of its former leader.
 *
 * Source: H. Garcia-Molina, "Elections in a Distributed Computing System", IEEE Transactions on Computers C-31(1), 1982;
 * that the larger group's leader stays: A. Petrov, "Database Internals", O'Reilly 2019, chapter 10.
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
  /** To nodes outside the group: "join mine; it has `size` members". */
  Schema.TaggedStruct("Invite", { epoch: Epoch, size: Schema.Int.check(Schema.isGreaterThan(0)) }),
  /** To one who invites: "take us in; `epoch` was our group". */
  Schema.TaggedStruct("Join", { epoch: Epoch, members: Schema.Array(NodeId.NodeId) }),
  /** From a leader to those that have joined: "you are in my group". */
  Schema.TaggedStruct("Welcome", { epoch: Epoch }),
  /** From a leader to its members: "I still lead". */
  Schema.TaggedStruct("Heartbeat", { epoch: Epoch }),
  /** To a leader: "I am not in your group". */
  Schema.TaggedStruct("Left", { epoch: Epoch }),
  /** From a leader to its members: "I lead no longer". */
  Schema.TaggedStruct("Resigned", { epoch: Epoch })
])
export type Message = typeof Message.Type

export type Event = { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined }

export type Command =
  /** Leads a group of its own where it has no leader, from now on. */
  | { readonly _tag: "Campaign" }
  /** Leads no longer: its group falls apart. It follows who invites it. */
  | { readonly _tag: "Resign" }

export interface State {
  /** Whether it leads where it has no leader. */
  readonly standing: boolean
  readonly role:
    /** Follows `leader`, or waits to be invited. */
    | "following"
    /** Has sent JOIN, waits for WELCOME. */
    | "joining"
    | "leading"
  /** Of its group: whom this node follows, itself while it leads. */
  readonly leader: Leader | undefined
  /** While leading or joining: its group, itself included, in `NodeId.Order`. */
  readonly members: ReadonlyArray<NodeId.NodeId>
  /** While joining: whom it has asked. */
  readonly inviter: NodeId.NodeId | undefined
  // Epochs. None of them falls while the node is up.
  /** The highest heard of. */
  readonly seen: number
  /** The highest of the groups that it was in. */
  readonly joined: number
}

export interface Options {
  /** How often a leader says that it is there, and invites. */
  readonly heartbeatEveryMillis: number
  /** How long a node waits for a sign of its leader, or for an answer of one that it asked. A guess: nothing rests on it. */
  readonly patienceMillis: number
}

type Timer = "beat" | "welcome" | "suspect"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Invitation",
  summary: "Each node leads a group of its own at first; leaders invite, and groups merge under that of the larger.",
  paper: {
    authors: "Hector Garcia-Molina",
    title: "Elections in a Distributed Computing System",
    venue: "IEEE Transactions on Computers C-31(1)",
    year: 1982
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    Epochs.oneLeaderAnEpoch,
    {
      name: "one group",
      kind: "eventually",
      description: "While messages arrive in time, all nodes that are up come to be in one group.",
      holds: (nodes) => {
        const up = nodes.filter(({ alive }) => alive)
        const leading = up.find(({ state }) => state.role === "leading")
        if (leading === undefined) return up.every(({ state }) => !state.standing && state.leader === undefined)
        const { leader, members } = leading.state
        return up.every(
          ({ node, state }) => members.includes(node) && Epochs.follows(state, leading.node, leader!.epoch)
        )
      }
    },
    Epochs.aLeaderIsElected
  ],
  weaknesses: [
    {
      name: "many leaders",
      description: "By design: each node leads at its start, and each part of a network that is split has a leader.",
      faults: "none"
    },
    {
      name: "forgotten members",
      description: "A leader does not hear that a member has crashed: a group may be smaller than it takes itself for.",
      faults: "crash"
    },
    {
      name: "forgotten epochs",
      description: "A node that comes back leads a group of its own in an epoch that it has forgotten, until it hears.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "election",
    best: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) },
    worst: { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) },
    background: ["Invite", "Heartbeat"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "election/invitation",
  card,
  message: Message,

  init: () => ({
    ...{ standing: true, role: "following", leader: undefined, members: [], inviter: undefined },
    ...{ seen: 0, joined: 0 }
  }),

  onStart: (state, act) => lead(state, [act.self.id], act),

  onCommand: (state, command, act) => {
    if ((command._tag === "Campaign") === state.standing) return state
    const changed = { ...state, standing: command._tag === "Campaign" }
    if (changed.standing) return isAlone(changed) ? lead(changed, [act.self.id], act) : changed
    if (state.role !== "leading") return changed
    act.sendAll(others(state.members, act), { _tag: "Resigned", epoch: state.leader!.epoch })
    return beAlone(changed, act)
  },

  onMessage: (before, from, message, act) => {
    const state = message.epoch > before.seen ? { ...before, seen: message.epoch } : before
    switch (message._tag) {
      case "Invite":
        return hearInvitation(state, from, message.size, act)
      case "Join":
        return hearJoin(state, message, act)
      case "Welcome":
      case "Heartbeat":
        return hearLeader(state, { id: from, epoch: message.epoch }, act)
      case "Left":
        return leads(state, message.epoch)
          ? { ...state, members: state.members.filter((member) => member !== from) }
          : state
      case "Resigned":
        return Epochs.follows(state, from, message.epoch) ? beAlone(state, act) : state
    }
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      case "beat":
        return beat(state, act)
      // The leader is silent for too long.
      case "suspect":
        return beAlone(state, act)
      // Who invited does not answer: its group goes on, in an epoch of its own.
      case "welcome":
        return state.standing ? lead(state, state.members, act) : beAlone(state, act)
    }
  }
}

/** Joins the larger group. The leader of a smaller one will be invited in turn. */
const hearInvitation = (state: State, from: NodeId.NodeId, size: number, act: Act): State => {
  if (state.role !== "leading") return isAlone(state) ? join(state, [act.self.id], from, act) : state
  // Who leads has left.
  const members = state.members.filter((member) => member !== from)
  const isLarger = size === members.length ? NodeId.isHigher(from, act.self.id) : size > members.length
  if (isLarger) return join(state, members, from, act)
  return members.length === state.members.length ? state : { ...state, members }
}

/** Takes them in. Who has joined another group meanwhile sends them on. */
const hearJoin = (state: State, { epoch, members }: Extract<Message, { _tag: "Join" }>, act: Act): State => {
  if (state.role !== "leading") {
    const to = state.role === "joining" ? state.inviter : state.leader?.id
    if (to !== undefined && !members.includes(to)) act.send(to, { _tag: "Join", epoch, members })
    return state
  }
  const merged = act.self.nodes.filter((node) => state.members.includes(node) || members.includes(node))
  if (epoch < state.leader!.epoch) {
    act.sendAll(others(members, act), { _tag: "Welcome", epoch: state.leader!.epoch })
    return { ...state, members: merged }
  }
  const renumbered = number({ ...state, members: merged }, act)
  act.sendAll(others(merged, act), { _tag: "Welcome", epoch: renumbered.leader!.epoch })
  return renumbered
}

const hearLeader = (state: State, leader: Leader, act: Act): State => {
  const isMine = Epochs.follows(state, leader.id, leader.epoch)
  if (isMine || (state.role !== "leading" && leader.epoch > state.joined)) {
    const follower = { ...Epochs.changeLeader(state, leader, act), members: [], inviter: undefined }
    return become("following", { ...follower, joined: leader.epoch }, act)
  }
  act.send(leader.id, { _tag: "Left", epoch: leader.epoch })
  return state
}

const others = (members: ReadonlyArray<NodeId.NodeId>, act: Act): ReadonlyArray<NodeId.NodeId> =>
  members.filter((member) => member !== act.self.id)

const leads = (state: State, epoch: number): boolean => state.role === "leading" && state.leader!.epoch === epoch

const isAlone = (state: State): boolean => state.role === "following" && state.leader === undefined

/** Leaves its group: to lead one of its own, or to wait for an invitation. */
const beAlone = (state: State, act: Act): State =>
  state.standing
    ? lead(state, [act.self.id], act)
    : become("following", { ...Epochs.changeLeader(state, undefined, act), members: [], inviter: undefined }, act)

const join = (state: State, members: ReadonlyArray<NodeId.NodeId>, inviter: NodeId.NodeId, act: Act): State => {
  act.send(inviter, { _tag: "Join", epoch: state.joined, members })
  return become("joining", { ...Epochs.changeLeader(state, undefined, act), members, inviter }, act)
}

/** Leads these, in a new epoch: its first heartbeat tells them. */
const lead = (state: State, members: ReadonlyArray<NodeId.NodeId>, act: Act): State =>
  beat(become("leading", number({ ...state, members, inviter: undefined }, act), act), act)

/** Gives its group an epoch that no other node can claim. */
const number = (state: State, act: Act): State => {
  const epoch = Epochs.nextEpoch(state.seen, act.self)
  return { ...Epochs.changeLeader(state, { id: act.self.id, epoch }, act), seen: epoch, joined: epoch }
}

const beat = (state: State, act: Act): State => {
  const { epoch } = state.leader!
  const outside = act.self.nodes.filter((node) => !state.members.includes(node))
  act.sendAll(others(state.members, act), { _tag: "Heartbeat", epoch })
  act.sendAll(outside, { _tag: "Invite", epoch, size: state.members.length })
  act.setTimer("beat", act.self.options.heartbeatEveryMillis)
  return state
}

/** Enters a role: each waits for one thing. */
const become = (role: State["role"], state: State, act: Act): State => {
  for (const timer of ["beat", "welcome", "suspect"] as const) act.clearTimer(timer)
  if (role === "joining") act.setTimer("welcome", act.self.options.patienceMillis)
  if (role === "following" && state.leader !== undefined) act.setTimer("suspect", act.self.options.patienceMillis)
  return state.role === role ? state : { ...state, role }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default. */
export const defaults: Options = { heartbeatEveryMillis: 250, patienceMillis: 1000 }

const Settings = Schema.Struct({ heartbeatEveryMillis: Millis, patienceMillis: Millis })

/**
 * An `Election` by invitation among the nodes of the transport: one leader a group, and as many groups as it takes.
 *
 * Both options are above 0 and below 24 days; fails with `InvalidOptions` when one is not. A `patience` that is shorter
 * than it takes to hear of a leader, two heartbeats and a message's delay, makes groups fall apart and merge again.
 */
export const layer = (
  options: {
    /** How often a leader says that it is there, and invites. Default: 250 ms. */
    readonly heartbeatEvery?: Duration.Input
    /** How long a node waits for its leader, or for an answer. Default: 1 s. */
    readonly patience?: Duration.Input
  } = {}
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      const settings = yield* decode<Options>(Settings, {
        heartbeatEveryMillis: millis(options.heartbeatEvery, defaults.heartbeatEveryMillis),
        patienceMillis: millis(options.patience, defaults.patienceMillis)
      })
      return yield* election(yield* Actor.spawn(protocol, { options: settings, onRestart }))
    })
  )
