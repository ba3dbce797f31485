/**
 * Two nodes compare what they have heard, and give each other what they lack (Demers et al. 1987, §1.3: anti-entropy).
 *
 * One says what it knows: a digest, of all its sources or, where these are too many for a message, of those within a
 * window of their order. The other sends what the first lacks, and says what it wants itself.
 */
import { Schema } from "effect"
import { type Act, type Base, refused, taken } from "./base.ts"
import * as Intervals from "./intervals.ts"
import { isKnown, Item, itemBytes, keyBytes, Known, knownBytes, order, overhead } from "./items.ts"
import * as Store from "./store.ts"

/** No message lists more: of sources, or of items. */
export const listMax = 4_096

const Key = Schema.String.check(Schema.isMaxLength(280))

export const Mode = Schema.Literals(["push", "pull", "push-pull"])
export type Mode = typeof Mode.Type

/**
 * "I know this much of the sources after `after` and up to `upTo`, in their order; of others in between, nothing." Empty
 * bounds are none. Who gets it is to ask for what it lacks (push), to send what I lack (pull), or both.
 */
export const Digest = Schema.TaggedStruct("Digest", {
  mode: Mode,
  after: Key,
  upTo: Key,
  sources: Schema.Array(Known).check(Schema.isMaxLength(listMax))
})
export type Digest = typeof Digest.Type

/** "You lack these; and I know so much of these sources, of which you have more." */
export const Items = Schema.TaggedStruct("Items", {
  items: Schema.Array(Item).check(Schema.isMaxLength(listMax)),
  wants: Schema.Array(Known).check(Schema.isMaxLength(listMax))
})
export type Items = typeof Items.Type

export type Message = Digest | Items

const noItems: ReadonlyArray<Item> = []
const noWants: ReadonlyArray<Known> = []

/** What a node knows, as far as it fits into a message: all, or what follows a source that is drawn. */
export const digest = ({ store: { logs } }: Base, mode: Mode, act: Act): Digest => {
  const whole = listed(logs, 0, act)
  if (whole.length === logs.length) return { _tag: "Digest", mode, after: "", upTo: "", sources: whole }
  const from = Math.floor(act.random() * logs.length)
  const sources = listed(logs, from, act)
  const end = from + sources.length
  return {
    _tag: "Digest",
    mode,
    after: from === 0 ? "" : logs[from - 1]!.key,
    upTo: end === logs.length ? "" : logs[end - 1]!.key,
    sources
  }
}

/** What is known from a place on, as far as a message has room. */
const listed = (logs: ReadonlyArray<Store.Log>, from: number, { self: { options } }: Act): ReadonlyArray<Known> => {
  const sources: Array<Known> = []
  const end = Math.min(logs.length, from + options.sourcesPerDigest)
  // A digest of a part names the sources before it and at its end, too.
  let room = options.packetBytes - overhead - (from === 0 ? 0 : keyBytes(logs[from - 1]!.known))
  for (let at = from; at < end; at++) {
    const { known } = logs[at]!
    room -= knownBytes(known)
    if (room < keyBytes(known) && at > from) break
    sources.push(known)
  }
  return sources
}

/** A peer says what it knows. */
export const onDigest = <State extends Base>(state: State, from: string, digest: Digest, act: Act): State => {
  const { mode, sources } = digest
  if (!isList(sources)) return refused(state, from, "what it says that it knows is no such list", act)
  const items = mode === "push" ? noItems : lacking(state.store, digest, capacity(state, act))
  const wants = mode === "pull" ? noWants : wanted(state.store, sources, act)
  return sent(state, from, items, wants, act)
}

/** A peer sends what this node lacks, and may want something too. */
export const onItems = <State extends Base>(state: State, from: string, message: Items, act: Act) => {
  const { items, wants } = message
  const heard = items.length === 0 ? { state, fresh: noItems } : taken(state, from, items, act)
  if (wants.length === 0) return heard
  if (!isList(wants)) return { ...heard, state: refused(heard.state, from, "what it wants is no such list", act) }
  const found: Array<Item> = []
  for (const want of wants) collect(Store.find(heard.state.store, want), want, found, capacity(state, act))
  return { ...heard, state: sent(heard.state, from, found, noWants, act) }
}

