/**
 * Gossip-style failure detection: each node keeps a table of the heartbeat counters of all, and again and again sends it to
 * one other, chosen at random. Whose counter has not grown for `failAfter` is suspected; after `cleanUpAfter` it is forgotten.
 *
 * Between the two, the counter of the suspected is kept and not passed on. A node that has not noticed yet may send it once
 * more; it is no news then, and so the dead don't come back: by the time anybody forgets, nobody passes it on.
 *
 * A node sends one message in each interval, whatever the number of nodes; the message grows with it. News takes O(log N)
 * intervals to all, so `failAfter` does too: `failAfterMillis` says how long it is by default.
 *
 * A node that crashed and comes back has forgotten how far its counter was. The first node that it writes to tells it, and
 * it goes on from there. A node that was forgotten is still written to now and then, so that two sides of a split find
 * together when it has healed.
 *
 * Tables are lists in the order of the nodes: all nodes must have been told of the same ones. A table of another length is
 * one of another group, and ignored.
 *
 * Source: R. van Renesse, Y. Minsky, M. Hayden, "A Gossip-Style Failure Detection Service", Middleware 1998, §2–3.
 *
 * @example
 * import { GossipHeartbeat } from "@troupe/failure-detection"
 *
 * const { defaults, failAfterMillis } = GossipHeartbeat
 * console.log([5, 50, 500].map((nodes) => failAfterMillis(defaults, nodes))) // [ 4800, 6400, 8000 ]
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import { FailureDetector, type InvalidOptions, type Opinion } from "./FailureDetector.ts"
import { accuracy, completeness } from "./internal/guarantees.ts"
import { Millis, millis, serve, settings } from "./internal/service.ts"

// --------------------------------------------------------------------------------------------------- messages and state

/** "So far the counters are, as I heard": in the order of the nodes, 0 of those that I would not vouch for. */
export const Message = Schema.Struct({
  counters: Schema.Array(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))
})
export type Message = typeof Message.Type

export type Standing = "up" | "suspected" | "down"

/** Each list is in the order of `nodes`. */
export interface State {
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  /** Where this node is in the lists. */
  readonly own: number
  /** The highest counter that was heard of each; 0 of one that is forgotten. */
  readonly counters: ReadonlyArray<number>
  /** When it grew last, by the monotonic clock. */
  readonly grewMillis: ReadonlyArray<number>
  readonly standings: ReadonlyArray<Standing>
}

export interface Options {
  readonly intervalMillis: number
  /** How long a counter may stand still before its node is suspected. Where it is left out, the number of nodes decides. */
  readonly failAfterMillis?: number
  /** When it is forgotten. Where it is left out: twice as long. */
  readonly cleanUpAfterMillis?: number
}

export type Timer = "gossip"

type Act = Protocol.Actions<Message, Opinion, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

/** What a node in this state holds of another: nothing of itself, and of those that are no nodes. */
export const statusOf = ({ nodes, own, standings }: State, node: NodeId.NodeId): Standing | undefined => {
  const place = nodes.indexOf(node)
  return place === own ? undefined : standings[place]
}

const perInterval: Card.Formula = { text: "N", of: (nodes) => (nodes < 2 ? 0 : nodes) }

export const card: Card.Card<State> = {
  title: "Gossip-style heartbeat",
  summary:
    "Every node keeps the heartbeat counters of all and sends them to one other at a time; whose counter stands still is suspected, then forgotten.",
  paper: {
    authors: "Robbert van Renesse, Yaron Minsky, Mark Hayden",
    title: "A Gossip-Style Failure Detection Service",
    venue: "Middleware",
    year: 1998
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
      description: "A node that stands still for longer than `failAfter` is suspected, until its counter grows again.",
      faults: "chaos"
    },
    {
      name: "it takes its time",
      description:
        "News goes from node to node by chance, so that a crash is noticed after O(log N) intervals, by none sooner.",
      faults: "none"
    },
    {
      name: "messages grow with the nodes",
      description: "Each message has a counter for each node.",
      faults: "none"
    }
  ],
  cost: { operation: "interval", best: perInterval, worst: perInterval }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/**
 * After how many milliseconds without growth a node is suspected. News of a counter reaches all but e^−c/N of the nodes in
 * log₂N + ln N + c intervals; with c = ln N + 18, one of all pairs of nodes is late less than once in ten million intervals.
 */
export const failAfterMillis = ({ failAfterMillis, intervalMillis }: Options, nodes: number): number =>
  failAfterMillis ?? intervalMillis * (Math.ceil(Math.log2(nodes) + 2 * Math.log(nodes)) + 18)

/** After how many it is forgotten. */
export const cleanUpAfterMillis = (options: Options, nodes: number): number =>
  options.cleanUpAfterMillis ?? 2 * failAfterMillis(options, nodes)

