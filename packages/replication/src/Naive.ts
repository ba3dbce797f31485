/**
 * Naive replication: every replica executes what it is asked, at once, and tells the others, who do as they hear.
 *
 * Nobody orders anything and nobody waits. A replica that is asked before it has heard answers from a state that is behind;
 * two that are asked at once keep what they heard last, each something else; what is lost is lost. It is here for what it
 * breaks: a client that sets x at one replica and then y at another is told by a third that y is set and x is not.
 *
 * A session (`Sessions`) asks for more: it waits for the copy that it asks to hold what it has seen, and its updates say what
 * they follow, which every copy waits for. Each replica counts its own updates, and those that it has heard of each other.
 *
 * Source: the bank example of the field's textbooks; G. Coulouris, J. Dollimore, T. Kindberg, G. Blair, "Distributed Systems:
 * Concepts and Design", 5th ed., 2011, ch. 18.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { VersionVector } from "@troupe/clocks"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { FrontEnd } from "./internal/naiveFrontEnd.ts"
import type * as Machine from "./Machine.ts"
import type { Position, Tag } from "./Replicated.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** Updates that the sender has applied: of its own, those after the first `before`. */
export interface Message {
  readonly before: number
  /** To be applied once this is held. */
  readonly after: Position
  readonly updates: ReadonlyArray<unknown>
}

/** A request, by a number of the front end's own. */
export type Command = {
  readonly _tag: "Ask"
  readonly id: number
  readonly request: unknown
  /** What its updates follow. */
  readonly after: Position
}

export type Event =
  /** `held` when it was executed, with its own updates. */
  | { readonly _tag: "Answered"; readonly id: number; readonly response: unknown; readonly held: Position }
  /** Another replica's updates have been applied. */
  | { readonly _tag: "Heard" }

export interface State {
  readonly value: unknown
  /** How many updates it has applied. */
  readonly applied: number
  /** Of each replica, how many of its first updates it has applied: what comes after one that was lost does not count. */
  readonly held: Position
  /** Messages that wait for what they follow, and those of the same senders behind them. In the order of their arrival. */
  readonly early: ReadonlyArray<Early>
}

interface Early {
  readonly from: NodeId.NodeId
  readonly message: Message
}

/** So many messages wait; of one more, the oldest is applied as it is. */
export const maxEarly = 1024

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Naive replication",
  summary: "Each replica executes what it is asked and tells the others, without order or acknowledgement.",
  paper: {
    authors: "George Coulouris, Jean Dollimore, Tim Kindberg, Gordon Blair",
    title: "Distributed Systems: Concepts and Design",
    venue: "Addison-Wesley, 5th edition",
    year: 2011
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: false, order: "fifo" },
    tolerates: ["none"]
  },
  guarantees: [
    {
      name: "every update arrives",
      kind: "eventually",
      description:
        "All replicas have applied equally many updates. Not in one order: their values may differ for good.",
      holds: (nodes) => nodes.every(({ state }) => state.applied === nodes[0]!.state.applied)
    },
    {
      name: "an update arrives",
      kind: "sometimes",
      description: "The run has seen one.",
      holds: (nodes) => nodes.some(({ state }) => state.applied > 0)
    }
  ],
  weaknesses: [
    {
      name: "not linearizable",
      description: "After x was set at one replica and then y at another, a third may say that y is set and x is not.",
      faults: "none"
    },
    {
      name: "replicas differ for good",
      description: "Of two updates at once, each replica keeps the one that it heard last.",
      faults: "none"
    },
    {
      name: "what is lost is lost",
      description: "An update is told once. Nobody notices that it did not arrive.",
      faults: "lossy",
      breaks: "every update arrives"
    },
    {
      name: "a crash forgets",
      description: "Nothing is on a disk: a replica that comes back has the first state.",
      faults: "crash",
      breaks: "every update arrives"
    }
  ],
  cost: {
    operation: "update",
    best: { text: "N−1", of: (nodes) => nodes - 1 },
    worst: { text: "N−1", of: (nodes) => nodes - 1 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol = (machine: Machine.Any): Protocol.Protocol<State, Message, Command, Event> => {
  const apply = (state: State, from: NodeId.NodeId, { before, updates }: Message): State => {
    const isNext = VersionVector.count(state.held, from) === before
    return {
      ...state,
      value: updates.reduce((each, update) => machine.apply(each, update), state.value),
      applied: state.applied + updates.length,
      held: isNext ? VersionVector.merge(state.held, [[from, before + updates.length]]) : state.held
    }
  }
  const applyDue = (state: State): State => {
    for (;;) {
      const due = nextDue(state)
      if (due === undefined) return state
      state = apply({ ...state, early: state.early.filter((each) => each !== due) }, due.from, due.message)
    }
  }
  return {
    name: `replication/naive/${machine.name}`,
    card,
    message: Schema.Struct({
      before: Schema.Int,
      after: VersionVector.VersionVector,
      updates: Schema.Array(machine.update)
    }),

    init: () => ({ value: machine.init, applied: 0, held: VersionVector.empty, early: [] }),

    onCommand: (state, { after, id, request }, act) => {
      const { response, updates } = machine.execute(state.value, request, {
        now: act.now(),
        random: () => act.random()
      })
      const { id: self } = act.self
      const message = { before: VersionVector.count(state.held, self), after, updates }
      const next = updates.length === 0 ? state : apply(state, self, message)
      act.emit({ _tag: "Answered", id, response, held: next.held })
      if (updates.length > 0) act.sendAll(act.self.peers, message)
      return next
    },

    onMessage: (state, from, message, act) => {
      const next = applyDue({ ...state, early: [...state.early, { from, message }] })
      if (next.applied > state.applied) act.emit({ _tag: "Heard" })
      return next
    }
  }
}

/** The first that has what it follows, and none of its sender's before it. */
const nextDue = ({ early, held }: State): Early | undefined => {
  if (early.length > maxEarly) return early[0]
  const waiting = new Set<NodeId.NodeId>()
  return early.find(({ from, message }) => {
    if (!waiting.has(from) && VersionVector.descends(held, message.after)) return true
    waiting.add(from)
    return false
  })
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Replicates a machine over all nodes of the transport, naively. It never fails, and promises nothing. */
export const layer = <Self, S, Q, U, R>(tag: Tag<Self, S, Q, U, R>): Layer.Layer<Self, ChannelInUse, Transport> =>
  Layer.effect(
    tag,
    Effect.map(Actor.spawn(protocol(tag.machine)), (actor) => new FrontEnd(tag.machine, actor).service())
  )
