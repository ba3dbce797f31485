/** A trial in words, for people. */
import { type Screen, wrap } from "../../terminal/Screen.ts"
import type { Book } from "./Book.ts"
import * as Verdict from "./Verdict.ts"

/** Whether all that the store claims holds. */
export const holds = ({ checks }: Verdict.Judged): boolean => checks.every((check) => check.holds)

export const lines = (
  judged: Verdict.Judged,
  book: Book,
  { canRedraw, style, width }: Screen
): ReadonlyArray<string> => {
  const { bold, green, red } = style
  const told = judged.checks.flatMap(({ detail, holds, name }) => {
    const [first, ...rest] = wrap(`${name}: ${detail}`, Math.min(width, 110) - 4)
    return [`  ${holds ? green("✓") : red("✗")} ${first!}`, ...rest.map((line) => `    ${line}`)]
  })
  const picture = Verdict.picture(judged, { width: Math.max(40, width - 4), color: canRedraw })
  const pause = (book.longestPauseMillis / 1000).toFixed(1)
  const from = ((book.longestPauseFrom - book.startedAt) / 1000).toFixed(1)
  return [
    ...told,
    ...(picture.length === 0 ? [] : ["", ...picture.map((line) => `    ${line}`)]),
    "",
    `  The longest time without an acknowledged write was ${pause} s, from second ${from} on.`,
    "",
    holds(judged) ? bold(green("  It holds.")) : bold(red("  It does not hold."))
  ]
}
