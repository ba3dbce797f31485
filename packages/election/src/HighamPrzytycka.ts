/**
 * Higham and Przytycka's election: at most 1.271 N log₂N + O(N) messages on a ring that goes one way only.
 *
 * Each node sends an envelope with its id. In odd phases an envelope lives on that is lower than the next one ahead of it,
 * in even phases one that is higher: so in every two phases few are left over. A node remembers the last envelope that it
 * handed on. It is there that the next one in the same phase is compared, and goes on in the next phase or is destroyed.
 *
 * Two rules save the rest of the way. In an odd phase, an envelope that has gone far (the Fibonacci number of its phase, two
 * further on) goes into the next phase: those ahead are few. In an even phase, so does one that comes to a node whose last
 * envelope was lower, and of the phase before: that one, or one still lower, is the next ahead.
 *
 * An envelope that comes to the node where its phase began, and that is the last there, is the only one left. It need not
 * be the highest: so it notes the highest of the nodes on its way, which in its last phase is all round. That one leads.
 *
 * A node that has not begun when it is reached begins then. One that does not stand for election sends no envelope.
 *
 * Source: L. Higham, T. Przytycka, "A Simple, Efficient Algorithm for Maximum Finding on Rings", Information Processing
 * Letters 58(6), 1996; first WDAG 1993. The paper's algorithm is called ELECT.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import type { Election, InvalidOptions } from "./Election.ts"
import * as Ring from "./internal/ring.ts"
import { ringLayer } from "./internal/ringLayer.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "`id` competes in `phase`, from 1; no node on the way that stands for election is above `highest`." */
const Envelope = Schema.TaggedStruct("Envelope", {
  round: Ring.Round,
  id: NodeId.NodeId,
  phase: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  /** Of an odd phase: how many more nodes hand it on in this phase. */
  hops: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  highest: NodeId.NodeId
})
type Envelope = typeof Envelope.Type

export const Message = Schema.Union([Envelope, Ring.Call, Ring.Coordinator, Ring.Over])
export type Message = typeof Message.Type

export type Command = Ring.Command
export type Event = Ring.Event
export type Options = Ring.Options

export interface State extends Ring.State {
  /** The envelope that it has sent or handed on last in this election. */
  readonly last: { readonly id: NodeId.NodeId; readonly phase: number } | undefined
  /** Whose messages it takes in this election: a ring that is repaired meanwhile is another ring. */
  readonly hears: NodeId.NodeId | undefined
}

type Act = Ring.Act<Envelope>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Higham–Przytycka",
  summary:
    "Envelopes compete in phases on a one-way ring, for the lower and the higher in turn; the last tells the highest.",
  paper: {
    authors: "Lisa Higham, Teresa Przytycka",
    title: "A Simple, Efficient Algorithm for Maximum Finding on Rings",
    venue: "Information Processing Letters 58(6)",
    year: 1996
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: false, order: "fifo" },
    tolerates: ["none"]
  },
  guarantees: Ring.guarantees,
  weaknesses: Ring.weaknesses,
  cost: {
    operation: "election",
    best: { text: "≥ 3N", of: (nodes) => (nodes === 1 ? 0 : 3 * nodes) },
    worst: { text: "≤ 1.271 N log₂N + 2N", of: (nodes) => 1.271 * nodes * Math.log2(nodes) + 2 * nodes }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "election/higham-przytycka",
  card,
  message: Message,
  init: (self) => ({ ...Ring.initial(self), last: undefined, hears: undefined }),
  ...Ring.electingBy<State, Envelope>({
    join: (state, act) => {
      const woken: State = { ...state, last: undefined, hears: undefined }
      const { id } = act.self
      return state.standing
        ? handOn(woken, { _tag: "Envelope", round: state.round, id, ...into(1, act), highest: id }, act)
        : woken
    },

    hear: (before, from, envelope, act) => {
      if (before.hears !== undefined && before.hears !== from) return before
      const state = before.hears === undefined ? { ...before, hears: from } : before
      const { id, phase } = envelope
      const { last } = state
      if (last?.phase === phase) {
        if (last.id === id) return Ring.announce(state, envelope.highest, act)
        return livesOn(envelope, last.id) ? handOn(state, { ...envelope, ...into(phase + 1, act) }, act) : state
      }
      const isEarly = isOdd(phase) ? envelope.hops === 0 : last?.phase === phase - 1 && livesOn(envelope, last.id)
      return handOn(state, isEarly ? { ...envelope, ...into(phase + 1, act) } : envelope, act)
    }
  })
}

const isOdd = (phase: number): boolean => phase % 2 === 1

/** Whether an envelope lives on with `ahead` before it: in odd phases the lower, in even ones the higher. */
const livesOn = ({ id, phase }: Envelope, ahead: NodeId.NodeId): boolean =>
  isOdd(phase) ? NodeId.isHigher(ahead, id) : NodeId.isHigher(id, ahead)

/** What an envelope carries that goes into a phase. Beyond the whole of the ring no limit is needed. */
const into = (phase: number, act: Act): Pick<Envelope, "phase" | "hops"> => ({
  phase,
  hops: isOdd(phase) ? Math.min(fibonacci(phase + 2), act.self.nodes.length) : 0
})

const fibonacci = (index: number): number => {
  let [previous, current] = [0, 1]
  for (let at = 1; at < index; at++) [previous, current] = [current, previous + current]
  return current
}

const handOn = (state: State, envelope: Envelope, act: Act): State => {
  const { highest, hops, id, phase } = envelope
  const isHighest = state.standing && NodeId.isHigher(act.self.id, highest)
  const left = Math.max(0, hops - 1)
  Ring.sendOn(state, { ...envelope, hops: left, highest: isHighest ? act.self.id : highest }, act)
  return { ...state, last: { id, phase } }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: the ring is in the order of names. */
export const defaults: Options = {}

/**
 * An `Election` by this algorithm among the nodes of the transport. `ring` must be the same on all nodes; fails with
 * `InvalidOptions` when it does not have each node once. A `FailureDetector` in the context makes the ring skip the dead.
 */
export const layer = (options: Options = defaults): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  ringLayer(protocol, options)
