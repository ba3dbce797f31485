/** `troupe check`: an algorithm, or an example, in every order of what can happen in a small system. */
import { type Checker, Parallel } from "@troupe/model-checker"
import { Trace } from "@troupe/trace"
import { Effect, FileSystem, Option } from "effect"
import { Command } from "effect/cli"
import { CannotRun, reasonOf, Violated } from "../Problem.ts"
import { cut, number, print, screen, whileDrawing } from "../terminal/Screen.ts"
import { checkWritable } from "./arguments.ts"
import { flags } from "./check/Flags.ts"
import { optionsOf, subjectOf } from "./check/Subject.ts"
import { asJson, asText, type Checked } from "./check/Told.ts"

export const check = Command.make(
  "check",
  flags,
  Effect.fnUntraced(function* (given) {
    const options = yield* optionsOf(given)
    const { known, source } = yield* subjectOf(given)
    const trace = Option.getOrUndefined(given.trace)
    if (trace !== undefined) yield* checkWritable(trace)
    const terminal = yield* screen
    const tell = Effect.fnUntraced(function* (report: Checker.Report) {
      const broken = report.properties.find(({ counterexample }) => counterexample !== undefined)?.counterexample
      if (trace !== undefined) yield* broken === undefined ? removeEmpty(trace) : write(broken.trace, trace)
      const checked: Checked = { known, options, report, trace: broken === undefined ? undefined : trace }
      yield* print(given.json ? [JSON.stringify(asJson(checked))] : asText(checked, terminal))
    })
    const prepared = yield* Effect.mapError(Parallel.prepare(source, options), cannotRun)
    const explored = Effect.mapError(prepared.run, cannotRun)
    yield* (
      process.stderr.isTTY && !given.json
        ? whileDrawing(explored, process.stderr, () => [cut(progress(prepared.progress()), terminal.width - 1)], {
            erase: true
          })
        : explored
    ).pipe(Effect.onInterrupt(() => Effect.orDie(tell(prepared.report()))))
    const report = prepared.report()
    yield* tell(report)
    if (report.properties.some(({ verdict }) => verdict === "violated")) return yield* new Violated()
  })
).pipe(
  Command.withDescription(
    "Explores a small system in every order in which messages arrive, timers run out, users act and nodes crash, and " +
      "holds the card's guarantees against each state and each run. What is broken is shown by a shortest way there. " +
      "Ctrl-C ends the search and prints what it has seen. Exits with 1 when a property is broken"
  ),
  Command.withShortDescription("Explores every interleaving of a small system"),
  Command.withExamples([
    { command: "troupe check mutex/ricart-agrawala", description: "Three nodes, two entries each: all of it holds" },
    {
      command: "troupe check mutex/ricart-agrawala --entries 1 --crashes 1",
      description: "One crash: exclusion holds, and everybody starves"
    },
    { command: "troupe check election/bully --split", description: "Finds the split brain, and draws it" },
    {
      command: "troupe check election/bully --split --all",
      description: "Goes on after that, and decides the other guarantees too"
    },
    {
      command: "troupe check election/bully --timeouts any --max-depth 8",
      description: "Outside of what it assumes of time, as far as 8 steps"
    },
    {
      command: "troupe check mutex/ricart-agrawala --nodes 6 --search random --walks 1000",
      description: "Looks around in what is too large to be seen whole"
    },
    { command: "troupe check example/two-phase-commit --managers 5", description: "An example, in another size" },
    {
      command: "troupe check example/two-phase-commit --managers 9 --workers auto",
      description: "Ten million states, on all cores"
    }
  ])
)

const cannotRun = (error: Parallel.CheckError | Parallel.ModelNotBuilt): CannotRun =>
  new CannotRun({
    reason: error._tag === "NotSymmetric" ? `${error.model}: ${error.reason}. Leave --symmetric out.` : error.message
  })

const progress = ({ bytes, depth, generatedStates, seconds, uniqueStates, waiting }: Checker.Progress): string =>
  [
    `  ${number(uniqueStates)} states of ${number(generatedStates)} come to`,
    `${number(Math.round(uniqueStates / Math.max(seconds, 0.001)))}/s`,
    `${number(depth)} steps deep`,
    `${number(waiting)} waiting`,
    `${number(Math.round(bytes / 2 ** 20))} MiB`
  ].join(", ")

const write = (trace: Trace.Trace, file: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.writeFileString(file, Trace.encode(trace))
  }).pipe(
    Effect.mapError((error) => new CannotRun({ reason: `The trace could not be written: ${file}, ${reasonOf(error)}` }))
  )

/** Where nothing is broken, no file stays behind of having tried whether it can be written. */
const removeEmpty = (file: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const { size } = yield* files.stat(file)
    if (Number(size) === 0) yield* files.remove(file)
  }).pipe(Effect.ignore)
