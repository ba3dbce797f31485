/**
 * Plumtree: a broadcast tree that grows out of gossip. Items travel along the tree, each node hears them once; word of them
 * travels along the other links of the overlay, and mends the tree where it breaks.
 *
 * At first every link is eager: what a node hears it pushes on to all neighbours. Who hears an item a second time prunes the
 * link that brought it: it becomes lazy, on both sides, and what is left is a tree of the links that were fastest. On
 * lazy links a node tells which items it has. Who is told of an item that does not come in time grafts: the link on which
 * it was told becomes eager again, and brings the item. With a threshold, a node changes over to a lazy link that
 * would have brought an item over so many hops fewer.
 *
 * One tree for all is shaped by one publisher, and others' items take its links; the paper leaves open that two who publish
 * at once may cut the same circle in two places. With a tree for each, every publisher has the quickest one, and the price is
 * what is remembered, and more messages when many publish. What is pushed can be gathered for a while, so that
 * a message carries several items: fewer messages, and a delay at each hop.
 *
 * The neighbours are those of the `Overlay` in the context, HyParView's active view say; without one, all nodes. A new
 * neighbour, and now and then an old one, is compared with all that was heard: so that what was lost with a link, an item or
 * the word of it, is found.
 *
 * Source: J. Leitão, J. Pereira, L. Rodrigues, "Epidemic Broadcast Trees", SRDS 2007.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, type Layer } from "effect"
import type { Gossip, InvalidOptions } from "./Gossip.ts"
import * as Base from "./internal/epidemic/base.ts"
import * as Exchange from "./internal/epidemic/exchange.ts"
import { anItemIsHeard, convergence, integrity } from "./internal/epidemic/guarantees.ts"
import { idBytes, type Item, itemBytes, type ItemId, keyBytes, keyOf, overhead } from "./internal/epidemic/items.ts"
import { packed } from "./internal/epidemic/packing.ts"
import * as Peers from "./internal/epidemic/peers.ts"
import { type LayerOptions, type Options, settle } from "./internal/epidemic/plumtree/options.ts"
import {
  type Act,
  type Announcement,
  Message,
  type Missing,
  type Parcel,
  type State,
  type Timer
} from "./internal/epidemic/plumtree/state.ts"
import * as Shaping from "./internal/epidemic/plumtree/shaping.ts"
import * as Service from "./internal/epidemic/service.ts"
import * as Store from "./internal/epidemic/store.ts"
import * as Trees from "./internal/epidemic/trees.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export { defaults, type LayerOptions, type Options } from "./internal/epidemic/plumtree/options.ts"
export {
  type Announcement,
  Message,
  type Missing,
  type Parcel,
  type State,
  type Timer
} from "./internal/epidemic/plumtree/state.ts"

export type Command = Base.Command

export type Event = Base.Event

/** How many items a node waits for. Of one more, word is ignored: the comparison finds it. */
const missingMax = 4_096

/** Who told of one, as many as are remembered. */
const holdersMax = 8

/** How many items wait to be pushed, and for word of them. With more they go out at once. */
const waitingMax = 1_024

// ------------------------------------------------------------------------------------------------------------- the card

const perItem: Card.Formula = { text: "N−1", of: (nodes) => Math.max(0, nodes - 1) }

