/**
 * Election by a lease: whoever has the lease in a linearizable register leads, and must renew it.
 *
 * A node that finds the register free takes it by one compare-and-set, and says so to the others. While it leads it renews
 * the lease; when it cannot, since it is cut off, it leads no longer by its own clock before any other takes the lease, by
 * theirs. So at most one leads at a time, in every part of a network that is split, if no clock runs faster or slower than
 * the stated bound and no node stands still unawares. The version at which the register was taken is the epoch: it grows
 * from leader to leader, whatever clocks do.
 *
 * The register is a `Register` of the context; without one it is served by a node of the transport, the lowest by default,
 * on which everything then depends.
 *
 * Source: C. Gray, D. Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency",
 * SOSP 1989; for elections, M. Burrows, "The Chubby Lock Service for Loosely-Coupled Distributed Systems", OSDI 2006.
 */
import type { Card, Protocol } from "@troupe/actor"
import { Lease, LeaseLayer } from "@troupe/register"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { Election, InvalidOptions, type Leader } from "./Election.ts"
import { electing } from "./internal/electing.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Epoch = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  ...Lease.Message.members,
  /** To all: "I have taken the lease, at this version". */
  Schema.TaggedStruct("Elected", { epoch: Epoch })
])
export type Message = typeof Message.Type

export type Command =
  /** Stands for election again. */
  | { readonly _tag: "Campaign" }
  /** Leads no longer, and leaves the election to the others. */
  | { readonly _tag: "Resign" }
  /** A register that is somewhere else has answered. */
  | Lease.Answered

export type Event = { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined } | Lease.Event

export interface State {
  /** Whether it wants to lead. */
  readonly standing: boolean
  /** Whom this node follows, itself while it has the lease. */
  readonly leader: Leader | undefined
  readonly lease: Lease.State
}

export type Options = Lease.Options

type Timer = Lease.Timer | "start"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Lease election",
  summary: "Whoever has the lease in a linearizable register leads, and renews it; a lease that stands still runs out.",
  paper: {
    authors: "Cary G. Gray, David R. Cheriton",
    title: "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency",
    venue: "SOSP",
    year: 1989
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [
    {
      name: "at most one leader",
      kind: "always",
      description: "No two nodes lead at the same time, in whatever parts the network is split.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.lease.held !== undefined).length <= 1
    },
    {
      name: "one leader an epoch",
      kind: "always",
      description: "Two nodes that know a leader of the same epoch know the same one. Holds whatever clocks do.",
      holds: (nodes) => {
        const leaders = new Map<number, NodeId.NodeId>()
        for (const { state } of nodes) {
          if (state.leader === undefined) continue
          const { epoch, id } = state.leader
          if ((leaders.get(epoch) ?? id) !== id) return false
          leaders.set(epoch, id)
        }
        return true
      }
    },
    {
      name: "all follow one leader",
      kind: "eventually",
      description: "Where a node that is up stands for election, one leads, and every node that is up follows it.",
      holds: (nodes) => {
        const up = nodes.filter(({ alive }) => alive)
        const leader = up.find(({ state }) => state.lease.held !== undefined)
        if (leader === undefined) return up.every(({ state }) => !state.standing)
        return up.every(
          ({ state }) => state.leader?.id === leader.node && state.leader.epoch === leader.state.lease.held!.token
        )
      }
    },
    {
      name: "a leader is elected",
      kind: "sometimes",
      description: "The run has seen a leader.",
      holds: (nodes) => nodes.some(({ state }) => state.lease.held !== undefined)
    }
  ],
  weaknesses: [
    {
      name: "the register's host forgets",
      description:
        "A register that is served by a node of the transport is lost when that crashes. Provide a `Register`.",
      faults: "crash",
      breaks: "at most one leader"
    },
    {
      name: "a clock that is off by more than the bound",
      description: "The next may lead before the time of the last has ended by its own clock: fence by the epoch.",
      faults: "chaos",
      breaks: "at most one leader"
    },
    {
      name: "a leader that stands still",
      description:
        "One that stands still for longer than the lease goes on beside the next, until it hears of its clock.",
      faults: "chaos",
      breaks: "at most one leader"
    }
  ],
  cost: {
    operation: "election",
    best: { text: "2N, when the register's host resigns", of: (nodes) => (nodes === 1 ? 0 : 2 * nodes) },
    worst: { text: "4(N−1), when all start at once", of: (nodes) => 4 * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "election/lease",
  card,
  message: Message,

  init: () => ({ standing: true, leader: undefined, lease: Lease.init }),

  // A register that is somewhere else can be asked when the layer has joined it: that lets the node stand then.
  onStart: (state, act) => {
    if (act.self.options.register !== undefined) act.setTimer("start", 0)
    return { ...state, lease: Lease.start(state.lease, act) }
  },

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Campaign":
        return after({ ...state, standing: true }, Lease.hold(state.lease, act), act)
      case "Resign":
        return after({ ...state, standing: false }, Lease.watch(state.lease, act), act)
      case "Answered":
        return after(state, Lease.onAnswered(state.lease, command, act), act)
    }
  },

  onMessage: (state, from, message, act) => {
    if (message._tag !== "Elected") return after(state, Lease.onMessage(state.lease, from, message, act), act)
    const { epoch: version } = message
    const record = { holder: from, token: version, leaseMillis: act.self.options.leaseMillis }
    return after(state, Lease.told(state.lease, { version, record }, act), act)
  },

  onTimeout: (state, timer, act) => {
    if (timer !== "start") return after(state, Lease.onTimeout(state.lease, timer, act), act)
    return state.standing ? after(state, Lease.hold(state.lease, act), act) : state
  }
}

