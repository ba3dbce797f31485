/**
 * Cristian's algorithm: a client asks a server for the time, and takes half of the round trip for the way back.
 *
 * The client measures the round trip by its monotonic clock, and reckons that it is now the server's time + RTT/2. Neither
 * way is shorter than the least delay, so this is off by at most RTT/2 − minDelay: the shorter the round trip, the better
 * the reading. So the client asks several times and believes the answer of the shortest round trip; one that takes longer
 * than `timeout` is not used at all. It adjusts its clock by slewing.
 *
 * All of the error comes from the two ways being unequal: if one takes d longer than the other, the client is d/2 off, and
 * nothing that it can measure tells.
 *
 * Source: F. Cristian, "Probabilistic Clock Synchronization", Distributed Computing 3, 1989.
 *
 * @example
 * import { Cristian } from "@troupe/clocks"
 *
 * // Asked at 10:00:00.000, answered at 10:00:00.080 with the server's 10:00:00.050: it is 10:00:00.090, ± 40 ms.
 * const at = Date.UTC(2020, 0, 1, 10, 0, 0, 50)
 * const { errorMillis, timeMillis } = Cristian.estimate({ serverMillis: at, roundTripMillis: 80 }, 0)
 * console.log(new Date(timeMillis).toISOString().slice(11, 23), errorMillis) // 10:00:00.090 40
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import {
  Amount,
  discipline,
  Millis,
  millis,
  Ppm,
  settings,
  timeSource,
  wrongServers
} from "./internal/physical/discipline.ts"
import {
  TimeOfDay,
  aged,
  fromRoundTrip,
  nonce,
  resolutionMillis,
  type RoundTrip
} from "./internal/physical/estimates.ts"
import type { InvalidClockOptions, NodeClock } from "./NodeClock.ts"
import { type Estimate, TimeSource } from "./TimeSource.ts"

// -------------------------------------------------------------------------------------------------- messages and state

const Id = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To a server: "what time is it?" */
  Schema.TaggedStruct("Request", { id: Id }),
  /** To who asked: "by my clock, it was this when I answered". */
  Schema.TaggedStruct("Reply", { id: Id, timeMillis: TimeOfDay })
])
export type Message = typeof Message.Type

/** This node knows the time better. `deltaMillis`: by how much its clock is behind; none at a server. */
export interface Event {
  readonly estimate: Estimate
  readonly deltaMillis: number | undefined
}

/** What a client reckons, and from which round trip. */
export interface Reading extends Estimate {
  readonly server: NodeId.NodeId
  readonly roundTripMillis: number
  /** The most that the server's clock was taken to be off. */
  readonly serverErrorMillis: number
}

export interface State {
  /** The request that an answer is awaited of. */
  readonly asked: { readonly id: number; readonly monotonicMillis: number } | undefined
  /** Which server is asked: the next one, after one was silent. */
  readonly server: number
  /** Requests of this round, answered or not. */
  readonly requests: number
  /** The reading of this round's shortest round trip. */
  readonly best: Reading | undefined
  /** The latest round's. A server reads its own clock. */
  readonly latest: Reading | undefined
}

export interface Options {
  /** Who knows the time. They answer and ask nobody; every other node asks them. */
  readonly servers: ReadonlyArray<NodeId.NodeId>
  readonly pollMillis: number
  /** An answer that takes longer counts as none. */
  readonly timeoutMillis: number
  /** Requests in a round. */
  readonly samples: number
  /** The least that a message takes, one way. */
  readonly minDelayMillis: number
  /** The most that a node's monotonic clock is fast or slow. */
  readonly driftPpmMax: number
  /** The most that a server's clock is off. */
  readonly serverErrorMillis: number
}

