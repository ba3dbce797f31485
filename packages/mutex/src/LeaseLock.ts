/**
 * The lease lock: whoever has the lease in a linearizable register is inside, and must renew it while it stays.
 *
 * To enter is one compare-and-set, from a free register to one's name; to leave is another. While it is inside, a node
 * renews the lease in time. One that crashes or is cut off does not, and the others enter when the lease has stood for its
 * time by their own clocks; by then the body inside has been interrupted, by its own. Nobody's clock is compared with
 * another's: all that must hold is that no clock runs faster or slower than the stated bound, and no node stands still
 * unawares. Where that fails two are inside for a while, and the fencing token, which is the version at which the register
 * was taken, lets what the lock guards refuse the first of them.
 *
 * The register is a `Register` of the context; without one it is served by a node of the transport, the lowest by default,
 * on which everything then depends.
 *
 * Source: C. Gray, D. Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency",
 * SOSP 1989; for locks, M. Burrows, "The Chubby Lock Service for Loosely-Coupled Distributed Systems", OSDI 2006.
 */
import type { Card, Protocol } from "@troupe/actor"
import { Lease, LeaseLayer } from "@troupe/register"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup } from "./internal/locking.ts"
import { InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export const Message = Lease.Message
export type Message = Lease.Message

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request; after `Lost`, says that the body has stopped. */
  | { readonly _tag: "Release" }
  /** A register that is somewhere else has answered. */
  | Lease.Answered

export type Event = Lease.Event

export interface State {
  readonly phase: "idle" | "waiting" | "inside"
  /** It is held where the phase is `inside`, and there alone. */
  readonly lease: Lease.State
}

export type Options = Lease.Options

type Timer = Lease.Timer

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Lease lock",
  summary:
    "Whoever has the lease in a linearizable register is inside, and renews it; a lease that stands still runs out.",
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
    mutualExclusion,
    {
      name: "a token an entry",
      kind: "always",
      description: "No two nodes have entered with the same token. Holds whatever clocks do.",
      holds: (nodes) => {
        const tokens = nodes.flatMap(({ alive, state: { lease } }) => (alive && lease.held ? [lease.held.token] : []))
        return new Set(tokens).size === tokens.length
      }
    },
    noStarvation,
    aNodeEnters
  ],
  weaknesses: [
    {
      name: "the register's host forgets",
      description:
        "A register that is served by a node of the transport is lost when that crashes. Provide a `Register`.",
      faults: "crash",
      breaks: "mutual exclusion"
    },
    {
      name: "a clock that is off by more than the bound",
      description: "The next may enter before the time of the last has ended by its own clock: fence by the token.",
      faults: "chaos",
      breaks: "mutual exclusion"
    },
    {
      name: "a holder that stands still",
      description:
        "One that stands still for longer than the lease goes on beside the next, until it hears of its clock.",
      faults: "chaos",
      breaks: "mutual exclusion"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "0 on the register's host", of: () => 0 },
    worst: { text: "8: tried, waited for, told of, taken, freed", of: (nodes) => (nodes === 1 ? 0 : 8) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "mutex/lease-lock",
  card,
  message: Message,

  init: () => ({ phase: "idle", lease: Lease.init }),

  onStart: (state, act) => ({ ...state, lease: Lease.start(state.lease, act) }),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? followed("waiting", Lease.hold(state.lease, act)) : state
      case "Release":
        return followed("idle", Lease.leave(state.lease, act))
      case "Answered":
        return followed(state.phase, Lease.onAnswered(state.lease, command, act))
    }
  },

  onMessage: (state, from, message, act) => followed(state.phase, Lease.onMessage(state.lease, from, message, act)),

  onTimeout: (state, timer, act) => followed(state.phase, Lease.onTimeout(state.lease, timer, act))
}

/** Who wants to enter is inside while it holds the lease; when that is lost, it is not. */
const followed = (phase: State["phase"], lease: Lease.State): State => {
  if (phase === "waiting" && lease.held !== undefined) return { phase: "inside", lease }
  return { phase: phase === "inside" && lease.held === undefined ? "idle" : phase, lease }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** `host` is who serves the register, where a node does. */
const reading = (host: NodeId.NodeId | undefined): Reading<State> => ({
  holder: ({ lease }, self) => Lease.holder(lease, self)?.id,
  queue: ({ lease }) => lease.waiters.length,
  waitsFor: ({ lease, phase }, self) => {
    if (phase !== "waiting") return []
    const waitsFor = lease.register.open.length > 0 ? host : Lease.holder(lease, self)?.id
    return waitsFor === undefined ? [] : [waitsFor]
  }
})

/** The settings that `layer` has by default. */
export const defaults: Options = Lease.defaults

/**
 * A `Mutex` on a lease in the register `mutex/lease-lock/<resource>`. `resource` names the lock: nodes that use the same
 * name exclude each other.
 *
 * A body that outlives the lease, because it could not be renewed, is interrupted `stop` before others may enter; one that
 * cannot be interrupted, or takes longer to stop, is not alone any more: fence by the token. Fails with `InvalidOptions`
 * where the lease is longer than an hour, or so short that nothing is left of it, and on a node outside its group.
 */
export const layer = (
  options: { readonly resource: string } & LeaseLayer.Settings
): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { resource, ...settings } = options
      const { mutex, onRestart } = yield* acquisition(reading(settings.host ?? (yield* Transport).nodes[0]))
      const name = `${protocol.name}/${resource}`
      return yield* mutex(yield* LeaseLayer.spawn(protocol, { ...settings, name, onRestart }))
    }).pipe(Effect.catchTag("InvalidOptions", ({ reason }) => new InvalidOptions({ reason })))
  )
