/**
 * φ-accrual: not whether a node is dead, but how sure one may be of it, on a scale that means the same in any network.
 *
 * Three parts, each usable by itself. Monitoring (`Arrivals`) remembers the latest intervals between heartbeats of a node.
 * Interpretation (`phi`) makes of the present silence a number: at φ, the chance that the node is up after all is 10^−φ, if
 * heartbeats go on to come as they did. Action is up to each program: it reads the `level` of an opinion and does what its
 * own costs of an error say, such as sending work elsewhere at 1 and taking over at 8. The `status` of an opinion is such an
 * action with one threshold; the moment at which φ comes to it is known when a heartbeat comes, and is a timer.
 *
 * An interval beyond what the threshold takes for possible, the acceptable pause apart, counts as no longer than that: the
 * estimate grows with each suspicion that proves wrong, and a pause of a minute doesn't blind it for the next thousand beats.
 *
 * Source: N. Hayashibara, X. Défago, R. Yared, T. Katayama, "The φ Accrual Failure Detector", SRDS 2004.
 *
 * @example
 * import { FailureDetector, PhiAccrual } from "@troupe/failure-detection"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer } from "effect"
 *
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 * const program = Effect.gen(function*() {
 *   const detector = yield* FailureDetector
 *   const { level, status } = yield* detector.opinion("n2")
 *   return `${status}, φ below 1: ${level < 1}`
 * })
 * const detector = PhiAccrual.layer({ interval: "100 millis", threshold: 10 })
 * const run = program.pipe(Effect.provide(detector.pipe(Layer.provide(Memory.layer(network, "n1")))))
 * console.log(await Effect.runPromise(run)) // up, φ below 1: true
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import { FailureDetector, type InvalidOptions, type Opinion } from "./FailureDetector.ts"
import * as Arrivals from "./internal/accrual/Arrivals.ts"
import { deviationsAt } from "./internal/accrual/phi.ts"
import { accuracy, completeness } from "./internal/guarantees.ts"
import { Millis, millis, serve, settings } from "./internal/service.ts"
import * as Table from "./internal/table.ts"

export * as Arrivals from "./internal/accrual/Arrivals.ts"
export { deviationsAt, phi } from "./internal/accrual/phi.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "I am there." */
export const Message = Schema.Literal("Heartbeat")
export type Message = typeof Message.Type

export interface Peer {
  readonly arrivals: Arrivals.Arrivals
  /** How long it may be silent since its latest heartbeat, until φ comes to the threshold. */
  readonly patienceMillis: number
  readonly suspected: boolean
}

export interface State {
  /** By how many deviations a silence exceeds the mean when φ comes to the threshold. */
  readonly deviations: number
  readonly peers: Table.Table<Peer>
}

export interface Options extends Arrivals.Options {
  readonly intervalMillis: number
  /** A node is suspected when φ comes to this. */
  readonly threshold: number
}

export type Timer = "beat" | `threshold ${NodeId.NodeId}`

type Act = Protocol.Actions<Message, Opinion, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

/** What a node in this state holds of another. */
export const statusOf = ({ peers }: State, node: NodeId.NodeId) => Table.statusOf(peers, node)

const perInterval: Card.Formula = { text: "N(N−1)", of: (nodes) => nodes * (nodes - 1) }

