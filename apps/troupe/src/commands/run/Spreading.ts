/** What a run has shown of how things come to all, as JSON and in words. */
import { count, number, type Screen } from "../../terminal/Screen.ts"
import { type Report, verdicts } from "./Report.ts"

const millis = (value: number | undefined): number | null => (value === undefined ? null : Number(value.toFixed(3)))

const perOperation = ({ tally: { messages, operations } }: Report): number | null =>
  operations === 0 ? null : messages / operations

/** Guarantees of many nodes are held against some of them. */
const judgedOf = ({ plan, tally }: Report) =>
  tally.judged.size === plan.nodes.length ? {} : { guaranteesHeldAgainst: tally.judged.size }

export const spreadAsJson = (report: Report) => {
  const { elapsedMillis, outcome, plan, tally, transport, virtualMillis } = report
  const { best, operation, worst } = plan.demonstration.card.cost
  const { spread } = tally
  const nodes = plan.nodes.length
  return {
    algorithm: plan.demonstration.name,
    transport,
    nodes,
    seed: plan.seed,
    operation: plan.demonstration.operation,
    operations: tally.operations,
    sent: spread.sent,
    deliveries: spread.deliveries,
    toAllMillis: {
      p50: millis(spread.quantileMillis(0.5)),
      p99: millis(spread.quantileMillis(0.99)),
      max: millis(spread.quantileMillis(1))
    },
    messages: tally.messages,
    messagesPerOperation: perOperation(report),
    formula: {
      per: operation,
      best: { text: best.text, messages: best.of(nodes) },
      worst: { text: worst.text, messages: worst.of(nodes) }
    },
    messagesByTag: Object.fromEntries(tally.byTag),
    backgroundMessages: tally.background,
    ...judgedOf(report),
    properties: outcome.properties,
    violations: outcome.violations,
    elapsedMillis,
    ...(virtualMillis === undefined ? {} : { virtualMillis })
  }
}

const time = (value: number | undefined): string =>
  value === undefined ? "–" : value < 1_000 ? `${value.toFixed(1)} ms` : `${(value / 1_000).toFixed(2)} s`

export const spreadAsText = (report: Report, screen: Screen): ReadonlyArray<string> => {
  const { elapsedMillis, plan, tally, virtualMillis } = report
  const { style } = screen
  const { card, operation } = plan.demonstration
  const { background, best, worst } = card.cost
  const { spread } = tally
  const nodes = plan.nodes.length
  const value = ({ of, text }: typeof best): string =>
    text === String(of(nodes)) ? text : `${text} = ${number(of(nodes))}`
  const formula = best.text === worst.text ? value(best) : `${value(best)} to ${value(worst)}`
  const per = card.cost.operation === operation ? "" : ` per ${card.cost.operation}`
  const measured = perOperation(report)
  const took =
    virtualMillis === undefined
      ? time(elapsedMillis)
      : `${time(virtualMillis)} of virtual time, simulated in ${time(elapsedMillis)}`
  const label = `messages per ${operation}`
  return [
    "",
    `${count(tally.operations, operation)} came to all, ${count(tally.messages, "message")}, ${took}`,
    ...(background === undefined
      ? []
      : [style.dim(`besides, in the background: ${number(tally.background)} of ${background.join(", ")}`)]),
    "",
    `${label}  ${style.bold(measured === null ? "–" : number(measured))}   card: ${formula}${per}`,
    `${"to all nodes".padEnd(label.length)}  ${style.bold(time(spread.quantileMillis(0.5)))} for half of them, ${time(
      spread.quantileMillis(0.99)
    )} for 99 of 100, ${time(spread.quantileMillis(1))} at the most`,
    ...(tally.judged.size === nodes
      ? []
      : [style.dim(`guarantees: held against the first ${tally.judged.size} nodes`)]),
    "",
    ...verdicts(report, screen)
  ]
}
