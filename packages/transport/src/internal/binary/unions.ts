/** One of several: told by its literal, by its tag, or by trying one after the other. */
import { SchemaAST } from "effect"
import { type Inner, Malformed, mostPlaces, oneOf, type Part } from "./Part.ts"

type AST = SchemaAST.AST

export const union = (types: ReadonlyArray<AST>, inner: Inner): Part | undefined => {
  if (types.length === 0 || types.length > mostPlaces) return undefined
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
  if (ast._tag === "Suspend") return ast.encoding === undefined ? shapeOfNamed(ast.thunk()) : []
  if (ast._tag === "Objects") return ast.encoding === undefined ? ast.propertySignatures : []
  const link = ast._tag === "Declaration" && ast.encoding?.length === 1 ? ast.encoding[0] : undefined
  const isAsIs = (link?.transformation.encode as { readonly _tag?: unknown } | undefined)?._tag === "Passthrough"
  return isAsIs ? shapeOf(link!.to) : []
}

const shapeOfNamed = (ast: AST): Shape => (ast._tag === "Suspend" ? [] : shapeOf(ast))

const literalAt = (shape: Shape, key: PropertyKey): unknown => {
  const type = shape.find(({ name }) => name === key)?.type
  if (type?._tag !== "Literal" || type.encoding !== undefined || SchemaAST.isOptional(type)) return undefined
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
