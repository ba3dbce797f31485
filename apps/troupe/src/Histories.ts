/** Histories from files, and what the models of consistency say of them: what `verify` and `draw` have in common. */
import {
  type Budget,
  type History,
  Models,
  Reader,
  type Specification,
  Specifications,
  Timeline,
  type Verdict
} from "@troupe/consistency"
import { Effect, FileSystem, Option, Result, Schema } from "effect"
import { Flag } from "effect/cli"
import { reasonOf, Usage } from "./Problem.ts"
import { print } from "./terminal/Screen.ts"

const named = (of: Models.Model["of"]): ReadonlyArray<Models.Model> => Models.models.filter((model) => model.of === of)

const listed = (models: ReadonlyArray<Models.Model>): string =>
  models.map(({ aliases, name }) => (aliases.length === 0 ? name : `${name} (${aliases.join(", ")})`)).join(", ")

const modelNames = new Set(Models.models.flatMap(({ aliases, name }) => [name, ...aliases]))

/** `Read_Your_Writes` is meant well. */
const knownModel = (given: string): Option.Option<string> => {
  const name = given.toLowerCase().replaceAll("_", "-")
  return modelNames.has(name) ? Option.some(name) : Option.none()
}

export const model = Flag.String("model").pipe(
  Flag.withMetavar("MODEL"),
  Flag.filterMap(knownModel, () => `one of ${[...modelNames].join(", ")}`),
  Flag.withDescription(
    `What to hold a history against. Operations: ${listed(named("operations"))}. ` +
      `Transactions: ${listed(named("transactions"))}. ` +
      "Default: linearizable for operations, serializable for transactions"
  ),
  Flag.optional
)

/** How a history is read, and which service it is about. */
export const flags = {
  data: Flag.Literals("data", Specifications.names).pipe(
    Flag.withDescription(
      `The service that a history is about: ${Specifications.names.join(", ")}. Default: told by its functions`
    ),
    Flag.optional
  ),
  initial: Flag.String("initial").pipe(
    Flag.withMetavar("JSON"),
    Flag.withDescription("What a register holds at first. Default: what the format says, or null"),
    Flag.optional
  ),
  format: Flag.Literals("format", Reader.formats).pipe(
    Flag.withDescription(`How the files are written: ${Reader.formats.join(", ")}. Default: recognised`),
    Flag.optional
  ),
  budget: Flag.Finite("budget").pipe(
    Flag.filter(
      (seconds) => seconds > 0 && seconds <= 86_400,
      () => "a number of seconds above 0, 86400 at the most"
    ),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("How long to think about one history before its verdict is unknown. Default: 60"),
    Flag.withDefault(60)
  )
}

export interface Question {
  /** Default: by the kind of history. */
  readonly model: string | undefined
  readonly data: string | undefined
  readonly initial: History.Value | undefined
  readonly format: Reader.Format | undefined
  readonly budget: Budget
}

/** What was asked for with the flags. */
export const question = (given: {
  readonly model: Option.Option<string>
  readonly data: Option.Option<string>
  readonly initial: Option.Option<string>
  readonly format: Option.Option<Reader.Format>
  readonly budget: number
}): Effect.Effect<Question, Usage> =>
  Effect.map(
    Option.isSome(given.initial) ? parseInitial(given.initial.value) : Effect.succeed(undefined),
    (initial) => ({
      model: Option.getOrUndefined(given.model),
      data: Option.getOrUndefined(given.data),
      initial,
      format: Option.getOrUndefined(given.format),
      budget: { millis: given.budget * 1000 }
    })
  )

const parseInitial = (text: string): Effect.Effect<History.Value, Usage> =>
  Effect.try({
    try: () => JSON.parse(text) as History.Value,
    catch: () => new Usage({ reason: `--initial ${text}: give a value as JSON, as in --initial 0 or --initial '"a"'.` })
  })

/** A file cannot be read, or not be held against the model. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  /** With the file, the line where there is one, and what to do. */
  reason: Schema.String,
  /** Whether it is of no format that is known. */
  isForeign: Schema.Boolean
}) {
  override get message(): string {
    return this.reason
  }
}

const unreadable = (reason: string): Unreadable => new Unreadable({ reason, isForeign: false })

export const textOf = (file: string): Effect.Effect<string, Unreadable, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    return yield* files.readFileString(file)
  }).pipe(Effect.mapError((error) => unreadable(`${file}: it cannot be read, ${reasonOf(error)}.`)))

export const readingsOf = (
  text: string,
  file: string,
  { format }: Pick<Question, "format">
): Result.Result<ReadonlyArray<Reader.Reading>, Unreadable> =>
  Result.mapError(
    Reader.read(text, { file, ...(format !== undefined && { format }) }),
    (error) => new Unreadable({ reason: sentence(error.message), isForeign: error._tag === "UnknownFormat" })
  )

