/** Messages and states in tests: which are the same, and how they look in an error. */
import { Equal, Formatter } from "effect"
import { Cell } from "../system/Cell.ts"
import { RemoteRef } from "../system/RemoteRef.ts"

/** By their values; an actor is the same as itself. */
export const same = (one: unknown, other: unknown): boolean => {
  if (one instanceof Cell || other instanceof Cell) return one === other
  if (one instanceof RemoteRef && other instanceof RemoteRef) {
    return one.node === other.node && same(one.target, other.target)
  }
  if (!isPlain(one) || !isPlain(other)) return Equal.equals(one, other)
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && same(one[key], other[key]))
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)

/** Characters of one value in an error. */
const charactersMax = 200

export const shown = (value: unknown): string => {
  const text = Formatter.format(withPaths(value))
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text
}

/** With the paths of actors in their place. */
const withPaths = (value: unknown): unknown => {
  if (value instanceof Cell || value instanceof RemoteRef) return `actor ${value.path}`
  if (Array.isArray(value)) return value.map(withPaths)
  return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, of]) => [key, withPaths(of)])) : value
}
