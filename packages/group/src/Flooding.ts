/**
 * Reliable broadcast by flooding: whoever gets a message for the first time sends it on to everybody, then delivers it.
 *
 * So it is all or nothing among those who stay up: if one of them delivers a message, it has sent it to all others, though
 * the sender may have crashed half-way. What a node delivers right before it crashes may die with it: `Uniform` is for that.
 *
 * Copies are known by sender, life of the sender and number. A node remembers a number up to which it has all, and single
 * ones beyond that.
 *
 * Source: V. Hadzilacos, S. Toueg, "Fault-Tolerant Broadcasts and Related Problems", in S. Mullender (ed.), Distributed
 * Systems, 2nd ed., 1993, §4 (reliable broadcast by message diffusion).
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import * as Envelope from "./internal/envelope.ts"
import { layer as multicasting, type Settings } from "./internal/multicasting.ts"
import { add, has, hasGap, latest, type Lives } from "./internal/seen.ts"
import type * as Multicast from "./Multicast.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** "`origin` says to everybody." Sent on as it is; `view` is that of `origin`. */
export const Message = Schema.TaggedStruct("Data", {
  origin: NodeId.NodeId,
  life: Natural,
  sequence: Natural,
  view: Natural,
  payload: Envelope.schema
})
export type Message = typeof Message.Type

export type Command = Multicast.Command<Envelope.Payload>
export type Event = Multicast.Event<Envelope.Payload>

export interface State {
  readonly view: Protocol.View
  /** The members but this node. */
  readonly others: ReadonlyArray<NodeId.NodeId>
  /** Of this node: drawn at its start, since a node that has forgotten its numbers must not seem to repeat itself. */
  readonly life: number
  /** How many messages this node has sent. */
  readonly sent: number
  /** What it has had of each node, by rank. */
  readonly seen: ReadonlyArray<Lives>
  /** Messages of nodes that were no members any more, or never: not delivered. */
  readonly strangers: number
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Reliable broadcast by flooding",
  summary: "Whoever gets a message for the first time sends it on to all others before delivering it.",
  paper: {
    authors: "Vassos Hadzilacos, Sam Toueg",
    title: "Fault-Tolerant Broadcasts and Related Problems",
    venue: "Distributed Systems, 2nd edition",
    year: 1993
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none", "crash"]
  },
  guarantees: [
    {
      name: "agreement",
      kind: "eventually",
      description:
        "Of each sender, all who have heard of it have had the same latest message, and none is missing before.",
      holds: (nodes) =>
        nodes.every((_, rank) => {
          const had = nodes.filter(({ alive, state }) => alive && state.seen[rank]!.length > 0)
          const ends = new Set(had.map(({ state }) => latest(state.seen[rank]!)))
          return ends.size <= 1 && !had.some(({ state }) => hasGap(state.seen[rank]!))
        })
    },
    {
      name: "a message is delivered",
      kind: "sometimes",
      description: "The run has seen a delivery.",
      holds: (nodes) => nodes.some(({ state }) => state.seen.some((lives) => lives.length > 0))
    }
  ],
  weaknesses: [
    {
      name: "not uniform",
      description: "What a node delivers and is sending on when it crashes may be delivered by nobody else.",
      faults: "crash"
    },
    {
      name: "what is lost to all stays lost",
      description: "Copies make up for each other, but no message is sent again.",
      faults: "lossy",
      breaks: "agreement"
    },
    {
      name: "a split loses",
      description: "What is sent across a split never arrives.",
      faults: "partition",
      breaks: "agreement"
    }
  ],
  cost: {
    operation: "multicast",
    best: { text: "(N−1)²−(N−2) = N²−3N+3", of: (nodes) => (nodes < 2 ? 0 : nodes * nodes - 3 * nodes + 3) },
    worst: { text: "(N−1)²", of: (nodes) => (nodes - 1) ** 2 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "group/flooding",
  card,
  message: Message,

  init: (self) => ({
    view: { number: 0, members: self.nodes },
    others: self.peers,
    life: 0,
    sent: 0,
    seen: self.nodes.map(() => []),
    strangers: 0
  }),

  onStart: (state, act) => ({ ...state, life: Math.floor(act.random() * 2 ** 48) }),

  onCommand: (state, { payload }, act) => {
    const sequence = state.sent + 1
    const { life, view } = state
    const message: Message = { _tag: "Data", origin: act.self.id, life, sequence, view: view.number, payload }
    return deliver({ ...state, sent: sequence }, message, act.self.id, act.self.nodes.indexOf(act.self.id), act)
  },

  onMessage: (state, from, message, act) => {
    const rank = act.self.nodes.indexOf(message.origin)
    // Whoever has a later view than this node knows better who is a member.
    const isKnown = message.view > state.view.number || state.view.members.includes(message.origin)
    if (rank < 0 || !isKnown) return { ...state, strangers: state.strangers + 1 }
    return has(state.seen[rank]!, message.life, message.sequence) ? state : deliver(state, message, from, rank, act)
  },

  onView: (state, view, act) => {
    if (view.number <= state.view.number) return state
    act.emit({ _tag: "Viewed", view })
    return { ...state, view, others: view.members.filter((node) => node !== act.self.id) }
  }
}

/** Sends it to those who may lack it: not to its origin, nor to whom it came from. */
const deliver = (state: State, message: Message, from: NodeId.NodeId, rank: number, act: Act): State => {
  const { life, origin, payload, sequence, view } = message
  for (const other of state.others) if (other !== from && other !== origin) act.send(other, message)
  act.emit({ _tag: "Delivered", from: origin, sequence, view, payload })
  return { ...state, seen: state.seen.with(rank, add(state.seen[rank]!, life, sequence)) }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * A reliable `Multicast` among the nodes of the transport or, where a `Membership` is provided, the members of its latest
 * view. A sender does not wait: what the transport has no room for is lost, and its `links` say so. A node that comes back
 * is a new one to the others, and hears what is sent from then on.
 */
export const layer = (
  settings: Settings = {}
): Layer.Layer<Multicast.Multicast<"best-effort" | "reliable">, ChannelInUse | Multicast.InvalidOptions, Transport> =>
  multicasting(
    {
      protocol,
      options: undefined,
      guarantees: ["best-effort", "reliable"],
      reading: { room: () => Infinity, view: ({ view }) => view }
    },
    settings
  )
