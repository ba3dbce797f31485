/**
 * Weak membership: each node's own picture of who is in a group, without agreement.
 *
 * Every node tells all others which groups it is in, when that changes and again from time to time; a `FailureDetector`, such
 * as SWIM, says who is up. The view of a group is whoever said that it is in it and seems to be up. There is no coordinator
 * and nothing to wait for: it goes on in every part of a split network, and when it has healed, pictures become the same.
 *
 * Numbers of views are each node's own. Two members may see different views at the same time, and some that the other never
 * sees; what relies on one sequence of views needs `CoordinatedMembership`.
 *
 * Source: A. Das, I. Gupta, A. Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership
 * Protocol", DSN 2002, for the kind of membership and the detector.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { FailureDetector } from "@troupe/failure-detection"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema, type Scope, Stream } from "effect"
import { GroupName } from "./internal/membership/messages.ts"
import { serving } from "./internal/membership/service.ts"
import { Count, decode, Millis, millis } from "./internal/membership/settings.ts"
import type { Command as AnyCommand, Event } from "./internal/membership/state.ts"
import { type InvalidOptions, Membership } from "./Membership.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** "These are the groups that I am in." `asks`: "tell me yours." */
  Schema.TaggedStruct("Groups", {
    life: Natural,
    version: Natural,
    groups: Schema.Array(GroupName),
    asks: Schema.Boolean
  }),
  /** To the members of a group: "it is destroyed." */
  Schema.TaggedStruct("Destroy", { group: GroupName })
])
export type Message = typeof Message.Type

export type Command = Exclude<AnyCommand, { readonly _tag: "Coordinate" }>
export type { Event } from "./internal/membership/state.ts"

/** What a node said last of itself. */
export interface Entry {
  readonly life: number
  readonly version: number
  readonly groups: ReadonlyArray<string>
}

export interface State {
  /** Of this node. */
  readonly own: Entry
  /** Of the others, as far as they were heard of. */
  readonly entries: ReadonlyMap<NodeId.NodeId, Entry>
  readonly suspects: ReadonlyArray<NodeId.NodeId>
  /** The view of each group that this node is in. */
  readonly views: ReadonlyMap<string, LocalView>
  /** The number of the next view, of whatever group. */
  readonly next: number
  /** What is asked for before the others have had the time to answer. */
  readonly early: ReadonlyArray<Command> | undefined
}

export interface LocalView {
  readonly number: number
  readonly members: ReadonlyArray<NodeId.NodeId>
  /** Of each member. */
  readonly lives: ReadonlyArray<number>
}

export interface Options {
  /** How often each node repeats which groups it is in. */
  readonly refreshMillis: number
  /** How long a node that starts waits for the others to tell it of their groups. */
  readonly settleMillis: number
  /** How many groups a node may be in; more that another one says it is in are not taken in. */
  readonly maxGroups: number
}

type Timer = "refresh" | "settle"
type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

/** Who is in a group, as a node sees it. */
export const membersOf = (
  { entries, own, suspects }: State,
  self: NodeId.NodeId,
  group: string
): ReadonlyArray<NodeId.NodeId> => {
  const others = [...entries].filter(([node, { groups }]) => groups.includes(group) && !suspects.includes(node))
  const nodes = others.map(([node]) => node)
  return (own.groups.includes(group) ? [...nodes, self] : nodes).sort(NodeId.Order)
}

