/**
 * Anti-entropy: in each round a node compares what it has heard with one other, chosen at random, and they give each other
 * what they lack. As in an epidemic, the number of those who have heard grows by a factor in each round.
 *
 * Three ways to compare. Push: who has an item gives it; the last few wait long, for chance must find them, and
 * log₂N + ln N + O(1) rounds pass until all have heard (Pittel 1987). Pull: who lacks an item asks; it starts slowly, but
 * once half have heard, those who have not become the square of their share in each round, log log N rounds more.
 * Push–pull does both, and needs log₃N + O(log log N) rounds (Karp et al. 2000).
 *
 * What is compared is a digest: of each publisher the numbers that were heard, as intervals. Nodes that have heard the same
 * say so with one message, whatever they have heard; items travel to those alone who lack them. An item is kept for a while to be handed
 * on, and its number is remembered for longer, so that it is heard once.
 *
 * Each round has a budget: so many messages with items, of so many items and bytes. What is over it waits for the next.
 *
 * Sources: A. Demers, D. Greene, C. Hauser, W. Irish, J. Larson, S. Shenker, H. Sturgis, D. Swinehart, D. Terry, "Epidemic
 * Algorithms for Replicated Database Maintenance", PODC 1987, §1.3; B. Pittel, "On Spreading a Rumor", SIAM J. Appl. Math.
 * 47(1), 1987; R. Karp, C. Schindelhauer, S. Shenker, B. Vöcking, "Randomized Rumor Spreading", FOCS 2000.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { type Duration, Effect, type Layer, Schema } from "effect"
import type { Gossip, InvalidOptions } from "./Gossip.ts"
import * as Base from "./internal/epidemic/base.ts"
import * as Exchange from "./internal/epidemic/exchange.ts"
import { anItemIsHeard, convergence, integrity } from "./internal/epidemic/guarantees.ts"
import * as Peers from "./internal/epidemic/peers.ts"
import * as Service from "./internal/epidemic/service.ts"
import * as Settings from "./internal/epidemic/settings.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export const Message = Schema.Union([Exchange.Digest, Exchange.Items])
export type Message = typeof Message.Type

export type Command = Base.Command

export type Event = Base.Event

export type State = Base.Base

export interface Options extends Base.BaseOptions {
  readonly mode: Exchange.Mode
  readonly intervalMillis: number
  /** With how many peers a node compares in a round. */
  readonly fanOut: number
}

export type Timer = "round"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Push–pull anti-entropy",
  summary: "In each round a node compares what it has heard with one other, and they give each other what they lack.",
  paper: {
    authors: "Alan Demers, Dan Greene, Carl Hauser, Wes Irish, John Larson et al.",
    title: "Epidemic Algorithms for Replicated Database Maintenance",
    venue: "PODC",
    year: 1987
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [convergence, integrity, anItemIsHeard],
  weaknesses: [
    {
      name: "who publishes and crashes at once tells nobody",
      description: "An item that no peer has heard in the round of its publication is lost with its publisher.",
      faults: "crash"
    },
    {
      name: "who is away for longer than items are kept misses them",
      description: "What all have dropped is handed on no more; the node is told that it has missed it.",
      faults: "partition"
    },
    {
      name: "it takes its time",
      description: "News waits for rounds, log₃N of them and more, and comes in no order.",
      faults: "none"
    }
  ],
  cost: {
    operation: "round in which nobody lacks anything",
    best: { text: "N", of: (nodes) => (nodes < 2 ? 0 : nodes) },
    worst: { text: "N", of: (nodes) => (nodes < 2 ? 0 : nodes) },
    contention: ["Items"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** The settings that `layer` has by default. */
export const defaults: Options = { ...Settings.baseDefaults, mode: "push-pull", intervalMillis: 1_000, fanOut: 1 }

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "gossip/push-pull",
  card,
  message: Message,

  init: () => Base.init,

  // Not all at the same time: each begins somewhere in an interval.
  onStart: (state, act) => {
    act.setTimer("round", act.random() * act.self.options.intervalMillis)
    return Base.start(state, act)
  },

  onCommand: (state, command, act) =>
    command._tag === "Publish"
      ? Base.published(state, command, act).state
      : { ...state, peers: Peers.changed(state.peers, command) },

  onTimeout: (state, _round, act) => round(Base.nextRound(state, act), act),

  onMessage: (state, from, message, act) =>
    message._tag === "Digest"
      ? Exchange.onDigest(state, from, message, act)
      : Exchange.onItems(state, from, message, act).state
}

const round = (state: State, act: Act): State => {
  const { fanOut, intervalMillis, mode } = act.self.options
  act.setTimer("round", intervalMillis)
  // Who has nothing has nothing to push.
  if (mode === "push" && state.store.kept.size === 0) return state
  const peers = Peers.sample(state.peers, act.self, fanOut, () => act.random())
  if (peers.length > 0) act.sendAll(peers, Exchange.digest(state, mode, act))
  return state
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** What the layer may be given, besides the bounds and budgets of all gossip. */
export interface LayerOptions extends Settings.BaseLayerOptions {
  /** Whether a node gives what the other lacks, asks for what it lacks itself, or both. Default: `"push-pull"`. */
  readonly mode?: Exchange.Mode
  /** The length of a round. Shorter is faster and sends more. Default: 1 second. */
  readonly interval?: Duration.Input
  /** With how many peers a node compares in a round. Default: 1. */
  readonly fanOut?: number
}

const Fields = Schema.Struct({
  ...Settings.baseFields,
  mode: Exchange.Mode,
  intervalMillis: Settings.Millis,
  fanOut: Settings.Count
})

const settle = (given: LayerOptions): Effect.Effect<Options, InvalidOptions> =>
  Settings.settle<Options>(
    Fields,
    {
      ...Settings.base(given),
      mode: given.mode ?? defaults.mode,
      intervalMillis: Settings.millis(given.interval, defaults.intervalMillis),
      fanOut: given.fanOut ?? defaults.fanOut
    },
    Settings.fit
  )

/**
 * `Gossip` by anti-entropy, among the nodes of the transport or, with an `Overlay` in the context, among the neighbours that
 * it names. A `FailureDetector` in the context spares the dead their messages; without one, rounds with them are lost.
 *
 * Fails with `InvalidOptions` when a number is out of its range, and when `forget` is shorter than `keep`.
 */
export const layer = (options: LayerOptions = {}): Layer.Layer<Gossip, ChannelInUse | InvalidOptions, Transport> =>
  Service.layer((onRestart) =>
    Effect.flatMap(settle(options), (settings) => Actor.spawn(protocol, { options: settings, onRestart }))
  )
