/** Short names for what is in a trace: "Request 3" for `{ _tag: "Request", time: 3 }`. */

/** What kind of message it is, as colours tell apart: its tag, or a text itself, or the type of the value. */
export const kind = (value: unknown): string => {
  if (typeof value === "string") return cut(value, 24)
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value
  const { _tag, kind, type } = value as Record<string, unknown>
  for (const tag of [_tag, type, kind]) if (typeof tag === "string") return cut(tag, 24)
  return Array.isArray(value) ? "list" : "message"
}

/** The kind and the fields, without their names where they are texts and numbers. At most 40 characters. */
export const label = (value: unknown): string => cut(typeof value === "string" ? value : describe(value, 0), 40)

export const cut = (text: string, length: number): string => {
  const characters = [...text.toWellFormed().replace(/[\s\p{Cc}]+/gu, " ")]
  return characters.length <= length ? characters.join("") : `${characters.slice(0, Math.max(0, length - 1)).join("")}…`
}

const describe = (value: unknown, depth: number): string => {
  if (typeof value === "string") return value
  if (typeof value !== "object" || value === null) return typeof value === "bigint" ? `${value}n` : String(value)
  if (depth > 2) return "…"
  if (Array.isArray(value)) return `[${some(value.map((item) => describe(item, depth + 1)))}]`
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name}(${value.size})`
  const fields = Object.entries(value)
  const tag = fields.find(([name, item]) => isTag(name) && typeof item === "string")
  const rest = some(
    fields.flatMap((field) => {
      const [name, item] = field
      if (field === tag || item === undefined) return []
      return typeof item === "boolean" ? [item ? name : `not ${name}`] : [describe(item, depth + 1)]
    })
  )
  if (tag === undefined) return depth === 0 ? rest : `(${rest})`
  return rest === "" ? String(tag[1]) : `${String(tag[1])} ${rest}`
}

const isTag = (name: string): boolean => name === "_tag" || name === "type" || name === "kind"

const some = (parts: ReadonlyArray<string>): string =>
  parts.length <= 6 ? parts.join(" ") : `${parts.slice(0, 5).join(" ")} …`