/** What becomes of the leader as the lease goes on. */
const after = (before: State, lease: Lease.State, act: Act): State => {
  const state = { ...changeLeader(before, Lease.holder(lease, act.self.id), act), lease }
  const { held } = lease
  if (held !== undefined && held.token !== before.lease.held?.token) {
    act.sendAll(act.self.peers, { _tag: "Elected", epoch: held.token })
  }
  // It has told its user that it leads no longer, and stands for the next election.
  return lease.aim === "lost" ? after(state, Lease.hold(lease, act), act) : state
}

const changeLeader = (state: State, holder: Lease.Leaseholder | undefined, act: Act): State => {
  if (state.leader?.id === holder?.id && state.leader?.epoch === holder?.token) return state
  const leader = holder === undefined ? undefined : { id: holder.id, epoch: holder.token }
  act.emit({ _tag: "LeaderChanged", leader })
  return { ...state, leader }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a leader that crashes is replaced some 6 seconds after its last sign. */
export const defaults: Options = Lease.defaults

/**
 * An `Election` by a lease in the register `election/lease`, among the nodes of the transport.
 *
 * A leader that cannot renew its lease stops `stop` before another may lead: a body of `whileLeader` that takes longer to
 * be interrupted is not alone any more, and neither is one whose node resigns; fence by the epoch. Fails with
 * `InvalidOptions` where the lease is longer than an hour, or so short that nothing is left of it.
 */
export const layer = (
  options: LeaseLayer.Settings = {}
): Layer.Layer<Election, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Election,
    Effect.gen(function* () {
      const { election, onRestart } = yield* electing((state: State) => state.leader)
      let stand = (): void => {}
      const actor = yield* LeaseLayer.spawn(protocol, {
        ...options,
        name: protocol.name,
        onRestart: () => {
          onRestart()
          stand()
        }
      })
      stand = () => actor.tell({ _tag: "Campaign" })
      stand()
      return yield* election(actor)
    }).pipe(Effect.catchTag("InvalidOptions", ({ reason }) => new InvalidOptions({ reason })))
  )
