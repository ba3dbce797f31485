/** What is said of a run: in words, and as JSON. */
import { count, cut, number, type Style } from "../terminal/Screen.ts"
import { quantiles } from "./Figures.ts"
import type { Fault } from "./Judge.ts"
import { hasPrimary, type Outcome } from "./Torture.ts"

export type Verdict = "ok" | "violated" | "unknown"

/** What was not decided is not well. */
export const verdictOf = ({ figures, judgement, isInterrupted, problems }: Outcome): Verdict => {
  const { lost, stale, unknown, violated } = judgement
  if ([violated, lost, stale, problems].some(({ length }) => length > 0)) return "violated"
  return unknown.length > 0 || isInterrupted || figures.calls.ok === 0 ? "unknown" : "ok"
}

/** What was held against the run, and what came of it. */
export interface Claim {
  readonly text: string
  readonly verdict: Verdict
  readonly details: ReadonlyArray<string>
}

const shown = 5
/** Of a detail, in characters. */
const detailLength = 160

export const claimsOf = ({ figures, isInterrupted, judgement, problems }: Outcome): ReadonlyArray<Claim> => {
  const { lost, stale, unknown, violated } = judgement
  const few = (texts: ReadonlyArray<string>): ReadonlyArray<string> => [
    ...texts.slice(0, shown).map((text) => cut(text, detailLength)),
    ...(texts.length > shown ? [`and ${texts.length - shown} more`] : [])
  ]
  const faultText = ({ key, verdict: { reason } }: Fault): string => `${key}: ${reason}`
  const isEmpty = figures.calls.ok === 0
  return [
    {
      text: "linearizable",
      verdict: violated.length > 0 ? "violated" : unknown.length > 0 || isEmpty ? "unknown" : "ok",
      details: [
        ...few(violated.map(faultText)),
        ...few(unknown.map(faultText)),
        ...(isEmpty ? ["no call succeeded"] : [])
      ]
    },
    {
      text: "no acknowledged write is lost",
      verdict: lost.length > 0 ? "violated" : isInterrupted || isEmpty ? "unknown" : "ok",
      details: few(lost.map(({ key, reason }) => `${key}: ${reason}`))
    },
    {
      text: "fencing tokens grow",
      verdict: stale.length > 0 ? "violated" : isEmpty ? "unknown" : "ok",
      details: few(stale.map(({ key, reason }) => `${key}: ${reason}`))
    },
    {
      text: "all nodes serve again",
      verdict: problems.length > 0 ? "violated" : isInterrupted ? "unknown" : "ok",
      details: few(problems)
    }
  ]
}

const marks = { ok: "✓", violated: "✗", unknown: "?" }
const paints = { ok: "green", violated: "red", unknown: "yellow" } as const

export const titleOf = ({ millis, options }: Outcome): string =>
  `${options.replication}, ${count(options.nodes, "node")} as processes on disk, ${count(options.clients, "client")}, ` +
  `${seconds(millis)}, seed ${options.seed}`

const seconds = (millis: number): string => `${number(Math.round(millis / 100) / 10)} s`
const duration = (millis: number): string =>
  millis < 1_000 ? `${number(Math.round(millis * 10) / 10)} ms` : seconds(millis)

/** Names with their values. */
export const rowsOf = ({
  figures,
  judgement,
  options,
  reasons
}: Outcome): ReadonlyArray<readonly [name: string, value: string]> => {
  const { calls, failoverMillis, faults, latencyMillis, longestGap } = figures
  const failover = quantiles(failoverMillis)
  const inWords = (of: Iterable<readonly [string, number]>): string =>
    Array.from(of, ([name, times]) => `${name} ${number(times)}`).join(", ")
  return [
    ["calls", `${number(calls.ok)} ok, ${number(calls.fail)} failed, ${number(calls.info)} in doubt`],
    ...(reasons.size > 0 ? [["not ok", inWords(reasons)] as const] : []),
    [
      "latency",
      `median ${duration(latencyMillis.median)}, p99 ${duration(latencyMillis.p99)}, largest ${duration(latencyMillis.largest)}`
    ],
    ["no write for", `${duration(longestGap.millis)} at the longest, from ${seconds(longestGap.fromMillis)} on`],
    ["faults", inWords(Object.entries(faults)) || "none"],
    ...(failoverMillis.length > 0
      ? [
          [
            "failover",
            `${count(failoverMillis.length, "kill")} of ${hasPrimary(options) ? "a primary" : "nodes"}: median ${duration(failover.median)}, ` +
              `p99 ${duration(failover.p99)}, largest ${duration(failover.largest)}`
          ] as const
        ]
      : []),
    [
      "judged",
      `${count(judgement.operations, "operation")} on ${count(judgement.keys, "key")} in ${seconds(judgement.millis)}`
    ]
  ]
}

export const linesOf = (outcome: Outcome, { bold, ...style }: Style): ReadonlyArray<string> => {
  const rows = rowsOf(outcome)
  const width = Math.max(...rows.map(([name]) => name.length)) + 3
  return [
    `${bold("torture kv")}  ${titleOf(outcome)}`,
    "",
    ...rows.map(([name, value]) => `${name.padEnd(width)}${value}`),
    "",
    ...claimsOf(outcome).flatMap(({ details, text, verdict }) => [
      `${style[paints[verdict]](marks[verdict])} ${text}`,
      ...details.map((detail) => `    ${detail}`)
    ]),
    "",
    `report: ${outcome.options.directory}/report.html`,
    `judge it again: npx troupe verify ${outcome.options.directory}/history`
  ]
}

export const asJson = (outcome: Outcome): unknown => {
  const { figures, inflicted, isInterrupted, judgement, millis, options, problems, reasons } = outcome
  const { directory, length, replication, nodes, clients, seed } = options
  const of = ({ data, key, verdict }: Fault) => ({ key, data, reason: verdict.reason })
  return {
    ...{ verdict: verdictOf(outcome), isInterrupted, replication, nodes, clients, seed, length, millis },
    ...figures,
    failover: quantiles(figures.failoverMillis),
    reasons: Object.fromEntries(reasons),
    inflicted,
    judged: { keys: judgement.keys, operations: judgement.operations, millis: judgement.millis },
    violated: judgement.violated.map(of),
    unknown: judgement.unknown.map(of),
    lost: judgement.lost,
    stale: judgement.stale,
    problems,
    directory
  }
}
