/**
 * Strict consistency: a read returns what was written last, by the one clock that all agree on.
 *
 * In the textbooks operations take no time, and each is seen by all at once, in the order in which they were issued. For
 * operations that take time: each takes effect when it is invoked, and in the order of invocations every result must be
 * right. That order keeps real time, so what is strict is linearizable; a linearizable history need not be strict, as
 * where a write is invoked and read only by the second of two reads that both overlap it. An open operation took effect
 * when it was invoked, or never.
 *
 * Source: A. S. Tanenbaum, M. van Steen, "Distributed Systems: Principles and Paradigms", 2002, on strict consistency.
 */

import * as Explain from "./Explain.ts"
import type { History } from "./History.ts"
import { Limit } from "./internal/Limit.ts"
import { States, refused } from "./internal/linearizable/States.ts"
import { byKey, type Operations } from "./internal/Parts.ts"
import type { Specification } from "./Specification.ts"
import type { Budget, Culprit, Verdict } from "./Verdict.ts"

const model = "strict"

/** Whether the order of invocations explains all results. The culprit is the first whose result it does not. */
export const check = (history: History, specification: Specification, budget: Budget = {}): Verdict => {
  const limit = new Limit(budget)
  let first: Extract<Verdict, { _tag: "Violated" }> | undefined
  const objects = history.operations.length === 0 ? [] : byKey(history.operations, specification)
  for (const operations of objects) {
    limit.forget()
    const verdict = checkObject(operations, specification, limit)
    if (verdict._tag === "Unknown") return verdict
    if (verdict._tag === "Violated" && (first === undefined || invoked(verdict.culprit) < invoked(first.culprit))) {
      first = verdict
    }
  }
  return first ?? { _tag: "Ok", model }
}

const invoked = (culprit: Culprit): number => (culprit._tag === "Operation" ? culprit.operation.invoked : 0)

const checkObject = (operations: Operations, spec: Specification, limit: Limit): Verdict => {
  const states = new States(spec, limit)
  const calls = operations.map((operation) => states.call(operation))
  // One but for open operations, which may have taken effect or not.
  let possible = new Set([states.state(spec.init)])
  for (const [at, operation] of operations.entries()) {
    const next = operation.returned === Infinity ? new Set(possible) : new Set<number>()
    for (const state of possible) {
      if (limit.isReached) return { _tag: "Unknown", model, reason: limit.reason! }
      const after = states.step(state, calls[at]!)
      if (after !== refused) next.add(after)
    }
    if (next.size === 0) {
      const names = Explain.few(Array.from(possible, (state) => Explain.state(states.states[state])))
      const culprit = { _tag: "Operation", operation } as const
      const before = operations
        .slice(Math.max(0, at - 3), at)
        .map((one) => ({ _tag: "Operation", operation: one }) as const)
      const reason = `When ${Explain.operation(operation)} was invoked, the state was ${names}.`
      return { _tag: "Violated", model, culprit, reason, involved: [...before, culprit] }
    }
    possible = next
  }
  return { _tag: "Ok", model }
}
