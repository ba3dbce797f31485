/** Objects of known keys. Where the platform lets code be made, each kind of them has functions of its own. */
import type { Reader } from "../../Reader.ts"
import type { Writer } from "../../Writer.ts"
import { flag, missing, type Part } from "./Part.ts"

export interface Field {
  readonly key: string
  readonly part: Part
  /** Whether the key may be missing: what is written says so, or the part knows, which is given `missing` then. */
  readonly presence: "always" | "optional" | "of the part"
  /** `undefined` is of its schema: a key that is missing is another thing. */
  readonly hasUndefined: boolean
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** First what is always there. */
const ordered = (fields: ReadonlyArray<Field>): ReadonlyArray<Field> => [
  ...fields.filter(({ presence }) => presence === "always"),
  ...fields.filter(({ presence }) => presence !== "always")
]

export const struct = (given: ReadonlyArray<Field>, generates: boolean): Part => {
  const fields = ordered(given)
  const layouts = fields.map(
    ({ key, part, presence }) => `${JSON.stringify(key)}${presence === "optional" ? "?" : ""}:${part.layout}`
  )
  return {
    layout: `{${layouts.join(",")}}`,
    least: fields.reduce((sum, { part, presence }) => sum + (presence === "optional" ? 1 : part.least), 0),
    ...(generates ? generated(fields) : interpreted(fields))
  }
}

type Ways = Pick<Part, "write" | "read">

const interpreted = (fields: ReadonlyArray<Field>): Ways => ({
  write: (value: unknown, into: Writer) => isObject(value) && fields.every((field) => writeField(field, value, into)),
  read: (from: Reader) => {
    const value: Record<string, unknown> = {}
    for (const { key, part, presence } of fields) {
      if (presence === "optional" && !flag(from)) continue
      const found: unknown = part.read(from)
      if (found !== missing) value[key] = found
    }
    return value
  }
})

const writeField = (field: Field, value: Record<string, unknown>, into: Writer): boolean => {
  const { hasUndefined, key, part, presence } = field
  const found = value[key]
  if (presence === "of the part") return part.write(key in value ? found : missing, into)
  if (presence === "optional") {
    const isThere = found !== undefined || key in value
    into.byte(isThere ? 1 : 0)
    if (!isThere) return true
  } else if (hasUndefined && found === undefined && !(key in value)) return false
  return part.write(found, into)
}

/** The same, as one expression for all fields. */
const generated = (fields: ReadonlyArray<Field>): Ways => {
  const keys = fields.map(({ key }) => JSON.stringify(key))
  const writes = fields.map(({ hasUndefined, presence }, i) => {
    const [key, write] = [keys[i]!, `parts[${i}].write(value[${keys[i]!}], into)`]
    if (presence === "of the part") return `parts[${i}].write(${key} in value ? value[${key}] : missing, into)`
    if (presence === "optional")
      return `(value[${key}] !== undefined || ${key} in value ? (into.byte(1), ${write}) : (into.byte(0), true))`
    return hasUndefined ? `${key} in value && ${write}` : write
  })
  const always = fields.filter(({ presence }) => presence === "always").length
  const reads = keys.slice(0, always).map((key, i) => `${key}: parts[${i}].read(from)`)
  const rest = fields.slice(always).map(({ presence }, i) => {
    const [key, read] = [keys[always + i]!, `parts[${always + i}].read(from)`]
    if (presence === "optional") return `if (flag(from)) value[${key}] = ${read}`
    return `const found${i} = ${read}; if (found${i} !== missing) value[${key}] = found${i}`
  })
  const named = (source: string): string => source.replaceAll(/parts\[(\d+)\]/g, "p$1")
  const names = fields.map((_, i) => `p${i}`)
  const make = new Function(
    "parts",
    "isObject",
    "flag",
    "missing",
    named(`const [${names.join(", ")}] = parts
return {
  write: (value, into) => isObject(value) && ${["true", ...writes].join(" && ")},
  read: (from) => {
    const value = { ${reads.join(", ")} }
    ${rest.join("\n    ")}
    return value
  }
}`)
  )
  return make(
    fields.map(({ part }) => part),
    isObject,
    flag,
    missing
  ) as Ways
}
