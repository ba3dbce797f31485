/**
 * The ring election with a list: a message that goes round collects who is up, and the highest on the list leads.
 *
 * A node that misses its leader sends ELECTION with a list of itself to its successor. Each node adds itself and hands the
 * list on. When it comes to a node that is on it already, it has been all round: the highest on the list leads, and
 * COORDINATOR goes round to say so. When several begin at once, several lists go round, and all come to the same.
 *
 * A node that does not stand for election hands the list on as it is. A successor that is dead is skipped: a failure
 * detector says which.
 *
 * Source: A. S. Tanenbaum, M. van Steen, "Distributed Systems: Principles and Paradigms", 2nd edition, 2007, §6.5.1.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import type { Election as ElectionService, InvalidOptions } from "./Election.ts"
import * as Rounds from "./internal/ring.ts"
import { ringLayer } from "./internal/ringLayer.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "These are up and stand for election, in the order in which I came by." The first has begun. */
const Election = Schema.TaggedStruct("Election", { round: Rounds.Round, nodes: Schema.NonEmptyArray(NodeId.NodeId) })

export const Message = Schema.Union([Election, Rounds.Call, Rounds.Coordinator, Rounds.Over])
export type Message = typeof Message.Type

export type Command = Rounds.Command
export type Event = Rounds.Event
export type State = Rounds.State
export type Options = Rounds.Options

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Ring",
  summary: "A list goes round a ring and collects who is up; the highest on it leads, and a second message says so.",
  paper: {
    authors: "Andrew S. Tanenbaum, Maarten van Steen",
    title: "Distributed Systems: Principles and Paradigms",
    venue: "2nd edition, §6.5.1",
    year: 2007
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: false, order: "fifo" },
    tolerates: ["none"]
  },
  guarantees: Rounds.guarantees,
  weaknesses: Rounds.weaknesses,
  cost: {
    operation: "election",
    best: { text: "2N", of: (nodes) => (nodes === 1 ? 0 : 2 * nodes) },
    worst: { text: "N² + N", of: (nodes) => (nodes === 1 ? 0 : nodes * nodes + nodes) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "election/ring",
  card,
  message: Message,
  init: Rounds.initial,
  ...Rounds.electingBy<State, typeof Election.Type>({
    join: (state, act, begins) => {
      // Who is woken by a list adds itself to that.
      if (begins && state.standing)
        Rounds.sendOn(state, { _tag: "Election", round: state.round, nodes: [act.self.id] }, act)
      return state
    },

    hear: (state, _from, election, act) => {
      const { nodes, round } = election
      if (nodes.includes(act.self.id)) return Rounds.announce(state, highestOf(nodes), act)
      const extended = { _tag: "Election", round, nodes: [...nodes, act.self.id] } as const
      Rounds.sendOn(state, state.standing ? extended : election, act)
      return state
    }
  })
}

const highestOf = (nodes: ReadonlyArray<NodeId.NodeId>): NodeId.NodeId =>
  nodes.reduce((best, node) => (NodeId.isHigher(node, best) ? node : best))

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: the ring is in the order of names. */
export const defaults: Options = {}

/**
 * An `Election` by this algorithm among the nodes of the transport. `ring` must be the same on all nodes; fails with
 * `InvalidOptions` when it does not have each node once. A `FailureDetector` in the context makes the ring skip the dead.
 */
export const layer = (
  options: Options = defaults
): Layer.Layer<ElectionService, ChannelInUse | InvalidOptions, Transport> => ringLayer(protocol, options)
