/** `troupe simulate`: an algorithm under faults, over many seeds; what breaks is shrunk, and can be replayed. */
import { Faults, Simulation } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Effect, FileSystem, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { Demonstration } from "../Demonstration.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../Problem.ts"
import { perform, untilMillis } from "../Sighting.ts"
import { bar, count, cut, number, print, type Screen, screen, whileDrawing } from "../terminal/Screen.ts"
import { names } from "../worlds/World.ts"
import { algorithm, checkWritable, find, isBetween, json, nodes } from "./arguments.ts"

const presets = ["none", "lossy", "crash", "partition", "chaos"] as const
type Preset = (typeof presets)[number]

/** Faults that are no events of a plan: a replay leaves them out by name. */
const rates = {
  loss: "lossProbability",
  duplication: "duplicationProbability",
  reordering: "reorderProbability",
  skew: "clockSkewMillisMax",
  drift: "clockDriftPpmMax"
} as const
type Rate = keyof typeof rates

const maximumMillis = 86_400_000
const maximumSeeds = 10_000_000

const millis = (name: string) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(1, maximumMillis), () => `1 to ${maximumMillis} milliseconds`))

const flags = {
  algorithm,
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

interface Plan {
  readonly demonstration: Demonstration
  readonly nodes: number
  readonly preset: Preset
  readonly seeds: { readonly first: number; readonly last: number }
  readonly keep: ReadonlyArray<number> | undefined
  readonly without: ReadonlyArray<Rate>
  readonly untilMillis: number
  readonly plannedMillis: number
  /** Whether it is the replay of a run that was shrunk already. */
  readonly isReplay: boolean
}

export const simulate = Command.make(
  "simulate",
  flags,
  Effect.fnUntraced(function* (given) {
    const plan: Plan = {
      demonstration: yield* find(given.algorithm),
      nodes: given.nodes,
      preset: given.faults,
      seeds: yield* parseSeeds(given.seeds),
      keep: yield* Option.match(given.keep, { onNone: () => Effect.succeed(undefined), onSome: parseKeep }),
      without: yield* Option.match(given.without, { onNone: () => Effect.succeed([]), onSome: parseWithout }),
      untilMillis: Option.getOrElse(given.until, () => given.planned),
      plannedMillis: given.planned,
      isReplay: Option.isSome(given.keep) || Option.isSome(given.without) || Option.isSome(given.until)
    }
    const trace = Option.getOrUndefined(given.trace)
    if (trace !== undefined) yield* checkWritable(trace)
    const terminal = yield* screen
    const start = performance.now()
    const search = yield* explore(plan, terminal, process.stderr.isTTY && !given.json)
    const elapsedMillis = Math.round(performance.now() - start)
    if (trace !== undefined) yield* writeTrace(search.counterexample ?? { ...plan, seed: plan.seeds.first }, trace)
    const report = { plan, search, elapsedMillis, trace }
    yield* print(given.json ? [JSON.stringify(asJson(report))] : asText(report, terminal))
    if (search.failed > 0) return yield* new Violated()
  })
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
    }
  ])
)

// ------------------------------------------------------------------------------------------------------- the flags

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

const optionsOf = ({ demonstration, keep, nodes, plannedMillis, preset, untilMillis: until, without }: Plan) => ({
  nodes: names(nodes),
  // After the last faults, and before the end: what is asked for then can be had by then.
  program: () => perform(demonstration, untilMillis(plannedMillis * 0.75), () => {}),
  properties: Simulation.fromCard(demonstration.card, demonstration.actor),
  faults: {
    ...Faults.presets[preset],
    ...Object.fromEntries(without.map((fault) => [rates[fault], 0]))
  },
  duration: until,
  planned: plannedMillis,
  ...(keep === undefined ? {} : { keep })
})

/** A run that breaks a guarantee, as it is replayed. */
interface Counterexample extends Plan {
  readonly seed: number
  readonly result: Simulation.Result
  /** How many runs it took to shrink it; none when it was shrunk before. */
  readonly shrinkRuns: number
}

interface Search {
  readonly runs: number
  readonly failed: number
  readonly delivered: number
  readonly broken: ReadonlyArray<{ readonly name: string; readonly runs: number; readonly firstSeed: number }>
  readonly counterexample: Counterexample | undefined
}

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

// ------------------------------------------------------------------------------------------------------- the report

interface Report {
  readonly plan: Plan
  readonly search: Search
  readonly elapsedMillis: number
  readonly trace: string | undefined
}

/** The command that repeats exactly this run. */
const replayCommand = (example: Counterexample, trace: string): string =>
  [
    `npx troupe simulate ${example.demonstration.name} --seeds ${example.seed}..${example.seed} --faults ${example.preset}`,
    ...(example.nodes === 5 ? [] : [`--nodes ${example.nodes}`]),
    `--keep ${example.result.faults.map(({ index }) => index).join(",") || "none"}`,
    ...(example.without.length === 0 ? [] : [`--without ${example.without.join(",")}`]),
    `--until ${example.untilMillis} --planned ${example.plannedMillis} --trace ${trace}`
  ].join(" ")

