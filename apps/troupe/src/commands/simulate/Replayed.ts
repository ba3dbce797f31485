/** `troupe simulate --replay`: the run of a trace once more, on the driver, and whether it comes to the same states. */
import { Replay, Simulation } from "@troupe/simulation"
import { SpaceTime, Trace } from "@troupe/trace"
import { Effect, FileSystem } from "effect"
import type { Demonstration } from "../../Demonstration.ts"
import { CannotRun, reasonOf, Usage, Violated } from "../../Problem.ts"
import { count, print, type Screen, screen } from "../../terminal/Screen.ts"

interface Given {
  readonly demonstration: Demonstration
  /** The trace to replay. */
  readonly file: string
  /** As `troupe check` took it: a draw of chance has so many values, spread evenly from 0 on. */
  readonly draws: number
  /** Where the trace of the replay goes. */
  readonly trace: string | undefined
  readonly json: boolean
}

export const replay = Effect.fnUntraced(function* (given: Given) {
  const { demonstration, draws, file, trace } = given
  const { card, options, protocol } = demonstration
  const original = yield* read(file)
  const replayed = yield* Replay.run({
    protocol,
    options,
    trace: original,
    random: Array.from({ length: draws }, (_, i) => i / draws),
    properties: Simulation.fromCard(card, protocol.name)
  }).pipe(
    Effect.catchTag("Diverged", (diverged) =>
      Effect.gen(function* () {
        if (given.json) yield* print([JSON.stringify(asJson(given, { original, diverged }))])
        return yield* new CannotRun({ reason: `${file}:${diverged.step + 1}: ${diverged.message}.` })
      })
    ),
    Effect.catchTag("MalformedTrace", (error) => Effect.fail(noTrace(file, error))),
    Effect.catchTag("InvalidOptions", ({ reason }) => Effect.fail(new Usage({ reason: `${file}: ${reason}.` }))),
    Effect.catchTag(["Deadlock", "ForeignAsync"], ({ message }) => Effect.fail(new CannotRun({ reason: message })))
  )
  if (trace !== undefined) yield* write(trace, Trace.encode(replayed.trace))
  yield* print(
    given.json ? [JSON.stringify(asJson(given, { original, replayed }))] : asText(given, replayed, yield* screen)
  )
  if (replayed.broken.length > 0) return yield* new Violated()
})

const read = (file: string): Effect.Effect<Trace.Trace, Usage, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* files
      .readFileString(file)
      .pipe(
        Effect.mapError((error) => new Usage({ reason: `--replay ${file}: it cannot be read, ${reasonOf(error)}.` }))
      )
    return yield* Effect.mapError(Trace.decode(text), (error) => noTrace(file, error))
  })

const noTrace = (file: string, { line, reason }: Trace.MalformedTrace): Usage =>
  new Usage({
    reason: `${file}:${line}: it cannot be replayed: ${reason.replace(/\s*\n\s*/g, " ").replace(/\.$/, "")}.`
  })

const write = (file: string, text: string): Effect.Effect<void, CannotRun, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.writeFileString(file, text)
  }).pipe(
    Effect.mapError((error) => new CannotRun({ reason: `The trace could not be written: ${file}, ${reasonOf(error)}` }))
  )

// ------------------------------------------------------------------------------------------------------------ the report

type Outcome = { readonly original: Trace.Trace } & (
  | { readonly replayed: Replay.Result<unknown> }
  | { readonly diverged: Replay.Diverged }
)

const asJson = ({ demonstration, file, trace }: Given, outcome: Outcome) => {
  const { nodes, title } = outcome.original.header
  const replay = { algorithm: demonstration.name, replay: file, title, nodes: nodes.length }
  if ("diverged" in outcome) {
    const { expected, found, node, step, what } = outcome.diverged
    return { ...replay, agrees: false, diverged: { step, node, what, expected, found: found ?? null }, trace: null }
  }
  const { broken, claimed, snapshot, steps } = outcome.replayed
  return { ...replay, agrees: true, steps, claimed, broken, states: snapshot, trace: trace ?? null }
}

const asText = (
  { demonstration, trace }: Given,
  replayed: Replay.Result<unknown>,
  { style, width }: Screen
): ReadonlyArray<string> => {
  const { broken, claimed, steps } = replayed
  const mark = broken.length > 0 ? style.red("✗") : style.green("✓")
  const ends = broken.map((name) => `${style.red(name)} is broken`)
  return [
    ...SpaceTime.terminal(replayed.trace, { width, color: style.red("") !== "" })
      .trimEnd()
      .split("\n"),
    "",
    `${mark} the same states after each of ${count(steps, "step")}${ends.map((end) => `; ${end}`).join("")}`,
    ...claimed.filter((name) => !broken.includes(name)).map((name) => `  ${unbroken(demonstration, name)}`),
    ...(trace === undefined ? [] : ["", `trace of the replay in ${trace}`])
  ]
}

/** Of what the trace says is broken, and the replay does not. */
const unbroken = ({ card }: Demonstration, name: string): string =>
  card.guarantees.some((guarantee) => guarantee.name === name)
    ? `${name} is broken in the trace, and holds here`
    : `${name} is broken in the trace; no guarantee of ${card.title} has this name`
