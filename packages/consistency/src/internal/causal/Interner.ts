/** Small numbers for values, equal ones for equal values. */
import type { Value } from "../../History.ts"

const text = (value: Value): string =>
  Array.isArray(value)
    ? `[${value.map(text).join()}]`
    : typeof value === "object" && value !== null
      ? `{${Object.keys(value)
          .toSorted()
          .map((key) => `${JSON.stringify(key)}:${text((value as Record<string, Value>)[key]!)}`)
          .join()}}`
      : JSON.stringify(value)

export interface Interner {
  /** The value's number, a new one if it was not met. */
  add(value: Value): number
  /** The value's number, or -1 if it was not met. */
  find(value: Value): number
  readonly size: number
}

export const make = (): Interner => {
  const plain = new Map<Value, number>()
  const structured = new Map<string, number>()
  let size = 0
  const find = (value: Value): number =>
    (typeof value === "object" && value !== null ? structured.get(text(value)) : plain.get(value)) ?? -1
  return {
    find,
    add(value) {
      const known = find(value)
      if (known >= 0) return known
      if (typeof value === "object" && value !== null) structured.set(text(value), size)
      else plain.set(value, size)
      return size++
    },
    get size() {
      return size
    }
  }
}
