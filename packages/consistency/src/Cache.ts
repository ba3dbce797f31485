/**
 * Cache consistency: each key by itself is sequentially consistent. Also called coherence.
 *
 * It is what the caches of a multiprocessor promise of one place in memory: all agree in which order it was written.
 * Orders of different keys need not go together.
 *
 * Source: J. R. Goodman, "Cache Consistency and Sequential Consistency", IEEE SCI Committee Technical Report 61, 1989.
 */
import type { History } from "./History.ts"
import { Limit } from "./internal/Limit.ts"
import { byKey } from "./internal/Parts.ts"
import { checkAs } from "./Sequential.ts"
import type { Specification } from "./Specification.ts"
import type { Budget, Verdict } from "./Verdict.ts"

/** Whether each key's operations are sequentially consistent. The culprit is as `Sequential`'s, within its key. */
export const check = (history: History, specification: Specification, budget: Budget = {}): Verdict => {
  const limit = new Limit(budget)
  let unknown: Verdict | undefined
  if (history.operations.length > 0) {
    for (const operations of byKey(history.operations, specification)) {
      limit.forget()
      const verdict = checkAs("cache", operations, specification, limit)
      if (verdict._tag === "Violated") return verdict
      if (verdict._tag === "Unknown") unknown ??= verdict
    }
  }
  return unknown ?? { _tag: "Ok", model: "cache" }
}
