/**
 * Lamport's logical clock: every event of a node gets a number, higher than those of all events that could have caused it.
 *
 * Each node counts its events (rule IR1). Each message carries the count of its sending; the receiver moves its clock
 * past it (rule IR2). So A → B implies C(A) < C(B). The converse is false, and no counter can make it true: concurrent
 * events get some order too. Vector clocks tell the two apart, at the price of N numbers a message.
 *
 * Source: L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import * as LamportTimestamp from "./LamportTimestamp.ts"
import { LogicalClock, type Stamped } from "./LogicalClock.ts"

// -------------------------------------------------------------------------------------------- messages, commands, state

/** The time at which the message was sent; who sent it, the transport says. */
export const Message = Schema.Struct({ sent: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
export type Message = typeof Message.Type

export type Command =
  | { readonly _tag: "Tick" }
  | { readonly _tag: "Send"; readonly to: NodeId.NodeId }
  | { readonly _tag: "Witness"; readonly sent: LamportTimestamp.LamportTimestamp }

export interface State {
  /** C_i: the timestamp of the latest event. */
  readonly clock: LamportTimestamp.LamportTimestamp
  readonly latest: Stamped | undefined
  /** The time of the event before the latest, or 0. */
  readonly previous: number
}

type Act = Protocol.Actions<Message, Stamped, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Lamport clock",
  summary: "Counts events so that a cause always has a lower number than its effect.",
  paper: {
    authors: "Leslie Lamport",
    title: "Time, Clocks, and the Ordering of Events in a Distributed System",
    venue: "CACM 21(7)",
    year: 1978
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-stop",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [
    {
      name: "clock condition across nodes",
      kind: "always",
      description: "A message is received at a higher time than it was sent at.",
      holds: (nodes) =>
        nodes.every(({ state }) => state.latest?.kind !== "receive" || state.latest.sent.time < state.latest.at.time)
    },
    {
      name: "clock condition within a node",
      kind: "always",
      description: "Of two events of a node the later one has the higher time.",
      holds: (nodes) => nodes.every(({ state }) => state.latest === undefined || state.previous < state.latest.at.time)
    },
    {
      name: "a message is received",
      kind: "sometimes",
      description: "The run has seen a message arrive.",
      holds: (nodes) => nodes.some(({ state }) => state.latest?.kind === "receive")
    }
  ],
  weaknesses: [
    {
      name: "the converse is false",
      description: "C(A) < C(B) does not mean that A happened before B: they may be concurrent.",
      faults: "none"
    },
    {
      name: "a node that forgets",
      description: "A node that comes back after a crash counts from 0 again, and repeats timestamps.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "message",
    best: { text: "1", of: () => 1 },
    worst: { text: "1", of: () => 1 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Stamped> = {
  name: "clocks/lamport",
  card,
  message: Message,

  init: (self) => ({ clock: LamportTimestamp.zero(self.id), latest: undefined, previous: 0 }),

  // IR1: the clock advances between any two events.
  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Tick":
        return stamp(state, { kind: "local", at: LamportTimestamp.next(state.clock) }, act)
      case "Send": {
        const at = LamportTimestamp.next(state.clock)
        act.send(command.to, { sent: at.time })
        return stamp(state, { kind: "send", at, to: command.to }, act)
      }
      case "Witness":
        return received(state, command.sent, act)
    }
  },

  onMessage: (state, from, message, act) => received(state, { time: message.sent, node: from }, act)
}

// IR2: the clock advances past the time at which the message was sent.
const received = (state: State, sent: LamportTimestamp.LamportTimestamp, act: Act): State =>
  stamp(state, { kind: "receive", at: LamportTimestamp.receive(state.clock, sent.time), sent }, act)

const stamp = (state: State, event: Stamped, act: Act): State => {
  act.emit(event)
  return { clock: event.at, latest: event, previous: state.clock.time }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** A `LogicalClock` on this node, in step with those of the other nodes. */
export const layer: Layer.Layer<LogicalClock, ChannelInUse, Transport> = Layer.effect(
  LogicalClock,
  Effect.map(Actor.spawn(protocol), (actor) => {
    const tell = (command: Command) =>
      Effect.sync(() => {
        actor.tell(command)
        return actor.state().clock
      })
    return {
      now: Effect.sync(() => actor.state().clock),
      tick: tell({ _tag: "Tick" }),
      send: (to) => tell({ _tag: "Send", to }),
      witness: (sent) => tell({ _tag: "Witness", sent }),
      events: actor.events
    }
  })
)
