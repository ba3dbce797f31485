/**
 * From a schema to how its values stand in bytes: fields one after the other, without names, as the layout says that both
 * ends have. What is not known here for sure (classes, transformations of several steps, recursion) stands as `SchemaBinary` of
 * Effect has it, which takes some ten times as long.
 */
import { Cause, Effect, Exit, Option, Schema, SchemaAST, type SchemaGetter, type SchemaIssue } from "effect"
import { SchemaBinary } from "effect/encoding"
import { SchemaJITCompiler } from "effect/schema"
import { Writer } from "../../Writer.ts"
import { boolean, bytes, constant, date, flag, integer, Malformed, number, oneOf, type Part, string } from "./Part.ts"
import { type Field, struct } from "./struct.ts"

type AST = SchemaAST.AST

/** Compiles both ways of a schema, where the platform allows it: each is a tree of its own. */
export const enable = (ast: AST): void => {
  SchemaJITCompiler.enable(ast)
  SchemaJITCompiler.enable(SchemaAST.flip(ast))
}

/** Whether code may be made here. */
const generates = ((): boolean => {
  try {
    return new Function("return true")() as boolean
  } catch {
    return false
  }
})()

/** `undefined` where `SchemaBinary` does all of it. */
export const compile = (ast: AST, isGenerated = generates): Part | undefined => {
  const part = partOf(ast, isGenerated)
  return part === undefined || ast.encoding !== undefined ? part : checked(part, ast)
}

const partOf = (ast: AST, isGenerated: boolean): Part | undefined => {
  const inner = (of: AST): Part => compile(of, isGenerated) ?? foreign(of)
  if (ast.encoding !== undefined) return transformed(ast, ast.encoding, inner)
  switch (ast._tag) {
    case "Null":
      return constant(null)
    case "Undefined":
      return constant(undefined)
    case "Literal":
      return constant(ast.literal)
    case "String":
      return string
    case "Number":
      return isInteger(ast.checks) ? integer : number
    case "Boolean":
      return boolean
    case "Declaration":
      return declared(ast, inner)
    case "Objects":
      return ast.encodingChecks === undefined ? objects(ast, inner, isGenerated) : undefined
    case "Arrays":
      return ast.encodingChecks === undefined ? arrays(ast, inner) : undefined
    case "Union":
      return ast.encodingChecks === undefined && ast.options?.mode !== "oneOf" ? union(ast.types, inner) : undefined
    default:
      return undefined
  }
}

type Inner = (of: AST) => Part

/** Whether it was written. What a schema is given of others, its checks and transformations, may throw. */
export const writes = (part: Part, value: unknown, into: Writer): boolean => {
  try {
    return part.write(value, into)
  } catch {
    return false
  }
}

const declared = ({ annotations, typeParameters }: SchemaAST.Declaration, inner: Inner): Part | undefined => {
  switch ((annotations?.representation as { readonly id?: unknown } | undefined)?.id) {
    case "effect/schema/Uint8Array":
      return bytes
    case "effect/schema/Date":
      return date
    case "effect/schema/Option":
      return option(inner(typeParameters[0]!))
    default:
      return undefined
  }
}

const option = (of: Part): Part => ({
  layout: `option ${of.layout}`,
  least: 1,
  write: (value, into) => {
    if (!Option.isOption(value)) return false
    into.byte(Option.isSome(value) ? 1 : 0)
    return Option.isNone(value) || of.write(value.value, into)
  },
  read: (from) => (flag(from) ? Option.some(of.read(from)) : Option.none())
})

// -------------------------------------------------------------------------------------------------------------- checks

type Check = SchemaAST.Check<any>

const flat = (checks: ReadonlyArray<Check> | undefined): ReadonlyArray<SchemaAST.Filter<any>> =>
  (checks ?? []).flatMap((check) => (check._tag === "Filter" ? [check] : flat(check.checks)))

const isIntegers = (check: Check): boolean =>
  (check.annotations?.representation as { readonly id?: unknown } | undefined)?.id === "effect/schema/isInt"

const isInteger = (checks: ReadonlyArray<Check> | undefined): boolean => flat(checks).some(isIntegers)

