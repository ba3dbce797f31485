/** What holds values of other schemas: objects, arrays, options. */
import { Option, Schema, SchemaAST } from "effect"
import { Writer } from "../../Writer.ts"
import { enable } from "./enable.ts"
import { flag, type Inner, Malformed, type Part, string } from "./Part.ts"
import { type Field, struct } from "./struct.ts"
import { isAsThere, missable } from "./transformed.ts"

type AST = SchemaAST.AST

const isMissable = (ast: AST): boolean => SchemaAST.isOptional(ast)

export const objects = (
  { indexSignatures, propertySignatures }: SchemaAST.Objects,
  inner: Inner,
  isGenerated: boolean
): Part | undefined => {
  const [index] = indexSignatures
  if (index !== undefined) {
    const isAlone = indexSignatures.length === 1 && propertySignatures.length === 0
    return isAlone ? record(index, inner) : undefined
  }
  // One without keys is any value at all.
  if (propertySignatures.length === 0) return undefined
  const fields: Array<Field> = []
  for (const { name, type } of propertySignatures) {
    const field = typeof name === "string" && name !== "__proto__" ? fieldOf(name, type, inner) : undefined
    if (field === undefined) return undefined
    fields.push(field)
  }
  return struct(fields, isGenerated)
}

const fieldOf = (key: string, type: AST, inner: Inner): Field | undefined => {
  const [isOptional, isOptionalThere] = [isMissable(type), isMissable(SchemaAST.toEncoded(type))]
  if (type.encoding !== undefined && !isAsThere(type)) {
    const part = missable(type, type.encoding, inner)
    return part && { key, part, presence: "of the part", hasUndefined: false }
  }
  if (isOptional !== isOptionalThere) return undefined
  const part = inner(type)
  return { key, part, presence: isOptional ? "optional" : "always", hasUndefined: takesUndefined(part) }
}

/** What cannot tell yet, as it is in the making, or what throws at it, may take it. */
const takesUndefined = (part: Part): boolean => {
  try {
    return part.write(undefined, new Writer(64))
  } catch {
    return true
  }
}

const record = ({ parameter, type }: SchemaAST.IndexSignature, inner: Inner): Part | undefined => {
  const isText = parameter._tag === "String" || parameter._tag === "TemplateLiteral"
  if (!isText || parameter.encoding !== undefined || !isAsThere(type)) return undefined
  const isAnyKey = parameter._tag === "String" && parameter.checks === undefined
  return recordOf(inner(type), isAnyKey ? undefined : isOneOf(parameter))
}

const isOneOf = (ast: AST): ((key: string) => boolean) => {
  enable(ast)
  return Schema.is(Schema.make<Schema.Codec<string>>(ast))
}

/** Keys that are none are left out, as schemas do. */
const recordOf = (of: Part, isKey: ((key: string) => boolean) | undefined): Part => ({
  layout: `record ${of.layout}`,
  least: 1,
  write: (value, into) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false
    const keys = isKey === undefined ? Object.keys(value) : Object.keys(value).filter(isKey)
    into.natural(keys.length)
    return keys.every((key) => string.write(key, into) && of.write(value[key], into))
  },
  read: (from) => {
    const value: Record<string, unknown> = {}
    for (let left = from.natural(); left > 0; left--) {
      const key = string.read(from) as string
      if (isKey !== undefined && !isKey(key)) throw new Malformed("that is no key of the schema")
      put(value, key, of.read(from))
    }
    return value
  }
})

/** Also a key that means something else to whoever sets it. */
export const put = (value: Record<string, unknown>, key: string, found: unknown): void => {
  if (key !== "__proto__") value[key] = found
  else Object.defineProperty(value, key, { value: found, enumerable: true, configurable: true, writable: true })
}

export const arrays = ({ elements, rest }: SchemaAST.Arrays, inner: Inner): Part | undefined => {
  const all = [...elements, ...rest]
  if (rest.length > 1 || !all.every((type) => !isMissable(type) && !isMissable(SchemaAST.toEncoded(type))))
    return undefined
  if (!all.every(isAsThere)) return undefined
  const [first] = rest
  const heads = elements.map(inner)
  const of = first === undefined ? undefined : inner(first)
  // No bytes at all could say that there are any number of them.
  if (of?.least === 0) return undefined
  if (of === undefined) return tuple(heads)
  return heads.length === 0 ? array(of) : headed(heads.length, tuple(heads), array(of))
}

const headed = (count: number, heads: Part, others: Part): Part => ({
  layout: `${heads.layout}+${others.layout}`,
  least: heads.least + others.least,
  write: (value, into) =>
    Array.isArray(value) && heads.write(value.slice(0, count), into) && others.write(value.slice(count), into),
  read: (from) => [...heads.read(from), ...others.read(from)]
})

const tuple = (parts: ReadonlyArray<Part>): Part => ({
  layout: `[${parts.map(({ layout }) => layout).join(",")}]`,
  least: parts.reduce((sum, { least }) => sum + least, 0),
  write: (value, into) => {
    if (!Array.isArray(value) || value.length !== parts.length) return false
    for (let i = 0; i < parts.length; i++) if (!parts[i]!.write(value[i], into)) return false
    return true
  },
  read: (from) => parts.map((part) => part.read(from))
})

const array = (of: Part): Part => ({
  layout: `${of.layout}[]`,
  least: 1,
  write: (value, into) => {
    if (!Array.isArray(value)) return false
    const { length } = value
    into.natural(length)
    for (let i = 0; i < length; i++) if (!of.write(value[i], into)) return false
    return true
  },
  read: (from) => {
    const values: Array<unknown> = []
    for (let left = from.natural(); left > 0; left--) values.push(of.read(from))
    return values
  }
})

/** One after the other. */
export const set = (of: Part): Part | undefined =>
  of.least === 0
    ? undefined
    : {
        layout: `set ${of.layout}`,
        least: 1,
        write: (value, into) => {
          if (!(value instanceof Set)) return false
          into.natural(value.size)
          for (const one of value) if (!of.write(one, into)) return false
          return true
        },
        read: (from) => {
          const value = new Set<unknown>()
          for (let left = from.natural(); left > 0; left--) value.add(of.read(from))
          return value
        }
      }

/** Each key before what it stands for. */
export const map = (key: Part, of: Part): Part | undefined =>
  key.least + of.least === 0
    ? undefined
    : {
        layout: `map ${key.layout},${of.layout}`,
        least: 1,
        write: (value, into) => {
          if (!(value instanceof Map)) return false
          into.natural(value.size)
          for (const [name, one] of value) if (!key.write(name, into) || !of.write(one, into)) return false
          return true
        },
        read: (from) => {
          const value = new Map<unknown, unknown>()
          for (let left = from.natural(); left > 0; left--) value.set(key.read(from), of.read(from))
          return value
        }
      }

export const option = (of: Part): Part => ({
  layout: `option ${of.layout}`,
  least: 1,
  write: (value, into) => {
    if (!Option.isOption(value)) return false
    into.byte(Option.isSome(value) ? 1 : 0)
    return Option.isNone(value) || of.write(value.value, into)
  },
  read: (from) => (flag(from) ? Option.some(of.read(from)) : Option.none())
})
