/**
 * Hirschberg and Sinclair's election: on a ring that goes both ways, candidates ask ever farther neighbours.
 *
 * In phase k a candidate sends a probe with its id 2ᵏ nodes far in both directions. A node that is higher swallows the
 * probe; the last one of the way answers it. A candidate that has both answers is the highest within 2ᵏ nodes, and goes on
 * to the next phase: at most N/(2ᵏ⁻¹ + 1) do. A probe that comes home has been all round: its node leads.
 *
 * A candidate that has let a higher probe pass asks no further. A node that has not begun when it is reached begins then.
 * One that does not stand for election lets every probe pass, and answers.
 *
 * Source: D. S. Hirschberg, J. B. Sinclair, "Decentralized Extrema-Finding in Circular Configurations of Processors",
 * Communications of the ACM 23(11), 1980.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import type { Election, InvalidOptions } from "./Election.ts"
import * as Ring from "./internal/ring.ts"
import { ringLayer } from "./internal/ringLayer.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Way = Schema.Literals(["clockwise", "counterclockwise"])
type Way = typeof Way.Type

/** "`id` stands for election: is one of the next `hops` nodes higher?" */
const Probe = Schema.TaggedStruct("Probe", {
  round: Ring.Round,
  way: Way,
  id: NodeId.NodeId,
  hops: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
})

/** To `id`, from the last that its probe reached: "none is". */
const Reply = Schema.TaggedStruct("Reply", { round: Ring.Round, way: Way, id: NodeId.NodeId })

export const Message = Schema.Union([Probe, Reply, Ring.Call, Ring.Coordinator, Ring.Over])
export type Message = typeof Message.Type

export type Command = Ring.Command
export type Event = Ring.Event
export type Options = Ring.Options

export interface State extends Ring.State {
  /** Whether it may win this election: stands, and knows of nobody higher. */
  readonly candidate: boolean
  /** Its probes go 2^phase nodes far. */
  readonly phase: number
  /** How many of the two probes of the phase have been answered. */
  readonly replies: number
}

type Act = Ring.Act<typeof Probe.Type | typeof Reply.Type>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Hirschberg–Sinclair",
  summary:
    "Candidates on a two-way ring ask neighbours at twice the distance each time; who hears of a higher one stops.",
  paper: {
    authors: "Daniel S. Hirschberg, James B. Sinclair",
    title: "Decentralized Extrema-Finding in Circular Configurations of Processors",
    venue: "Communications of the ACM 23(11)",
    year: 1980
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
    worst: { text: "≤ 8N(1 + ⌈log₂N⌉) + N", of: (nodes) => 8 * nodes * (1 + Math.ceil(Math.log2(nodes))) + nodes }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "election/hirschberg-sinclair",
  card,
  message: Message,
  init: (self) => ({ ...Ring.initial(self), candidate: false, phase: 0, replies: 0 }),
  ...Ring.electingBy<State, typeof Probe.Type | typeof Reply.Type>({
    join: (state, act) =>
      state.standing ? probe({ ...state, candidate: true }, 0, act) : { ...state, candidate: false },

    hear: (state, _from, message, act) =>
      message._tag === "Probe" ? hearProbe(state, message, act) : hearReply(state, message, act)
  })
}

const probe = (state: State, phase: number, act: Act): State => {
  const { id } = act.self
  for (const way of ["clockwise", "counterclockwise"] as const)
    send(state, { _tag: "Probe", round: state.round, way, id, hops: 2 ** phase }, act)
  return { ...state, phase, replies: 0 }
}

const hearProbe = (state: State, { hops, id, round, way }: typeof Probe.Type, act: Act): State => {
  // Both of the last probes come home; one is enough, and clockwise goes the announcement.
  if (id === act.self.id) return way === "clockwise" ? Ring.announce(state, id, act) : state
  if (state.standing && NodeId.isHigher(act.self.id, id)) return state
  if (hops > 1) send(state, { _tag: "Probe", round, way, id, hops: hops - 1 }, act)
  else send(state, { _tag: "Reply", round, way: opposite(way), id }, act)
  return state.candidate ? { ...state, candidate: false } : state
}

const hearReply = (state: State, reply: typeof Reply.Type, act: Act): State => {
  if (reply.id !== act.self.id) {
    send(state, reply, act)
    return state
  }
  if (!state.candidate) return state
  return state.replies === 0 ? { ...state, replies: 1 } : probe(state, state.phase + 1, act)
}

const send = (state: State, message: typeof Probe.Type | typeof Reply.Type, act: Act): void =>
  act.send(message.way === "clockwise" ? state.successor : state.predecessor, message)

const opposite = (way: Way): Way => (way === "clockwise" ? "counterclockwise" : "clockwise")

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: the ring is in the order of names. */
export const defaults: Options = {}

/**
 * An `Election` by this algorithm among the nodes of the transport. `ring` must be the same on all nodes; fails with
 * `InvalidOptions` when it does not have each node once. A `FailureDetector` in the context makes the ring skip the dead.
 */
export const layer = (options: Options = defaults): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  ringLayer(protocol, options)
