/**
 * Chang and Roberts' election: ids go round a ring, and a node lets only those pass that are higher than its own.
 *
 * Each node sends its id to its successor. A node hands a higher id on and swallows a lower one. An id that comes back to
 * its node has passed everybody: it is the highest. Its node leads, and says so to all.
 *
 * A node that has not begun when it is reached begins then, by sending its own id first. One that does not stand for
 * election sends no id and lets every id pass.
 *
 * Source: E. Chang, R. Roberts, "An Improved Algorithm for Decentralized Extrema-Finding in Circular Configurations of
 * Processes", Communications of the ACM 22(5), 1979.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import type { Election, InvalidOptions } from "./Election.ts"
import * as Ring from "./internal/ring.ts"
import { ringLayer } from "./internal/ringLayer.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "`id` stands for election, and nobody so far is higher." */
const Candidate = Schema.TaggedStruct("Candidate", { round: Ring.Round, id: NodeId.NodeId })

export const Message = Schema.Union([Candidate, Ring.Call, Ring.Coordinator, Ring.Over])
export type Message = typeof Message.Type

export type Command = Ring.Command
export type Event = Ring.Event
export type State = Ring.State
export type Options = Ring.Options

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Chang–Roberts",
  summary: "Ids go round a ring; a node swallows those below its own, so that only the highest comes home and leads.",
  paper: {
    authors: "Ernest Chang, Rosemary Roberts",
    title: "An Improved Algorithm for Decentralized Extrema-Finding in Circular Configurations of Processes",
    venue: "Communications of the ACM 22(5)",
    year: 1979
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
    best: { text: "3N−1", of: (nodes) => (nodes === 1 ? 0 : 3 * nodes - 1) },
    worst: { text: "N(N+1)/2 + N", of: (nodes) => (nodes === 1 ? 0 : (nodes * (nodes + 1)) / 2 + nodes) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "election/chang-roberts",
  card,
  message: Message,
  init: Ring.initial,
  ...Ring.electingBy<State, typeof Candidate.Type>({
    join: (state, act) => {
      if (state.standing) Ring.sendOn(state, { _tag: "Candidate", round: state.round, id: act.self.id }, act)
      return state
    },

    hear: (state, _from, candidate, act) => {
      if (candidate.id === act.self.id) return Ring.announce(state, act.self.id, act)
      if (!state.standing || NodeId.isHigher(candidate.id, act.self.id)) Ring.sendOn(state, candidate, act)
      return state
    }
  })
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
