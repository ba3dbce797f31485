/** What a check has found, as JSON and in words. */
import type { Checker, Parallel } from "@troupe/model-checker"
import { SpaceTime, type Trace } from "@troupe/trace"
import { count, number, type Screen } from "../../terminal/Screen.ts"

export interface Checked {
  readonly options: Parallel.Options
  /** The name of the weakness that the card has for a property that is broken. */
  readonly known: (broken: string) => string | undefined
  readonly report: Checker.Report
  /** Where the counterexample was written. */
  readonly trace: string | undefined
}

export const asJson = ({ known, report, trace }: Checked): Readonly<Record<string, unknown>> => {
  const { bytes, collisionProbability, complete, depth, ended, generatedStates, model, seconds, uniqueStates } = report
  return {
    model,
    uniqueStates,
    generatedStates,
    depth,
    complete,
    ended,
    seconds,
    statesPerSecond: Math.round(rate(report)),
    bytesPerState: uniqueStates === 0 ? 0 : Math.round((10 * bytes) / uniqueStates) / 10,
    collisionProbability,
    properties: report.properties.map(({ counterexample, kind, name, verdict }) => ({
      name,
      kind,
      verdict,
      knownWeakness: verdict === "violated" ? (known(name) ?? null) : null,
      counterexample:
        counterexample === undefined
          ? null
          : {
              steps: counterexample.steps,
              loopFrom: counterexample.loopFrom ?? null,
              deadlock: isDeadlock(counterexample)
            }
    })),
    trace: trace ?? null
  }
}

export const asText = (checked: Checked, terminal: Screen): ReadonlyArray<string> => {
  const { report, trace } = checked
  const { style } = terminal
  const broken = report.properties.filter(({ counterexample }) => counterexample !== undefined)
  return [
    style.bold(report.model),
    "",
    ...table(checked, terminal),
    "",
    `${seen(report)}, in ${report.seconds.toFixed(1)} s (${number(Math.round(rate(report)))}/s)`,
    extent(checked),
    ...unknown(report),
    ...broken.flatMap((verdict) => drawn(verdict, terminal)),
    ...(trace === undefined ? [] : ["", `trace of the counterexample in ${trace}`])
  ]
}

const seen = ({ depth, generatedStates, uniqueStates }: Checker.Report): string =>
  `${count(uniqueStates, "state")}, ${number(generatedStates)} come to, ${count(depth, "step")} deep`

const rate = ({ seconds, uniqueStates }: Checker.Report): number => uniqueStates / Math.max(seconds, 1e-3)

const table = ({ known, report: { properties } }: Checked, { style }: Screen): ReadonlyArray<string> => {
  const width = Math.max(...properties.map(({ name }) => name.length))
  const kindWidth = Math.max(...properties.map(({ kind }) => kind.length))
  const marks = { holds: style.green("✓"), violated: style.red("✗"), unknown: style.yellow("?") }
  return properties.map(({ kind, name, verdict }) => {
    const weakness = verdict === "violated" ? known(name) : undefined
    const said = weakness === undefined ? verdict : `${verdict}; known weakness: ${weakness}`
    return `  ${marks[verdict]} ${name.padEnd(width)}  ${style.dim(kind.padEnd(kindWidth))}  ${said}`
  })
}

/** How much of the model that was. */
const extent = ({ options: { partialOrder, walks = 10_000 }, report: { complete, ended } }: Checked): string => {
  if (complete && partialOrder) return "That is all that has to be seen: orders that come to the same are left out."
  if (complete) return "That is all of them."
  const why: Readonly<Record<Checker.Report["ended"], string>> = {
    "all seen": "That is all of them, but not all runs were looked at, for memory.",
    violation: "The search ended at what is broken; there are more states.",
    states: "The search ended at --max-states; there are more states.",
    depth: "The search went no deeper than --max-depth; there are more states.",
    bytes: "The search ended for memory; there are more states.",
    walks: `${count(walks, "random walk")} came to these; there may be more.`,
    interrupted: "The search was interrupted; there are more states."
  }
  return why[ended]
}

/** Why that is so, and what would tell. */
const unknown = ({ ended, properties }: Checker.Report): ReadonlyArray<string> => {
  if (!properties.some(({ verdict }) => verdict === "unknown")) return []
  switch (ended) {
    case "violation":
      return ["What is unknown was not decided by then. Add --all to go on."]
    case "walks":
      return ["What is unknown did not show on the walks; only a whole search can say."]
    case "all seen":
      return ["What is unknown was not looked at, since something is broken. Add --all to go on."]
    default:
      return ["What is unknown may be so or not in the states that were not seen."]
  }
}

/** Whether a run goes no further, and came there without faults. */
const isDeadlock = ({ loopFrom, steps, trace }: NonNullable<Checker.Verdict["counterexample"]>): boolean =>
  loopFrom === steps.length && !trace.events.some(({ _tag }) => faults.has(_tag))

const faults: ReadonlySet<Trace.Event["_tag"]> = new Set(["Crash", "Lost", "Split"])

/** The picture, and the steps as numbered lines: the start is none. */
const drawn = ({ counterexample, name }: Checker.Verdict, { style, width }: Screen): ReadonlyArray<string> => {
  const { loopFrom, steps, trace } = counterexample!
  const taken = steps.slice(1)
  const digits = String(taken.length).length
  const again =
    loopFrom === undefined
      ? []
      : [
          loopFrom < steps.length
            ? `Steps ${loopFrom} to ${taken.length} may be repeated for ever.`
            : isDeadlock(counterexample!)
              ? style.red("DEADLOCK: nothing went wrong, and nothing more can happen.")
              : "After that nothing more need happen."
        ]
  return [
    "",
    `${style.red(name)} is broken ${taken.length === 0 ? "at the start" : `in ${count(taken.length, "step")}`}:`,
    ...(steps[0] === "start" ? [] : [`  ${" ".repeat(digits)}  ${steps[0]}`]),
    ...taken.map((step, i) => `  ${String(i + 1).padStart(digits)}. ${step}`),
    ...again,
    ...(trace.events.some((event) => "node" in event)
      ? [
          "",
          ...SpaceTime.terminal(trace, { width, color: style.red("") !== "" })
            .trimEnd()
            .split("\n")
        ]
      : [])
  ]
}