type Timer = "poll" | "timeout"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Cristian's algorithm",
  summary: "A client asks a server for the time and adds half of the round trip; off by at most RTT/2 − minDelay.",
  paper: {
    authors: "Flaviu Cristian",
    title: "Probabilistic Clock Synchronization",
    venue: "Distributed Computing 3",
    year: 1989
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    {
      name: "a bounded error",
      kind: "always",
      description:
        "A client's reading states an error, of no more than its round trip and the server's: RTT/2 − minDelay and drift.",
      holds: (nodes) =>
        nodes.every(
          ({ node, state: { latest } }) =>
            latest === undefined ||
            latest.server === node ||
            (latest.errorMillis > 0 &&
              latest.errorMillis <= latest.roundTripMillis + latest.serverErrorMillis + resolutionMillis)
        )
    },
    {
      name: "everybody knows the time",
      kind: "eventually",
      description: "Every node that is up has a reading.",
      holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.latest !== undefined)
    },
    {
      name: "a clock is read",
      kind: "sometimes",
      description: "The run has seen a client with a reading.",
      holds: (nodes) => nodes.some(({ node, state: { latest } }) => latest !== undefined && latest.server !== node)
    }
  ],
  weaknesses: [
    {
      name: "asymmetric delay",
      description:
        "When one way takes d longer than the other, a client is d/2 off. It cannot tell; its bound covers it.",
      faults: "none"
    },
    {
      name: "one server is believed",
      description: "A server whose clock is wrong sets all its clients wrong. NTP asks several.",
      faults: "none"
    }
  ],
  cost: {
    operation: "sample",
    best: { text: "2", of: () => 2 },
    worst: { text: "2", of: () => 2 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/**
 * What the time is when an answer is here, and how far off that is at most. `minDelayMillis` and `driftPpmMax`, the drift
 * of the clock that measured the round trip, are 0 by default.
 */
export const estimate = (
  roundTrip: RoundTrip,
  monotonicMillis: number,
  options: { readonly minDelayMillis?: number; readonly driftPpmMax?: number } = {}
): Estimate => fromRoundTrip(roundTrip, monotonicMillis, { minDelayMillis: 0, driftPpmMax: 0, ...options })

export const protocol: Protocol.Protocol<State, Message, never, Event, Timer, Options> = {
  name: "clocks/cristian",
  card,
  message: Message,

  init: () => ({ asked: undefined, server: 0, requests: 0, best: undefined, latest: undefined }),

  onStart: (state, act) => begin(state, act),

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    if (message._tag === "Request") {
      if (isServer(act)) act.send(from, { _tag: "Reply", id: message.id, timeMillis: act.now() })
      return state
    }
    const { asked } = state
    // Late, doubled, or to an earlier life of this node.
    if (asked === undefined || asked.id !== message.id || from !== serverOf(state, act)) return state
    act.clearTimer("timeout")
    return ask(sample({ ...state, asked: undefined }, from, message.timeMillis, asked.monotonicMillis, act), act)
  },

  onTimeout: (state, timer, act) =>
    timer === "poll"
      ? begin(state, act)
      : ask({ ...state, asked: undefined, server: (state.server + 1) % act.self.options.servers.length }, act)
}

const isServer = (act: Act): boolean => act.self.options.servers.includes(act.self.id)

const serverOf = (state: State, act: Act): NodeId.NodeId => act.self.options.servers[state.server]!

const begin = (state: State, act: Act): State =>
  isServer(act) ? readOwn(state, act) : ask({ ...state, requests: 0, best: undefined }, act)

/** A server knows the time by its own clock. */
const readOwn = (state: State, act: Act): State => {
  const { options, id } = act.self
  const latest: Reading = {
    monotonicMillis: act.monotonic(),
    timeMillis: act.now(),
    errorMillis: options.serverErrorMillis + resolutionMillis,
    roundTripMillis: 0,
    serverErrorMillis: options.serverErrorMillis,
    server: id
  }
  act.emit({ estimate: latest, deltaMillis: undefined })
  act.setTimer("poll", options.pollMillis)
  return { ...state, latest }
}

const ask = (state: State, act: Act): State => {
  const { samples, timeoutMillis } = act.self.options
  if (state.requests >= samples) return conclude(state, act)
  const id = nonce(act.random())
  act.send(serverOf(state, act), { _tag: "Request", id })
  act.setTimer("timeout", timeoutMillis)
  return { ...state, requests: state.requests + 1, asked: { id, monotonicMillis: act.monotonic() } }
}

const sample = (state: State, server: NodeId.NodeId, serverMillis: number, askedMillis: number, act: Act): State => {
  const { driftPpmMax, minDelayMillis, serverErrorMillis } = act.self.options
  const monotonicMillis = act.monotonic()
  const roundTripMillis = monotonicMillis - askedMillis
  const found = fromRoundTrip({ serverMillis, roundTripMillis }, monotonicMillis, { driftPpmMax, minDelayMillis })
  // A round trip that is shorter than two least delays shows that these are no such thing: it tells nothing.
  if (found.errorMillis < 0) return state
  if (state.best !== undefined && state.best.roundTripMillis <= roundTripMillis) return state
  const errorMillis = found.errorMillis + serverErrorMillis + resolutionMillis
  return { ...state, best: { ...found, errorMillis, roundTripMillis, serverErrorMillis, server } }
}

/** The round is over: the clock is adjusted by the best of its readings, if there is one. */
const conclude = (state: State, act: Act): State => {
  const { driftPpmMax, pollMillis } = act.self.options
  act.setTimer("poll", pollMillis)
  const { best } = state
  if (best === undefined) return state
  const now = aged(best, act.monotonic(), driftPpmMax)
  act.emit({ estimate: best, deltaMillis: now.timeMillis - act.now() })
  return { ...state, best: undefined, latest: best }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default, apart from the servers: three samples every 10 seconds. */
export const defaults: Omit<Options, "servers"> = {
  pollMillis: 10_000,
  timeoutMillis: 1_000,
  samples: 3,
  minDelayMillis: 0,
  driftPpmMax: 200,
  serverErrorMillis: 1
}

const Settings = Schema.Struct({
  servers: Schema.Array(NodeId.NodeId),
  pollMillis: Millis,
  timeoutMillis: Millis,
  samples: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 })),
  minDelayMillis: Amount,
  driftPpmMax: Ppm,
  serverErrorMillis: Amount
})

