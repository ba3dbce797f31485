/** `troupe check`: an algorithm, or an example, in every order of what can happen in a small system. */
import { Checker, type Model } from "@troupe/model-checker"
import { examples } from "@troupe/model-checker/examples/index"
import { Trace } from "@troupe/trace"
import { Clock, Effect, FileSystem, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Checks from "../Checks.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import { cut, number, print, screen, whileDrawing } from "../terminal/Screen.ts"
import { checkWritable, find, isBetween, json } from "./arguments.ts"
import { asJson, asText, type Checked } from "./check/Told.ts"

const networks = ["unordered", "unordered-duplicating", "ordered"] as const
type Network = (typeof networks)[number]

const size = (name: string, minimum: number, maximum: number) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(minimum, maximum), () => `a number from ${minimum} to ${maximum}`))

/** What bounds an algorithm of a card. `nodes` is a size of some examples too. */
const bounds = {
  nodes: size("nodes", 1, 32).pipe(Flag.withDescription("How many nodes there are. Default: 3"), Flag.optional),
  entries: size("entries", 1, 1000).pipe(
    Flag.withDescription(
      "How often each node enters, or how many messages it sends. Default: 2, of more than 3 nodes 1"
    ),
    Flag.optional
  ),
  crashes: size("crashes", 0, 1000).pipe(
    Flag.withDescription("How many crashes there may be, of all nodes together. Default: 0"),
    Flag.optional
  ),
  restart: Flag.Boolean("restart").pipe(
    Flag.withDescription("A node that crashed may come back, having forgotten everything"),
    Flag.withDefault(false)
  ),
  network: Flag.Literals("network", networks).pipe(
    Flag.withDescription("Whether messages overtake, and come again. Default: unordered"),
    Flag.optional
  ),
  lossy: Flag.Boolean("lossy").pipe(Flag.withDescription("Any message may be lost"), Flag.withDefault(false)),
  split: Flag.Boolean("split").pipe(
    Flag.withDescription("The network may split in two, once, and heal"),
    Flag.withDefault(false)
  ),
  timeouts: Flag.Literals("timeouts", ["any", "synchronous", "never"]).pipe(
    Flag.withDescription(
      "When timers run out: at any moment, after all messages have come, never. Default: by the card"
    ),
    Flag.optional
  )
}

/** Sizes that only examples have. */
const exampleSizes = Object.fromEntries(
  examples
    .flatMap(({ flags }) => flags)
    .filter(({ name }) => !Object.hasOwn(bounds, name))
    .map(({ description, name }) => [
      name,
      Flag.Int(name).pipe(Flag.withDescription(`Of some examples: how many ${description}`), Flag.optional)
    ])
)

const flags = {
  model: Argument.String("model").pipe(
    Argument.withDescription(
      `Which one: an algorithm, as in "mutex/ricart-agrawala", or one of ${examples.map(({ name }) => `example/${name}`).join(", ")}`
    )
  ),
  bounds,
  exampleSizes,
  search: Flag.Literals("search", ["breadth-first", "depth-first"]).pipe(
    Flag.withDescription("Breadth first finds the shortest counterexample, depth first needs less memory"),
    Flag.withDefault("breadth-first" as const)
  ),
  maxStates: size("max-states", 1, 1e9).pipe(
    Flag.withDescription("End when so many states have been seen. Default: 100000000"),
    Flag.optional
  ),
  maxDepth: size("max-depth", 1, 1e9).pipe(
    Flag.withDescription("Go no further than so many steps from the start. Default: no bound"),
    Flag.optional
  ),
  trace: Flag.String("trace").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Write the first counterexample, step by step, as `troupe draw` reads it"),
    Flag.optional
  ),
  json
}

type Given = Command.Command.Config.Infer<typeof flags>

export const check = Command.make(
  "check",
  flags,
  Effect.fnUntraced(function* (given) {
    const subject = yield* subjectOf(given)
    const trace = Option.getOrUndefined(given.trace)
    if (trace !== undefined) yield* checkWritable(trace)
    const terminal = yield* screen
    const tell = Effect.fnUntraced(function* (report: Checker.Report) {
      const broken = report.properties.find(({ counterexample }) => counterexample !== undefined)?.counterexample
      if (trace !== undefined && broken !== undefined) yield* write(broken.trace, trace)
      const checked: Checked = { ...subject, report, trace: broken === undefined ? undefined : trace }
      yield* print(given.json ? [JSON.stringify(asJson(checked))] : asText(checked, terminal))
    })
    const clock = yield* Clock.Clock
    const start = clock.monotonicTimeNanosUnsafe()
    const elapsed = () => Number(clock.monotonicTimeNanosUnsafe() - start)
    const search = yield* Effect.try({
      try: () => new Checker.Check(subject.model, optionsOf(given)),
      catch: (error) => new CannotRun({ reason: `${subject.model.name}: ${String(error)}` })
    })
    const explored = explore(search, elapsed)
    yield* (
      process.stderr.isTTY && !given.json
        ? whileDrawing(explored, process.stderr, () => [cut(progress(search.progress()), terminal.width - 1)], {
            erase: true
          })
        : explored
    ).pipe(Effect.onInterrupt(() => Effect.orDie(tell(search.report(elapsed())))))
    const report = search.report(elapsed())
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
      command: "troupe check election/bully --timeouts any --max-depth 8",
      description: "Outside of what it assumes of time, as far as 8 steps"
    },
    { command: "troupe check example/two-phase-commit --managers 5", description: "An example, in another size" }
  ])
)

