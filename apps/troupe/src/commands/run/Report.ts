/** What a run comes to, for who tells of it. */
import type { Outcome, Tally } from "../../Tally.ts"
import { count, cut, type Screen } from "../../terminal/Screen.ts"
import type { Run } from "../../worlds/World.ts"

export const transports = ["memory", "tcp", "udp", "sim"] as const
export type Transport = (typeof transports)[number]

export interface Watched {
  readonly outcome: Outcome
  readonly tally: Tally
  readonly elapsedMillis: number
  /** How long it took in a simulated world. */
  readonly virtualMillis?: number
}

export interface Report extends Watched {
  readonly plan: Run
  readonly transport: Transport
}

/** A line for each guarantee of the card, marked as it fared, and one for each violation. */
export const verdicts = ({ outcome, plan }: Report, { canRedraw, style, width }: Screen): ReadonlyArray<string> => {
  const { guarantees } = plan.demonstration.card
  const column = Math.max(...guarantees.map(({ name }) => name.length))
  const lines = guarantees.map(({ description, kind, name }) => {
    const verdict = outcome.properties.find((each) => each.name === name)
    const mark = verdict === undefined ? "?" : verdict.holds ? style.green("✓") : style.red("✗")
    const what = `${kind.padEnd(10)}  ${description}`
    return `${mark} ${name.padEnd(column)}  ${style.dim(canRedraw ? cut(what, width - column - 5) : what)}`
  })
  const broken = outcome.violations.map(({ detail, name }) =>
    style.red(`violated: ${name}${detail === undefined ? "" : `, ${detail}`}`)
  )
  return [...lines, ...(broken.length === 0 ? [] : ["", ...broken])]
}

/** Where the operation is a message, they are counted already. */
export const andMessages = (operation: string, { messages }: Tally): string =>
  operation === "message" ? "" : `, ${count(messages, "message")}`