/**
 * A `TimeSource`, and the `NodeClock` of this node adjusted by it. Every node runs this layer: `servers` answer by their
 * clock, all others ask the first of them, and the next one when that is silent.
 *
 * Fails with `InvalidClockOptions` when an option is out of its range, or a server is none of the transport's nodes.
 */
export const layer = (options: {
  readonly servers: ReadonlyArray<NodeId.NodeId>
  /** How long after a round the next begins. Default: 10 seconds. */
  readonly poll?: Duration.Input
  /** An answer that takes longer counts as none. Default: 1 second. */
  readonly timeout?: Duration.Input
  /** Requests in a round, 1 to 64. Default: 3. */
  readonly samples?: number
  /** The least that a message takes, one way. Too much makes bounds wrong. Default: 0. */
  readonly minDelay?: Duration.Input
  /** The most that a node's monotonic clock is fast or slow. Default: 200. */
  readonly driftPpmMax?: number
  /** The most that a server's clock is off. Default: 1 ms, to which a host is read. */
  readonly serverError?: Duration.Input
}): Layer.Layer<TimeSource, ChannelInUse | InvalidClockOptions, Transport | NodeClock> =>
  Layer.effect(
    TimeSource,
    Effect.gen(function* () {
      const given = {
        servers: options.servers,
        pollMillis: millis(options.poll, defaults.pollMillis),
        timeoutMillis: millis(options.timeout, defaults.timeoutMillis),
        samples: options.samples ?? defaults.samples,
        minDelayMillis: millis(options.minDelay, defaults.minDelayMillis),
        driftPpmMax: options.driftPpmMax ?? defaults.driftPpmMax,
        serverErrorMillis: millis(options.serverError, defaults.serverErrorMillis)
      }
      const settled = yield* settings(Settings, given, ({ servers }, nodes) => wrongServers(servers, nodes))
      return timeSource(yield* discipline(protocol, settled), ({ latest }) => latest)
    })
  )
