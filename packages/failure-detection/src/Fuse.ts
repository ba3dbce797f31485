/**
 * FUSE: failure notification that never fails. Once anybody signals the failure of a group, or a member of it crashes, or
 * the way between two members breaks, every member that is up is notified, exactly once, within a bound.
 *
 * Members ping each other, and each ping lists the groups that its sender still holds with the receiver. A node that takes
 * a group for failed tells the others, forgets the group, and thereby stops listing it; a member that finds a group unlisted
 * for `deadline` takes it for failed too. So silence is the message that always gets through: whatever is lost, and whoever
 * is cut off from whom, the failure spreads. A node that is asked about a group that it doesn't know says so, which is
 * quicker.
 *
 * The bound is `deadline` and an `interval` until a crash is known to all, or until the first member finds a way broken; and
 * as much, and a message's delay, from when the first member takes the group for failed until all do. A group is made in two
 * rounds: members answer, and start to watch each other when all have.
 *
 * Pings are between nodes, however many groups they share: that is the paper's direct topology, each member to each other.
 *
 * Source: J. Dunagan, N. J. A. Harvey, M. B. Jones, D. Kostić, M. Theimer, A. Wolman, "FUSE: Lightweight Guaranteed
 * Distributed Failure Notification", OSDI 2004, §3–5.
 *
 * @example
 * import { FailureNotification, Fuse } from "@troupe/failure-detection"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer } from "effect"
 *
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 * const node = (name: string) => Effect.map(
 *   Layer.build(Layer.provide(Fuse.layer(), Memory.layer(network, name))),
 *   (context) => FailureNotification.pipe(Effect.provideContext(context))
 * ).pipe(Effect.flatten)
 * const program = Effect.gen(function*() {
 *   const [first, second] = [yield* node("n1"), yield* node("n2")]
 *   const group = yield* first.create(["n2"])
 *   yield* second.signal(group)
 *   return yield* first.failed(group)
 * })
 * console.log((await Effect.runPromise(Effect.scoped(program)))._tag) // Told
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import type { InvalidOptions } from "./FailureDetector.ts"
import { FailureNotification, type GroupId, type Notification, type Reason } from "./FailureNotification.ts"
import { Hearing, serveGroups } from "./internal/groups.ts"
import { Millis, millis, settings } from "./internal/service.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Id = Schema.String

export const Message = Schema.Union([
  /** "Be in this group, which I make." */
  Schema.TaggedStruct("Create", { group: Id, members: Schema.Array(NodeId.NodeId) }),
  /** "I am in it." */
  Schema.TaggedStruct("Joined", { group: Id }),
  /** "I am there, and of the groups that we share these have not failed"; `forming`: those that are being made. */
  Schema.TaggedStruct("Ping", { live: Schema.Array(Id), forming: Schema.Array(Id) }),
  /** "It has failed", or "I don't know of it". */
  Schema.TaggedStruct("Failed", { group: Id })
])
export type Message = typeof Message.Type

export interface Group {
  /** All of them, this node too, in `NodeId.Order`. */
  readonly members: ReadonlyArray<NodeId.NodeId>
  readonly creator: NodeId.NodeId
  /** `creating`: this node makes it. `joined`: another does. `live`: all members are known to know of it. */
  readonly phase: "creating" | "joined" | "live"
  /** While it is created: who has not answered. */
  readonly waiting: ReadonlyArray<NodeId.NodeId>
  /** When each of the others confirmed it last, by the monotonic clock. */
  readonly confirmedMillis: Readonly<Record<NodeId.NodeId, number>>
}

export interface State {
  /** The groups of this node, by name. */
  readonly groups: Readonly<Record<GroupId, Group>>
  /** Those that have failed, the latest last, so that a late `Create` does not bring one back: 1,024 at the most. */
  readonly failed: ReadonlyArray<GroupId>
}

export type Command =
  | { readonly _tag: "Create"; readonly group: GroupId; readonly members: ReadonlyArray<NodeId.NodeId> }
  | { readonly _tag: "Signal"; readonly group: GroupId }

export type Event =
  /** All members know of it. Its creator is told. */
  | { readonly _tag: "Created"; readonly group: GroupId }
  /** This node is in it, by another that makes it. */
  | { readonly _tag: "Joined"; readonly group: GroupId }
  | ({ readonly _tag: "Failed" } & Notification)

export type Timer = "tick"

export interface Options {
  readonly intervalMillis: number
  /** For how long a member may not confirm a group. */
  readonly deadlineMillis: number
}

type Act = Protocol.Actions<Message, Event, Timer, Options>

/** How many groups a node may be in. */
export const groupsMax = 1_000

const failedMax = 1_024

// ------------------------------------------------------------------------------------------------------------- the card

const groupOf = ({ groups }: State, group: GroupId): Group | undefined =>
  Object.hasOwn(groups, group) ? groups[group] : undefined

const perInterval: Card.Formula = { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) }

