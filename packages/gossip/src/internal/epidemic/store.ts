/**
 * What a node has heard: of each source the numbers of its items, and the items themselves for as long as they are kept.
 *
 * Bounds: items and bytes that are kept, for a time; sources that are remembered; gaps of a source. What is over a bound
 * goes, the oldest first.
 */
import * as Intervals from "./intervals.ts"
import { gapsMax, type Item, itemBytes, type ItemId, keyOf, type Known, order, type Source } from "./items.ts"
import * as Queue from "./queue.ts"

/** Of one source. */
export interface Log {
  readonly key: string
  readonly known: Known
  /** Ascending by number: those that are kept. */
  readonly items: ReadonlyArray<Item>
  /** When it was last heard of, and since when its first gap has been there, by the monotonic clock. */
  readonly atMillis: number
  readonly gapMillis: number
}

export interface Store {
  /** Ascending by key. */
  readonly logs: ReadonlyArray<Log>
  /** The items that are kept, in the order of hearing. */
  readonly kept: Queue.Queue<Kept>
  readonly bytes: number
  /** Before then, time takes nothing away. */
  readonly dueMillis: number
}

interface Kept extends Source {
  readonly sequence: number
  readonly atMillis: number
  readonly bytes: number
}

export interface Bounds {
  /** How many items are kept, and how many bytes of them. */
  readonly keptItems: number
  readonly keptBytes: number
  /** How long an item is kept, and how long a gap may wait to be filled. */
  readonly keepMillis: number
  /** How many sources are remembered. */
  readonly sources: number
  /** For how long one is remembered that is silent. */
  readonly forgetMillis: number
}

/** Items of a source that are given up: nobody had them any more, or too many others were missing. */
export interface Missed {
  readonly origin: string
  readonly life: number
  readonly from: number
  readonly to: number
}

export const empty: Store = { logs: [], kept: Queue.empty, bytes: 0, dueMillis: Number.MAX_VALUE }