/** What the card says about a guarantee that broke under these faults. */
const knownAs = ({ demonstration: { card }, preset }: Plan, broken: string): string | undefined =>
  card.weaknesses.find(({ breaks, faults }) => breaks === broken && (faults === preset || preset === "chaos"))?.name

const verdict = (plan: Plan, broken: string): string => {
  const known = knownAs(plan, broken)
  const { title, assumes } = plan.demonstration.card
  if (known !== undefined) return `known weakness: ${known}`
  return assumes.tolerates.includes(plan.preset)
    ? `${title} promises this under ${plan.preset}: a bug`
    : `${title} does not promise this under ${plan.preset}`
}

const asJson = ({ elapsedMillis, plan, search, trace }: Report) => {
  const { broken, counterexample, delivered, failed, runs } = search
  return {
    algorithm: plan.demonstration.name,
    faults: plan.preset,
    nodes: plan.nodes,
    seeds: plan.seeds,
    runs,
    failed,
    rate: failed / runs,
    delivered,
    violations: broken.map(({ firstSeed, name, runs }) => ({
      name,
      count: runs,
      firstSeed,
      knownWeakness: knownAs(plan, name) ?? null
    })),
    counterexample:
      counterexample === undefined
        ? null
        : {
            seed: counterexample.seed,
            violations: counterexample.result.violations,
            faults: [...counterexample.result.faults.map(Faults.describe), ...throughout(counterexample)],
            keep: counterexample.result.faults.map(({ index }) => index),
            without: counterexample.without,
            untilMillis: counterexample.untilMillis,
            plannedMillis: counterexample.plannedMillis,
            shrinkRuns: counterexample.shrinkRuns,
            replay: replayCommand(counterexample, trace ?? "run.trace")
          },
    trace: trace ?? null,
    elapsedMillis
  }
}

const asText = ({ elapsedMillis, plan, search, trace }: Report, { style }: Screen): ReadonlyArray<string> => {
  const { broken, counterexample, delivered, failed, runs } = search
  const { card } = plan.demonstration
  const rate = failed === 0 ? "" : ` (${number((100 * failed) / runs)} %)`
  const mark = failed === 0 ? style.green("✓") : style.red("✗")
  return [
    `${style.bold(card.title)}  ${count(plan.nodes, "node")}, faults: ${plan.preset}, seeds ${plan.seeds.first}..${plan.seeds.last}`,
    "",
    `${mark} ${count(runs, "run")}, ${number(failed)} failed${rate}; ${count(delivered, "message")} in ${(elapsedMillis / 1000).toFixed(1)} s`,
    ...broken.map(
      ({ firstSeed, name, runs }) =>
        `  ${style.red(name)} broke in ${count(runs, "run")}, first in seed ${firstSeed}; ${verdict(plan, name)}`
    ),
    ...(counterexample === undefined ? [] : told(counterexample, trace)),
    ...(trace === undefined
      ? []
      : ["", `trace of ${counterexample === undefined ? `seed ${plan.seeds.first}` : "this run"} in ${trace}`])
  ]
}

/** The faults that are at work from beginning to end, in words. */
const throughout = ({ preset, without }: Plan): ReadonlyArray<string> => {
  const faults = Faults.presets[preset]
  const percent = (rate: Rate): string => `${number(100 * faults[rates[rate]])} % of messages`
  const words: Readonly<Record<Rate, string>> = {
    loss: `${percent("loss")} are lost`,
    duplication: `${percent("duplication")} come twice`,
    reordering: `${percent("reordering")} overtake`,
    skew: `clocks are off by up to ${faults.clockSkewMillisMax} ms`,
    drift: `clocks drift by up to ${faults.clockDriftPpmMax} ppm`
  }
  return (Object.keys(rates) as Array<Rate>)
    .filter((rate) => faults[rates[rate]] > 0 && !without.includes(rate))
    .map((rate) => words[rate])
}

const told = (example: Counterexample, trace: string | undefined): ReadonlyArray<string> => {
  const { faults, violations } = example.result
  const shrunk = example.shrinkRuns === 0 ? "" : `, shrunk in ${count(example.shrinkRuns, "run")}`
  return [
    "",
    `Seed ${example.seed}${shrunk}:`,
    ...faults.map((fault) => `  ${Faults.describe(fault)}`),
    ...throughout(example).map((fault) => `  all the time ${fault}`),
    ...violations.map(
      ({ atMillis, detail, name }) =>
        `  at ${Math.round(atMillis) / 1000} s broken: ${name}${detail === undefined ? "" : `, ${detail}`}`
    ),
    "",
    "Replay it:",
    `  ${replayCommand(example, trace ?? "run.trace")}`
  ]
}
