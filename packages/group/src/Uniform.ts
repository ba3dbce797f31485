/**
 * Uniform reliable broadcast: a message is delivered once enough members have it that it cannot die with them.
 *
 * Whoever gets a message for the first time sends it on to everybody, which is also how it says that it has it. A node
 * delivers a message when it knows that more than half of all nodes have it. As long as fewer than half crash, one of those
 * stays up, and has sent it to everybody. So what any node delivers, be it one that crashes right after, all who stay up
 * deliver. What it waits for is one more step than flooding.
 *
 * To a node that has the message for certain, an acknowledgement goes in its place. Nobody has more than `window` messages
 * under way.
 *
 * Where a `Membership` says who is up, `quorum: "members"` waits for all members of the view in place of a majority: then
 * all but one may crash, as long as no view leaves out a node that is up.
 *
 * Source: C. Cachin, R. Guerraoui, L. Rodrigues, "Introduction to Reliable and Secure Distributed Programming", 2nd ed.,
 * Springer 2011, algorithms 3.5 (majority-ack) and 3.4 (all-ack).
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import * as Envelope from "./internal/envelope.ts"
import { layer as multicasting, type Settings } from "./internal/multicasting.ts"
import { add, has, latest, type Lives } from "./internal/seen.ts"
import type * as Multicast from "./Multicast.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const id = { origin: NodeId.NodeId, life: Natural, sequence: Natural }

export const Message = Schema.Union([
  /** "`origin` says to everybody, and I have it." `view` is that of `origin`. */
  Schema.TaggedStruct("Data", { ...id, view: Natural, payload: Envelope.schema }),
  /** "I have it", to one who has it. */
  Schema.TaggedStruct("Ack", id)
])
export type Message = typeof Message.Type
type Data = Extract<Message, { readonly _tag: "Data" }>

export type Command = Multicast.Command<Envelope.Payload>
export type Event = Multicast.Event<Envelope.Payload>

export interface Options {
  /** Of whom it has to be known that they have a message: more than half of all nodes, or every member of the view. */
  readonly quorum: "majority" | "members"
  /** How many messages of this node may be under way, that is, not delivered here. More wait with their sender. */
  readonly window: number
  /** How many messages of one other node may be under way here; one more is refused and counted. */
  readonly maxPending: number
}

export const defaults: Options = { quorum: "majority", window: 256, maxPending: 4096 }

/** A message that is not delivered yet. */
interface Pending {
  readonly message: Data
  /** Who has it, as far as this node knows, itself included. */
  readonly holders: ReadonlyArray<NodeId.NodeId>
}

export interface State {
  readonly view: Protocol.View
  /** Whom it sends to: the members but this node. */
  readonly others: ReadonlyArray<NodeId.NodeId>
  /** Of this node: drawn at its start, since a node that has forgotten its numbers must not seem to repeat itself. */
  readonly life: number
  /** How many messages this node has sent. */
  readonly sent: number
  /** What it has not delivered yet, by the rank of its origin, in the order of arrival. */
  readonly pending: ReadonlyArray<ReadonlyArray<Pending>>
  /** What it has delivered, by the rank of its origin. */
  readonly delivered: ReadonlyArray<Lives>
  /** Messages of nodes that were no members, and messages beyond `maxPending`: not delivered. */
  readonly refused: number
}

type Act = Protocol.Actions<Message, Event, never, Options>

// ------------------------------------------------------------------------------------------------------------- the card

const isHeld = ({ delivered, pending }: State, rank: number, { life, sequence }: Data): boolean =>
  has(delivered[rank]!, life, sequence) ||
  pending[rank]!.some(({ message }) => message.life === life && message.sequence === sequence)

