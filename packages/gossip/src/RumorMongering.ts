/**
 * Rumour mongering: who has heard something new tells it on, round by round, until it loses interest. Where nothing is new
 * nothing is sent, and the price of that is a residue: with some small probability a node never hears.
 *
 * When to lose interest is the stop rule. Blind: with each telling. Feedback: only when the other had heard already, which it
 * says. Coin: each time with probability 1/k. Counter: after k times. With push a node tells others of what is new; with
 * pull each asks another in every round, which costs messages at rest and leaves a far smaller residue. For feedback and a
 * coin the share s that never hears solves s = e^−(k+1)(1−s): 20 % for k = 1, 6 % for k = 2; for all of push, s is e^−m
 * where m is the number of times that an item is sent, divided by the number of nodes.
 *
 * So that the residue hears in the end, now and then a node compares all that it has heard with one other: anti-entropy as a
 * back-up (§1.5), which finds little to do.
 *
 * With pull, several may ask in one round: if any of them needed the item, its counter begins anew, and if none did it
 * grows by one (§1.4, the note to table 3).
 *
 * Source: A. Demers, D. Greene, C. Hauser, W. Irish, J. Larson, S. Shenker, H. Sturgis, D. Swinehart, D. Terry, "Epidemic
 * Algorithms for Replicated Database Maintenance", PODC 1987, §1.4–1.5.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, type Layer, Schema } from "effect"
import type { Gossip, InvalidOptions } from "./Gossip.ts"
import * as Base from "./internal/epidemic/base.ts"
import * as Exchange from "./internal/epidemic/exchange.ts"
import { anItemIsHeard, convergence, integrity } from "./internal/epidemic/guarantees.ts"
import { Item, itemBytes, ItemId, overhead } from "./internal/epidemic/items.ts"
import * as Peers from "./internal/epidemic/peers.ts"
import * as Service from "./internal/epidemic/service.ts"
import * as Settings from "./internal/epidemic/settings.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Ids = Schema.Array(ItemId).check(Schema.isMaxLength(Exchange.listMax))

export const Message = Schema.Union([
  /** "Have you heard?" `feedback`: "say what you had heard already". */
  Schema.TaggedStruct("Rumours", {
    items: Schema.Array(Item).check(Schema.isMaxLength(Exchange.listMax)),
    feedback: Schema.Boolean
  }),
  /** "What is new?" */
  Schema.TaggedStruct("Ask", {}),
  /** "These I had heard already, those not." */
  Schema.TaggedStruct("Feedback", { known: Ids, news: Ids }),
  Exchange.Digest,
  Exchange.Items
])
export type Message = typeof Message.Type

export type Command = Base.Command

export type Event = Base.Event

export interface State extends Base.Base {
  /** What this node tells on, the newest last. */
  readonly hot: ReadonlyArray<Rumour>
  /** Whether the timer of rounds runs: with push, only while there are rumours. */
  readonly mongering: boolean
}

export interface Rumour {
  readonly item: Item
  /** How often interest was lost in it, as the counter has it. */
  readonly count: number
  /** With pull: what was answered since the last round. */
  readonly needed: boolean
  readonly unneeded: boolean
}

export interface Options extends Base.BaseOptions {
  readonly mode: "push" | "pull"
  /** Interest is lost with each telling (blind), or with those that were not needed. */
  readonly stop: "blind" | "feedback"
  readonly by: "coin" | "counter"
  readonly k: number
  readonly intervalMillis: number
  /** How many peers are told, or asked, in a round. */
  readonly fanOut: number
  /** How many rumours a node tells on. One more, and it loses interest in the oldest. */
  readonly hotMax: number
  /** How often all that was heard is compared with one peer. 0: never. */
  readonly backupMillis: number
}

