/** `troupe verify`: holds histories that were recorded elsewhere against a model of consistency. */
import type { Culprit, Reader, Verdict } from "@troupe/consistency"
import { Effect, FileSystem, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import {
  flags,
  judge,
  model,
  modelOf,
  type Question,
  question,
  readingsOf,
  svgOf,
  terminalOf,
  textOf,
  Unreadable,
  write
} from "../Histories.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import { bar, count, cut, number, print, type Screen, screen, whileDrawing, wrap } from "../terminal/Screen.ts"
import { json } from "./arguments.ts"

const files = Argument.String("files").pipe(
  Argument.withDescription(
    "Histories, or directories, of which all files are taken that are histories of a known format, sorted by name"
  ),
  Argument.variadic({ min: 1 })
)

const svg = Flag.String("svg").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("Draw the first history that is violated, or the first of all where none is"),
  Flag.optional
)

export const verify = Command.make(
  "verify",
  { files, model, ...flags, svg, json },
  Effect.fnUntraced(function* (given) {
    const asked = yield* question(given)
    const terminal = yield* screen
    const found = yield* Effect.forEach(given.files, expand)
    const sources = found.flat()
    const tally: Tally = { ok: 0, violated: 0, unknown: 0, unreadable: 0, leftOut: 0 }
    const start = performance.now()
    let done = 0
    let drawn: Judged | undefined
    const all = Effect.forEach(
      sources,
      Effect.fnUntraced(function* (source) {
        // Lets the picture of the progress be drawn, and the command be ended.
        yield* Effect.yieldNow
        yield* verifyFile(source, asked, tally, (answer) => {
          if (answer._tag === "Judged" && (drawn === undefined || isWorse(answer, drawn))) drawn = answer
          return given.json ? print([JSON.stringify(asJson(answer))]) : tell(answer, terminal)
        })
        done++
      }),
      { discard: true }
    )
    // On one terminal with the results, these are the progress.
    const isDrawn = process.stderr.isTTY && !process.stdout.isTTY && sources.length > 1
    yield* isDrawn
      ? whileDrawing(all, process.stderr, () => [progress(done, sources.length, terminal)], { erase: true })
      : all
    if (tally.leftOut > 0) {
      yield* complain(`${count(tally.leftOut, "file")} of directories left out: no history of a known format.`)
    }
    if (!given.json && tally.ok + tally.violated + tally.unknown > 1) {
      yield* print(["", summary(tally, performance.now() - start)])
    }
    if (Option.isSome(given.svg) && drawn !== undefined) {
      yield* write(given.svg.value, svgOf(drawn.reading, { title: nameOf(drawn), verdict: drawn.verdict }))
    }
    if (tally.unreadable > 0) return yield* new Usage({ reason: "" })
    if (tally.violated > 0) return yield* new Violated()
    if (tally.unknown > 0) return yield* new CannotRun({ reason: "" })
  })
).pipe(
  Command.withDescription(
    "Holds histories against a model of consistency, and names the operation or transaction at fault. Prints a line for " +
      "each history; with --json, an object. Exits with 0 when all are right; with 1 when one is violated; with 2 when a " +
      "file cannot be read, whatever the others are; with 3 when none is violated, but one could not be decided within " +
      "the budget. All files are verified in any case"
  ),
  Command.withShortDescription("Holds recorded histories against a model of consistency"),
  Command.withExamples([
    { command: "troupe verify etcd.log", description: "A log of Jepsen's: is it linearizable?" },
    {
      command: "troupe verify run.ndjson --data queue --model sequential",
      description: "A history of our own format, of a queue"
    },
    {
      command: "troupe verify histories/ --model causal --json",
      description: "All of a directory, for a program to read"
    }
  ])
)

// ------------------------------------------------------------------------------------------------------- the files

interface Source {
  readonly file: string
  /** Whether it was found in a directory, and not named. */
  readonly isFound: boolean
  readonly problem?: string
}

/** A file, or what is in a directory. */
const expand = (path: string): Effect.Effect<ReadonlyArray<Source>, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const system = yield* FileSystem.FileSystem
    if ((yield* system.stat(path)).type !== "Directory") return [{ file: path, isFound: false }]
    const root = path.replace(/(.)\/+$/, "$1")
    const inside: Array<Source> = []
    for (const name of (yield* system.readDirectory(path, { recursive: true })).toSorted()) {
      const file = `${root}/${name}`
      if ((yield* system.stat(file)).type === "File") inside.push({ file, isFound: true })
    }
    return inside.length > 0 ? inside : [{ file: path, isFound: false, problem: `${path}: there is no file in it.` }]
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed([{ file: path, isFound: false, problem: `${path}: it cannot be read, ${reasonOf(error)}.` }])
    )
  )

interface Tally {
  ok: number
  violated: number
  unknown: number
  unreadable: number
  leftOut: number
}

interface Judged {
  readonly _tag: "Judged"
  readonly file: string
  readonly reading: Reader.Reading
  readonly model: string
  readonly verdict: Verdict
  readonly milliseconds: number
}

type Answer =
  | { readonly _tag: "Unreadable"; readonly file: string; readonly id: string | undefined; readonly error: string }
  | Judged

const isWorse = (a: Judged, b: Judged): boolean => a.verdict._tag === "Violated" && b.verdict._tag !== "Violated"

