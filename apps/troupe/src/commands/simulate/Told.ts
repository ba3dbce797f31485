/** What simulated runs have shown, as JSON and in words. */
import { Faults } from "@troupe/simulation"
import { count, number, type Screen } from "../../terminal/Screen.ts"
import { type Counterexample, type Plan, type Rate, rates, type Search } from "./Plan.ts"

export interface Report {
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

export const asJson = ({ elapsedMillis, plan, search, trace }: Report) => {
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

export const asText = ({ elapsedMillis, plan, search, trace }: Report, { style }: Screen): ReadonlyArray<string> => {
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