export type Timer = "round" | "backup"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Rumour mongering",
  summary: "Who has heard something new tells it on, until it loses interest: cheap, quick, and with a residue.",
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
      name: "residue",
      description: "Without the back-up, rumours die out before everybody has heard: each node with some probability.",
      faults: "none",
      breaks: "everybody hears"
    },
    {
      name: "blind to loss",
      description: "A rumour that is lost on its way counts as told, so that the residue grows with the loss.",
      faults: "lossy",
      breaks: "everybody hears"
    },
    {
      name: "who publishes and crashes at once tells nobody",
      description: "An item that no peer has heard in the round of its publication is lost with its publisher.",
      faults: "crash"
    }
  ],
  cost: {
    // Each node but the publisher is told once when it needs it; who tells in vain k times is told so, and stops.
    operation: "item, by push with feedback and a counter of k = 3",
    best: { text: "1 + 4k", of: (nodes) => (nodes < 2 ? 0 : 1 + 4 * defaults.k) },
    worst: { text: "N − 1 + 2kN", of: (nodes) => (nodes < 2 ? 0 : nodes - 1 + 2 * defaults.k * nodes) },
    background: ["Digest", "Items", "Ask"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** The settings that `layer` has by default: push, feedback and a counter of 3 leave some 1 % for the back-up. */
export const defaults: Options = {
  ...Settings.baseDefaults,
  mode: "push",
  stop: "feedback",
  by: "counter",
  k: 3,
  intervalMillis: 1_000,
  fanOut: 1,
  hotMax: 1_024,
  backupMillis: 10_000
}

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "gossip/rumor-mongering",
  card,
  message: Message,

  init: () => ({ ...Base.init, hot: [], mongering: false }),

  onStart: (state, act) => {
    const { backupMillis, mode } = act.self.options
    if (backupMillis > 0) act.setTimer("backup", act.random() * backupMillis)
    const started = Base.start(state, act)
    return mode === "pull" ? nextRound(started, act) : started
  },

  onCommand: (state, command, act) => {
    if (command._tag !== "Publish") return { ...state, peers: Peers.changed(state.peers, command) }
    const { item, state: next } = Base.published(state, command, act)
    return item === undefined ? next : kindled(next, [item], act)
  },

  onTimeout: (state, timer, act) => {
    if (timer === "backup") return backUp(state, act)
    const round = Base.nextRound({ ...state, mongering: false }, act)
    return act.self.options.mode === "push" ? tell(round, act) : ask(round, act)
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Rumours":
        return onRumours(state, from, message, act)
      case "Ask":
        return answer(state, from, act)
      case "Feedback":
        return onFeedback(state, message, act)
      case "Digest":
        return Exchange.onDigest(state, from, message, act)
      case "Items":
        return Exchange.onItems(state, from, message, act).state
    }
  }
}

/** What is new is told on, from the next round on. */
const kindled = (state: State, items: ReadonlyArray<Item>, act: Act): State => {
  if (items.length === 0) return state
  const hot = state.hot.concat(items.map((item) => ({ item, count: 0, needed: false, unneeded: false })))
  return nextRound({ ...state, hot: hot.slice(-act.self.options.hotMax) }, act)
}

const nextRound = (state: State, act: Act): State => {
  if (state.mongering || (act.self.options.mode === "push" && state.hot.length === 0)) return state
  act.setTimer("round", act.self.options.intervalMillis)
  return { ...state, mongering: true }
}

// ---------------------------------------------------------------------------------------------------------------- push

const tell = (state: State, act: Act): State => {
  const { fanOut, stop } = act.self.options
  const items = newest(state.hot, act)
  let next = state
  for (const peer of Peers.sample(state.peers, act.self, fanOut, () => act.random())) {
    if (items.length === 0) break
    act.send(peer, { _tag: "Rumours", items, feedback: stop === "feedback" })
    if (stop === "blind") next = { ...next, hot: next.hot.flatMap((rumour) => lost(rumour, act)) }
  }
  return nextRound(next, act)
}

/** As many as a message holds, the newest first. */
const newest = (hot: ReadonlyArray<Rumour>, { self: { options } }: Act): ReadonlyArray<Item> => {
  const items: Array<Item> = []
  let room = options.packetBytes - overhead
  for (let i = hot.length - 1; i >= 0 && items.length < options.itemsPerMessage; i--) {
    room -= itemBytes(hot[i]!.item)
    if (room < 0 && items.length > 0) break
    items.push(hot[i]!.item)
  }
  return items
}

/** A rumour after interest in it was lost once: itself, or none. */
const lost = (rumour: Rumour, act: Act): ReadonlyArray<Rumour> => {
  const { options } = act.self
  if (options.by === "coin") return act.random() * options.k < 1 ? [] : [rumour]
  return rumour.count + 1 >= options.k ? [] : [{ ...rumour, count: rumour.count + 1 }]
}

const onRumours = (
  state: State,
  from: NodeId.NodeId,
  { feedback, items }: Extract<Message, { readonly _tag: "Rumours" }>,
  act: Act
): State => {
  const { fresh, state: next } = Base.taken(state, from, items, act)
  if (feedback) {
    const isNews = new Set(fresh)
    const known = items.filter((item) => !isNews.has(item)).map(idOf)
    // With push, only what was not needed counts.
    const news = act.self.options.mode === "pull" ? fresh.map(idOf) : []
    if (known.length + news.length > 0) act.send(from, { _tag: "Feedback", known, news })
  }
  return kindled(next, fresh, act)
}

const idOf = ({ life, origin, sequence }: Item): ItemId => ({ origin, life, sequence })

// ---------------------------------------------------------------------------------------------------------------- pull

const ask = (state: State, act: Act): State => {
  const { fanOut } = act.self.options
  act.sendAll(
    Peers.sample(state.peers, act.self, fanOut, () => act.random()),
    { _tag: "Ask" }
  )
  return nextRound({ ...state, hot: state.hot.flatMap((rumour) => judged(rumour, act)) }, act)
}

