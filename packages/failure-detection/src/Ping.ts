/**
 * Ping: each node asks all others, again and again, whether they are there; who does not answer in time, several times in
 * a row, is suspected.
 *
 * The simplest detector, and the only one here that asks: it tells as well that a message gets there and back. Its timeout
 * is a bound on the round trip that one has to know. Where the bound holds and no message is lost, nobody who is up is
 * suspected, and a crash is within `misses` intervals and a timeout.
 *
 * An answer that comes after its timeout does not count, so that a node which is too slow stays suspected, and does not
 * come and go.
 *
 * Source: N. Hayashibara, A. Cherif, T. Katayama, "Failure Detectors for Large-Scale Distributed Systems", SRDS 2002, §2
 * (the "pull" style of monitoring).
 *
 * @example
 * import { Protocol } from "@troupe/actor"
 * import { Ping } from "@troupe/failure-detection"
 *
 * const { defaults, protocol, statusOf } = Ping
 * const self = Protocol.self("n1", ["n1", "n2"], { ...defaults, misses: 1 })
 * const asked = Protocol.step(protocol, self, protocol.init(self), { _tag: "Start" })
 * const over = Protocol.step(protocol, self, asked.state, { _tag: "Timeout", timer: "timeout" })
 * console.log(statusOf(over.state, "n2")) // suspected
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import { FailureDetector, type InvalidOptions, type Opinion } from "./FailureDetector.ts"
import { accuracy, completeness } from "./internal/guarantees.ts"
import { Count, Millis, millis, serve, settings } from "./internal/service.ts"
import * as Table from "./internal/table.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Round = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** "Are you there?" */
  Schema.TaggedStruct("Ping", { round: Round }),
  /** "I am", to the ping of that round. */
  Schema.TaggedStruct("Pong", { round: Round })
])
export type Message = typeof Message.Type

export interface Peer {
  /** The latest round whose ping it answered in time; 0 before the first. */
  readonly answered: number
  readonly suspected: boolean
}

export interface State {
  /** The round of the latest ping; 0 before the first. */
  readonly round: number
  /** Whether its answers still come in time. */
  readonly open: boolean
  readonly peers: Table.Table<Peer>
}

export interface Options {
  readonly intervalMillis: number
  readonly timeoutMillis: number
  /** How many pings in a row go unanswered before a node is suspected. */
  readonly misses: number
}

export type Timer = "round" | "timeout"

type Act = Protocol.Actions<Message, Opinion, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

/** What a node in this state holds of another. */
export const statusOf = ({ peers }: State, node: NodeId.NodeId) => Table.statusOf(peers, node)

const perInterval: Card.Formula = { text: "2N(N−1)", of: (nodes) => 2 * nodes * (nodes - 1) }

export const card: Card.Card<State> = {
  title: "Ping",
  summary: "Every node asks all others whether they are there; who leaves several pings unanswered is suspected.",
  paper: {
    authors: "Naohiro Hayashibara, Adel Cherif, Takuya Katayama",
    title: "Failure Detectors for Large-Scale Distributed Systems",
    venue: "SRDS",
    year: 2002
  },
  assumes: {
    timing: "synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [completeness(statusOf), accuracy(statusOf)],
  weaknesses: [
    {
      name: "slow is taken for dead",
      description: "A node whose answers take longer than the timeout is suspected for as long as they do.",
      faults: "none"
    },
    {
      name: "load grows with the square of the nodes",
      description: "Each node asks all others in each interval, and answers all.",
      faults: "none"
    }
  ],
  cost: { operation: "interval", best: perInterval, worst: perInterval }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, never, Opinion, Timer, Options> = {
  name: "failure-detection/ping",
  card,
  message: Message,

  init: ({ peers }) => ({ round: 0, open: false, peers: Table.make(peers, { answered: 0, suspected: false }) }),

  onStart: (state, act) => ask(state, act),

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    if (message._tag === "Pong") return hear(state, from, message.round, act)
    act.send(from, { _tag: "Pong", round: message.round })
    return state
  },

  onTimeout: (state, timer, act) => (timer === "round" ? ask(state, act) : judge(state, act))
}

const ask = (state: State, act: Act): State => {
  const { intervalMillis, timeoutMillis } = act.self.options
  const round = state.round + 1
  act.sendAll(act.self.peers, { _tag: "Ping", round })
  act.setTimer("timeout", timeoutMillis)
  act.setTimer("round", intervalMillis)
  return { ...state, round, open: true }
}

const hear = (state: State, node: NodeId.NodeId, round: number, act: Act): State => {
  const peer = Table.find(state.peers, node)
  if (peer === undefined || !state.open || round !== state.round || peer.answered === round) return state
  if (peer.suspected) act.emit(Table.up(node))
  return { ...state, peers: Table.set(state.peers, node, { answered: round, suspected: false }) }
}

const judge = (state: State, act: Act): State => {
  const { misses } = act.self.options
  const peers = Table.map(state.peers, (peer, node) => {
    if (peer.suspected || state.round - peer.answered < misses) return peer
    act.emit(Table.suspected(node))
    return { ...peer, suspected: true }
  })
  return { ...state, open: false, peers }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a crash is noticed within 3.5 seconds. */
export const defaults: Options = { intervalMillis: 1_000, timeoutMillis: 500, misses: 3 }

const Settings = Schema.Struct({ intervalMillis: Millis, timeoutMillis: Millis, misses: Count })

/**
 * A `FailureDetector` by pings among the nodes of the transport.
 *
 * A crash is noticed within `misses` intervals and a `timeout`. Fails with `InvalidOptions` when `timeout` is not shorter
 * than `interval`, or `misses` is no whole number from 1 to 1,000.
 */
export const layer = (
  options: {
    /** How often all others are asked. Default: 1 second. */
    readonly interval?: Duration.Input
    /** How long an answer may take: there and back. Default: 500 ms. */
    readonly timeout?: Duration.Input
    /** How many pings in a row go unanswered before a node is suspected. Default: 3. */
    readonly misses?: number
  } = {}
): Layer.Layer<FailureDetector, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    FailureDetector,
    Effect.gen(function* () {
      const given = {
        intervalMillis: millis(options.interval, defaults.intervalMillis),
        timeoutMillis: millis(options.timeout, defaults.timeoutMillis),
        misses: options.misses ?? defaults.misses
      }
      const settled = yield* settings(Settings, given, ({ intervalMillis, timeoutMillis }) =>
        timeoutMillis < intervalMillis
          ? undefined
          : `a timeout of ${timeoutMillis} ms is not over before the next ping, after ${intervalMillis} ms`
      )
      return yield* serve(
        yield* Actor.spawn(protocol, { options: settled }),
        Table.reading(({ peers }) => peers)
      )
    })
  )
