/** `troupe simulate`: an algorithm under faults, over many seeds; what breaks is shrunk, and can be replayed. */
import { Faults, Simulation } from "@troupe/simulation"
import { MemoryStorage } from "@troupe/storage"
import { Trace } from "@troupe/trace"
import { Clock, Effect, FileSystem, Option, References } from "effect"
import { Command, Flag } from "effect/cli"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import { perform, untilMillis } from "../Sighting.ts"
import { bar, count, cut, number, print, type Screen, screen, whileDrawing } from "../terminal/Screen.ts"
import { names } from "../worlds/World.ts"
import { algorithm, checkWritable, findVariant, isBetween, json, nodes, variant } from "./arguments.ts"
import { type Counterexample, type Plan, presets, type Rate, rates, type Search } from "./simulate/Plan.ts"
import { replay } from "./simulate/Replayed.ts"
import { asJson, asText } from "./simulate/Told.ts"

const maximumMillis = 86_400_000
const maximumSeeds = 10_000_000

const millis = (name: string) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(1, maximumMillis), () => `1 to ${maximumMillis} milliseconds`))

const flags = {
  algorithm,
  variant,
  nodes,
  seeds: Flag.String("seeds").pipe(
    Flag.withMetavar("A..B"),
    Flag.withDescription("The seeds to run, both included; each is one run. Default: 1..100"),
    Flag.withDefault("1..100")
  ),
  faults: Flag.Literals("faults", presets).pipe(
    Flag.withDescription("What goes wrong. chaos: all of it at once. Default: none"),
    Flag.withDefault("none")
  ),
  trace: Flag.String("trace").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "Write each step of the failing run, as the printed command replays it; of the first run when none fails"
    ),
    Flag.optional
  ),
  replay: Flag.String("replay").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "Run a trace again, such as a counterexample of `troupe check`, and compare each step. Takes --json, --trace and --draws"
    ),
    Flag.optional
  ),
  draws: Flag.Int("draws").pipe(
    Flag.filter(isBetween(1, 64), () => "a number from 1 to 64"),
    Flag.withDescription("With --replay: how many values a draw of chance had when it was checked. Default: 1, zero"),
    Flag.optional
  ),
  keep: Flag.String("keep").pipe(
    Flag.withMetavar("I,J,K"),
    Flag.withDescription("Replay: of the faults that the seed draws, only those of these numbers, or none"),
    Flag.optional
  ),
  without: Flag.String("without").pipe(
    Flag.withMetavar("FAULTS"),
    Flag.withDescription(`Replay: leave out some of ${Object.keys(rates).join(", ")}`),
    Flag.optional
  ),
  until: millis("until").pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription("End the run at this virtual time. Default: when it was planned to end"),
    Flag.optional
  ),
  planned: millis("planned").pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription("The virtual time that faults and work are planned for. Default: 60000"),
    Flag.withDefault(60_000)
  ),
  json
}

/** Of what programs log in their many runs, errors alone are told. */
const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, References.MinimumLogLevel, "Error")