const checked = (part: Part, ast: AST): Part => {
  const filters = flat(ast.checks).filter((check) => part !== integer || !isIntegers(check))
  if (filters.length === 0) return part
  const passes = (value: unknown): boolean => filters.every(({ run }) => run(value, ast, {}) === undefined)
  return {
    ...part,
    write: (value, into) => part.write(value, into) && passes(value),
    read: (from) => {
      const value: unknown = part.read(from)
      if (!passes(value)) throw new Malformed("that is not as its schema has it")
      return value
    }
  }
}

// ------------------------------------------------------------------------------------------------ what is made of others

/** Of a kind of its own, which is made of one value of another schema, and comes to one. */
const transformed = (ast: AST, [link, ...more]: SchemaAST.Encoding, inner: Inner): Part | undefined => {
  if (ast._tag !== "Declaration" || ast.typeParameters.length > 0 || more.length > 0) return undefined
  const { transformation } = link
  if (transformation._tag !== "Transformation") return undefined
  const [encode, decode] = [way(transformation.encode), way(transformation.decode)]
  if (encode === undefined || decode === undefined) return undefined
  const of = inner(link.to)
  const isOne = Schema.is(Schema.make<Schema.Codec<unknown>>(SchemaAST.toType(ast)))
  return {
    ...of,
    write: (value, into) => {
      if (!isOne(value)) return false
      const encoded = encode(value)
      return Exit.isSuccess(encoded) && of.write(encoded.value, into)
    },
    read: (from) => {
      const decoded = decode(of.read(from))
      if (Exit.isFailure(decoded)) throw failureOf(decoded.cause)
      if (!isOne(decoded.value)) throw new Malformed("that is not as its schema has it")
      return decoded.value
    }
  }
}

const failureOf = (cause: Cause.Cause<SchemaIssue.Issue>): Error => {
  const issue = Option.getOrUndefined(Cause.findErrorOption(cause))
  return issue === undefined ? new Malformed(String(Cause.squash(cause))) : new Schema.SchemaError(issue)
}

type Way = (value: unknown) => Exit.Exit<unknown, SchemaIssue.Issue>

const caught =
  (run: Way): Way =>
  (value) => {
    try {
      return run(value)
    } catch (error) {
      return Exit.die(error)
    }
  }

/** What a getter does with a value that is there. */
const way = (getter: SchemaGetter.Getter<any, any, any>): Way | undefined => {
  switch (getter._tag) {
    case "Passthrough":
      return Exit.succeed
    case "Transform":
      return caught((value) => Exit.succeed(getter.transform(value)))
    case "TransformEffect":
      return caught((value) =>
        Effect.runSyncExit(getter.transform(value, {}) as Effect.Effect<unknown, SchemaIssue.Issue>)
      )
    default:
      return undefined
  }
}

// ----------------------------------------------------------------------------------------------------- what holds others

const isMissable = (ast: AST): boolean => SchemaAST.isOptional(ast)

const objects = (
  { indexSignatures, propertySignatures }: SchemaAST.Objects,
  inner: Inner,
  isGenerated: boolean
): Part | undefined => {
  const [index] = indexSignatures
  if (index !== undefined) {
    const { checks, encoding, _tag } = index.parameter
    const isAnyKey = _tag === "String" && checks === undefined && encoding === undefined
    const isRecord = isAnyKey && indexSignatures.length === 1 && propertySignatures.length === 0
    return isRecord ? record(inner(index.type)) : undefined
  }
  // One without keys is any value at all.
  if (propertySignatures.length === 0) return undefined
  const fields: Array<Field> = []
  for (const { name, type } of propertySignatures) {
    if (typeof name !== "string" || name === "__proto__") return undefined
    const isOptional = isMissable(type)
    if (type.encoding !== undefined && (isOptional || isMissable(SchemaAST.toEncoded(type)))) return undefined
    const part = inner(type)
    fields.push({ key: name, part, isOptional, hasUndefined: writes(part, undefined, new Writer(64)) })
  }
  return struct(fields, isGenerated)
}

const record = (of: Part): Part => ({
  layout: `record ${of.layout}`,
  least: 1,
  write: (value, into) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false
    const keys = Object.keys(value)
    into.natural(keys.length)
    return keys.every((key) => string.write(key, into) && of.write(value[key], into))
  },
  read: (from) => {
    const value: Record<string, unknown> = {}
    for (let left = from.natural(); left > 0; left--) {
      const key = string.read(from) as string
      const found: unknown = of.read(from)
      if (key !== "__proto__") value[key] = found
      else Object.defineProperty(value, key, { value: found, enumerable: true, configurable: true, writable: true })
    }
    return value
  }
})

