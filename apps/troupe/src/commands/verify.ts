/** `troupe verify`: holds histories that were recorded elsewhere against a model of consistency. */
import { Effect, FileSystem, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { flags, model, question, textOf, write } from "../Histories.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import { bar, count, cut, number, print, type Screen, screen, whileDrawing } from "../terminal/Screen.ts"
import { json } from "./arguments.ts"
import { hasColor } from "./draw.ts"
import { type Answer, unreadableAsJson } from "./verify/Answer.ts"
import { Judge } from "./verify/Judge.ts"

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
    const run: Run = {
      isJson: given.json,
      terminal,
      total: sources.length,
      start: performance.now(),
      tally: { ok: 0, violated: 0, unknown: 0, unreadable: 0, leftOut: 0 },
      done: 0,
      current: undefined,
      held: [],
      warnings: [],
      drawn: undefined
    }
    const about = { question: asked, width: terminal.width, hasColor: hasColor(terminal) }
    const all = Effect.acquireUseRelease(
      Effect.sync(() => new Judge({ ...about, drawing: Option.isSome(given.svg) }, terminal)),
      (judge) => Effect.forEach(sources, (source) => verifyFile(source, judge, run), { discard: true }),
      (judge) => judge.end
    )
    yield* all.pipe(Effect.onInterrupt(() => tellInterrupted(run)))
    const { drawn, tally } = run
    if (tally.leftOut > 0) {
      yield* complain(`${count(tally.leftOut, "file")} of directories left out: no history of a known format.`)
    }
    if (!given.json && decided(tally) > 1) yield* print(["", summary(run)])
    if (Option.isSome(given.svg) && drawn !== undefined) yield* write(given.svg.value, drawn)
    if (tally.unreadable > 0) return yield* new Usage({ reason: "" })
    if (tally.violated > 0) return yield* new Violated()
    if (tally.unknown > 0) return yield* new CannotRun({ reason: "" })
  })
).pipe(
  Command.withDescription(
    "Holds histories against a model of consistency, and names the operation or transaction at fault. Prints a line for " +
      "each history; with --json, an object. Exits with 0 when all are right; with 1 when one is violated; with 2 when a " +
      "file cannot be read, whatever the others are; with 3 when none is violated, but one could not be decided within " +
      "the budget. All files are verified in any case; Ctrl-C ends it, and says how far it came"
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
  /** Files of directories. */
  leftOut: number
}

/** How far it came. */
interface Run {
  readonly isJson: boolean
  readonly terminal: Screen
  /** Files. */
  readonly total: number
  /** In milliseconds, as `performance.now()`. */
  readonly start: number
  readonly tally: Tally
  done: number
  current: { readonly file: string; readonly since: number } | undefined
  /** What is to be said of the current file, while the progress is drawn where it would be printed. */
  held: Array<string>
  warnings: Array<string>
  /** The picture of the first history that is violated, or else of the first. */
  drawn: string | undefined
}

const verifyFile = Effect.fnUntraced(function* ({ file, isFound, problem }: Source, judge: Judge, run: Run) {
  run.current = { file, since: performance.now() }
  const say = (answer: Answer): void => {
    if (answer._tag === "Judged") {
      run.tally[answer.kind]++
      if (answer.svg !== undefined) run.drawn = answer.svg
    } else run.tally.unreadable++
    tell(answer, run)
  }
  const unreadable = (error: string) => Effect.sync(() => say({ _tag: "Unreadable", file, history: undefined, error }))
  const text = problem === undefined ? yield* Effect.result(textOf(file)) : Result.fail({ message: problem })
  const judging = Result.isFailure(text)
    ? unreadable(text.failure.message)
    : judge
        .judge({ file, text: text.success }, say)
        .pipe(Effect.catch((error) => (isFound ? Effect.sync(() => run.tally.leftOut++) : unreadable(error))))
  yield* process.stderr.isTTY ? whileDrawing(judging, process.stderr, () => [progress(run)], { erase: true }) : judging
  yield* flush(run)
  run.done++
  run.current = undefined
})

// ------------------------------------------------------------------------------------------------------- the report

const tell = (answer: Answer, run: Run): void => {
  if (answer._tag === "Judged") run.held.push(...(run.isJson ? [answer.json] : answer.lines))
  else if (run.isJson) run.held.push(unreadableAsJson(answer))
  else run.warnings.push(answer.error)
  if (!process.stderr.isTTY) out(run)
}

/** Done once all that was printed so far is written. */
let written: Promise<void> = Promise.resolve()

const out = (run: Run): void => {
  const text = run.held.map((line) => `${line}\n`).join("")
  run.held = []
  for (const warning of run.warnings.splice(0)) warn(warning)
  if (text !== "") written = new Promise((resolve) => process.stdout.write(text, () => resolve()))
}

const flush = (run: Run): Effect.Effect<void> =>
  Effect.promise(() => {
    out(run)
    return written
  })

const warn = (text: string): void => {
  process.stderr.write(`troupe: ${text}\n`)
}

const complain = (text: string): Effect.Effect<void> => Effect.sync(() => warn(text))

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

const progress = ({ current, done, start, terminal, total }: Run): string => {
  // What is soon over needs none.
  if (performance.now() - start < 300) return ""
  const at = current === undefined ? "" : `  ${current.file}  ${seconds(current.since)}`
  const room = Math.max(40, terminal.width - 1)
  const part = bar(done / total, Math.min(30, room - 60))
  return cut(total === 1 ? at : `  ${part}  ${number(done)} of ${count(total, "file")}${at}`, room)
}

/** On the error output: the other one has what was decided, for a program to read as well. */
const tellInterrupted = (run: Run): Effect.Effect<void> => {
  const { current, done, total } = run
  const at = current === undefined ? "" : `, while ${current.file} was checked for ${seconds(current.since)}`
  return Effect.andThen(
    flush(run),
    complain(`interrupted after ${number(done)} of ${count(total, "file")}${at}. ${summary(run)}.`)
  )
}

const decided = ({ ok, unknown, violated }: Tally): number => ok + violated + unknown

const summary = ({ start, tally }: Run): string =>
  `${count(decided(tally), "history")}: ${number(tally.ok)} ok, ${number(tally.violated)} violated, ` +
  `${number(tally.unknown)} unknown, in ${seconds(start)}`