export const simulate = Command.make(
  "simulate",
  flags,
  Effect.fnUntraced(function* (given) {
    const demonstration = yield* findVariant(given.algorithm, given.variant)
    const trace = Option.getOrUndefined(given.trace)
    if (Option.isSome(given.replay)) {
      yield* refuseSearch(given)
      if (trace !== undefined) yield* checkWritable(trace)
      const draws = Option.getOrElse(given.draws, () => 1)
      return yield* replay({ demonstration, file: given.replay.value, draws, trace, json: given.json })
    }
    if (Option.isSome(given.draws)) {
      return yield* new Usage({ reason: "--draws: only a --replay takes it. A seed draws what it draws." })
    }
    const plan: Plan = {
      demonstration,
      nodes: given.nodes,
      preset: given.faults,
      seeds: yield* parseSeeds(given.seeds),
      keep: yield* Option.match(given.keep, { onNone: () => Effect.succeed(undefined), onSome: parseKeep }),
      without: yield* Option.match(given.without, { onNone: () => Effect.succeed([]), onSome: parseWithout }),
      untilMillis: Option.getOrElse(given.until, () => given.planned),
      plannedMillis: given.planned,
      isReplay: Option.isSome(given.keep) || Option.isSome(given.without) || Option.isSome(given.until)
    }
    if (trace !== undefined) yield* checkWritable(trace)
    const terminal = yield* screen
    const start = performance.now()
    const search = yield* explore(plan, terminal, process.stderr.isTTY && !given.json)
    const elapsedMillis = Math.round(performance.now() - start)
    if (trace !== undefined) yield* writeTrace(search.counterexample ?? { ...plan, seed: plan.seeds.first }, trace)
    const report = { plan, search, elapsedMillis, trace }
    yield* print(given.json ? [JSON.stringify(asJson(report))] : asText(report, terminal))
    if (search.failed > 0) return yield* new Violated()
  }, quietly)
).pipe(
  Command.withDescription(
    "Runs an algorithm under faults, a run for each seed, on virtual time. The first run that breaks a guarantee is shrunk " +
      "to the fewest faults, and printed as the command that replays it. Exits with 1 when a guarantee broke"
  ),
  Command.withShortDescription("Runs an algorithm under faults, over many seeds"),
  Command.withExamples([
    {
      command: "troupe simulate election/bully --seeds 1..2000 --faults crash",
      description: "Inside its assumptions: it holds"
    },
    {
      command: "troupe simulate election/bully --seeds 1..2000 --faults partition",
      description: "Outside: finds the split brain"
    },
    {
      command: "troupe simulate election/bully --seeds 7..7 --faults partition --trace run.trace",
      description: "One seed, step by step"
    },
    {
      command: "troupe simulate election/bully --replay split.trace",
      description: "What `troupe check election/bully --split --trace split.trace` found, on the driver"
    }
  ])
)

// ------------------------------------------------------------------------------------------------------- the flags

/** The trace says which nodes there are, and what happens to them. */
const refuseSearch = (given: Command.Command.Config.Infer<typeof flags>): Effect.Effect<void, Usage> => {
  const { faults, keep, nodes, planned, seeds, until, without } = given
  const others = {
    nodes: nodes !== 5,
    seeds: seeds !== "1..100",
    faults: faults !== "none",
    planned: planned !== 60_000,
    keep: Option.isSome(keep),
    without: Option.isSome(without),
    until: Option.isSome(until)
  }
  const other = Object.entries(others).find(([, isGiven]) => isGiven)
  return other === undefined
    ? Effect.void
    : Effect.fail(new Usage({ reason: `--${other[0]}: with --replay, the trace says it. Leave it out.` }))
}

const parseSeeds = (text: string): Effect.Effect<Plan["seeds"], Usage> => {
  const [, a, b] = /^(-?\d+)\.\.(-?\d+)$/.exec(text) ?? []
  const [first, last] = [Number(a), Number(b)]
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) {
    return Effect.fail(
      new Usage({ reason: `--seeds ${text}: give the first and the last seed, as in --seeds 1..100.` })
    )
  }
  if (last - first >= maximumSeeds) {
    return Effect.fail(new Usage({ reason: `--seeds ${text}: ${number(maximumSeeds)} seeds at the most.` }))
  }
  return first > last
    ? Effect.fail(
        new Usage({ reason: `--seeds ${text}: the first seed is above the last. Did you mean ${last}..${first}?` })
      )
    : Effect.succeed({ first, last })
}

const parseKeep = (text: string): Effect.Effect<ReadonlyArray<number>, Usage> =>
  text === "none"
    ? Effect.succeed([])
    : /^\d+(,\d+)*$/.test(text)
      ? Effect.succeed(text.split(",").map(Number))
      : Effect.fail(new Usage({ reason: `--keep ${text}: give the numbers of faults, as in --keep 0,3, or none.` }))

const parseWithout = (text: string): Effect.Effect<ReadonlyArray<Rate>, Usage> => {
  const parts = text.split(",")
  return parts.every((part): part is Rate => Object.hasOwn(rates, part))
    ? Effect.succeed(parts)
    : Effect.fail(new Usage({ reason: `--without ${text}: give some of ${Object.keys(rates).join(",")}.` }))
}