/** A rumour after a round of answers. */
const judged = (rumour: Rumour, act: Act): ReadonlyArray<Rumour> => {
  const { item, needed, unneeded } = rumour
  if (needed) return [{ item, count: 0, needed: false, unneeded: false }]
  return unneeded ? lost({ ...rumour, unneeded: false }, act) : [rumour]
}

const answer = (state: State, from: NodeId.NodeId, act: Act): State => {
  const { messagesPerRound, mode, stop } = act.self.options
  if (mode !== "pull" || state.hot.length === 0 || state.spent >= messagesPerRound) return state
  act.send(from, { _tag: "Rumours", items: newest(state.hot, act), feedback: stop === "feedback" })
  const spent = state.spent + 1
  if (stop === "feedback") return { ...state, spent }
  // Blind: a round in which it was told counts, whoever heard.
  return { ...state, spent, hot: state.hot.map((rumour) => ({ ...rumour, unneeded: true })) }
}

const onFeedback = (
  state: State,
  { known, news }: Extract<Message, { readonly _tag: "Feedback" }>,
  act: Act
): State => {
  const { mode, stop } = act.self.options
  if (stop === "blind" || state.hot.length === 0) return state
  const isAmong = (ids: ReadonlyArray<ItemId>, { item }: Rumour): boolean =>
    ids.some(({ life, origin, sequence }) => sequence === item.sequence && origin === item.origin && life === item.life)
  if (mode === "push") {
    return { ...state, hot: state.hot.flatMap((rumour) => (isAmong(known, rumour) ? lost(rumour, act) : [rumour])) }
  }
  return {
    ...state,
    hot: state.hot.map((rumour) => ({
      ...rumour,
      needed: rumour.needed || isAmong(news, rumour),
      unneeded: rumour.unneeded || isAmong(known, rumour)
    }))
  }
}

// ------------------------------------------------------------------------------------------------------------- back-up

const backUp = (state: State, act: Act): State => {
  act.setTimer("backup", act.self.options.backupMillis)
  const round = Base.nextRound(state, act)
  const peers = Peers.sample(state.peers, act.self, 1, () => act.random())
  if (peers.length > 0) act.sendAll(peers, Exchange.digest(round, "push-pull", act))
  return round
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** What the layer may be given, besides the bounds and budgets of all gossip. */
export interface LayerOptions extends Settings.BaseLayerOptions {
  /** Whether a node tells others, or asks them: the same at all nodes. Default: `"push"`. */
  readonly mode?: "push" | "pull"
  /** Whether interest is lost with each telling, or with those that were not needed. Default: `"feedback"`. */
  readonly stop?: "blind" | "feedback"
  /** Whether it is lost with probability 1/k each time, or after k times. Default: `"counter"`. */
  readonly by?: "coin" | "counter"
  /** 1 to 1,000,000. More leaves fewer who never hear, and sends more. Default: 3. */
  readonly k?: number
  /** The length of a round. Default: 1 second. */
  readonly interval?: Duration.Input
  /** How many peers are told, or asked, in a round. Default: 1. */
  readonly fanOut?: number
  /** How many rumours a node tells on; with one more, it loses interest in the oldest. Default: 1,024. */
  readonly hotMax?: number
  /** How often all that was heard is compared with one peer; 0: never, and a residue never hears. Default: 10 seconds. */
  readonly backup?: Duration.Input
}

const Fields = Schema.Struct({
  ...Settings.baseFields,
  mode: Schema.Literals(["push", "pull"]),
  stop: Schema.Literals(["blind", "feedback"]),
  by: Schema.Literals(["coin", "counter"]),
  k: Settings.Count,
  intervalMillis: Settings.Millis,
  fanOut: Settings.Count,
  hotMax: Settings.Count,
  backupMillis: Settings.MillisOrNone
})

const settle = (given: LayerOptions): Effect.Effect<Options, InvalidOptions> =>
  Settings.settle<Options>(
    Fields,
    {
      ...Settings.base(given),
      mode: given.mode ?? defaults.mode,
      stop: given.stop ?? defaults.stop,
      by: given.by ?? defaults.by,
      k: given.k ?? defaults.k,
      intervalMillis: Settings.millis(given.interval, defaults.intervalMillis),
      fanOut: given.fanOut ?? defaults.fanOut,
      hotMax: given.hotMax ?? defaults.hotMax,
      backupMillis: Settings.millis(given.backup, defaults.backupMillis)
    },
    Settings.fit
  )

/**
 * `Gossip` by rumours, among the nodes of the transport or, with an `Overlay` in the context, among the neighbours that it
 * names. A `FailureDetector` in the context spares the dead their messages.
 *
 * Fails with `InvalidOptions` when a number is out of its range, and when `forget` is shorter than `keep`.
 */
export const layer = (options: LayerOptions = {}): Layer.Layer<Gossip, ChannelInUse | InvalidOptions, Transport> =>
  Service.layer((onRestart) =>
    Effect.flatMap(settle(options), (settings) => Actor.spawn(protocol, { options: settings, onRestart }))
  )