// ------------------------------------------------------------------------------------------------------ what is checked

type Subject = Pick<Checked, "model" | "known">

const subjectOf = (given: Given): Effect.Effect<Subject & { readonly model: Model.Checkable<any> }, Usage> =>
  given.model.startsWith("example/") ? exampleOf(given) : algorithmOf(given)

const exampleOf = (given: Given) =>
  Effect.gen(function* () {
    const example = examples.find(({ name }) => `example/${name}` === given.model)
    if (example === undefined) {
      const names = examples.map(({ name }) => `example/${name}`).join(", ")
      return yield* new Usage({ reason: `There is no ${given.model}. There are ${names}.` })
    }
    const known = example.flags.map(({ name }) => name)
    yield* refuseOthers(given, known)
    const sizes = known.flatMap((name) => {
      const value = name === "nodes" ? given.bounds.nodes : given.exampleSizes[name]!
      return Option.isSome(value) ? [[name, value.value] as const] : []
    })
    const model = yield* Effect.try({
      try: () => example.model(Object.fromEntries(sizes)),
      catch: (error) => new Usage({ reason: error instanceof Error ? error.message : String(error) })
    })
    return { model, known: () => undefined }
  })

const algorithmOf = (given: Given) =>
  Effect.gen(function* () {
    const demonstration = yield* find(given.model)
    const { bounds: all } = given
    const known = Object.keys(bounds).filter((name) => name !== "entries" || Checks.hasEntries(demonstration))
    yield* refuseOthers(given, known)
    const crashes = Option.getOrElse(all.crashes, () => 0)
    if (all.restart && crashes === 0) {
      return yield* new Usage({ reason: "--restart: there is no crash to come back from. Add --crashes 1." })
    }
    const nodes = Option.getOrElse(all.nodes, () => 3)
    if (all.split && nodes === 1) {
      return yield* new Usage({ reason: "--split: one node cannot be split. Give --nodes 2 or more." })
    }
    const network: Network = Option.getOrElse(all.network, () => "unordered" as const)
    const within: Checks.Bounds = {
      nodes,
      entries: Option.getOrElse(all.entries, () => Checks.defaultEntries(nodes)),
      order: network === "ordered" ? "fifo" : "any",
      duplication: network === "unordered-duplicating",
      loss: all.lossy,
      split: all.split,
      crashes,
      restart: all.restart,
      timeouts: Option.getOrElse(all.timeouts, () => Checks.defaultTimeouts(demonstration))
    }
    const faults = Checks.faults(within)
    const { card } = demonstration
    return {
      model: Checks.model(demonstration, within),
      known: (broken: string) =>
        card.weaknesses.find(({ breaks, faults: preset }) => breaks === broken && faults.includes(preset))?.name
    }
  })

/** A flag that would change nothing is a mistake. */
const refuseOthers = ({ bounds, exampleSizes, model }: Given, known: ReadonlyArray<string>) => {
  const isGiven = ([, value]: readonly [string, unknown]): boolean =>
    Option.isOption(value) ? Option.isSome(value) : value === true
  const other = Object.entries({ ...bounds, ...exampleSizes }).find((flag) => isGiven(flag) && !known.includes(flag[0]))
  return other === undefined
    ? Effect.void
    : Effect.fail(
        new Usage({ reason: `${model} has no --${other[0]}. It has ${known.map((name) => `--${name}`).join(", ")}.` })
      )
}

// ------------------------------------------------------------------------------------------------------------ the search

const optionsOf = ({ maxDepth, maxStates, search }: Given): Checker.Options => ({
  search,
  ...(Option.isSome(maxStates) ? { maxStates: maxStates.value } : {}),
  ...(Option.isSome(maxDepth) ? { maxDepth: maxDepth.value } : {})
})

/** Lets others have a turn between the pieces: whoever draws, and whoever interrupts. */
const explore = (search: Checker.Check<any>, elapsed: () => number): Effect.Effect<void, CannotRun> =>
  Effect.gen(function* () {
    const advance = Effect.try({
      try: () => search.advance(elapsed()),
      catch: (error) => new CannotRun({ reason: search.explain(error).message })
    })
    while (yield* advance) yield* Effect.yieldNow
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
