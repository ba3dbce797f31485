/**
 * Heartbeats with a deadline: each node says to all others, again and again, that it is there; who is not heard of until
 * a deadline is suspected.
 *
 * A suspicion that proves wrong moves the deadline of that node out, so that in a network whose delays have a bound, known
 * or not, a node that is up is suspected a finite number of times: the detector is eventually perfect.
 *
 * Source: T. D. Chandra, S. Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems", JACM 43(2), 1996,
 * figure 10.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import { FailureDetector, type InvalidOptions, type Opinion } from "./FailureDetector.ts"
import { accuracy, completeness } from "./internal/guarantees.ts"
import { Millis, millis, serve, settings } from "./internal/service.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "I am there." */
export const Message = Schema.Literal("Alive")
export type Message = typeof Message.Type

export interface Peer {
  readonly suspected: boolean
  /** How long it may be silent. */
  readonly deadlineMillis: number
}

export type State = Readonly<Record<NodeId.NodeId, Peer>>

export interface Options {
  readonly intervalMillis: number
  /** How long a node may be silent, at first. */
  readonly deadlineMillis: number
}

type Timer = "beat" | `deadline ${NodeId.NodeId}`

type Act = Protocol.Actions<Message, Opinion, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

/** What a node in this state holds of another. */
export const statusOf = (state: State, node: NodeId.NodeId) =>
  Object.hasOwn(state, node) ? (state[node]!.suspected ? "suspected" : "up") : undefined

export const card: Card.Card<State> = {
  title: "Heartbeat with deadline",
  summary: "Every node tells all others that it is there; who is silent past a deadline is suspected.",
  paper: {
    authors: "Tushar Deepak Chandra, Sam Toueg",
    title: "Unreliable Failure Detectors for Reliable Distributed Systems",
    venue: "JACM 43(2)",
    year: 1996
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [completeness(statusOf), accuracy(statusOf)],
  weaknesses: [
    {
      name: "slow is taken for dead",
      description: "A node that stands still for longer than its deadline is suspected, until it is heard of again.",
      faults: "chaos"
    },
    {
      name: "load grows with the square of the nodes",
      description: "Each node sends to all others in each interval.",
      faults: "none"
    }
  ],
  cost: {
    operation: "interval",
    best: { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) },
    worst: { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, never, Opinion, Timer, Options> = {
  name: "failure-detection/heartbeat",
  card,
  message: Message,

  init: ({ options: { deadlineMillis }, peers }) =>
    Object.fromEntries(peers.map((node) => [node, { suspected: false, deadlineMillis }])),

  onStart: (state, act) => {
    for (const node of act.self.peers) expect(node, state[node]!, act)
    return beat(state, act)
  },

  onCommand: (state) => state,

  onMessage: (state, from, _alive, act) => {
    const peer = Object.hasOwn(state, from) ? state[from] : undefined
    if (peer === undefined) return state
    if (!peer.suspected) {
      expect(from, peer, act)
      return state
    }
    // It was up after all: be more patient with it from now on.
    const patient = { suspected: false, deadlineMillis: peer.deadlineMillis + act.self.options.intervalMillis }
    expect(from, patient, act)
    act.emit({ node: from, status: "up", level: 0 })
    return { ...state, [from]: patient }
  },

  onTimeout: (state, timer, act) => {
    if (timer === "beat") return beat(state, act)
    const node = timer.slice("deadline ".length)
    act.emit({ node, status: "suspected", level: 1 })
    return { ...state, [node]: { ...state[node]!, suspected: true } }
  }
}

const beat = (state: State, act: Act): State => {
  act.sendAll(act.self.peers, "Alive")
  act.setTimer("beat", act.self.options.intervalMillis)
  return state
}

const expect = (node: NodeId.NodeId, { deadlineMillis }: Peer, act: Act): void =>
  act.setTimer(`deadline ${node}`, deadlineMillis)

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a crash is noticed within 3 seconds and a delay. */
export const defaults: Options = { intervalMillis: 1_000, deadlineMillis: 3_000 }

const Settings = Schema.Struct({ intervalMillis: Millis, deadlineMillis: Millis })

/**
 * A `FailureDetector` by heartbeats among the nodes of the transport.
 *
 * A crash is noticed within `deadline` and one message's delay. Each time a node proves to be up after all, its deadline
 * grows by `interval`. Fails with `InvalidOptions` when `deadline` is not longer than `interval`.
 */
export const layer = (
  options: {
    /** How often a node says that it is there. Default: 1 second. */
    readonly interval?: Duration.Input
    /** How long a node may be silent, at first. Default: 3 seconds. */
    readonly deadline?: Duration.Input
  } = {}
): Layer.Layer<FailureDetector, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    FailureDetector,
    Effect.gen(function* () {
      const given = {
        intervalMillis: millis(options.interval, defaults.intervalMillis),
        deadlineMillis: millis(options.deadline, defaults.deadlineMillis)
      }
      const settled = yield* settings(Settings, given, ({ deadlineMillis, intervalMillis }) =>
        deadlineMillis > intervalMillis
          ? undefined
          : `a deadline of ${deadlineMillis} ms is over before the next heartbeat, after ${intervalMillis} ms`
      )
      return yield* serve(yield* Actor.spawn(protocol, { options: settled }), {
        watched: (state) => Object.keys(state),
        opinion: (state, node) => {
          const status = statusOf(state, node)
          return status === undefined ? undefined : { node, status, level: status === "up" ? 0 : 1 }
        }
      })
    })
  )
