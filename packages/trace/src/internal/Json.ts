/** Values of a run as JSON, and as text where they are none. */

/** One line of JSON. Never throws: what has no JSON is text in it. */
export const line = (value: unknown): string => {
  try {
    return JSON.stringify(value, replace)
  } catch {
    // A cycle, or a `toJSON` that throws: slower, with each found where it is.
    return JSON.stringify(plain(value, []))
  }
}

/** A field that is undefined is left out, as in JSON; but what a step was given or told is there though it is nothing. */
function replace(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === "object") return value instanceof Map || value instanceof Set ? text(value) : value
  if (typeof value === "string" || typeof value === "boolean") return value
  if (value === undefined && !Array.isArray(this) && !required.has(key)) return undefined
  return typeof value === "number" && Number.isFinite(value) ? value : text(value)
}

const required: ReadonlySet<string> = new Set(["", "command", "message", "event"])

const plain = (value: unknown, above: ReadonlyArray<unknown>): unknown => {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? value : simple(value)
  if (above.includes(value)) return "(circular)"
  if (above.length >= 100) return "(too deep)"
  if (value instanceof Map || value instanceof Set) return text(value)
  const inside = [...above, value]
  try {
    if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
      return plain((value as { toJSON: () => unknown }).toJSON(), inside)
    }
    if (Array.isArray(value)) return value.map((item) => plain(item, inside))
    const entries = Object.entries(value).flatMap(([key, item]) =>
      item === undefined && !required.has(key) ? [] : [[key, plain(item, inside)]]
    )
    return Object.fromEntries(entries)
  } catch (error) {
    return `(${String(error).split("\n")[0]})`
  }
}

const simple = (value: unknown): unknown =>
  value === null || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
    ? value
    : text(value)

const text = (value: unknown): string => {
  if (value instanceof Map) {
    return `Map(${value.size}) {${[...value].map(([key, item]) => `${line(key)} => ${line(item)}`).join(", ")}}`
  }
  if (value instanceof Set) return `Set(${value.size}) {${[...value].map((item) => line(item)).join(", ")}}`
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function") return `(function ${value.name})`
  return String(value)
}
