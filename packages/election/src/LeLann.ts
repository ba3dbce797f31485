/**
 * LeLann's election: every node sends its id all round a ring, and so each learns of all.
 *
 * Each node sends a token with its id, and hands on those of the others. Links are FIFO, and a node that has not begun
 * when it is reached sends its own token first: so when its own comes home, those of all others have gone by. The highest
 * that it has seen leads; no announcement is needed.
 *
 * A node that does not stand for election sends a token that says so.
 *
 * Source: G. Le Lann, "Distributed Systems: Towards a Formal Approach", IFIP Congress, 1977.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Layer, Schema } from "effect"
import type { Election, InvalidOptions } from "./Election.ts"
import * as Ring from "./internal/ring.ts"
import { ringLayer } from "./internal/ringLayer.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "`id` takes part", as one that stands for election or not. */
const Token = Schema.TaggedStruct("Token", { round: Ring.Round, id: NodeId.NodeId, standing: Schema.Boolean })

export const Message = Schema.Union([Token, Ring.Call, Ring.Coordinator, Ring.Over])
export type Message = typeof Message.Type

export type Command = Ring.Command
export type Event = Ring.Event
export type Options = Ring.Options

export interface State extends Ring.State {
  /** The highest of the candidates whose tokens have gone by in this election, itself included. */
  readonly highest: NodeId.NodeId | undefined
}

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "LeLann",
  summary: "Every id goes all round a ring, so that each node sees all; the highest leads.",
  paper: {
    authors: "Gérard Le Lann",
    title: "Distributed Systems: Towards a Formal Approach",
    venue: "IFIP Congress",
    year: 1977
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
    best: { text: "N²", of: (nodes) => (nodes === 1 ? 0 : nodes * nodes) },
    worst: { text: "N²", of: (nodes) => (nodes === 1 ? 0 : nodes * nodes) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "election/le-lann",
  card,
  message: Message,
  init: (self) => ({ ...Ring.initial(self), highest: undefined }),
  ...Ring.electingBy<State, typeof Token.Type>({
    join: (state, act) => {
      const { id } = act.self
      Ring.sendOn(state, { _tag: "Token", round: state.round, id, standing: state.standing }, act)
      return { ...state, highest: state.standing ? id : undefined }
    },

    hear: (state, _from, token, act) => {
      if (token.id === act.self.id) return state.highest === undefined ? state : Ring.settle(state, state.highest, act)
      // One that has died would go round for ever.
      if (state.suspected.includes(token.id)) return state
      Ring.sendOn(state, token, act)
      const isHigher = state.highest === undefined || NodeId.isHigher(token.id, state.highest)
      return token.standing && isHigher ? { ...state, highest: token.id } : state
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