export const card: Card.Card<State> = {
  title: "φ-accrual",
  summary:
    "Every node tells all others that it is there; how strongly one is suspected follows from how its heartbeats used to come.",
  paper: {
    authors: "Naohiro Hayashibara, Xavier Défago, Rami Yared, Takuya Katayama",
    title: "The φ Accrual Failure Detector",
    venue: "SRDS",
    year: 2004
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
      description: "A node that stands still for much longer than it used to is suspected, until it is heard of again.",
      faults: "chaos"
    },
    {
      name: "what is rare is not learnt",
      description:
        "A pause beyond the acceptable one that comes seldom is suspected each time: few among many hardly count.",
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
  name: "failure-detection/phi-accrual",
  card,
  message: Message,

  init: ({ options, peers }) => {
    const deviations = deviationsAt(options.threshold)
    const arrivals = Arrivals.make(options)
    const patienceMillis = Arrivals.silenceMillis(arrivals, deviations)
    return { deviations, peers: Table.make(peers, { arrivals, patienceMillis, suspected: false }) }
  },

  // Who never sends a heartbeat is suspected too.
  onStart: (state, act) => {
    const { peers } = act.self
    for (const node of peers) act.setTimer(`threshold ${node}`, Table.find(state.peers, node)!.patienceMillis)
    const now = act.monotonic()
    beat(act)
    return {
      ...state,
      peers: Table.map(state.peers, (peer) => ({ ...peer, arrivals: Arrivals.waitSince(peer.arrivals, now) }))
    }
  },

  onCommand: (state) => state,

  onMessage: (state, from, _heartbeat, act) => {
    const peer = Table.find(state.peers, from)
    if (peer === undefined) return state
    const { deviations, peers } = state
    const longestMillis = peer.patienceMillis - act.self.options.acceptablePauseMillis
    const arrivals = Arrivals.add(peer.arrivals, act.monotonic(), longestMillis)
    const patienceMillis = Arrivals.silenceMillis(arrivals, deviations)
    act.setTimer(`threshold ${from}`, patienceMillis)
    if (peer.suspected) act.emit(Table.up(from))
    return { deviations, peers: Table.set(peers, from, { arrivals, patienceMillis, suspected: false }) }
  },

  onTimeout: (state, timer, act) => {
    if (timer === "beat") {
      beat(act)
      return state
    }
    const node = timer.slice("threshold ".length)
    const peer = Table.find(state.peers, node)!
    act.emit(Table.suspected(node, act.self.options.threshold))
    return { ...state, peers: Table.set(state.peers, node, { ...peer, suspected: true }) }
  }
}

const beat = (act: Act): void => {
  act.sendAll(act.self.peers, "Heartbeat")
  act.setTimer("beat", act.self.options.intervalMillis)
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: once heartbeats come regularly, a crash is noticed within 3 to 4 seconds. */
export const defaults: Options = { ...Arrivals.defaults, intervalMillis: 1_000, threshold: 8 }

const Settings = Schema.Struct({
  intervalMillis: Millis,
  threshold: Schema.Number.check(Schema.isBetween({ minimum: 0.5, maximum: 1_000 })),
  window: Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 10_000 })),
  minimumDeviationMillis: Millis,
  acceptablePauseMillis: Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 })),
  firstEstimateMillis: Millis
})

export interface LayerOptions {
  /** How often a node says that it is there. Default: 1 second. */
  readonly interval?: Duration.Input
  /**
   * The φ at which a node is suspected, 0.5 to 1,000: the higher, the later and the surer. Default: 8, one error in a
   * hundred million heartbeats if they come as they used to.
   */
  readonly threshold?: number
  /** How many intervals are remembered, 2 to 10,000: the more, the steadier and the slower to adapt. Default: 1,000. */
  readonly window?: number
  /** The least deviation that is reckoned with. Default: 100 ms. */
  readonly minimumDeviation?: Duration.Input
  /** By how much a silence may be longer than usual before it counts. Default: 1.5 seconds, in which a message may be lost. */
  readonly acceptablePause?: Duration.Input
  /** What the interval is taken for until some are known. Default: the interval of this node. */
  readonly firstEstimate?: Duration.Input
}

/**
 * A `FailureDetector` by φ-accrual among the nodes of the transport. The level of an opinion is φ at the moment of asking,
 * of one that is up as well.
 *
 * A crash is noticed once the silence exceeds the mean interval by the acceptable pause and so many deviations as the
 * threshold stands for: 5.2 for 8. Fails with `InvalidOptions` when a number is out of its range, and when the first
 * estimate would have a node suspected before its first heartbeat.
 */
export const layer = (
  options: LayerOptions = {}
): Layer.Layer<FailureDetector, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    FailureDetector,
    Effect.gen(function* () {
      const intervalMillis = millis(options.interval, defaults.intervalMillis)
      const given = {
        intervalMillis,
        threshold: options.threshold ?? defaults.threshold,
        window: options.window ?? defaults.window,
        minimumDeviationMillis: millis(options.minimumDeviation, defaults.minimumDeviationMillis),
        acceptablePauseMillis: millis(options.acceptablePause, defaults.acceptablePauseMillis),
        firstEstimateMillis: options.firstEstimate === undefined ? intervalMillis : millis(options.firstEstimate, 0)
      }
      const settled = yield* settings(Settings, given, tooHasty)
      return yield* serve(
        yield* Actor.spawn(protocol, { options: settled }),
        Table.reading(
          ({ peers }) => peers,
          ({ arrivals }, now) => Arrivals.phi(arrivals, now)
        )
      )
    })
  )

const tooHasty = (options: Options): string | undefined => {
  const patience = Arrivals.silenceMillis(Arrivals.make(options), deviationsAt(options.threshold))
  return patience > options.intervalMillis
    ? undefined
    : `a node would be suspected after ${Math.round(patience)} ms, before its first heartbeat after ${options.intervalMillis} ms: ` +
        "take a longer first estimate, a longer acceptable pause or a higher threshold"
}
