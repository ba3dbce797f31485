/** What a run of a detector has shown, as JSON and in words: who noticed which death when, and what it took. */
import { type Noticed, quantile } from "../../Detection.ts"
import { count, number, type Screen } from "../../terminal/Screen.ts"
import { type Report, verdicts } from "./Report.ts"

/** How many of those that were killed have a line of their own. */
const linesMax = 20

const rate = ({ plan, tally }: Report): number => {
  // Those that were killed sent for half of the time.
  const dead = plan.kill?.nodes.length ?? 0
  return (tally.messages + tally.background) / Math.max(1, tally.operations) / (plan.nodes.length - dead / 2)
}

export const detectionAsJson = (report: Report) => {
  const { elapsedMillis, outcome, plan, tally, transport, virtualMillis } = report
  const { detection } = tally
  const watchers = plan.nodes.length - (plan.kill?.nodes.length ?? 0)
  const round = (millis: number | undefined): number | null => (millis === undefined ? null : Math.round(millis))
  return {
    algorithm: plan.demonstration.name,
    transport,
    nodes: plan.nodes.length,
    seed: plan.seed,
    seconds: tally.operations,
    messages: tally.messages + tally.background,
    messagesPerNodeAndSecond: Number(rate(report).toPrecision(4)),
    messagesByTag: Object.fromEntries(tally.byTag),
    killed: detection.noticed().map(({ afterMillis, atMillis, deadAfterMillis, node }) => ({
      node,
      atMillis: round(atMillis),
      noticedBy: afterMillis.length,
      of: watchers,
      firstMillis: round(afterMillis[0]),
      medianMillis: round(quantile(afterMillis, 0.5)),
      lastMillis: round(afterMillis.at(-1)),
      takenForDeadBy: deadAfterMillis.length
    })),
    falsePositives: { suspected: detection.wronglySuspected, takenForDead: detection.wronglyDead },
    properties: outcome.properties,
    violations: outcome.violations,
    elapsedMillis,
    ...(virtualMillis === undefined ? {} : { virtualMillis })
  }
}

const article = (operation: string): string => `${/^[aeiou]/.test(operation) ? "an" : "a"} ${operation}`

const seconds = (millis: number | undefined): string => (millis === undefined ? "–" : `${(millis / 1000).toFixed(2)} s`)

const deaths = (all: ReadonlyArray<Noticed>, watchers: number): ReadonlyArray<string> => {
  if (all.length === 0) return []
  const width = Math.max("killed".length, ...all.map(({ node }) => node.length))
  const line = (cells: ReadonlyArray<string>): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(width) : cell.padStart(12))).join("  ")
  const rows = all
    .slice(0, linesMax)
    .map(({ afterMillis, node }) =>
      line([
        node,
        `${afterMillis.length} of ${watchers}`,
        seconds(afterMillis[0]),
        seconds(quantile(afterMillis, 0.5)),
        seconds(afterMillis.at(-1))
      ])
    )
  return [
    line(["killed", "noticed by", "first after", "half after", "last after"]),
    ...rows,
    ...(all.length > linesMax ? [`and ${number(all.length - linesMax)} more`] : []),
    ""
  ]
}

export const detectionAsText = (report: Report, screen: Screen): ReadonlyArray<string> => {
  const { style } = screen
  const { elapsedMillis, plan, tally, virtualMillis } = report
  const { card } = plan.demonstration
  const { detection } = tally
  const { best, operation, worst } = card.cost
  const nodes = plan.nodes.length
  const formula = best.text === worst.text ? best.text : `${best.text} to ${worst.text}`
  const time =
    virtualMillis === undefined
      ? seconds(elapsedMillis)
      : `${seconds(virtualMillis)} of virtual time, simulated in ${seconds(elapsedMillis)}`
  const wrong = [
    `${number(detection.wronglySuspected)} suspected`,
    ...(detection.wronglyDead > 0 ? [`${number(detection.wronglyDead)} taken for dead`] : [])
  ]
  return [
    "",
    `${count(tally.messages + tally.background, "message")}, ${time}`,
    "",
    ...deaths(detection.noticed(), nodes - (plan.kill?.nodes.length ?? 0)),
    `messages a node and second  ${style.bold(number(rate(report)))}   card: ${formula} ${article(operation)} of all`,
    ...(plan.demonstration.service === "time" ? [] : [`of nodes that were up       ${style.bold(wrong.join(", "))}`]),
    "",
    ...verdicts(report, screen)
  ]
}
