/** What every node has that gossips: what it has published and heard, and with whom it speaks. */
import type { Protocol } from "@troupe/actor"
import type { Message } from "./exchange.ts"
import * as Intervals from "./intervals.ts"
import { gapsMax, type Item, itemBytes, type ItemId, sequenceMax } from "./items.ts"
import * as Peers from "./peers.ts"
import { isMember } from "./roster.ts"
import * as Store from "./store.ts"

export interface Base {
  // This node's own items.
  /** Drawn at each start: see `ItemId`. */
  readonly life: number
  /** How many it has published in this life. */
  readonly sequence: number

  // What was heard, its own included.
  readonly store: Store.Store

  // The others.
  readonly peers: Peers.Peers
  /** Messages with items, or that want some, sent in this round. */
  readonly spent: number
}

export type Command =
  /** Spreads an item. */
  { readonly _tag: "Publish"; readonly topic: string; readonly payload: Uint8Array } | Peers.Change

export type Event =
  /** An item is heard, for the first time; the publisher hears it too. */
  | { readonly _tag: "Heard"; readonly item: Item }
  /** These numbers of a source are given up: nobody handed them on in time. */
  | ({ readonly _tag: "Missed" } & Store.Missed)
  /** What this node's user wanted to publish cannot be. */
  | { readonly _tag: "Unpublished"; readonly payload: Uint8Array; readonly reason: string }
  /** Something of `from` was refused. */
  | { readonly _tag: "Refused"; readonly from: string; readonly reason: string }

/** What all kinds of gossip are set to. */
export interface BaseOptions extends Store.Bounds {
  /** The largest item: its payload, topic and name. */
  readonly itemBytes: number
  /** The largest message. One item is sent even where it is larger. */
  readonly packetBytes: number
  /** The budget of a round: how many items go into a message, and how many messages with items a node sends. */
  readonly itemsPerMessage: number
  readonly messagesPerRound: number
  /** How many sources a digest names. */
  readonly sourcesPerDigest: number
}

export type Act = Protocol.Actions<Message, Event, never, BaseOptions>

export const init: Base = { life: 0, sequence: 0, store: Store.empty, peers: Peers.everybody, spent: 0 }

/** A new life. */
export const start = <State extends Base>(state: State, act: Pick<Act, "random">): State => ({
  ...state,
  life: Math.floor(act.random() * 2 ** 32)
})

/** Hears what the user of this node publishes; `undefined` of what is too large. */
export const published = <State extends Base>(
  state: State,
  { payload, topic }: Extract<Command, { readonly _tag: "Publish" }>,
  act: Act
): { readonly state: State; readonly item: Item | undefined } => {
  const sequence = state.sequence + 1
  const item: Item = { origin: act.self.id, life: state.life, sequence, topic, payload }
  if (itemBytes(item) > act.self.options.itemBytes || sequence > sequenceMax) {
    act.emit({ _tag: "Unpublished", payload, reason: tooLarge(item, act) })
    return { state, item: undefined }
  }
  return { state: hear({ ...state, sequence }, item, act), item }
}

const hear = <State extends Base>(state: State, item: Item, act: Act): State => {
  act.emit({ _tag: "Heard", item })
  const store = Store.put(state.store, item, act.monotonic(), act.self.options)
  const { heard } = Store.find(store, item)!.known
  return heard.length > 2 * gapsMax ? expired({ ...state, store }, act) : { ...state, store }
}

/** Hears items of a peer, as far as they are news and may be what they say they are. */
export const taken = <State extends Base>(
  state: State,
  from: string,
  items: ReadonlyArray<Item>,
  act: Act
): { readonly state: State; readonly fresh: ReadonlyArray<Item> } => {
  let next = state
  let fresh: Array<Item> | undefined
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!
    const log = Store.find(next.store, item)
    if (log !== undefined && Intervals.has(log.known.heard, item.sequence)) continue
    const reason = fault(next, item, log === undefined, act)
    if (reason !== undefined) {
      next = refused(next, from, reason, act)
      continue
    }
    next = hear(next, item, act)
    ;(fresh ??= []).push(item)
  }
  return { state: next, fresh: fresh ?? [] }
}

/** Why an item is refused, if it is. Of a source that is known, the name has been looked at. */
const fault = ({ life, sequence }: Base, item: Item, isNew: boolean, act: Act): string | undefined => {
  const { self } = act
  if (itemBytes(item) > self.options.itemBytes) return tooLarge(item, act)
  if (item.origin === self.id && item.life === life && item.sequence > sequence) {
    return `item ${item.sequence} bears the name of ${self.id}, which has not published it`
  }
  if (isNew && !isMember(self, item.origin)) return `${item.origin}, whose item ${item.sequence} is, is no member`
  return undefined
}

const tooLarge = (item: Item, { self: { options } }: Act): string =>
  `an item of ${itemBytes(item)} bytes on topic "${item.topic}" is above the limit of ${options.itemBytes}`

/** Says so, and goes on as if nothing had come. */
export const refused = <State>(state: State, from: string, reason: string, act: Pick<Act, "emit">): State => {
  act.emit({ _tag: "Refused", from, reason })
  return state
}

/** Without what is too old. */
const expired = <State extends Base>(state: State, act: Act): State => {
  const { missed, store } = Store.expire(state.store, act.monotonic(), act.self.options)
  for (const each of missed) act.emit({ _tag: "Missed", ...each })
  return { ...state, store }
}

/** A round begins: a new budget, and nothing that is too old. */
export const nextRound = <State extends Base>(state: State, act: Act): State => {
  const next = act.monotonic() < state.store.dueMillis ? state : expired(state, act)
  return next.spent === 0 ? next : { ...next, spent: 0 }
}

/** Whether the node has heard the item of this name. */
export const hasHeard = ({ store }: Base, id: ItemId): boolean => Store.has(store, id)