export const card: Card.Card<State> = {
  title: "FUSE",
  summary:
    "Groups that fail as one: members confirm to each other that a group has not failed, and who stops doing so ends it for all.",
  paper: {
    authors: "John Dunagan, Nicholas J. A. Harvey, Michael B. Jones, Dejan Kostić, Marvin Theimer, Alec Wolman",
    title: "FUSE: Lightweight Guaranteed Distributed Failure Notification",
    venue: "OSDI",
    year: 2004
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    {
      name: "all or none",
      kind: "eventually",
      description: "A group that some node is in has not failed at any member, and all of them are up.",
      holds: (nodes) =>
        nodes.every(
          ({ alive, state }) =>
            !alive ||
            Object.entries(state.groups).every(([group, { members }]) =>
              members.every((member) =>
                nodes.some((other) => other.node === member && other.alive && groupOf(other.state, group) !== undefined)
              )
            )
        )
    },
    {
      name: "failed is failed",
      kind: "always",
      description: "No node is in a group that it has been told has failed.",
      holds: (nodes) => nodes.every(({ state }) => state.failed.every((group) => groupOf(state, group) === undefined))
    }
  ],
  weaknesses: [
    {
      name: "a broken way ends a group",
      description:
        "Where two members don't reach each other for `deadline`, the group fails for all, though each of them is up.",
      faults: "partition"
    },
    {
      name: "load grows with the square of the members",
      description: "Each member of a group pings all others.",
      faults: "none"
    }
  ],
  cost: { operation: "interval", best: { text: "0", of: () => 0 }, worst: perInterval }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "failure-detection/fuse",
  card,
  message: Message,

  init: () => ({ groups: {}, failed: [] }),

  onStart: (state, act) => {
    act.setTimer("tick", act.self.options.intervalMillis)
    return state
  },

  onCommand: (state, command, act) =>
    command._tag === "Create"
      ? create(state, command.group, command.members, act)
      : fail(state, command.group, { _tag: "Signalled" }, act),

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Create":
        return join(state, from, message.group, message.members, act)
      case "Joined":
        return joined(state, from, message.group, act)
      case "Ping":
        return confirm(state, from, message, act)
      case "Failed": {
        const isMember = groupOf(state, message.group)?.members.includes(from) === true
        return isMember ? fail(state, message.group, { _tag: "Told", by: from }, act) : state
      }
    }
  },

  onTimeout: (state, _tick, act) => {
    const next = endSilent(state, act)
    ping(next, act)
    act.setTimer("tick", act.self.options.intervalMillis)
    return next
  }
}

const othersOf = ({ members }: Group, { self }: Act): ReadonlyArray<NodeId.NodeId> =>
  members.filter((member) => member !== self.id)

const put = (state: State, id: GroupId, group: Group): State => ({ ...state, groups: { ...state.groups, [id]: group } })

const confirmedBy = (nodes: ReadonlyArray<NodeId.NodeId>, now: number): Group["confirmedMillis"] =>
  Object.fromEntries(nodes.map((node) => [node, now]))

const create = (state: State, id: GroupId, members: ReadonlyArray<NodeId.NodeId>, act: Act): State => {
  if (groupOf(state, id) !== undefined || state.failed.includes(id)) return state
  const creator = act.self.id
  const others = members.filter((member) => member !== creator)
  const confirmedMillis = confirmedBy(others, act.monotonic())
  const group: Group = { members, creator, phase: "creating", waiting: others, confirmedMillis }
  if (others.length === 0) return live(state, id, group, act)
  act.sendAll(others, { _tag: "Create", group: id, members })
  return put(state, id, group)
}

const join = (
  state: State,
  creator: NodeId.NodeId,
  id: GroupId,
  members: ReadonlyArray<NodeId.NodeId>,
  act: Act
): State => {
  if (!members.includes(act.self.id) || !members.includes(creator)) return state
  const isFull = Object.keys(state.groups).length >= groupsMax
  if (state.failed.includes(id) || (isFull && groupOf(state, id) === undefined)) {
    act.send(creator, { _tag: "Failed", group: id })
    return state
  }
  act.send(creator, { _tag: "Joined", group: id })
  if (groupOf(state, id) !== undefined) return state
  act.emit({ _tag: "Joined", group: id })
  const confirmedMillis = confirmedBy([creator], act.monotonic())
  return put(state, id, { members, creator, phase: "joined", waiting: [], confirmedMillis })
}

const joined = (state: State, from: NodeId.NodeId, id: GroupId, act: Act): State => {
  const group = groupOf(state, id)
  if (group === undefined) {
    act.send(from, { _tag: "Failed", group: id })
    return state
  }
  if (group.phase !== "creating" || !group.waiting.includes(from)) return state
  const waiting = group.waiting.filter((node) => node !== from)
  return waiting.length === 0 ? live(state, id, group, act) : put(state, id, { ...group, waiting })
}

