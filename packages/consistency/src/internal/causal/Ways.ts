/** Reads whose value was written more than once: all ways to match them with writes. */
import type { Budget, Verdict } from "../../Verdict.ts"
import * as Deadline from "./Deadline.ts"

export interface Ambiguous {
  readonly read: number
  readonly candidates: ReadonlyArray<number>
}

/** Ways that are tried at most. */
const maxWays = 65_536

/** Asks `decide` once for each way, which it puts into `source`, until one is found right. */
export const decideAll = (
  model: string,
  budget: Budget,
  ambiguous: ReadonlyArray<Ambiguous>,
  source: Int32Array,
  decide: () => Verdict
): Verdict => {
  if (ambiguous.length === 0) return decide()
  const ways = ambiguous.reduce((product, { candidates }) => product * candidates.length, 1)
  if (ways > maxWays) {
    const reason = `${ambiguous.length} reads return values that were written more than once, so that it is open which writes they read: write each value once`
    return { _tag: "Unknown", model, reason }
  }
  const deadline = Deadline.make(budget)
  let refused: Verdict | undefined
  let unknown: Verdict | undefined
  for (let way = 0; way < ways; way++) {
    let rest = way
    for (const { candidates, read } of ambiguous) {
      source[read] = candidates[rest % candidates.length]!
      rest = Math.floor(rest / candidates.length)
    }
    const verdict = decide()
    if (verdict._tag === "Ok") return verdict
    if (verdict._tag === "Unknown") unknown ??= verdict
    else refused ??= verdict
    if (deadline.passed()) {
      const reason = `out of time after ${way + 1} of ${ways} ways to match reads with writes of equal value`
      return { _tag: "Unknown", model, reason }
    }
  }
  if (unknown !== undefined) return unknown
  if (refused?._tag !== "Violated") throw new Error("a history has at least one way to be read")
  const reason = `${refused.reason} (So or otherwise with each of the ${ways} ways to match reads with writes of equal value.)`
  return { ...refused, reason }
}