export const card: Card.Card<State> = {
  title: "Weak membership",
  summary:
    "Each node says which groups it is in, a failure detector who is up: a picture of one's own, without agreement.",
  paper: {
    authors: "Abhinandan Das, Indranil Gupta, Ashish Motivala",
    title: "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol",
    venue: "DSN",
    year: 2002
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    {
      name: "pictures become the same",
      kind: "eventually",
      description: "All nodes that are up see the same members of each group: those who are up and in it.",
      holds: (nodes) => {
        const alive = nodes.filter((node) => node.alive)
        const names = new Set(alive.flatMap(({ state }) => state.own.groups))
        return [...names].every((group) => {
          const inside = alive.filter(({ state }) => state.own.groups.includes(group)).map(({ node }) => node)
          const text = inside.sort(NodeId.Order).join(" ")
          return alive.every(({ node, state }) => membersOf(state, node, group).join(" ") === text)
        })
      }
    },
    {
      name: "somebody sees another",
      kind: "sometimes",
      description: "The run has seen a view of several members.",
      holds: (nodes) => nodes.some(({ state }) => [...state.views.values()].some(({ members }) => members.length > 1))
    }
  ],
  weaknesses: [
    {
      name: "no agreement",
      description: "Members see different views, in different orders, and each side of a split goes on alone.",
      faults: "partition"
    },
    {
      name: "a name may be taken twice",
      description:
        "Two nodes that create a group before they hear of each other both succeed: they are then in one group.",
      faults: "partition"
    }
  ],
  cost: {
    operation: "change of who is in",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "group/weak-membership",
  card,
  message: Message,

  init: () => ({
    own: { life: 0, version: 0, groups: [] },
    entries: new Map(),
    suspects: [],
    views: new Map(),
    next: 1,
    early: []
  }),

  onStart: (state, act) => {
    act.setTimer("settle", act.self.options.settleMillis)
    act.setTimer("refresh", act.self.options.refreshMillis * (0.5 + act.random() / 2))
    const started = { ...state, own: { ...state.own, life: 1 + Math.floor(act.random() * 2 ** 48) } }
    tell(started, act.self.peers, true, act)
    return started
  },

  onCommand: (state, command, act) => {
    if (command._tag === "Suspect") return look({ ...state, suspects: command.nodes }, act)
    return state.early === undefined ? obey(state, command, act) : { ...state, early: [...state.early, command] }
  },

  onMessage: (state, from, message, act) => {
    if (message._tag === "Destroy") return onDestroy(state, message.group, act)
    if (from === act.self.id) return state
    if (message.asks) tell(state, [from], false, act)
    const known = state.entries.get(from)
    if (known !== undefined && known.life === message.life && known.version >= message.version) return state
    const { life, version } = message
    const groups = message.groups.slice(0, act.self.options.maxGroups)
    return look({ ...state, entries: new Map(state.entries).set(from, { life, version, groups }) }, act)
  },

  onTimeout: (state, timer, act) => {
    if (timer === "refresh") {
      act.setTimer("refresh", act.self.options.refreshMillis)
      tell(state, act.self.peers, false, act)
      return state
    }
    return (state.early ?? []).reduce((state: State, command) => obey(state, command, act), {
      ...state,
      early: undefined
    })
  }
}

const tell = (state: State, to: ReadonlyArray<NodeId.NodeId>, asks: boolean, act: Act): void =>
  act.sendAll(to, { _tag: "Groups", ...state.own, asks })

const obey = (state: State, command: Command, act: Act): State => {
  if (command._tag === "Suspect") return state
  const { group } = command
  const members = membersOf(state, act.self.id, group)
  switch (command._tag) {
    case "Enter": {
      if (state.own.groups.includes(group)) return state
      const refusal =
        state.own.groups.length >= act.self.options.maxGroups
          ? "too many"
          : command.mode === "create" && members.length > 0
            ? "exists"
            : command.mode === "join" && members.length === 0
              ? "unknown"
              : undefined
      if (refusal === undefined) return change(state, [...state.own.groups, group], act)
      act.emit({ _tag: "Refused", group, mode: command.mode, refusal })
      return state
    }
    case "Leave":
      return state.own.groups.includes(group) ? change(state, without(state.own.groups, group), act) : state
    case "Destroy": {
      if (members.length === 0) {
        act.emit({ _tag: "Refused", group, mode: "destroy", refusal: "unknown" })
        return state
      }
      for (const node of members) if (node !== act.self.id) act.send(node, { _tag: "Destroy", group })
      act.emit({ _tag: "Destroyed", group })
      // Its members will say that they are not in it any more.
      const entries = new Map(
        Array.from(state.entries, ([node, entry]) => [node, { ...entry, groups: without(entry.groups, group) }])
      )
      return onDestroy({ ...state, entries }, group, act)
    }
    case "Look":
      if (members.length === 0) act.emit({ _tag: "Refused", group, mode: "look", refusal: "unknown" })
      else act.emit({ _tag: "Known", group, view: { number: 0, members, joined: [] } })
      return state
  }
}

const without = (groups: ReadonlyArray<string>, group: string): ReadonlyArray<string> =>
  groups.filter((other) => other !== group)

const onDestroy = (state: State, group: string, act: Act): State => {
  if (!state.own.groups.includes(group)) return state
  act.emit({ _tag: "Left", group, why: "destroyed" })
  return change(state, without(state.own.groups, group), act)
}

/** Is in these groups from now on, and says so. */
const change = (state: State, groups: ReadonlyArray<string>, act: Act): State => {
  const changed = { ...state, own: { ...state.own, version: state.own.version + 1, groups } }
  tell(changed, act.self.peers, false, act)
  return look(changed, act)
}

/** Gives each group that this node is in a new view, where its members are others than before. */
const look = (state: State, act: Act): State => {
  let { next } = state
  const views = new Map<string, LocalView>()
  for (const group of state.own.groups) {
    const members = membersOf(state, act.self.id, group)
    const lives = members.map((node) => (node === act.self.id ? state.own : state.entries.get(node)!).life)
    const before = state.views.get(group)
    const joined = members.filter((node, at) => before?.lives[before.members.indexOf(node)] !== lives[at])
    if (before !== undefined && joined.length === 0 && before.members.length === members.length) {
      views.set(group, before)
      continue
    }
    const view = { number: next++, members, lives }
    views.set(group, view)
    act.emit({ _tag: "View", group, view: { number: view.number, members, joined } })
  }
  return { ...state, views, next }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default. */
export const defaults: Options = { refreshMillis: 5_000, settleMillis: 500, maxGroups: 1_024 }

const Settings = Schema.Struct({ refreshMillis: Millis, settleMillis: Millis, maxGroups: Count })

export interface LayerOptions {
  /** How often each node repeats which groups it is in: so long may it take until what was lost is known. Default: 5 s. */
  readonly refreshEvery?: Duration.Input
  /** How long a node that starts waits for the others to tell it of their groups. Default: 500 ms. */
  readonly settleFor?: Duration.Input
  /** How many groups a node may be in: 1 to 100,000. Default: 1,024. */
  readonly maxGroups?: number
}

/**
 * A `Membership` without agreement, with evictions by the `FailureDetector` of the context. None of its views is primary. Fails with
 * `InvalidOptions` when an option is out of its range.
 */
export const layer = (
  options: LayerOptions = {}
): Layer.Layer<Membership, ChannelInUse | InvalidOptions, Transport | FailureDetector> =>
  Layer.effect(
    Membership,
    Effect.gen(function* () {
      const settings = yield* decode<Options>(Settings, {
        refreshMillis: millis(options.refreshEvery, defaults.refreshMillis),
        settleMillis: millis(options.settleFor, defaults.settleMillis),
        maxGroups: options.maxGroups ?? defaults.maxGroups
      })
      const detector = yield* FailureDetector
      let suspects: ReadonlyArray<string> = []
      const { actor, service } = yield* serving<
        State,
        Actor.Actor<State, Command, Event>,
        ChannelInUse,
        Transport | Scope.Scope
      >(
        detector.self,
        (hooks) =>
          Actor.spawn(protocol, {
            options: settings,
            onRestart: () => {
              actor.tell({ _tag: "Suspect", nodes: suspects })
              hooks.onRestart()
            }
          }),
        ({ views }, group) => views.get(group),
        false
      )
      const suspect = Effect.map(detector.opinions, (opinions) => {
        suspects = [...opinions.values()].filter(({ status }) => status !== "up").map(({ node }) => node)
        actor.tell({ _tag: "Suspect", nodes: suspects })
      })
      yield* Effect.forkScoped(Stream.runForEach(detector.changes, () => suspect))
      yield* suspect
      return service
    })
  )