// ------------------------------------------------------------------------------------------------------- the search

/** What a node stores outlasts its lives, and goes with the run: at its start, a disk is empty. */
const withDisks = <A, E, R>(program: (disk: MemoryStorage.Store) => Effect.Effect<A, E, R>) => {
  const disks = new Map<string, MemoryStorage.Store>()
  return (node: string) =>
    Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
      const kept = now === 0n ? undefined : disks.get(node)
      const disk = kept ?? MemoryStorage.make()
      disks.set(node, disk)
      return program(disk)
    })
}

const optionsOf = ({ demonstration, keep, nodes, plannedMillis, preset, untilMillis: until, without }: Plan) => ({
  nodes: names(nodes),
  // After the last faults, and before the end: what is asked for then can be had by then.
  program: withDisks((disk) => perform(demonstration, untilMillis(plannedMillis * 0.75), () => {}, undefined, disk)),
  properties: Simulation.fromCard(demonstration.card, demonstration.actor),
  faults: {
    ...Faults.presets[preset],
    ...Object.fromEntries(without.map((fault) => [rates[fault], 0]))
  },
  duration: until,
  planned: plannedMillis,
  ...(keep === undefined ? {} : { keep })
})

const explore = (plan: Plan, terminal: Screen, showProgress: boolean): Effect.Effect<Search, CannotRun> => {
  const total = plan.seeds.last - plan.seeds.first + 1
  let progress = { runs: 0, failed: 0 }
  const search = Effect.gen(function* () {
    const { failures, shrunk, ...counts } = yield* Simulation.search({
      ...optionsOf(plan),
      seeds: plan.seeds,
      onProgress: (now) =>
        Effect.suspend(() => {
          progress = now
          return Effect.yieldNow
        })
    })
    return { ...counts, counterexample: counterexampleOf(plan, failures[0], shrunk) }
  }).pipe(Effect.mapError((error) => new CannotRun({ reason: error.message })))
  if (!showProgress) return search
  return whileDrawing(
    search,
    process.stderr,
    () => {
      const what =
        progress.runs === total && progress.failed > 0
          ? "shrinking the first failure"
          : `${number(progress.runs)} of ${count(total, "run")}, ${number(progress.failed)} failed`
      return [cut(`  ${bar(progress.runs / total, Math.min(40, terminal.width - 50))}  ${what}`, terminal.width - 1)]
    },
    { erase: true }
  )
}

/** The smallest run there is; of a replay, the run that was asked for. */
const counterexampleOf = (
  plan: Plan,
  first: Simulation.Result | undefined,
  shrunk: Simulation.Shrunk<void> | undefined
): Counterexample | undefined => {
  if (first === undefined || shrunk === undefined) return undefined
  if (plan.isReplay) return { ...plan, seed: first.seed, result: first, shrinkRuns: 0 }
  const { replay, result, runs } = shrunk
  const isLeftOut = (rate: Rate): boolean =>
    Faults.presets[plan.preset][rates[rate]] > 0 && replay.faults[rates[rate]] === 0
  return {
    ...plan,
    seed: replay.seed,
    result,
    keep: replay.keep,
    without: (Object.keys(rates) as Array<Rate>).filter(isLeftOut),
    untilMillis: replay.durationMillis,
    shrinkRuns: runs
  }
}

// -------------------------------------------------------------------------------------------------------- the trace

const writeTrace = (plan: Plan & { readonly seed: number }, file: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const options = optionsOf(plan)
    const title = `${plan.demonstration.card.title}, faults: ${plan.preset}, seed ${plan.seed}`
    const lines = [Trace.encodeHeader(Trace.header({ title, source: "simulation", nodes: options.nodes }))]
    yield* Simulation.run({ ...options, seed: plan.seed, trace: (event) => lines.push(Trace.encodeEvent(event)) })
    yield* files
      .writeFileString(file, lines.map((line) => `${line}\n`).join(""))
      .pipe(Effect.mapError((error) => ({ message: `${file}, ${reasonOf(error)}` })))
  }).pipe(Effect.mapError((error) => new CannotRun({ reason: `The trace could not be written: ${error.message}` })))