const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`)

export const modelOf = (reading: Reader.Reading, { model }: Pick<Question, "model">): string =>
  model ?? (reading._tag === "Operations" ? "linearizable" : "serializable")

/** What the model says of the history. */
export const judge = (
  reading: Reader.Reading,
  file: string,
  question: Question
): Result.Result<Verdict, Unreadable> => {
  const name = modelOf(reading, question)
  if (reading._tag === "Transactions") {
    const model = Models.find(name, "transactions")
    if (model === undefined) return Result.fail(wrongKind(file, name, "transactions"))
    const { budget, initial } = question
    return Result.succeed(model.check(reading.history, { ...budget, ...(initial !== undefined && { initial }) }))
  }
  const model = Models.find(name, "operations")
  if (model === undefined) return Result.fail(wrongKind(file, name, "operations"))
  const found =
    model.data === "any" ? specificationOf(reading, file, question) : registerOf(reading.history, file, model)
  const options = { ...question.budget, ...initialOf(reading, question) }
  return Result.map(found, (specification) => model.check(reading.history, specification, options))
}

const wrongKind = (file: string, name: string, what: Models.Model["of"]): Unreadable =>
  unreadable(
    `${file}: ${name} is no model of ${what}, which are what it has. Give --model one of ${listed(named(what))}.`
  )

type Initial = { readonly initial?: History.Value }

type OfKind<Tag> = Extract<Reader.Reading, { readonly _tag: Tag }>

const initialOf = ({ specification }: OfKind<"Operations">, { initial }: Question): Initial => {
  const value = initial ?? specification?.initial
  return value === undefined ? {} : { initial: value }
}

/** What models of registers are about, where a history is about nothing else. */
const registerOf = (
  history: History.History,
  file: string,
  model: Models.OperationsModel
): Result.Result<Specification.Specification, Unreadable> => {
  const register = Specifications.register()
  const others = Models.models.filter((other) => other.of === "operations" && other.data === "any")
  return Result.mapBoth(Specifications.validate(history, register, file), {
    onFailure: ({ message }) =>
      unreadable(
        `${sentence(message)} For ${model.name} it has to be a register; --model ${listed(others)} take other services.`
      ),
    onSuccess: () => register
  })
}

/** The specification of the service that a history is about, all calls of which it knows. */
const specificationOf = (
  reading: OfKind<"Operations">,
  file: string,
  question: Question
): Result.Result<Specification.Specification, Unreadable> => {
  const { history, specification: implied } = reading
  const name = question.data ?? implied?.name ?? (history.operations.length === 0 ? "register" : undefined)
  const specification = name === undefined ? undefined : Specifications.find(name, initialOf(reading, question))
  if (specification === undefined) return Result.fail(unreadable(unknownService(history, file)))
  return Result.mapBoth(Specifications.validate(history, specification, file), {
    onFailure: ({ message }) => unreadable(`${sentence(message)} Another service is named with --data.`),
    onSuccess: () => specification
  })
}

/** No service has all functions: the first one that none has at all, or else the first of another one than before. */
const unknownService = ({ operations }: History.History, file: string): string => {
  const services = Specifications.names.map((name) => Specifications.find(name)!)
  const has = (f: string, { functions }: Specification.Specification): boolean => Object.hasOwn(functions, f)
  const called = new Set<string>()
  const stranger =
    operations.find(({ f }) => !services.some((service) => has(f, service))) ??
    operations.find(({ f }) => !services.some((service) => [...called.add(f)].every((name) => has(name, service))))
  const all = services.map(({ functions, name }) => `${name} (${Object.keys(functions).join(", ")})`).join("; ")
  const line = stranger?.source === undefined ? "" : `:${stranger.source.invokeLine}`
  const known = services.some((service) => stranger !== undefined && has(stranger.f, service))
  const what =
    stranger === undefined
      ? ""
      : `operation ${stranger.id} calls "${stranger.f}"${known ? ", and" : ", which no service here has, so that"} `
  return `${file}${line}: ${what}which service this is about cannot be told. Name it with --data: ${all}.`
}

// ------------------------------------------------------------------------------------------------------ the pictures

export interface Picture {
  readonly title?: string
  readonly verdict?: Verdict | undefined
  readonly limit?: number
}

const pictureOf = ({ verdict, ...options }: Picture) => ({ ...options, ...(verdict !== undefined && { verdict }) })

export const svgOf = (reading: Reader.Reading, picture: Picture): string =>
  reading._tag === "Operations"
    ? Timeline.svg(reading.history, pictureOf(picture))
    : Timeline.transactionsSvg(reading.history, pictureOf(picture))

export const terminalOf = (
  reading: Reader.Reading,
  { color, width, ...picture }: Picture & { readonly width: number; readonly color: boolean }
): string =>
  reading._tag === "Operations"
    ? Timeline.terminal(reading.history, { ...pictureOf(picture), color, width })
    : Timeline.transactionsTerminal(reading.history, { ...pictureOf(picture), color, width })

/** What a picture is written to: a file, or the standard output. */
export const write = (file: string, content: string): Effect.Effect<void, Usage, FileSystem.FileSystem> =>
  file === "-"
    ? show(content)
    : Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(file, content)
      }).pipe(Effect.mapError((error) => new Usage({ reason: `${file}: it cannot be written, ${reasonOf(error)}.` })))

export const show = (content: string): Effect.Effect<void> => print([content.replace(/\n$/, "")])
