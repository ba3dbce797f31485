/** Objects of known keys. Where the platform lets code be made, each kind of them has functions of its own. */
import type { Reader } from "../../Reader.ts"
import type { Writer } from "../../Writer.ts"
import { flag, type Part } from "./Part.ts"

export interface Field {
  readonly key: string
  readonly part: Part
  /** The key may be missing. */
  readonly isOptional: boolean
  /** `undefined` is of its schema: a key that is missing is another thing. */
  readonly hasUndefined: boolean
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** First what is always there. */
const ordered = (fields: ReadonlyArray<Field>): ReadonlyArray<Field> => [
  ...fields.filter(({ isOptional }) => !isOptional),
  ...fields.filter(({ isOptional }) => isOptional)
]

export const struct = (given: ReadonlyArray<Field>, generates: boolean): Part => {
  const fields = ordered(given)
  const layouts = fields.map(
    ({ isOptional, key, part }) => `${JSON.stringify(key)}${isOptional ? "?" : ""}:${part.layout}`
  )
  return {
    layout: `{${layouts.join(",")}}`,
    least: fields.reduce((sum, { isOptional, part }) => sum + (isOptional ? 1 : part.least), 0),
    ...(generates ? generated(fields) : interpreted(fields))
  }
}

type Ways = Pick<Part, "write" | "read">

const interpreted = (fields: ReadonlyArray<Field>): Ways => ({
  write: (value: unknown, into: Writer) => isObject(value) && fields.every((field) => writeField(field, value, into)),
  read: (from: Reader) => {
    const value: Record<string, unknown> = {}
    for (const { isOptional, key, part } of fields) {
      if (!isOptional || flag(from)) value[key] = part.read(from)
    }
    return value
  }
})

const writeField = (field: Field, value: Record<string, unknown>, into: Writer): boolean => {
  const { hasUndefined, isOptional, key, part } = field
  const found = value[key]
  if (isOptional) {
    const isThere = found !== undefined || key in value
    into.byte(isThere ? 1 : 0)
    if (!isThere) return true
  } else if (hasUndefined && found === undefined && !(key in value)) return false
  return part.write(found, into)
}

/** The same, as one expression for all fields. */
const generated = (fields: ReadonlyArray<Field>): Ways => {
  const keys = fields.map(({ key }) => JSON.stringify(key))
  const writes = fields.map(({ hasUndefined, isOptional }, i) => {
    const [key, write] = [keys[i]!, `parts[${i}].write(value[${keys[i]!}], into)`]
    if (isOptional)
      return `(value[${key}] !== undefined || ${key} in value ? (into.byte(1), ${write}) : (into.byte(0), true))`
    return hasUndefined ? `${key} in value && ${write}` : write
  })
  const always = fields.filter(({ isOptional }) => !isOptional).length
  const reads = keys.slice(0, always).map((key, i) => `${key}: parts[${i}].read(from)`)
  const rest = keys.slice(always).map((key, i) => `if (flag(from)) value[${key}] = parts[${always + i}].read(from)`)
  const named = (source: string): string => source.replaceAll(/parts\[(\d+)\]/g, "p$1")
  const names = fields.map((_, i) => `p${i}`)
  const make = new Function(
    "parts",
    "isObject",
    "flag",
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
    flag
  ) as Ways
}
