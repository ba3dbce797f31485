/**
 * Invitation: the first node by name leads, and tells the others when it starts.
 *
 * Replace this by what the algorithm is for, its idea in a few sentences, and its paper.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { Election, type Leader } from "./Election.ts"
import { electing } from "./internal/electing.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export const Message = Schema.Union([
  /** To all others: "I lead". */
  Schema.TaggedStruct("Leads", { epoch: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
])
export type Message = typeof Message.Type

export type Command =
  /** Stands for election. Ignored: the leader is fixed. */
  | { readonly _tag: "Campaign" }
  /** Leads no longer. Ignored: nobody else may. */
  | { readonly _tag: "Resign" }

export type Event = { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined }

export interface State {
  /** Whom this node follows, itself when it leads. */
  readonly leader: Leader | undefined
  readonly isLeading: boolean
}

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Invitation",
  summary: "The first node by name leads, and tells the others when it starts.",
  paper: { authors: "Folklore", title: "A fixed leader", venue: "none", year: 1977 },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [
    {
      name: "at most one leader",
      kind: "always",
      description: "No two nodes lead at the same time.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.isLeading).length <= 1
    },
    {
      name: "everybody follows",
      kind: "eventually",
      description: "Every node that is up knows the leader.",
      holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.leader !== undefined)
    },
    {
      name: "a leader is elected",
      kind: "sometimes",
      description: "The run has seen a leader.",
      holds: (nodes) => nodes.some(({ state }) => state.isLeading)
    }
  ],
  weaknesses: [
    {
      name: "a node that crashes misses its leader",
      description: "The leader speaks once. A node that starts again later does not hear it.",
      faults: "crash",
      breaks: "everybody follows"
    }
  ],
  cost: {
    operation: "election",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "N−1", of: (nodes) => nodes - 1 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "election/invitation",
  card,
  message: Message,

  init: () => ({ leader: undefined, isLeading: false }),

  onStart: (state, act) => {
    if (act.self.nodes[0] !== act.self.id) return state
    const leader = { id: act.self.id, epoch: 1 }
    act.sendAll(act.self.peers, { _tag: "Leads", epoch: leader.epoch })
    act.emit({ _tag: "LeaderChanged", leader })
    return { leader, isLeading: true }
  },

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    if (state.leader !== undefined) return state
    const leader = { id: from, epoch: message.epoch }
    act.emit({ _tag: "LeaderChanged", leader })
    return { ...state, leader }
  }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** An `Election` by this algorithm among the nodes of the transport. */
export const layer = (): Layer.Layer<Election, ChannelInUse, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      return yield* election(yield* Actor.spawn(protocol, { onRestart }))
    })
  )