const arrays = ({ elements, rest }: SchemaAST.Arrays, inner: Inner): Part | undefined => {
  if (rest.length > 1 || [...elements, ...rest].some(isMissable)) return undefined
  if (elements.some(({ encoding }) => encoding !== undefined)) return undefined
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

// -------------------------------------------------------------------------------------------------------------- unions

const mostMembers = 256

const union = (types: ReadonlyArray<AST>, inner: Inner): Part | undefined => {
  if (types.length === 0 || types.length > mostMembers) return undefined
  const literals = types.filter((type) => type._tag === "Literal" && type.checks === undefined)
  if (literals.length === types.length) return oneOf(literals.map((type) => (type as SchemaAST.Literal).literal))
  const parts = types.map(inner)
  if (parts.length === 1) return parts[0]
  const layout = `(${parts.map((part) => part.layout).join("|")})`
  const tags = tagsOf(types)
  return {
    layout,
    least: 1 + Math.min(...parts.map(({ least }) => least)),
    write: tags === undefined ? firstOf(parts) : taggedOf(parts, tags),
    read: (from) => {
      const place = from.byte()
      if (place >= parts.length) throw new Malformed("there is no such member")
      return parts[place]!.read(from)
    }
  }
}

interface Tags {
  readonly key: string
  readonly values: ReadonlyArray<unknown>
}

/** What tells the members apart, where it is the same key of all of them. */
const tagsOf = (types: ReadonlyArray<AST>): Tags | undefined => {
  const shapes = types.map(shapeOf)
  for (const { name } of shapes[0] ?? []) {
    const values = shapes.map((shape) => literalAt(shape, name))
    if (!values.includes(undefined) && new Set(values).size === types.length) return { key: name as string, values }
  }
  return undefined
}

type Shape = ReadonlyArray<SchemaAST.PropertySignature>

/** The fields of a struct, or of a class, which has those of its instances. */
const shapeOf = (ast: AST): Shape => {
  if (ast._tag === "Objects") return ast.encoding === undefined ? ast.propertySignatures : []
  const link = ast._tag === "Declaration" && ast.encoding?.length === 1 ? ast.encoding[0] : undefined
  const isAsIs = (link?.transformation.encode as { readonly _tag?: unknown } | undefined)?._tag === "Passthrough"
  return isAsIs ? shapeOf(link!.to) : []
}

const literalAt = (shape: Shape, key: PropertyKey): unknown => {
  const type = shape.find(({ name }) => name === key)?.type
  if (type?._tag !== "Literal" || type.encoding !== undefined || isMissable(type)) return undefined
  return type.literal
}

const taggedOf = (parts: ReadonlyArray<Part>, { key, values }: Tags): Part["write"] => {
  const places = new Map(values.map((value, place) => [value, place]))
  return (value, into) => {
    if (typeof value !== "object" || value === null) return false
    const place = places.get(value[key])
    if (place === undefined) return false
    into.byte(place)
    return parts[place]!.write(value, into)
  }
}

const firstOf =
  (parts: ReadonlyArray<Part>): Part["write"] =>
  (value, into) => {
    const start = into.length
    for (let place = 0; place < parts.length; place++) {
      into.byte(place)
      if (parts[place]!.write(value, into)) return true
      into.length = start
    }
    return false
  }

// ------------------------------------------------------------------------------------------------------------- the rest

/** Of what another codec knows about: its bytes say by themselves of which schema they are. */
export const foreign = (ast: AST): Part => {
  const wire = SchemaBinary.toCodec(Schema.make<Schema.Codec<unknown>>(ast), { fingerprint: true })
  enable(wire.ast)
  const encode = Schema.encodeUnknownSync(wire)
  const decode = Schema.decodeUnknownSync(wire)
  return {
    layout: "?",
    least: 1,
    write: (value, into) => {
      let encoded: Uint8Array
      try {
        encoded = encode(value)
      } catch {
        return false
      }
      return bytes.write(encoded, into)
    },
    read: (from) => decode(bytes.read(from))
  }
}