/** All members know of it: from now on each watches all others. */
const live = (state: State, id: GroupId, group: Group, act: Act): State => {
  const others = othersOf(group, act)
  act.sendAll(others, { _tag: "Ping", live: [id], forming: [] })
  if (group.phase === "creating") act.emit({ _tag: "Created", group: id })
  const confirmedMillis = confirmedBy(others, act.monotonic())
  return put(state, id, { ...group, phase: "live", waiting: [], confirmedMillis })
}

const confirm = (
  state: State,
  from: NodeId.NodeId,
  ping: Extract<Message, { readonly _tag: "Ping" }>,
  act: Act
): State => {
  const now = act.monotonic()
  const groups: Record<GroupId, Group> = { ...state.groups }
  const starting: Array<GroupId> = []
  for (const id of [...ping.live, ...ping.forming]) {
    const group = groupOf(state, id)
    if (group === undefined) act.send(from, { _tag: "Failed", group: id })
    else if (group.members.includes(from)) {
      groups[id] = { ...group, confirmedMillis: { ...group.confirmedMillis, [from]: now } }
      // Whoever says that it is live has heard so, in the end, from its creator.
      if (group.phase === "joined" && ping.live.includes(id)) starting.push(id)
    }
  }
  return starting.reduce((next, id) => live(next, id, groupOf(next, id)!, act), { ...state, groups })
}

/** Those who are to confirm a group, and to whom this node confirms it. */
const partners = (group: Group, act: Act): ReadonlyArray<NodeId.NodeId> => {
  switch (group.phase) {
    case "live":
      return othersOf(group, act)
    case "joined":
      return [group.creator]
    case "creating":
      return othersOf(group, act).filter((node) => !group.waiting.includes(node))
  }
}

/** Takes for failed the groups that some member has not confirmed for too long, or has not joined. */
const endSilent = (state: State, act: Act): State => {
  const since = act.monotonic() - act.self.options.deadlineMillis
  let next = state
  for (const [id, group] of Object.entries(state.groups)) {
    const silent = [...partners(group, act), ...group.waiting].find((node) => group.confirmedMillis[node]! <= since)
    if (silent !== undefined) next = fail(next, id, { _tag: "Silent", node: silent }, act)
  }
  return next
}

/** One message to each node with which this one shares a group; who has not joined is asked again. */
const ping = ({ groups }: State, act: Act): void => {
  const lists = new Map<NodeId.NodeId, { readonly live: Array<GroupId>; readonly forming: Array<GroupId> }>()
  for (const [id, group] of Object.entries(groups)) {
    for (const node of partners(group, act)) {
      let list = lists.get(node)
      if (list === undefined) lists.set(node, (list = { live: [], forming: [] }))
      list[group.phase === "live" ? "live" : "forming"].push(id)
    }
    act.sendAll(group.waiting, { _tag: "Create", group: id, members: group.members })
  }
  for (const [node, list] of lists) act.send(node, { _tag: "Ping", ...list })
}

const fail = (state: State, id: GroupId, reason: Reason, act: Act): State => {
  const group = groupOf(state, id)
  if (group === undefined) return state
  const { [id]: _, ...groups } = state.groups
  act.sendAll(othersOf(group, act), { _tag: "Failed", group: id })
  act.emit({ _tag: "Failed", group: id, reason })
  return { groups, failed: [...state.failed, id].slice(-failedMax) }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a crash is known to all within 4 seconds. */
export const defaults: Options = { intervalMillis: 1_000, deadlineMillis: 3_000 }

const Settings = Schema.Struct({ intervalMillis: Millis, deadlineMillis: Millis })

/**
 * A `FailureNotification` by FUSE among the nodes of the transport.
 *
 * When the layer closes, its groups fail at the others within `deadline` and an `interval`. Fails with `InvalidOptions` when `deadline` is
 * not longer than `interval`.
 */
export const layer = (
  options: {
    /** How often members confirm their groups to each other. Default: 1 second. */
    readonly interval?: Duration.Input
    /** For how long a member may not confirm a group. Default: 3 seconds. */
    readonly deadline?: Duration.Input
  } = {}
): Layer.Layer<FailureNotification, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    FailureNotification,
    Effect.gen(function* () {
      const { nodes } = yield* Transport
      const given = {
        intervalMillis: millis(options.interval, defaults.intervalMillis),
        deadlineMillis: millis(options.deadline, defaults.deadlineMillis)
      }
      const settled = yield* settings(Settings, given, ({ deadlineMillis, intervalMillis }) =>
        deadlineMillis > intervalMillis
          ? undefined
          : `a deadline of ${deadlineMillis} ms is over before the next ping, after ${intervalMillis} ms`
      )
      const hearing = new Hearing()
      const actor = yield* Actor.spawn(protocol, { options: settled, onRestart: () => hearing.endAll() })
      actor.subscribe((event) => hearing.tell(event))
      const members = (): ReadonlyMap<GroupId, ReadonlyArray<NodeId.NodeId>> =>
        new Map(Object.entries(actor.state().groups).map(([id, { members }]) => [id, members]))
      return serveGroups(actor, hearing, { nodes, members, groupsMax })
    })
  )
