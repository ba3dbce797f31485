/**
 * Naive replication: every replica executes what it is asked, at once, and tells the others, who do as they hear.
 *
 * Nobody orders anything and nobody waits. A replica that is asked before it has heard answers from a state that is behind;
 * two that are asked at once keep what they heard last, each something else; what is lost is lost. It is here for what it
 * breaks: a client that sets x at one replica and then y at another is told by a third that y is set and x is not.
 *
 * Source: the bank example of the field's textbooks; G. Coulouris, J. Dollimore, T. Kindberg, G. Blair, "Distributed Systems:
 * Concepts and Design", 5th ed., 2011, ch. 18.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, Codec, Transport } from "@troupe/transport"
import { Effect, Layer, Schema, Stream } from "effect"
import type * as Machine from "./Machine.ts"
import type { Replicated, Status, Tag } from "./Replicated.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** Updates that the sender has applied. */
export type Message = ReadonlyArray<unknown>

/** A request, by a number of the front end's own. */
export type Command = { readonly _tag: "Ask"; readonly id: number; readonly request: unknown }

export type Event =
  | { readonly _tag: "Answered"; readonly id: number; readonly response: unknown }
  /** Another replica's updates have been applied. */
  | { readonly _tag: "Heard" }

export interface State {
  readonly value: unknown
  /** How many updates it has applied. */
  readonly applied: number
}

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
  const apply = ({ applied, value }: State, updates: ReadonlyArray<unknown>): State => ({
    value: updates.reduce((each, update) => machine.apply(each, update), value),
    applied: applied + updates.length
  })
  return {
    name: `replication/naive/${machine.name}`,
    card,
    message: Schema.Array(machine.update) as Codec.MessageSchema<Message>,

    init: () => ({ value: machine.init, applied: 0 }),

    onCommand: (state, { id, request }, act) => {
      const { response, updates } = machine.execute(state.value, request, {
        now: act.now(),
        random: () => act.random()
      })
      act.emit({ _tag: "Answered", id, response })
      if (updates.length === 0) return state
      act.sendAll(act.self.peers, updates)
      return apply(state, updates)
    },

    onMessage: (state, _from, updates, act) => {
      act.emit({ _tag: "Heard" })
      return apply(state, updates)
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Replicates a machine over all nodes of the transport, naively. It never fails, and promises nothing. */
export const layer = <Self, S, Q, U, R>(tag: Tag<Self, S, Q, U, R>): Layer.Layer<Self, ChannelInUse, Transport> =>
  Layer.effect(
    tag,
    Effect.gen(function* () {
      const { machine } = tag
      const actor = yield* Actor.spawn(protocol(machine))
      const status = (): Status => {
        const { applied } = actor.state()
        const { nodes } = actor.self
        return { role: "primary", view: 0, primary: actor.node, members: nodes, applied, committed: applied }
      }
      const open = new Map<number, (answer: Effect.Effect<R>) => void>()
      let asked = 0
      actor.subscribe((event) => {
        if (event._tag !== "Answered") return
        open.get(event.id)?.(Effect.succeed(event.response as R))
        open.delete(event.id)
      })
      const service: Replicated<Q, R> = {
        self: actor.node,
        invoke: (request) =>
          Effect.callback<R>((resume) => {
            const id = ++asked
            open.set(id, resume)
            actor.tell({ _tag: "Ask", id, request })
            return Effect.sync(() => void open.delete(id))
          }),
        status: Effect.sync(status),
        changes: Stream.concat(Stream.sync(status), Stream.map(actor.events, status))
      }
      return service
    })
  )
