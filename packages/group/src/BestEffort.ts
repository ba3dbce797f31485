/**
 * Best-effort broadcast: sends to each member, one by one, and does nothing more.
 *
 * As long as its sender stays up, everybody gets a message. One that crashes half-way leaves some with it and some without,
 * and nobody finds out. That is enough where the next message makes up for the last: readings, heartbeats, hints.
 *
 * Source: C. Cachin, R. Guerraoui, L. Rodrigues, "Introduction to Reliable and Secure Distributed Programming", 2nd ed.,
 * Springer 2011, algorithm 3.1 (basic broadcast).
 */
import type { Card, Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import * as Envelope from "./internal/envelope.ts"
import { layer as multicasting, type Settings } from "./internal/multicasting.ts"
import type * as Multicast from "./Multicast.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** "To everybody." Numbered by its sender in each life of it; `view` is the sender's. */
export const Message = Schema.TaggedStruct("Data", {
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
  /** Of this node: drawn at its start. */
  readonly life: number
  /** How many messages this node has sent. */
  readonly sent: number
  /** The highest number that it has had of each node, by rank, in the life of it that was heard of last. */
  readonly heard: ReadonlyArray<{ readonly life: number; readonly latest: number }>
  /** Of nodes that were no members any more: not delivered. */
  readonly strangers: number
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Best-effort broadcast",
  summary: "The sender sends to each member. What a sender that crashes had not sent is lost to some.",
  paper: {
    authors: "Christian Cachin, Rachid Guerraoui, Luís Rodrigues",
    title: "Introduction to Reliable and Secure Distributed Programming, algorithm 3.1",
    venue: "Springer, 2nd edition",
    year: 2011
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: false, duplication: false, order: "any" },
    tolerates: ["none", "crash"]
  },
  guarantees: [
    {
      name: "validity",
      kind: "eventually",
      description: "Of each sender that is up, all who have heard of it have had its latest message.",
      holds: (nodes) =>
        nodes.every(
          ({ alive, state: { life, sent } }, rank) =>
            !alive ||
            nodes.every(
              ({ alive, state: { heard } }) => !alive || heard[rank]!.life !== life || heard[rank]!.latest === sent
            )
        )
    },
    {
      name: "a message is sent",
      kind: "sometimes",
      description: "The run has seen a multicast.",
      holds: (nodes) => nodes.some(({ state }) => state.sent > 0)
    }
  ],
  weaknesses: [
    {
      name: "a sender that crashes half-way",
      description: "Some members have delivered the message, and the others never will.",
      faults: "crash"
    },
    {
      name: "what is lost stays lost",
      description: "Nothing is sent again, and what the network doubles is delivered twice.",
      faults: "lossy",
      breaks: "validity"
    },
    {
      name: "a split loses",
      description: "What is sent across a split never arrives.",
      faults: "partition",
      breaks: "validity"
    }
  ],
  cost: {
    operation: "multicast",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "N−1", of: (nodes) => nodes - 1 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "group/best-effort",
  card,
  message: Message,

  init: (self) => ({
    view: { number: 0, members: self.nodes },
    others: self.peers,
    life: 0,
    sent: 0,
    heard: self.nodes.map(() => ({ life: 0, latest: 0 })),
    strangers: 0
  }),

  // From 1: nobody has heard of 0.
  onStart: (state, act) => ({ ...state, life: 1 + Math.floor(act.random() * 2 ** 48) }),

  onCommand: (state, { payload }, act) => {
    const { life, view } = state
    const message: Message = { _tag: "Data", life, sequence: state.sent + 1, view: view.number, payload }
    act.sendAll(state.others, message)
    return deliver({ ...state, sent: message.sequence }, act.self.id, message, act)
  },

  onMessage: (state, from, message, act) =>
    // Whoever has a later view than this node knows better who is a member.
    message.view <= state.view.number && !state.view.members.includes(from)
      ? { ...state, strangers: state.strangers + 1 }
      : deliver(state, from, message, act),

  onView: (state, view, act) => {
    if (view.number <= state.view.number) return state
    act.emit({ _tag: "Viewed", view })
    return { ...state, view, others: view.members.filter((node) => node !== act.self.id) }
  }
}

const deliver = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  const { life, payload, sequence, view } = message
  act.emit({ _tag: "Delivered", from, sequence, view, payload })
  const rank = act.self.nodes.indexOf(from)
  const before = state.heard[rank]
  if (before === undefined || (before.life === life && before.latest > sequence)) return state
  return { ...state, heard: state.heard.with(rank, { life, latest: sequence }) }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * A `Multicast` that sends to each member, of the transport or, where a `Membership` is provided, of its latest view. A
 * sender does not wait: what the transport has no room for is lost, and its `links` say so.
 */
export const layer = (
  settings: Settings = {}
): Layer.Layer<Multicast.Multicast<"best-effort">, ChannelInUse | Multicast.InvalidOptions, Transport> =>
  multicasting(
    {
      protocol,
      options: undefined,
      guarantees: ["best-effort"],
      reading: { room: () => Infinity, view: ({ view }) => view }
    },
    settings
  )
