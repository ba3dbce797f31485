/**
 * Dolev, Klawe and Rodeh's election: O(N log N) messages on a ring that goes one way only, by their algorithm B.
 *
 * What competes is not nodes but values, ids that move round the ring. An active node holds one and sends it on, in phase
 * p with the limit 2ᵖ. The next active node compares it with its own. If the newcomer is lower, it is out: the node says to
 * those ahead that its own value lives on, and becomes passive. If the newcomer is higher, the node takes it over and waits
 * to hear that it lives on behind: then it is active with it in the next phase. A passive node hands values on; the one
 * at which the limit is reached waits as well, so that the value goes on from nearer by when those ahead are far.
 *
 * A value that comes to an active node that holds it has been all round: it is the highest. That node says to all who leads.
 *
 * A node that has not begun when it is reached begins then. One that does not stand for election is passive from the start.
 *
 * Source: D. Dolev, M. Klawe, M. Rodeh, "An O(n log n) Unidirectional Distributed Algorithm for Extrema Finding in a
 * Circle", Journal of Algorithms 3(3), 1982. Its algorithm B needs at most 1.5 N log₂N + O(N) messages, and comes to that
 * on rings in bit-reversed order. The paper ends with a hint how to bring Peterson's 1.44 N log₂N down to 1.356: that is not
 * in here; `HighamPrzytycka` goes below it.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import type { Election, InvalidOptions } from "./Election.ts"
import * as Ring from "./internal/ring.ts"
import { ringLayer } from "./internal/ringLayer.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** "`value` competes in `phase`." (M1 in the paper.) The passive node that makes `limit` 0 is to hold it. */
const Compete = Schema.TaggedStruct("Compete", {
  round: Ring.Round,
  value: NodeId.NodeId,
  phase: Natural,
  limit: Natural
})

/** "`value` lives on: the one behind it is lower." (M2 in the paper.) */
const Survive = Schema.TaggedStruct("Survive", { round: Ring.Round, value: NodeId.NodeId })

export const Message = Schema.Union([Compete, Survive, Ring.Call, Ring.Coordinator, Ring.Over])
export type Message = typeof Message.Type

export type Command = Ring.Command
export type Event = Ring.Event
export type Options = Ring.Options

export interface State extends Ring.State {
  readonly status:
    /** Holds `highest`, and waits for the value behind it. */
    | "active"
    /** Holds `highest`, and waits to hear that it lives on. */
    | "waiting"
    /** Hands on. */
    | "passive"
  /** The highest value that it has held. */
  readonly highest: NodeId.NodeId | undefined
  /** Of the value that it holds. */
  readonly phase: number
  /** Whose messages it takes in this election: a ring that is repaired meanwhile is another ring. */
  readonly hears: NodeId.NodeId | undefined
}

type Act = Ring.Act<typeof Compete.Type | typeof Survive.Type>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Dolev–Klawe–Rodeh",
  summary: "Ids compete in phases on a one-way ring; of two neighbours one drops out, and the last that is left leads.",
  paper: {
    authors: "Danny Dolev, Maria Klawe, Michael Rodeh",
    title: "An O(n log n) Unidirectional Distributed Algorithm for Extrema Finding in a Circle",
    venue: "Journal of Algorithms 3(3)",
    year: 1982
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
    worst: { text: "≤ 1.5 N log₂N + 3N", of: (nodes) => 1.5 * nodes * Math.log2(nodes) + 3 * nodes }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "election/dolev-klawe-rodeh",
  card,
  message: Message,
  init: (self) => ({ ...Ring.initial(self), status: "passive", highest: undefined, phase: 0, hears: undefined }),
  ...Ring.electingBy<State, typeof Compete.Type | typeof Survive.Type>({
    join: (state, act) => {
      const woken: State = { ...state, status: "passive", highest: undefined, phase: 0, hears: undefined }
      return state.standing ? compete({ ...woken, highest: act.self.id }, act.self.id, 0, act) : woken
    },

    hear: (before, from, message, act) => {
      if (before.hears !== undefined && before.hears !== from) return before
      const state = before.hears === undefined ? { ...before, hears: from } : before
      if (message._tag === "Survive") return hearSurvivor(state, message, act)
      return state.status === "active" ? compare(state, message, act) : handOn(state, message, act)
    }
  })
}

/** Becomes active with a value. */
const compete = (state: State, value: NodeId.NodeId, phase: number, act: Act): State => {
  Ring.sendOn(state, { _tag: "Compete", round: state.round, value, phase, limit: 2 ** phase }, act)
  return { ...state, status: "active", phase }
}

/** An active node hears of the value behind its own. */
const compare = (state: State, { phase, value }: typeof Compete.Type, act: Act): State => {
  const own = state.highest!
  if (value === own) return Ring.announce(state, value, act)
  if (NodeId.isHigher(value, own)) return { ...state, status: "waiting", highest: value, phase }
  Ring.sendOn(state, { _tag: "Survive", round: state.round, value: own }, act)
  return { ...state, status: "passive" }
}

/** A node that waits has heard that its value does not live on: it hands on as one that is passive. */
const handOn = (state: State, message: typeof Compete.Type, act: Act): State => {
  const { limit, phase, value } = message
  if (limit === 0 || isBelow(value, state.highest)) {
    Ring.sendOn(state, limit === 0 ? message : { ...message, limit: 0 }, act)
    return state.status === "passive" ? state : { ...state, status: "passive" }
  }
  Ring.sendOn(state, { ...message, limit: limit - 1 }, act)
  return { ...state, highest: value, phase, status: limit === 1 ? "waiting" : "passive" }
}

const hearSurvivor = (state: State, message: typeof Survive.Type, act: Act): State => {
  if (state.status === "waiting") return compete(state, message.value, state.phase + 1, act)
  // Ahead of a higher value there is nobody who waits for it.
  if (!isBelow(message.value, state.highest)) Ring.sendOn(state, message, act)
  return state
}

const isBelow = (value: NodeId.NodeId, other: NodeId.NodeId | undefined): boolean =>
  other !== undefined && NodeId.isHigher(other, value)

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: the ring is in the order of names. */
export const defaults: Options = {}

/**
 * An `Election` by this algorithm among the nodes of the transport. `ring` must be the same on all nodes; fails with
 * `InvalidOptions` when it does not have each node once. A `FailureDetector` in the context makes the ring skip the dead.
 */
export const layer = (options: Options = defaults): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  ringLayer(protocol, options)