/** Where the log of this source is, or would be. */
const place = (logs: ReadonlyArray<Log>, source: Source): number => {
  let low = 0
  let high = logs.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order(logs[middle]!.known, source) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export const find = ({ logs }: Store, source: Source): Log | undefined => {
  const log = logs[place(logs, source)]
  return log !== undefined && order(log.known, source) === 0 ? log : undefined
}

export const has = (store: Store, id: ItemId): boolean => {
  const log = find(store, id)
  return log !== undefined && Intervals.has(log.known.heard, id.sequence)
}

/** The item of this name, if it is kept. */
export const get = (store: Store, id: ItemId): Item | undefined => {
  const items = find(store, id)?.items ?? []
  const at = itemPlace(items, id.sequence)
  return items[at]?.sequence === id.sequence ? items[at] : undefined
}

/** Where the item of this number is, or would be. */
export const itemPlace = (items: ReadonlyArray<Item>, sequence: number): number => {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (items[middle]!.sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/** With one more item, which the store has not heard. */
export const put = (store: Store, item: Item, atMillis: number, bounds: Bounds): Store => {
  const before = find(store, item)
  const at = place(store.logs, item)
  const key = before?.key ?? keyOf(item)
  const heard = Intervals.add(before?.known.heard ?? Intervals.empty, item.sequence)
  const items = before === undefined ? [item] : inserted(before.items, item)
  const gapMillis = before === undefined ? atMillis : gapSince(before, heard, atMillis)
  const { life, origin } = item
  const log: Log = { key, known: { origin, life, heard, holds: items[0]!.sequence }, items, atMillis, gapMillis }
  const logs = store.logs.slice()
  if (before === undefined) logs.splice(at, 0, log)
  else logs[at] = log
  const bytes = itemBytes(item)
  return trim(
    {
      logs,
      kept: Queue.add(store.kept, { origin, life, sequence: item.sequence, atMillis, bytes }),
      bytes: store.bytes + bytes,
      dueMillis: Math.min(store.dueMillis, atMillis + bounds.keepMillis)
    },
    bounds
  )
}

/** Since when the first gap of what is heard now has been there: a part of one that was there before is no younger. */
const gapSince = ({ gapMillis, known }: Log, heard: Intervals.Intervals, atMillis: number): number => {
  const was = Intervals.firstGap(known.heard)
  const is = Intervals.firstGap(heard)
  return was !== undefined && is !== undefined && is[0] <= was[1] ? gapMillis : atMillis
}

const inserted = (items: ReadonlyArray<Item>, item: Item): ReadonlyArray<Item> => {
  if (items.length === 0 || items[items.length - 1]!.sequence < item.sequence) return [...items, item]
  const at = itemPlace(items, item.sequence)
  return [...items.slice(0, at), item, ...items.slice(at)]
}

/** Down to the bounds of items, bytes and sources. */
const trim = (store: Store, { keptBytes, keptItems, sources }: Bounds): Store => {
  let next = store
  while (next.kept.size > keptItems || (next.bytes > keptBytes && next.kept.size > 1)) next = dropOldest(next)
  if (next.logs.length <= sources) return next
  let idlest = 0
  for (let i = 1; i < next.logs.length; i++) if (next.logs[i]!.atMillis < next.logs[idlest]!.atMillis) idlest = i
  return forget(next, idlest)
}

/** The items of a source that is forgotten go out of the queue in their turn. */
const forget = (store: Store, at: number): Store => ({ ...store, logs: store.logs.toSpliced(at, 1) })

const dropOldest = (store: Store): Store => {
  const oldest = Queue.first(store.kept)!
  const { bytes, sequence } = oldest
  const shorter = { ...store, kept: Queue.rest(store.kept), bytes: store.bytes - bytes }
  const log = find(store, oldest)
  if (log === undefined) return shorter
  const at = place(store.logs, oldest)
  const gone = itemPlace(log.items, sequence)
  if (log.items[gone]?.sequence !== sequence) return shorter
  const items = gone === 0 ? log.items.slice(1) : log.items.toSpliced(gone, 1)
  return {
    ...shorter,
    logs: store.logs.with(at, { ...log, items, known: { ...log.known, holds: items[0]?.sequence ?? 0 } })
  }
}

/** What time takes away: items, gaps and sources that are too old; too many gaps. */
export const expire = (
  store: Store,
  nowMillis: number,
  bounds: Bounds
): { readonly store: Store; readonly missed: ReadonlyArray<Missed> } => {
  const { forgetMillis, keepMillis } = bounds
  let next = store
  for (let first = Queue.first(next.kept); first !== undefined; first = Queue.first(next.kept)) {
    if (nowMillis - first.atMillis < keepMillis) break
    next = dropOldest(next)
  }
  const missed: Array<Missed> = []
  const logs: Array<Log> = []
  let dueMillis = (Queue.first(next.kept)?.atMillis ?? Number.MAX_VALUE) + keepMillis
  for (const each of next.logs) {
    if (nowMillis - each.atMillis >= forgetMillis && each.items.length === 0) continue
    const log = givenUp(each, nowMillis, keepMillis, missed)
    logs.push(log)
    if (Intervals.firstGap(log.known.heard) !== undefined) dueMillis = Math.min(dueMillis, log.gapMillis + keepMillis)
    if (log.items.length === 0) dueMillis = Math.min(dueMillis, log.atMillis + forgetMillis)
  }
  return { store: { ...next, logs, dueMillis }, missed }
}

/** Without the gaps that have been there for too long, and those that are too many. */
const givenUp = (log: Log, nowMillis: number, keepMillis: number, missed: Array<Missed>): Log => {
  let { gapMillis } = log
  let { heard } = log.known
  const { life, origin } = log.known
  for (let gap = Intervals.firstGap(heard); gap !== undefined; gap = Intervals.firstGap(heard)) {
    if (heard.length <= 2 * gapsMax && nowMillis - gapMillis < keepMillis) break
    missed.push({ origin, life, from: gap[0], to: gap[1] })
    heard = Intervals.closeFirstGap(heard)
    gapMillis = nowMillis
  }
  return heard === log.known.heard ? log : { ...log, known: { ...log.known, heard }, gapMillis }
}
