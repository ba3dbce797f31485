/** Comparing and naming values, with plain ones first. */
import type { Value } from "../History.ts"

/** The JSON of a value, with the keys of objects in order. */
export const textOf = (value: Value): string => {
  if (typeof value === "number") return String(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  const entries = Object.entries(value as Readonly<Record<string, Value>>).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${textOf(inner)}`).join()}}`
}

/** Whether two values are equal as JSON. */
export const same = (a: Value, b: Value): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && a !== null && b !== null && textOf(a) === textOf(b))

export const isText = (value: Value): value is string => typeof value === "string"
