/**
 * States on their way between processes, where an object arrives without its prototype: hash maps are sent as lists, and what
 * has a form of its own for JSON in that form.
 */
import { HashMap } from "effect"

const mark = "troupe/HashMap"

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** With each part changed; without any that is, the very same. */
const each = (value: unknown, change: (value: unknown) => unknown): unknown => {
  if (Array.isArray(value)) {
    const changed = value.map(change)
    return changed.every((item, at) => item === value[at]) ? value : changed
  }
  if (value instanceof Map) {
    const changed = new Map(Array.from(value, ([key, item]) => [key, change(item)]))
    return Array.from(value).every(([key, item]) => changed.get(key) === item) ? value : changed
  }
  if (!isPlain(value)) return value
  const entries = Object.entries(value)
  const changed = entries.map(([key, item]) => [key, change(item)] as const)
  return changed.every(([, item], at) => item === entries[at]![1]) ? value : Object.fromEntries(changed)
}

/** What `unpack` makes the state of again. */
export const pack = (state: unknown): unknown => {
  if (HashMap.isHashMap(state)) return { [mark]: Array.from(HashMap.entries(state), pack) }
  return hasForm(state) ? state.toJSON() : each(state, pack)
}

const hasForm = (value: unknown): value is { readonly toJSON: () => unknown } =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"

export const unpack = (packed: unknown): unknown => {
  const entries = isPlain(packed) ? packed[mark] : undefined
  return Array.isArray(entries)
    ? HashMap.fromIterable(entries.map(unpack) as ReadonlyArray<readonly [unknown, unknown]>)
    : each(packed, unpack)
}
