/**
 * From a schema to how its values stand in bytes: fields one after the other, without names, as the layout says that both
 * ends have. What is not known here for sure (odd tuples and unions) stands as `SchemaBinary` of Effect has it,
 * which takes some ten times as long.
 */
import { Schema, SchemaAST } from "effect"
import { SchemaBinary } from "effect/encoding"
import { textOf } from "../textOf.ts"
import { any } from "./any.ts"
import { enable } from "./enable.ts"
import { arrays, map, objects, option, set } from "./holders.ts"
import * as Parts from "./Part.ts"
import { type Inner, Malformed, type Part } from "./Part.ts"
import { forget, type Known, known, suspended } from "./recursion.ts"
import { transformed } from "./transformed.ts"
import { union } from "./unions.ts"

type AST = SchemaAST.AST

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
  const all: Known = new Map()
  const make = (of: AST): Part | undefined => {
    const size = all.size
    const part = partOf(of, inner, all, isGenerated)
    if (part === undefined) forget(all, size)
    return part === undefined || of.encoding !== undefined ? part : checked(part, of)
  }
  const inner: Inner = (of) => make(of) ?? foreign(of)
  return known(ast, all, () => make(ast))
}

const partOf = (ast: AST, inner: Inner, all: Known, isGenerated: boolean): Part | undefined => {
  if (ast.encoding !== undefined) return transformed(ast, ast.encoding, inner)
  if ("encodingChecks" in ast && ast.encodingChecks !== undefined) return undefined
  switch (ast._tag) {
    case "Null":
      return Parts.constant(null)
    case "Undefined":
      return Parts.constant(undefined)
    case "Void":
      return Parts.unit
    case "Never":
      return Parts.never
    case "Literal":
      return Parts.constant(ast.literal)
    case "Enum":
      return ast.enums.length > Parts.mostPlaces ? undefined : Parts.oneOf(ast.enums.map(([, value]) => value))
    case "String":
      return Parts.string
    case "TemplateLiteral":
      return ofSchema(Parts.string, ast)
    case "Number":
      return isInteger(ast.checks) ? Parts.integer : Parts.number
    case "BigInt":
      return Parts.bigint
    case "Boolean":
      return Parts.boolean
    case "Unknown":
    case "Any":
      return any
    case "ObjectKeyword":
      return those(any, (value) => typeof value === "object" && value !== null)
    case "Declaration":
      return declared(ast, inner)
    case "Objects":
      return objects(ast, inner, isGenerated)
    case "Arrays":
      return arrays(ast, inner)
    case "Union":
      return ast.options?.mode === "oneOf" ? undefined : union(ast.types, inner)
    case "Suspend":
      return suspended(ast, all, inner)
    default:
      return undefined
  }
}

const declared = (ast: SchemaAST.Declaration, inner: Inner): Part | undefined => {
  const parameter = (place: number): Part => inner(ast.typeParameters[place]!)
  switch (idOf(ast)) {
    case "effect/schema/Uint8Array":
      return Parts.bytes
    case "effect/schema/Date":
      return Parts.date
    case "effect/schema/DateTimeUtc":
      return Parts.dateTimeUtc
    case "effect/schema/Json":
    case "effect/schema/MutableJson":
      return ofSchema(any, ast)
    case "effect/schema/Option":
      return option(parameter(0))
    case "effect/schema/ReadonlySet":
      return set(parameter(0))
    case "effect/schema/ReadonlyMap":
      return map(parameter(0), parameter(1))
    default: {
      const link = linkOf(ast)
      return link && transformed(withoutParameters(ast), [link], inner)
    }
  }
}

const idOf = ({ annotations }: { readonly annotations?: Schema.Annotations.Annotations | undefined }): unknown =>
  (annotations?.representation as { readonly id?: unknown } | undefined)?.id

/** What a kind of its own says that it is made of, as `SchemaBinary` asks for it. */
const linkOf = ({ annotations, typeParameters }: SchemaAST.Declaration): SchemaAST.Link | undefined => {
  const parameters = typeParameters.map((type) => Schema.make(type))
  const given = (key: string): SchemaAST.Link | undefined => {
    const link: unknown = annotations?.[key]
    return typeof link === "function" ? link(parameters) : undefined
  }
  return given("toCodecJson") ?? given("toCodec")
}

/** Of anything: what it holds is looked at where that is written and read, not each time that one holds another. */
const withoutParameters = (ast: SchemaAST.Declaration): SchemaAST.Declaration =>
  new SchemaAST.Declaration(
    ast.typeParameters.map(() => SchemaAST.unknown),
    ast.run,
    ast.annotations,
    ast.checks,
    undefined,
    ast.context,
    undefined,
    ast.encodingRun
  )

// -------------------------------------------------------------------------------------------------------------- checks

type Check = SchemaAST.Check<any>

const flat = (checks: ReadonlyArray<Check> | undefined): ReadonlyArray<SchemaAST.Filter<any>> =>
  (checks ?? []).flatMap((check) => (check._tag === "Filter" ? [check] : flat(check.checks)))

const isIntegers = (check: Check): boolean => idOf(check) === "effect/schema/isInt"

const isInteger = (checks: ReadonlyArray<Check> | undefined): boolean => flat(checks).some(isIntegers)

const checked = (part: Part, ast: AST): Part => {
  const filters = flat(ast.checks).filter((check) => part !== Parts.integer || !isIntegers(check))
  if (filters.length === 0) return part
  return those(part, (value) => filters.every(({ run }) => run(value, ast, {}) === undefined))
}

const ofSchema = (part: Part, ast: AST): Part => {
  const type = SchemaAST.toType(ast)
  enable(type)
  return those(part, Schema.is(Schema.make<Schema.Codec<unknown>>(type)))
}

const those = (part: Part, passes: (value: unknown) => boolean): Part => ({
  ...part,
  write: (value, into) => part.write(value, into) && passes(value),
  read: (from) => {
    const value: unknown = part.read(from)
    if (!passes(value)) throw new Malformed("that is not as its schema has it")
    return value
  }
})

// ------------------------------------------------------------------------------------------------------------- the rest

/** Of what another codec knows about: its bytes say by themselves of which schema they are. */
export const foreign = (ast: AST): Part => {
  const wire = wireOf(Schema.make<Schema.Codec<unknown>>(ast))
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
      return Parts.bytes.write(encoded, into)
    },
    read: (from) => decode(Parts.bytes.read(from))
  }
}

const wireOf = (schema: Schema.Codec<unknown>) => {
  try {
    return SchemaBinary.toCodec(schema, { fingerprint: true })
  } catch (error) {
    const reason = textOf(error)
    throw new TypeError(`A schema has no form in bytes (${reason}). Make it of one that has, by Schema.decodeTo.`)
  }
}