const counters = { Ok: "ok", Violated: "violated", Unknown: "unknown" } as const

const verifyFile = Effect.fnUntraced(function* (
  { file, isFound, problem }: Source,
  asked: Question,
  tally: Tally,
  say: (answer: Answer) => Effect.Effect<void>
) {
  const readings = yield* Effect.result(
    problem === undefined
      ? Effect.flatMap(textOf(file), (text) => Effect.fromResult(readingsOf(text, file, asked)))
      : Effect.fail(new Unreadable({ reason: problem, isForeign: false }))
  )
  if (Result.isFailure(readings)) {
    if (isFound && readings.failure.isForeign) {
      tally.leftOut++
      return
    }
    tally.unreadable++
    return yield* say({ _tag: "Unreadable", file, id: undefined, error: readings.failure.message })
  }
  for (const reading of readings.success) {
    const start = performance.now()
    const verdict = judge(reading, file, asked)
    const milliseconds = performance.now() - start
    if (Result.isFailure(verdict)) {
      tally.unreadable++
      yield* say({ _tag: "Unreadable", file, id: reading.id, error: verdict.failure.message })
      continue
    }
    tally[counters[verdict.success._tag]]++
    const answer = { reading, model: modelOf(reading, asked), verdict: verdict.success, milliseconds }
    yield* say({ _tag: "Judged", file, ...answer })
    if (readings.success.length > 1) yield* Effect.yieldNow
  }
})

// ------------------------------------------------------------------------------------------------------- the report

const asJson = (answer: Answer) => {
  if (answer._tag === "Unreadable") {
    return { file: answer.file, ...(answer.id !== undefined && { history: answer.id }), error: answer.error }
  }
  const { file, milliseconds, model, reading, verdict } = answer
  return {
    file,
    ...(reading.id !== undefined && { history: reading.id }),
    format: reading.format,
    model,
    verdict: counters[verdict._tag],
    culprit: verdict._tag === "Violated" ? culpritAsJson(verdict.culprit, reading) : null,
    milliseconds: Math.round(milliseconds * 1000) / 1000,
    reason: verdict._tag === "Ok" ? null : verdict.reason
  }
}

const culpritAsJson = (culprit: Culprit, reading: Reader.Reading) => {
  if (culprit._tag === "Operation") {
    const { f, id, input, key, output, process, returned, source } = culprit.operation
    return {
      // Where the file has no order of its own, the one that its times give.
      index:
        source?.returnIndex ?? source?.invokeIndex ?? (returned === Infinity ? culprit.operation.invoked : returned),
      line: source?.returnLine ?? source?.invokeLine ?? null,
      operation: id,
      process,
      f,
      ...(key !== undefined && { key }),
      value: input ?? output ?? null,
      // What a call that has both came to, as the success of a compare-and-set.
      ...(input !== null && (output ?? null) !== null && { output })
    }
  }
  const { accesses, id, session } = culprit.transaction
  const access = culprit.access === undefined ? undefined : accesses[culprit.access]
  const transactions = reading._tag === "Transactions" ? reading.history.transactions : []
  return {
    session,
    transaction: id,
    indexInSession: transactions.filter((other) => other.session === session && other.id < id).length,
    line: access?.line ?? accesses[0]?.line ?? null,
    ...(access !== undefined && {
      access: { index: culprit.access, f: access.kind, key: access.key, value: access.value }
    })
  }
}

const complain = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stderr.write(`troupe: ${text}\n`)
  })

const tell = (answer: Answer, terminal: Screen): Effect.Effect<void> =>
  answer._tag === "Unreadable" ? complain(answer.error) : print(asText(answer, terminal))

const nameOf = ({ file, reading }: Judged): string => (reading.id === undefined ? file : `${file} #${reading.id}`)

/** How many operations a picture between lines of text has. */
const operationsShown = 12

const asText = (answer: Judged, { style, width }: Screen): ReadonlyArray<string> => {
  const { milliseconds, model, reading, verdict } = answer
  const mark = { Ok: style.green("✓"), Violated: style.red("✗"), Unknown: style.yellow("?") }[verdict._tag]
  const says = { Ok: model, Violated: `not ${model}`, Unknown: `${model} or not, it is not known` }[verdict._tag]
  const line = `${mark} ${nameOf(answer)}  ${says}  ${style.dim(`${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`)}`
  const room = Math.max(40, width - 4)
  const indent = (text: string): string => (text === "" ? "" : `    ${text}`)
  if (verdict._tag === "Ok") return [line]
  if (verdict._tag === "Unknown") return [line, ...wrap(verdict.reason, room).map(indent)]
  const picture = terminalOf(reading, { verdict, limit: operationsShown, width: room, color: style.red("") !== "" })
  // Its title is the line's.
  return [line, ...picture.trimEnd().split("\n").slice(1).map(indent), ""]
}

const progress = (done: number, total: number, terminal: Screen): string =>
  cut(
    `  ${bar(done / total, Math.min(40, terminal.width - 40))}  ${number(done)} of ${count(total, "file")}`,
    terminal.width - 1
  )

const summary = ({ ok, unknown, violated }: Tally, elapsedMillis: number): string =>
  `${count(ok + violated + unknown, "history")}: ${number(ok)} ok, ${number(violated)} violated, ` +
  `${number(unknown)} unknown, in ${(elapsedMillis / 1000).toFixed(1)} s`
