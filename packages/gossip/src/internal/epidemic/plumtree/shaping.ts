/** Which items shape a tree: who brings one of them that was heard before is pruned from it. */
import { type Item, type ItemId, keyOf, type Source } from "../items.ts"
import type { Act, State } from "./state.ts"

/** How long ago a publisher may have been heard of for its items to shape a shared tree. */
const shapingMillis = 10_000

/** Of how many sources it is remembered what came by comparison. */
const comparedMax = 64

export const isOfOne = (a: Source, b: Source): boolean => a.life === b.life && a.origin === b.origin

/**
 * Whether an item shapes the tree. Of one that several publishers share, the items of the first by name do, among those
 * heard of lately: two that cut the same circle at once, each in another place, would cut the tree. None does that may have
 * come by comparison first, on a link of no tree.
 */
export const isShaping = ({ compared, store: { logs } }: State, item: Item, act: Act): boolean => {
  if (compared.some((each) => isOfOne(each, item) && each.sequence >= item.sequence)) return false
  if (act.self.options.trees === "per-publisher") return true
  const sinceMillis = act.monotonic() - shapingMillis
  const first = logs.find(({ atMillis }) => atMillis >= sinceMillis)
  return first === undefined || isOfOne(first.known, item)
}

/** Remembers what came by comparison. */
export const withCompared = (before: ReadonlyArray<ItemId>, items: ReadonlyArray<Item>): ReadonlyArray<ItemId> => {
  const latest = new Map(before.map((id) => [keyOf(id), id]))
  for (const item of items) {
    const key = keyOf(item)
    const { sequence = 0 } = latest.get(key) ?? {}
    latest.delete(key)
    latest.set(key, { origin: item.origin, life: item.life, sequence: Math.max(sequence, item.sequence) })
  }
  return [...latest.values()].slice(-comparedMax)
}