export const card: Card.Card<State> = {
  title: "Plumtree",
  summary: "Items travel along a tree of eager links; word of them on the lazy links mends it where it breaks.",
  paper: {
    authors: "João Leitão, José Pereira, Luís Rodrigues",
    title: "Epidemic Broadcast Trees",
    venue: "SRDS",
    year: 2007
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [convergence, integrity, anItemIsHeard],
  weaknesses: [
    {
      name: "a broken tree costs time",
      description: "Where a link of the tree is gone, items wait for the word on a lazy link, and for the graft.",
      faults: "crash"
    },
    {
      name: "who publishes and crashes at once tells nobody",
      description: "An item that is gathered for a batch is lost with its publisher.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "item, once the tree is settled",
    best: perItem,
    worst: perItem,
    background: ["IHave", "Digest", "Items", "Graft", "Prune"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "gossip/plumtree",
  card,
  message: Message,

  init: () => ({ ...Base.init, trees: Trees.none, outbox: [], announcements: [], missing: [], compared: [] }),

  onStart: (state, act) => {
    act.setTimer("repair", act.random() * act.self.options.repairMillis)
    return meet(Base.start(state, act), act)
  },

  onCommand: (state, command, act) => {
    if (command._tag !== "Publish") return meet({ ...state, peers: Peers.changed(state.peers, command) }, act)
    const { item, state: next } = Base.published(state, command, act)
    return item === undefined ? next : pushed(next, [{ item, hops: 0, from: act.self.id }], act)
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      case "batch":
        return flush(state, act)
      case "announce":
        return announce(state, act)
      case "graft":
        return graft(state, act)
      case "repair":
        return repair(state, act)
    }
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Gossip":
        return onGossip(state, from, message, act)
      case "IHave":
        return onIHave(state, from, message, act)
      case "Graft":
        return onGraft(state, from, message, act)
      case "Prune":
        return { ...state, trees: Trees.makeLazy(state.trees, message.tree, from) }
      case "Digest":
        return Exchange.onDigest(state, from, message, act)
      case "Items":
        return onItems(state, from, message, act)
    }
  }
}

/** The tree of an item. */
const treeOf = (id: { readonly origin: string; readonly life: number }, { self: { options } }: Act): string =>
  options.trees === "shared" ? "" : keyOf(id)

/**
 * The neighbours may have changed. With a new one all that was heard is compared, since it may come from the other side of
 * a split; at the start, when all are new, with one.
 */
const meet = (state: State, act: Act): State => {
  const nodes = Peers.all(state.peers, act.self)
  const before = state.trees.neighbours
  const fresh = nodes.filter((node) => !before.includes(node))
  if (before.length === 0) compare(state, act)
  else if (fresh.length > 0) act.sendAll(fresh, Exchange.digest(state, "push-pull", act))
  return { ...state, trees: Trees.withNeighbours(state.trees, nodes) }
}

const compare = (state: State, act: Act): void => {
  const peers = Peers.sample(state.peers, act.self, 1, () => act.random())
  if (peers.length > 0) act.sendAll(peers, Exchange.digest(state, "push-pull", act))
}

// ----------------------------------------------------------------------------------------------- eager push (§3.4, §3.5)

/** What is new goes out on the eager links, at once or with the batch. */
const pushed = (state: State, parcels: ReadonlyArray<Parcel>, act: Act): State => {
  if (parcels.length === 0) return state
  const { batchMillis } = act.self.options
  const next = { ...state, outbox: state.outbox.length === 0 ? parcels : [...state.outbox, ...parcels] }
  if (batchMillis === 0 || next.outbox.length >= waitingMax) return flush(next, act)
  if (state.outbox.length === 0) act.setTimer("batch", batchMillis)
  return next
}

const flush = (state: State, act: Act): State => {
  const { outbox, trees } = state
  const keys = outbox.map(({ item }) => treeOf(item, act))
  for (const node of trees.neighbours) {
    const due = outbox.filter(({ from }, at) => from !== node && !Trees.lazy(trees, keys[at]!).includes(node))
    for (const part of packed(due, ({ item }) => itemBytes(item), act.self.options)) {
      act.send(node, { _tag: "Gossip", items: part.map(({ item }) => item), hops: part.map(({ hops }) => hops) })
    }
  }
  return announced({ ...state, outbox: [] }, outbox, keys, act)
}

const onGossip = (
  state: State,
  from: NodeId.NodeId,
  { hops, items }: Extract<Message, { readonly _tag: "Gossip" }>,
  act: Act
): State => {
  const { fresh, state: heard } = Base.taken(state, from, items, act)
  let next = heard
  const parcels: Array<Parcel> = []
  const elsewhere = new Set<string>()
  for (const [at, item] of items.entries()) {
    const tree = treeOf(item, act)
    if (item === fresh[parcels.length]) {
      const far = (hops[at] ?? 0) + 1
      parcels.push({ item, hops: far, from })
      next = optimised({ ...next, trees: Trees.makeEager(next.trees, tree, from) }, from, item, far, tree, act)
    } else if (Shaping.isShaping(next, item, act) && Base.hasHeard(next, item)) elsewhere.add(tree)
  }
  // What was heard before came on another link: this one is none of the tree.
  for (const tree of elsewhere) next = pruned(next, from, tree, act)
  return pushed(came(next, fresh, act), parcels, act)
}

/** Of a link that is lazy already the other side may not know, so that it is told again. */
const pruned = (state: State, node: NodeId.NodeId, tree: string, act: Act): State => {
  act.send(node, { _tag: "Prune", tree })
  return { ...state, trees: Trees.makeLazy(state.trees, tree, node) }
}

/** Changes over to a lazy link that would have been shorter by the threshold (§3.8). */
const optimised = (state: State, from: NodeId.NodeId, id: ItemId, hops: number, tree: string, act: Act): State => {
  const { threshold } = act.self.options
  if (threshold === 0) return state
  const better = state.missing
    .find((missing) => isSame(missing.id, id))
    ?.holders.find((holder) => hops - (holder.hops + 1) >= threshold)
  if (better === undefined || better.node === from) return state
  act.send(better.node, { _tag: "Graft", tree, ids: [] })
  return pruned({ ...state, trees: Trees.makeEager(state.trees, tree, better.node) }, from, tree, act)
}

const isSame = (a: ItemId, b: ItemId): boolean => a.sequence === b.sequence && Shaping.isOfOne(a, b)

const nameOf = ({ life, origin, sequence }: ItemId): ItemId => ({ origin, life, sequence })

// ------------------------------------------------------------------------------------------------- lazy push (§3.5, §3.6)

const announced = (state: State, parcels: ReadonlyArray<Parcel>, keys: ReadonlyArray<string>, act: Act): State => {
  const { announceMillis } = act.self.options
  if (announceMillis === 0) return state
  const more: Array<Announcement> = []
  for (const [at, { from, hops, item }] of parcels.entries()) {
    const to = Trees.lazy(state.trees, keys[at]!)
    if (to.length > 1 || (to.length === 1 && to[0] !== from)) more.push({ id: nameOf(item), hops, to })
  }
  if (more.length === 0) return state
  if (state.announcements.length === 0) act.setTimer("announce", announceMillis)
  const next = { ...state, announcements: [...state.announcements, ...more] }
  return next.announcements.length >= waitingMax ? announce(next, act) : next
}

const announce = (state: State, act: Act): State => {
  for (const node of state.trees.neighbours) {
    const due = state.announcements.filter(({ to }) => to.includes(node))
    for (const part of packed(due, ({ id }) => idBytes(id), act.self.options)) {
      act.send(node, { _tag: "IHave", ids: part.map(({ id }) => id), hops: part.map(({ hops }) => hops) })
    }
  }
  return { ...state, announcements: [] }
}

const onIHave = (
  state: State,
  from: NodeId.NodeId,
  { hops, ids }: Extract<Message, { readonly _tag: "IHave" }>,
  act: Act
): State => {
  let { missing } = state
  for (const [at, id] of ids.entries()) {
    if (Base.hasHeard(state, id)) continue
    const holder = { node: from, hops: hops[at] ?? 0 }
    const place = missing.findIndex((each) => isSame(each.id, id))
    if (place >= 0) {
      const { holders } = missing[place]!
      if (holders.length < holdersMax && holders.every(({ node }) => node !== from)) {
        missing = missing.with(place, { ...missing[place]!, holders: [...holders, holder] })
      }
    } else if (missing.length < missingMax) {
      missing = [
        ...missing,
        { id: nameOf(id), holders: [holder], dueMillis: act.monotonic() + act.self.options.graftMillis }
      ]
    }
  }
  if (missing === state.missing) return state
  if (state.missing.length === 0) act.setTimer("graft", act.self.options.graftMillis)
  return { ...state, missing }
}

/** What has come is missing no more. */
const came = (state: State, items: ReadonlyArray<Item>, act: Act): State => {
  if (state.missing.length === 0 || items.length === 0) return state
  const missing = state.missing.filter(({ id }) => !items.some((item) => isSame(item, id)))
  if (missing.length === 0) act.clearTimer("graft")
  return missing.length === state.missing.length ? state : { ...state, missing }
}

/** A graft that is being made. */
interface Asked {
  readonly node: NodeId.NodeId
  readonly tree: string
  readonly ids: Array<ItemId>
  /** Bytes that its message has left. */
  room: number
}

/** Items have not come in time: asks who told of them, and makes these links eager. */
const graft = (state: State, act: Act): State => {
  const { graftMillis, itemsPerMessage, packetBytes } = act.self.options
  const now = act.monotonic()
  const asked = new Map<string, Asked>()
  let { trees } = state
  const missing: Array<Missing> = []
  for (const each of state.missing) {
    if (each.dueMillis > now) {
      missing.push(each)
      continue
    }
    const [holder, ...holders] = each.holders
    // Nobody is left to ask: the comparison finds it.
    if (holder === undefined) continue
    const tree = treeOf(each.id, act)
    const key = `${holder.node} ${tree}`
    const graft = asked.get(key) ?? {
      node: holder.node,
      tree,
      ids: [],
      room: packetBytes - overhead - keyBytes(each.id)
    }
    asked.set(key, graft)
    graft.room -= idBytes(each.id)
    // What has no room is asked of the next who told of it.
    if (graft.ids.length === 0 || (graft.room >= 0 && graft.ids.length < itemsPerMessage)) graft.ids.push(each.id)
    trees = Trees.makeEager(trees, tree, holder.node)
    missing.push({ id: each.id, holders, dueMillis: now + graftMillis })
  }
  for (const { ids, node, tree } of asked.values()) act.send(node, { _tag: "Graft", tree, ids })
  if (missing.length > 0)
    act.setTimer("graft", Math.max(1, Math.min(...missing.map(({ dueMillis }) => dueMillis)) - now))
  return { ...state, trees, missing }
}

const onGraft = (
  state: State,
  from: NodeId.NodeId,
  { ids, tree }: Extract<Message, { readonly _tag: "Graft" }>,
  act: Act
): State => {
  const next = { ...state, trees: Trees.makeEager(state.trees, tree, from) }
  const items = ids.flatMap((id) => Store.get(state.store, id) ?? [])
  return Exchange.sendItems(next, from, items, act)
}

// -------------------------------------------------------------------------------------------------------------- repair

/** Items that come by comparison, or for a graft, go on like any other. */
const onItems = (state: State, from: NodeId.NodeId, message: Exchange.Items, act: Act): State => {
  const { fresh, state: heard } = Exchange.onItems(state, from, message, act)
  if (fresh.length === 0) return heard
  return pushed(
    came({ ...heard, compared: Shaping.withCompared(heard.compared, fresh) }, fresh, act),
    fresh.map((item) => ({ item, hops: 1, from })),
    act
  )
}

const repair = (state: State, act: Act): State => {
  act.setTimer("repair", act.self.options.repairMillis)
  const round = Base.nextRound(state, act)
  compare(round, act)
  return round
}

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * `Gossip` by a broadcast tree, among the neighbours that the `Overlay` of the context names: `HyParView.layer` provides
 * one. Without it all nodes of the transport are neighbours, which is for some dozens. A `FailureDetector` in the context
 * takes the dead out of the trees.
 *
 * Fails with `InvalidOptions` when a number is out of its range, and when `forget` is shorter than `keep`.
 */
export const layer = (options: LayerOptions = {}): Layer.Layer<Gossip, ChannelInUse | InvalidOptions, Transport> =>
  Service.layer((onRestart) =>
    Effect.flatMap(settle(options), (settings) => Actor.spawn(protocol, { options: settings, onRestart }))
  )