/** Known sets, in the order of their sources. */
const isList = (sources: ReadonlyArray<Known>): boolean => {
  for (let i = 0; i < sources.length; i++) {
    if ((i > 0 && order(sources[i - 1]!, sources[i]!) >= 0) || !isKnown(sources[i]!)) return false
  }
  return true
}

/** How many items the node may send still in this round. */
const capacity = ({ spent }: Base, { self: { options } }: Act): number =>
  (options.messagesPerRound - spent) * options.itemsPerMessage

/** What the sender of a digest lacks of what is kept here. */
const lacking = ({ logs }: Store.Store, { after, sources, upTo }: Digest, limit: number): ReadonlyArray<Item> => {
  const found: Array<Item> = []
  let at = 0
  for (let i = 0; i < logs.length && found.length < limit; i++) {
    const log = logs[i]!
    if (after !== "" && log.key <= after) continue
    if (upTo !== "" && log.key > upTo) break
    while (at < sources.length && order(sources[at]!, log.known) < 0) at++
    const source = sources[at]
    collect(log, source !== undefined && order(source, log.known) === 0 ? source : undefined, found, limit)
  }
  return found.length === 0 ? noItems : found
}

const collect = (log: Store.Log | undefined, known: Known | undefined, into: Array<Item>, limit: number): void => {
  if (log === undefined) return
  const { items } = log
  if (known !== undefined && known.heard.length === 2 && known.heard[0] === 1) {
    // Without gaps, what is lacking is all after the last.
    for (let i = Store.itemPlace(items, known.heard[1]! + 1); i < items.length && into.length < limit; i++) {
      into.push(items[i]!)
    }
    return
  }
  for (let i = 0; i < items.length && into.length < limit; i++) {
    if (known === undefined || !Intervals.has(known.heard, items[i]!.sequence)) into.push(items[i]!)
  }
}

/** Of which sources the sender keeps items that this node has not heard, and what it has. */
const wanted = (store: Store.Store, sources: ReadonlyArray<Known>, act: Act): ReadonlyArray<Known> => {
  let wants: Array<Known> | undefined
  let room = act.self.options.packetBytes - overhead
  for (let i = 0; i < sources.length; i++) {
    const { heard, holds, life, origin } = sources[i]!
    if (holds === 0) continue
    const own = Store.find(store, sources[i]!)?.known ?? { origin, life, heard: Intervals.empty, holds: 0 }
    if (!Intervals.lacks(own.heard, heard, holds)) continue
    room -= knownBytes(own)
    if (room < 0 && wants !== undefined) break
    ;(wants ??= []).push(own)
  }
  return wants ?? noWants
}

/** Sends these, as far as the budget of the round goes. */
export const sendItems = <State extends Base>(state: State, to: string, items: ReadonlyArray<Item>, act: Act): State =>
  sent(state, to, items, noWants, act)

/** Sends these, in as many messages as they need and the round has left. What is left out waits for another round. */
const sent = <State extends Base>(
  state: State,
  to: string,
  items: ReadonlyArray<Item>,
  wants: ReadonlyArray<Known>,
  act: Act
): State => {
  const { messagesPerRound } = act.self.options
  let { spent } = state
  let left = wants
  for (let from = 0; (from < items.length || left.length > 0) && spent < messagesPerRound; spent++) {
    const end = packed(items, from, act, left)
    act.send(to, {
      _tag: "Items",
      items: from === 0 && end === items.length ? items : items.slice(from, end),
      wants: left
    })
    from = end
    left = noWants
  }
  return spent === state.spent ? state : { ...state, spent }
}

/** The end of what fits into one message from there on: one item at least, unless there are `wants` to send. */
const packed = (
  items: ReadonlyArray<Item>,
  from: number,
  { self: { options } }: Act,
  wants: ReadonlyArray<Known>
): number => {
  let room = options.packetBytes - overhead
  for (let i = 0; i < wants.length; i++) room -= knownBytes(wants[i]!)
  const most = Math.min(items.length, from + options.itemsPerMessage)
  let end = from
  while (end < most) {
    room -= itemBytes(items[end]!)
    if (room < 0 && (end > from || wants.length > 0)) break
    end++
  }
  return end
}
