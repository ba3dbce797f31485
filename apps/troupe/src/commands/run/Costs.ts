/** What a run cost, beside the formulas of its card. */
import type { Card } from "@troupe/actor"
import { count, number, type Screen } from "../../terminal/Screen.ts"
import type { Tally } from "../../Tally.ts"
import { andMessages, type Report, verdicts } from "./Report.ts"

const value = ({ of, text }: Card.Formula, nodes: number): string =>
  text === String(of(nodes)) ? text : `${text} = ${number(of(nodes))}`

/** What may be behind a violation, when it is not the algorithm. */
const hintFor = ({ outcome, plan, transport }: Report): string | undefined =>
  outcome.violations.length > 0 && transport !== "sim" && plan.demonstration.card.assumes.timing === "synchronous"
    ? "The card assumes synchronous timing: this machine may have been slower than the timeouts allow. " +
      "Try fewer nodes, or --transport sim."
    : undefined

/** Messages that were sent only because several wanted the same at once; none where the card does not set them apart. */
const ofContention = ({ plan, tally }: Report): number | undefined =>
  plan.demonstration.card.cost.contention?.reduce((sum, tag) => sum + (tally.byTag.get(tag) ?? 0), 0)

/** `quorumSizes` of `{ 8: 49 }`: "quorum sizes  8 (49 nodes)". */
const factLines = ({ plan: { demonstration, nodes } }: Report): ReadonlyArray<string> =>
  Object.entries(demonstration.facts?.(nodes) ?? {}).map(([name, fact]) => {
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    const each = ([value, nodes]: readonly [string, number]): string => `${value} (${count(nodes, "node")})`
    return `${words}  ${typeof fact === "number" ? number(fact) : Object.entries(fact).map(each).join(", ")}`
  })

const perOperation = ({ messages, operations }: Pick<Tally, "messages" | "operations">): number | null =>
  operations === 0 ? null : messages / operations

export const asJson = (report: Report) => {
  const { elapsedMillis, outcome, plan, tally, transport, virtualMillis } = report
  const hint = hintFor(report)
  const { card, facts } = plan.demonstration
  const { cost } = card
  const contention = ofContention(report)
  const formula = (of: typeof cost.best) => ({ text: of.text, messages: of.of(plan.nodes.length) })
  return {
    algorithm: plan.demonstration.name,
    transport,
    nodes: plan.nodes.length,
    seed: plan.seed,
    operation: cost.operation,
    operations: tally.operations,
    messages: tally.messages,
    messagesPerOperation: perOperation(tally),
    formula: { best: formula(cost.best), worst: formula(cost.worst) },
    ...(contention === undefined
      ? {}
      : {
          uncontendedMessagesPerOperation: perOperation({
            operations: tally.operations,
            messages: tally.messages - contention
          }),
          contentionMessages: contention
        }),
    ...(facts === undefined ? {} : { facts: facts(plan.nodes) }),
    messagesByTag: Object.fromEntries(tally.byTag),
    backgroundMessages: tally.background,
    ...(transport === "udp" ? { lostMessages: tally.missing } : {}),
    leader: tally.leader ?? null,
    properties: outcome.properties,
    violations: outcome.violations,
    elapsedMillis,
    ...(virtualMillis === undefined ? {} : { virtualMillis }),
    ...(hint === undefined ? {} : { hint })
  }
}

export const asText = (report: Report, terminal: Screen): ReadonlyArray<string> => {
  const { elapsedMillis, plan, tally, transport, virtualMillis } = report
  const hint = hintFor(report)
  const { card } = plan.demonstration
  const { style } = terminal
  const { background, best, operation, worst } = card.cost
  const size = plan.nodes.length
  const formula = best.text === worst.text ? value(best, size) : `${value(best, size)} to ${value(worst, size)}`
  const measured = perOperation(tally)
  const contention = ofContention(report)
  const seconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`
  const time =
    virtualMillis === undefined
      ? seconds(elapsedMillis)
      : `${seconds(virtualMillis)} of virtual time, simulated in ${seconds(elapsedMillis)}`
  return [
    "",
    `${count(tally.operations, operation)}${andMessages(operation, tally)}, ${time}`,
    ...(background === undefined
      ? []
      : [style.dim(`besides, in the background: ${number(tally.background)} of ${background.join(", ")}`)]),
    ...(transport === "udp" ? [style.dim(`lost on the way: ${count(tally.missing, "message")}`)] : []),
    "",
    `messages per ${operation}  ${style.bold(measured === null ? "–" : number(measured))}   card: ${formula}`,
    ...(contention === undefined || tally.operations === 0
      ? []
      : [
          style.dim(
            `of these, for contention: ${number(contention / tally.operations)} of ${card.cost.contention!.join(", ")}`
          )
        ]),
    ...factLines(report),
    ...(tally.leader === undefined ? [] : [`leader  ${style.bold(tally.leader)}`]),
    "",
    ...verdicts(report, terminal),
    ...(hint === undefined ? [] : [hint])
  ]
}
