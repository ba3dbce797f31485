/**
 * Heartbeat without timeouts: each node counts the heartbeats of all others. What it tells is the counts, and no time
 * enters into it: the counter of a node that is up grows without bound, that of one that has crashed stops.
 *
 * That is all one can have where delays have no bound, and it is enough: an algorithm that repeats a message whenever the
 * receiver's counter has grown stops by itself when the receiver is dead, and gets through when it is not (quiescent
 * reliable communication). Such algorithms read `Heartbeats`.
 *
 * Where a program wants a yes or no, this node's own counter is the measure: it grows by one with each heartbeat that the
 * node sends. Whose counter has stood still while the own one grew by `patience` is suspected, until it grows again. No
 * timer, clock or deadline enters into that either; that nodes beat at about the same rate does.
 *
 * Among nodes that all reach each other a heartbeat goes to everybody directly; the paper's second algorithm, which passes
 * heartbeats on through a network with gaps, is not needed then.
 *
 * Source: M. K. Aguilera, W. Chen, S. Toueg, "Heartbeat: A Timeout-Free Failure Detector for Quiescent Reliable
 * Communication", WDAG 1997, §3.
 *
 * @example
 * import { Protocol } from "@troupe/actor"
 * import { HeartbeatCounters } from "@troupe/failure-detection"
 *
 * const { countOf, defaults, protocol } = HeartbeatCounters
 * const self = Protocol.self("n1", ["n1", "n2"], defaults)
 * const message: HeartbeatCounters.Message = "Heartbeat"
 * const heard = Protocol.step(protocol, self, protocol.init(self), { _tag: "Message", from: "n2", message })
 * console.log(countOf(heard.state, "n2")) // 1
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Context, type Duration, Effect, Layer, Schema } from "effect"
import { FailureDetector, type InvalidOptions, type Opinion } from "./FailureDetector.ts"
import { accuracy, completeness } from "./internal/guarantees.ts"
import { Count, Millis, millis, serve, settings } from "./internal/service.ts"
import * as Table from "./internal/table.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "I am there." */
export const Message = Schema.Literal("Heartbeat")
export type Message = typeof Message.Type

export interface Peer {
  /** How many of its heartbeats have come. */
  readonly count: number
  /** How many this node had sent when the latest of them came. */
  readonly atBeat: number
  readonly suspected: boolean
}

export interface State {
  /** How many heartbeats this node has sent: its own counter. */
  readonly beats: number
  readonly peers: Table.Table<Peer>
}

export interface Options {
  readonly intervalMillis: number
  /** By how much the own counter grows while another stands still, before that one is suspected. */
  readonly patience: number
}

export type Timer = "beat"

type Act = Protocol.Actions<Message, Opinion, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

/** What a node in this state holds of another. */
export const statusOf = ({ peers }: State, node: NodeId.NodeId) => Table.statusOf(peers, node)

/** How many heartbeats of another it has counted. */
export const countOf = ({ peers }: State, node: NodeId.NodeId): number | undefined => Table.find(peers, node)?.count

const perInterval: Card.Formula = { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) }

export const card: Card.Card<State> = {
  title: "Heartbeat counters",
  summary: "Every node counts the heartbeats of all others; whose count stands still while its own grows is suspected.",
  paper: {
    authors: "Marcos Kawazoe Aguilera, Wei Chen, Sam Toueg",
    title: "Heartbeat: A Timeout-Free Failure Detector for Quiescent Reliable Communication",
    venue: "WDAG",
    year: 1997
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    completeness(statusOf),
    accuracy(statusOf),
    {
      name: "counters grow",
      kind: "eventually",
      description: "Every node that is up has counted heartbeats of every other that is.",
      holds: (nodes) =>
        nodes.every(
          ({ alive, node, state }) =>
            !alive || nodes.every((other) => !other.alive || other.node === node || countOf(state, other.node) !== 0)
        )
    }
  ],
  weaknesses: [
    {
      name: "a node that beats slowly is suspected",
      description:
        "Counters tell nothing of time: who beats less often than once in `patience` beats of another comes and goes there.",
      faults: "none"
    },
    {
      name: "load grows with the square of the nodes",
      description: "Each node sends to all others in each interval.",
      faults: "none"
    }
  ],
  cost: { operation: "interval", best: perInterval, worst: perInterval }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, never, Opinion, Timer, Options> = {
  name: "failure-detection/heartbeat-counters",
  card,
  message: Message,

  init: ({ peers }) => ({ beats: 0, peers: Table.make(peers, { count: 0, atBeat: 0, suspected: false }) }),

  onStart: (state, act) => beat(state, act),

  onCommand: (state) => state,

  onMessage: (state, from, _heartbeat, act) => {
    const peer = Table.find(state.peers, from)
    if (peer === undefined) return state
    if (peer.suspected) act.emit(Table.up(from))
    const counted = { count: peer.count + 1, atBeat: state.beats, suspected: false }
    return { beats: state.beats, peers: Table.set(state.peers, from, counted) }
  },

  onTimeout: (state, _beat, act) => beat(state, act)
}

const beat = (state: State, act: Act): State => {
  const { intervalMillis, patience } = act.self.options
  act.sendAll(act.self.peers, "Heartbeat")
  act.setTimer("beat", intervalMillis)
  const beats = state.beats + 1
  const peers = Table.map(state.peers, (peer, node) => {
    if (peer.suspected || beats - peer.atBeat <= patience) return peer
    act.emit(Table.suspected(node, beats - peer.atBeat - 1))
    return { ...peer, suspected: true }
  })
  return { beats, peers }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a crash is noticed within 4 seconds. */
export const defaults: Options = { intervalMillis: 1_000, patience: 3 }

const Settings = Schema.Struct({ intervalMillis: Millis, patience: Count })

/** The counters of the nodes: what this detector tells, before anything is made of it. */
export class Heartbeats extends Context.Service<
  Heartbeats,
  {
    /** How many heartbeats this node has sent. */
    readonly own: Effect.Effect<number>
    /** How many it has counted, of every other node. They start from 0 when this node does. */
    readonly counters: Effect.Effect<ReadonlyMap<NodeId.NodeId, number>>
  }
>()("@troupe/failure-detection/Heartbeats") {}

/**
 * The counters of heartbeats among the nodes of the transport, and the `FailureDetector` that is made of them. The level of
 * a suspicion is by how much the own counter has grown since the other's last did.
 *
 * A crash is noticed within `patience + 1` intervals of this node. Fails with `InvalidOptions` when `patience` is no whole
 * number from 1 to 1,000.
 */
export const layer = (
  options: {
    /** How often a node says that it is there. Default: 1 second. */
    readonly interval?: Duration.Input
    /** By how much the own counter grows while another stands still, before that one is suspected. Default: 3. */
    readonly patience?: number
  } = {}
): Layer.Layer<FailureDetector | Heartbeats, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const settled = yield* settings(Settings, {
        intervalMillis: millis(options.interval, defaults.intervalMillis),
        patience: options.patience ?? defaults.patience
      })
      const actor = yield* Actor.spawn(protocol, { options: settled })
      const level = ({ atBeat }: Peer, _now: number, { beats }: State): number => Math.max(0, beats - atBeat - 1)
      const detector = yield* serve(
        actor,
        Table.reading(({ peers }) => peers, level)
      )
      return Context.make(FailureDetector, detector).pipe(
        Context.add(Heartbeats, {
          own: Effect.sync(() => actor.state().beats),
          counters: Effect.sync(() => {
            const state = actor.state()
            return new Map(state.peers.nodes.map((node) => [node, countOf(state, node)!]))
          })
        })
      )
    })
  )
