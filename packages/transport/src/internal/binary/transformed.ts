/** What stands as a value of another schema: classes, texts that are numbers, maps, and what else is made of others. */
import { Cause, Effect, Exit, Option, Schema, SchemaAST, type SchemaGetter, type SchemaIssue } from "effect"
import { enable } from "./enable.ts"
import { flag, type Inner, Malformed, missing, type Part } from "./Part.ts"

type AST = SchemaAST.AST

const refused = Symbol("refused")

/** Throws a `SchemaError` or a `Malformed` where the schema refuses, anything else where it fails. */
type Step = (value: unknown) => unknown

interface Ways {
  readonly encode: Step
  readonly decode: Step
}

/** A value, which is there. */
export const transformed = (ast: AST, encoding: SchemaAST.Encoding, inner: Inner): Part | undefined => {
  const ways = waysOf(ast, encoding)
  if (ways === undefined) return undefined
  const of = inner(encoding.at(-1)!.to)
  const { decode, encode } = ways
  return {
    ...of,
    write: (value, into) => {
      const encoded = tried(encode, value)
      return encoded !== refused && encoded !== missing && of.write(encoded, into)
    },
    read: (from) => {
      const value = decode(of.read(from))
      if (value === missing) throw refusal
      return value
    }
  }
}

/** The value of a key that may be missing here or there, and then comes to something or to nothing. */
export const missable = (ast: AST, encoding: SchemaAST.Encoding, inner: Inner): Part | undefined => {
  const ways = waysOf(ast, encoding)
  const { to } = encoding.at(-1)!
  if (ways === undefined || !isAsThere(to)) return undefined
  const of = inner(to)
  const [mayMiss, mayMissThere] = [SchemaAST.isOptional(ast), SchemaAST.isOptional(SchemaAST.toEncoded(to))]
  const { decode, encode } = ways
  return {
    layout: `${of.layout}??`,
    least: 1,
    write: (value, into) => {
      const encoded = tried(encode, value)
      if (encoded === refused) return false
      into.byte(encoded === missing ? 0 : 1)
      return encoded === missing ? mayMissThere : of.write(encoded, into)
    },
    read: (from) => {
      const isThere = flag(from)
      if (!isThere && !mayMissThere) throw refusal
      const value = decode(isThere ? of.read(from) : missing)
      if (value === missing && !mayMiss) throw refusal
      return value
    }
  }
}

/** Whether what is there stays, and what is missing stays missing. */
export const isAsThere = ({ encoding }: AST): boolean =>
  encoding === undefined ||
  (encoding.every(
    ({ transformation }) =>
      transformation._tag === "Transformation" && isPlain(transformation.encode) && isPlain(transformation.decode)
  ) &&
    isAsThere(encoding.at(-1)!.to))

const isPlain = ({ _tag }: Getter): boolean =>
  _tag === "Passthrough" || _tag === "Transform" || _tag === "TransformEffect"

// One for all: what is refused is often tried next as something else, and nobody sees it then.
const refusal = new Malformed("that is not as its schema has it")

const tried = (encode: Step, value: unknown): unknown => {
  try {
    return encode(value)
  } catch (error) {
    if (error instanceof Malformed || Schema.isSchemaError(error)) return refused
    throw error
  }
}

// -------------------------------------------------------------------------------------------------------------- a chain

const waysOf = (ast: AST, encoding: SchemaAST.Encoding): Ways | undefined => {
  const encode: Array<Step> = []
  const decode: Array<Step> = []
  const add = (ways: Ways): void => {
    encode.push(ways.encode)
    decode.unshift(ways.decode)
  }
  add(withinOf(bodyOf(ast)))
  for (const [place, { to, transformation }] of encoding.entries()) {
    if (transformation._tag !== "Transformation") return undefined
    add({ encode: stepOf(transformation.encode), decode: stepOf(transformation.decode) })
    if (place < encoding.length - 1) add(withinOf(to))
  }
  return { encode: all(encode), decode: all(decode) }
}

const all = (steps: ReadonlyArray<Step>): Step => {
  const [first = same, second, ...more] = steps.filter((step) => step !== same)
  if (second === undefined) return first
  const rest = more.length === 0 ? second : all([second, ...more])
  return (value) => rest(first(value))
}

const same: Step = (value) => value

/** The same without what it is made of. */
const bodyOf = (ast: AST): AST =>
  ast.encoding === undefined
    ? ast
    : Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, { encoding: undefined })

/** What a schema itself does to its values, on their way: what holds others leaves out what it does not know. */
const withinOf = (ast: AST): Ways => {
  enable(ast)
  const schema = Schema.make<Schema.Codec<unknown>>(ast)
  if (holdsOthers(ast) || ast.encoding !== undefined) {
    return { encode: ofThere(Schema.encodeUnknownSync(schema)), decode: ofThere(Schema.decodeUnknownSync(schema)) }
  }
  const is = Schema.is(schema)
  const check = ofThere((value) => {
    if (!is(value)) throw refusal
    return value
  })
  return { encode: check, decode: check }
}

const holdsOthers = ({ _tag }: AST): boolean =>
  _tag === "Objects" || _tag === "Arrays" || _tag === "Union" || _tag === "Suspend" || _tag === "Declaration"

const ofThere =
  (step: Step): Step =>
  (value) =>
    value === missing ? missing : step(value)

// ---------------------------------------------------------------------------------------------------------- one getter

type Getter = SchemaGetter.Getter<any, any, any>

const stepOf = (getter: Getter): Step => {
  switch (getter._tag) {
    case "Passthrough":
      return same
    case "Transform":
      return ofThere(getter.transform)
    case "TransformEffect":
      return ofThere((value) => outcome(getter.transform(value, {}) as Outcome))
    case "TransformOptional":
      return (value) => orMissing(getter.transform(optionOf(value)))
    case "TransformOptionalEffect":
      return (value) => orMissing(outcome(getter.transform(optionOf(value), {}) as Outcome<Option.Option<unknown>>))
  }
}

type Outcome<A = unknown> = Effect.Effect<A, SchemaIssue.Issue>

const outcome = <A>(effect: Outcome<A>): A => {
  const exit = Exit.isExit(effect) ? (effect as Exit.Exit<A, SchemaIssue.Issue>) : Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  const issue = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  throw issue === undefined ? Cause.squash(exit.cause) : new Schema.SchemaError(issue)
}

const optionOf = (value: unknown): Option.Option<unknown> => (value === missing ? Option.none() : Option.some(value))

const orMissing = (option: Option.Option<unknown>): unknown => (Option.isNone(option) ? missing : option.value)
