/** States on their way between processes, where an object arrives without its prototype: hash maps are sent as lists. */
import { HashMap } from "effect"

const mark = "troupe/HashMap"

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

const each = (value: Record<string, unknown>, change: (value: unknown) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]))

/** What `unpack` makes the state of again. What is in lists is left as it is. */
export const pack = (state: unknown): unknown => {
  if (HashMap.isHashMap(state)) return { [mark]: [...HashMap.entries(state)] }
  return isPlain(state) ? each(state, pack) : state
}

export const unpack = (packed: unknown): unknown => {
  if (!isPlain(packed)) return packed
  const entries = packed[mark]
  return Array.isArray(entries)
    ? HashMap.fromIterable(entries as ReadonlyArray<readonly [unknown, unknown]>)
    : each(packed, unpack)
}
