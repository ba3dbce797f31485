/** What a check has found, as JSON and in words. */
import type { Checker, Model } from "@troupe/model-checker"
import { SpaceTime } from "@troupe/trace"
import { count, number, type Screen } from "../../terminal/Screen.ts"

export interface Checked {
  readonly model: Model.Checkable<any>
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
        counterexample === undefined ? null : { steps: counterexample.steps, loopFrom: counterexample.loopFrom ?? null }
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
    `${count(report.uniqueStates, "state")}, ${number(report.generatedStates)} come to, ${count(report.depth, "step")} deep, ` +
      `in ${report.seconds.toFixed(1)} s (${number(Math.round(rate(report)))}/s); ${extent(report)}`,
    ...broken.flatMap((verdict) => drawn(verdict, terminal)),
    ...(trace === undefined ? [] : ["", `trace of the counterexample in ${trace}`])
  ]
}

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
const extent = ({ complete, ended }: Checker.Report): string => {
  if (complete) return "that is all of them"
  const why: Readonly<Record<string, string>> = {
    "all seen": "not all runs were looked at, for memory",
    violation: "ended at what is broken",
    states: "ended by --max-states",
    depth: "ended by --max-depth",
    bytes: "ended for memory",
    interrupted: "interrupted"
  }
  return `${why[ended] ?? ended}, there are more`
}

/** The picture, and the steps as numbered lines. */
const drawn = ({ counterexample, name }: Checker.Verdict, { style, width }: Screen): ReadonlyArray<string> => {
  const { loopFrom, steps, trace } = counterexample!
  const digits = String(steps.length).length
  const again =
    loopFrom === undefined
      ? []
      : [
          loopFrom < steps.length
            ? `Steps ${loopFrom + 1} to ${steps.length} may be repeated for ever.`
            : "After that nothing more need happen."
        ]
  return [
    "",
    `${style.red(name)} is broken in ${count(steps.length, "step")}:`,
    ...steps.map((step, i) => `  ${String(i + 1).padStart(digits)}. ${step}`),
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