export const protocol: Protocol.Protocol<State, Message, never, Opinion, Timer, Options> = {
  name: "failure-detection/gossip-heartbeat",
  card,
  message: Message,

  init: ({ id, nodes }) => ({
    nodes,
    own: nodes.indexOf(id),
    counters: nodes.map(() => 0),
    grewMillis: nodes.map(() => 0),
    standings: nodes.map(() => "up" as const)
  }),

  onStart: (state, act) => {
    const now = act.monotonic()
    act.setTimer("gossip", act.random() * act.self.options.intervalMillis)
    return { ...state, grewMillis: state.grewMillis.map(() => now) }
  },

  onCommand: (state) => state,

  onMessage: (state, from, { counters }, act) => {
    if (counters.length !== state.nodes.length) return state
    // It has come back, and has forgotten how far it was. Or its message was overtaken; then this tells it nothing new.
    const sender = state.nodes.indexOf(from)
    if (sender >= 0 && counters[sender]! < state.counters[sender]!) act.send(from, { counters: state.counters })
    return merge(state, counters, act)
  },

  onTimeout: (state, _gossip, act) => {
    const { intervalMillis } = act.self.options
    act.setTimer("gossip", intervalMillis)
    const next = review(state, act)
    const { counters, nodes, own, standings } = next
    if (nodes.length > 1) {
      // Any of the others, each as likely, those who are forgotten too.
      const other = Math.floor(act.random() * (nodes.length - 1))
      const vouched = counters.map((counter, place) => (standings[place] === "up" ? counter : 0))
      act.send(nodes[other < own ? other : other + 1]!, { counters: vouched })
    }
    return next
  }
}

/** Takes over each counter that is higher than the one that was known. */
const merge = (state: State, heard: ReadonlyArray<number>, act: Act): State => {
  const now = act.monotonic()
  const { nodes, own, standings } = state
  let counters: Array<number> | undefined
  let grewMillis: Array<number> | undefined
  let back: Array<Standing> | undefined
  for (let place = 0; place < nodes.length; place++) {
    if (heard[place]! <= state.counters[place]!) continue
    counters ??= state.counters.slice()
    grewMillis ??= state.grewMillis.slice()
    // One's own: how far this node was in an earlier life.
    counters[place] = heard[place]!
    grewMillis[place] = now
    if (standings[place] === "up" || place === own) continue
    back ??= standings.slice()
    back[place] = "up"
    act.emit({ node: nodes[place]!, status: "up", level: 0 })
  }
  return counters === undefined ? state : { ...state, counters, grewMillis: grewMillis!, standings: back ?? standings }
}

/** One's own counter grows; the others are suspected and forgotten as their time has come. */
const review = (state: State, act: Act): State => {
  const { nodes, own } = state
  const { options } = act.self
  const now = act.monotonic()
  const fail = failAfterMillis(options, nodes.length)
  const cleanUp = cleanUpAfterMillis(options, nodes.length)
  const counters = state.counters.slice()
  counters[own]!++
  let standings: Array<Standing> | undefined
  for (let place = 0; place < nodes.length; place++) {
    const silence = now - state.grewMillis[place]!
    const standing = state.standings[place]!
    if (place === own || silence < fail || standing === "down") continue
    const next = silence < cleanUp ? "suspected" : "down"
    if (next === "down") counters[place] = 0
    if (next === standing) continue
    standings ??= state.standings.slice()
    standings[place] = next
    act.emit({ node: nodes[place]!, status: next, level: 1 })
  }
  return { ...state, counters, standings: standings ?? state.standings }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default. How long a node may be silent follows from the number of nodes. */
export const defaults: Options = { intervalMillis: 200 }

const Settings = Schema.Struct({
  intervalMillis: Millis,
  failAfterMillis: Millis,
  cleanUpAfterMillis: Millis
})

/**
 * A `FailureDetector` by gossip of counters among the nodes of the transport. One that is forgotten is `down`.
 *
 * A crash is noticed within `failAfter` from when the last of its counters came, and an interval. Fails with
 * `InvalidOptions` when `failAfter` is not longer than `interval`, or `cleanUpAfter` is shorter than twice `failAfter`: the
 * dead could come back then.
 */
export const layer = (
  options: {
    /** How often a node sends its table to one other. Default: 200 ms. */
    readonly interval?: Duration.Input
    /** How long a counter may stand still before its node is suspected. Default: see `failAfterMillis`. */
    readonly failAfter?: Duration.Input
    /** When it is forgotten. Default: twice `failAfter`. */
    readonly cleanUpAfter?: Duration.Input
  } = {}
): Layer.Layer<FailureDetector, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    FailureDetector,
    Effect.gen(function* () {
      const { nodes } = yield* Transport
      const { intervalMillis } = yield* settings(Schema.Struct({ intervalMillis: Millis }), {
        intervalMillis: millis(options.interval, defaults.intervalMillis)
      })
      const { failAfterMillis: fail } = yield* settings(Schema.Struct({ failAfterMillis: Millis }), {
        failAfterMillis: millis(options.failAfter, failAfterMillis({ intervalMillis }, nodes.length))
      })
      const given = {
        intervalMillis,
        failAfterMillis: fail,
        cleanUpAfterMillis: millis(options.cleanUpAfter, 2 * fail)
      }
      const settled = yield* settings(Settings, given, tooShort)
      const others = (state: State) => state.nodes.filter((_, place) => place !== state.own)
      return yield* serve(yield* Actor.spawn(protocol, { options: settled }), {
        watched: others,
        opinion: (state, node) => {
          const status = statusOf(state, node)
          return status === undefined ? undefined : { node, status, level: status === "up" ? 0 : 1 }
        }
      })
    })
  )

const tooShort = ({ cleanUpAfterMillis, failAfterMillis, intervalMillis }: Required<Options>): string | undefined => {
  if (failAfterMillis <= intervalMillis) {
    return `to fail after ${failAfterMillis} ms is before the next gossip, after ${intervalMillis} ms`
  }
  return cleanUpAfterMillis >= 2 * failAfterMillis
    ? undefined
    : `to clean up after ${cleanUpAfterMillis} ms is too early: the dead may come back. Take twice ${failAfterMillis} ms, or more`
}
