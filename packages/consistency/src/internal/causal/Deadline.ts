import { Clock } from "effect"
import type { Budget } from "../../Verdict.ts"

/** The moment at which a check that begins now has to give up, and whether it has come. */
export const make = (budget: Budget): { readonly passed: () => boolean } => {
  const clock = Clock.Clock.defaultValue()
  const end = clock.currentTimeMillisUnsafe() + (budget.millis ?? 60_000)
  return { passed: () => clock.currentTimeMillisUnsafe() > end }
}

export const bytes = (budget: Budget): number => budget.bytes ?? 2 ** 30