export const card: Card.Card<State> = {
  title: "Uniform reliable broadcast by majority",
  summary: "Everybody sends a message on; it is delivered once a majority is known to have it.",
  paper: {
    authors: "Christian Cachin, Rachid Guerraoui, Luís Rodrigues",
    title: "Introduction to Reliable and Secure Distributed Programming, algorithm 3.5",
    venue: "Springer, 2nd edition",
    year: 2011
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [
    {
      name: "a majority has what is delivered",
      kind: "always",
      description: "What any node has delivered, more than half of all nodes have, so that it outlives a minority.",
      holds: (nodes) =>
        nodes.every(({ state }) =>
          state.pending.every((pending, rank) =>
            pending.every(({ message }) => {
              const { life, sequence } = message
              const isDelivered = nodes.some(({ state }) => has(state.delivered[rank]!, life, sequence))
              const holders = nodes.filter(({ state }) => isHeld(state, rank, message)).length
              return !isDelivered || 2 * holders > nodes.length
            })
          )
        )
    },
    {
      name: "nothing waits for ever",
      kind: "eventually",
      description: "What a node that is up has, it delivers.",
      holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.pending.every(({ length }) => length === 0))
    },
    {
      name: "agreement",
      kind: "eventually",
      description: "Of each sender, all who are up have delivered the same latest message.",
      holds: (nodes) =>
        nodes.every(
          (_, rank) =>
            new Set(nodes.filter(({ alive }) => alive).map(({ state }) => latest(state.delivered[rank]!))).size <= 1
        )
    },
    {
      name: "a message is delivered",
      kind: "sometimes",
      description: "The run has seen a delivery.",
      holds: (nodes) => nodes.some(({ state }) => state.delivered.some((lives) => lives.length > 0))
    }
  ],
  weaknesses: [
    {
      name: "a majority that is down blocks",
      description: "Nobody delivers any more, and senders wait once `window` messages are under way.",
      faults: "crash",
      breaks: "nothing waits for ever"
    },
    {
      name: "what is lost stays lost",
      description:
        "No message and no acknowledgement is sent again, so a message may never be known to be with a majority.",
      faults: "lossy",
      breaks: "nothing waits for ever"
    },
    {
      name: "a minority waits for ever",
      description:
        "What is sent while the network is split, the smaller side does not deliver, during the split and after.",
      faults: "partition",
      breaks: "nothing waits for ever"
    }
  ],
  cost: {
    operation: "multicast",
    best: { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) },
    worst: { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "group/uniform",
  card,
  message: Message,

  init: (self) => ({
    view: { number: 0, members: self.nodes },
    others: self.peers,
    life: 0,
    sent: 0,
    pending: self.nodes.map(() => []),
    delivered: self.nodes.map(() => []),
    refused: 0
  }),

  onStart: (state, act) => ({ ...state, life: Math.floor(act.random() * 2 ** 48) }),

  onCommand: (state, { payload }, act) => {
    if (room(state, act.self) === 0) return state
    const sequence = state.sent + 1
    const { life, view } = state
    const message: Message = { _tag: "Data", origin: act.self.id, life, sequence, view: view.number, payload }
    act.sendAll(state.others, message)
    const rank = rankOf(act.self, act.self.id)
    return put({ ...state, sent: sequence }, rank, -1, { message, holders: [act.self.id] }, act)
  },

  onMessage: (state, from, message, act) => {
    const rank = rankOf(act.self, message.origin)
    if (rank < 0) return { ...state, refused: state.refused + 1 }
    if (has(state.delivered[rank]!, message.life, message.sequence)) return state
    const at = placeOf(state.pending[rank]!, message)
    if (at >= 0) {
      const known = state.pending[rank]![at]!
      if (known.holders.includes(from)) return state
      return put(state, rank, at, { message: known.message, holders: [...known.holders, from] }, act)
    }
    // Who acknowledges had it from this node, in an earlier life of it.
    if (message._tag === "Ack") return state
    if (!mayCome(state, rank, message, act)) return { ...state, refused: state.refused + 1 }
    const ack: Message = { _tag: "Ack", origin: message.origin, life: message.life, sequence: message.sequence }
    const holders = from === message.origin ? [act.self.id, from] : [act.self.id, from, message.origin]
    for (const other of state.others) act.send(other, holders.includes(other) ? ack : message)
    return put(state, rank, -1, { message, holders }, act)
  },

  onView: (state, view, act) => {
    if (act.self.options.quorum === "majority" || view.number <= state.view.number) return state
    const joined = view.members.filter((node) => !state.view.members.includes(node))
    const others = view.members.filter((node) => node !== act.self.id)
    act.emit({ _tag: "Viewed", view })
    // Those who join acknowledge what is under way as well; those who left are not waited for.
    let next: State = { ...state, view, others }
    state.pending.forEach((pending, rank) => {
      for (const each of pending) {
        for (const node of joined) act.send(node, each.message)
        next = put(next, rank, placeOf(next.pending[rank]!, each.message), each, act)
      }
    })
    return next
  }
}

const rankOf = (self: Protocol.Self<Options>, node: NodeId.NodeId): number => self.nodes.indexOf(node)

/** How many more messages of this node may be under way. */
const room = (state: State, self: Protocol.Self<Options>): number =>
  Math.max(0, self.options.window - state.pending[rankOf(self, self.id)]!.length)

/** Whether its origin is no stranger, and there is room. */
const mayCome = (state: State, rank: number, message: Data, { self }: Act): boolean =>
  state.pending[rank]!.length < self.options.maxPending &&
  // Whoever has a later view than this node knows better who is a member.
  (message.view > state.view.number || state.view.members.includes(message.origin))

/** Its index among the pending of its origin, or -1. They come in their order as a rule, which says where to look first. */
const placeOf = (pending: ReadonlyArray<Pending>, { life, sequence }: Message): number => {
  if (pending.length === 0) return -1
  const guess = pending[sequence - pending[0]!.message.sequence]?.message
  if (guess?.sequence === sequence && guess.life === life) return sequence - pending[0]!.message.sequence
  return pending.findIndex(({ message }) => message.sequence === sequence && message.life === life)
}

/** Delivers it if enough have it; else it is pending at that place, or a new one, with who is known to have it by now. */
const put = (state: State, rank: number, at: number, { holders, message }: Pending, act: Act): State => {
  const { life, origin, payload, sequence, view } = message
  const pending = state.pending[rank]!
  if (!isQuorum(state, holders, act)) {
    const one = { message, holders }
    return { ...state, pending: state.pending.with(rank, at < 0 ? [...pending, one] : pending.with(at, one)) }
  }
  act.emit({ _tag: "Delivered", from: origin, sequence, view, payload })
  if (origin === act.self.id && room(state, act.self) === 0) act.emit({ _tag: "Room" })
  return {
    ...state,
    pending: at < 0 ? state.pending : state.pending.with(rank, pending.toSpliced(at, 1)),
    delivered: state.delivered.with(rank, add(state.delivered[rank]!, life, sequence))
  }
}

const isQuorum = (state: State, holders: ReadonlyArray<NodeId.NodeId>, { self }: Act): boolean =>
  self.options.quorum === "majority"
    ? 2 * holders.length > self.nodes.length
    : state.view.members.every((member) => holders.includes(member))

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * A uniform `Multicast` among the nodes of the transport, for good; with `quorum: "members"`, among the members of the views
 * of a `Membership`. A node that comes back without its memory counts as crashed: it hears what is sent from then on, but
 * has forgotten what it acknowledged.
 */
export const layer = (
  settings: Settings & Partial<Options> = {}
): Layer.Layer<
  Multicast.Multicast<"best-effort" | "reliable" | "uniform">,
  ChannelInUse | Multicast.InvalidOptions,
  Transport
> => {
  const { maxPending = defaults.maxPending, quorum = defaults.quorum, window = defaults.window, ...rest } = settings
  return multicasting(
    {
      protocol,
      options: { maxPending, quorum, window },
      bounds: { maxPending, window },
      guarantees: ["best-effort", "reliable", "uniform"],
      reading: { room, view: ({ view }) => view }
    },
    rest
  )
}
