/** What a run with a staged crash has shown, beside what the card said would come of it, as JSON and in words. */
import { cardSays, crashOf } from "../../Crashes.ts"
import type { Verdict, Violation } from "../../Tally.ts"
import { count, type Screen } from "../../terminal/Screen.ts"
import { patienceMillis } from "../../worlds/Staging.ts"
import { type Report, verdicts } from "./Report.ts"

interface Judgement {
  /** Whether the others were to go on, and whether they did. */
  readonly expected: boolean
  readonly seen: boolean
  readonly properties: ReadonlyArray<Verdict>
  readonly violations: ReadonlyArray<Violation>
}

/** Where the others are to starve, what a guarantee promises of the end is not held against them. */
export const judge = ({ outcome, plan, tally }: Report): Judgement => {
  const { service } = plan.demonstration
  const remedy = crashOf(plan.demonstration)?.remedy
  const expected = remedy === "itself" || (remedy === "detector" && plan.crash!.detector)
  const { aftermath } = tally
  const isStaged = aftermath.killed !== undefined
  const seen = isStaged && (service === "election" ? aftermath.agreed !== undefined : aftermath.starving.length === 0)
  // A lock is stopped while some ask: that all have entered since is what was seen of them.
  const isJudged = expected && service === "election"
  const inTheEnd = outcome.properties.filter(({ kind }) => kind === "eventually").map(({ name }) => name)
  const properties = outcome.properties.map((property) =>
    service === "mutex" && property.kind === "eventually" ? { ...property, holds: seen } : property
  )
  const violations = outcome.violations.filter(({ name }) => isJudged || !inTheEnd.includes(name))
  const { agreed, killed } = aftermath
  if (agreed !== undefined && killed?.leader !== undefined && agreed.leader.epoch <= killed.leader.epoch) {
    violations.push({ name: "epochs grow", detail: `${agreed.leader.epoch} after ${killed.leader.epoch}` })
  }
  const differs = { name: "as the card says", detail: `the others ${seen ? "go on" : "do not go on"}` }
  return {
    expected,
    seen,
    properties,
    violations: isStaged && expected !== seen ? [...violations, differs] : violations
  }
}

const round = (millis: number | undefined): number | null => (millis === undefined ? null : Math.round(millis))

const role = ({ plan }: Report): "leader" | "holder" =>
  plan.demonstration.service === "election" ? "leader" : "holder"

/** What the others did since. */
const aftermathOf = ({ plan, tally: { aftermath } }: Report) =>
  plan.demonstration.service === "election"
    ? {
        before: aftermath.killed?.leader ?? null,
        leader: aftermath.agreed?.leader ?? null,
        agreedAfterMillis: round(aftermath.since(aftermath.agreed?.atNanos))
      }
    : {
        entries: aftermath.entries,
        firstEntryAfterMillis: round(aftermath.since(aftermath.firstEntryNanos)),
        starving: aftermath.starving.map((node) => ({
          node,
          waitsFor: aftermath.delays.get(node)?.waitsFor ?? [],
          millis: round(aftermath.delays.get(node)?.millis)
        }))
      }

export const crashAsJson = (report: Report) => {
  const { elapsedMillis, plan, tally, transport, virtualMillis } = report
  const { expected, properties, seen, violations } = judge(report)
  return {
    algorithm: plan.demonstration.name,
    transport,
    nodes: plan.nodes.length,
    seed: plan.seed,
    crash: {
      killed: tally.aftermath.killed?.node ?? null,
      role: role(report),
      failureDetector: plan.crash!.detector,
      ...aftermathOf(report)
    },
    card: cardSays(plan.demonstration),
    expected: expected ? "goes on" : "stops",
    seen: seen ? "goes on" : "stops",
    properties,
    violations,
    elapsedMillis,
    ...(virtualMillis === undefined ? {} : { virtualMillis })
  }
}

const seconds = (millis: number | undefined): string => `${((millis ?? 0) / 1000).toFixed(1)} s`

const whatCame = ({ plan, tally: { aftermath } }: Report): ReadonlyArray<string> => {
  if (plan.demonstration.service === "election") {
    const { agreed } = aftermath
    return agreed === undefined
      ? [`No new leader in ${seconds(patienceMillis)}.`]
      : [
          `${agreed.leader.id} leads, epoch ${agreed.leader.epoch}: all know after ${seconds(aftermath.since(agreed.atNanos))}.`
        ]
  }
  const { starving } = aftermath
  const entries =
    aftermath.entries === 0
      ? `No entry in ${seconds(patienceMillis)}.`
      : `${count(aftermath.entries, "entry")} of the others, the first after ${seconds(aftermath.since(aftermath.firstEntryNanos))}.`
  const waiting = starving.map((node) => {
    const delay = aftermath.delays.get(node)
    const whom = delay === undefined || delay.waitsFor.length === 0 ? "nobody in particular" : delay.waitsFor.join(", ")
    return `${node} waits for ${whom}${delay === undefined ? "" : `, by its own word for ${seconds(delay.millis)}`}`
  })
  return [entries, ...waiting]
}

export const crashAsText = (report: Report, screen: Screen): ReadonlyArray<string> => {
  const { plan, tally } = report
  const { killed } = tally.aftermath
  const { expected, properties, seen, violations } = judge(report)
  const { style } = screen
  const before = killed?.leader === undefined ? "" : `, epoch ${killed.leader.epoch}`
  const what = role(report) === "leader" ? `led${before}` : "held the lock"
  const equipped = plan.crash!.detector ? "Each node has a failure detector." : "There is no failure detector."
  const mark = seen === expected ? style.green("✓") : style.red("✗")
  return [
    "",
    killed === undefined ? "Nobody was killed." : `${style.bold(killed.node)} ${what}, and was killed. ${equipped}`,
    ...(killed === undefined ? [] : whatCame(report)),
    "",
    `card: ${cardSays(plan.demonstration)}`,
    `${mark} so the others ${expected ? "go on" : "do not go on"}, and they ${seen ? "do" : "do not"}`,
    "",
    ...verdicts({ ...report, outcome: { properties, violations } }, screen)
  ]
}
