/**
 * Linearizability: each operation seems to take effect at one moment between its invocation and its completion.
 *
 * An operation that is open may take effect at any later moment, or never. Objects and independent parts are checked one
 * by one, which is enough (Herlihy & Wing 1990). A collection whose values are distinct is decided in polynomial time;
 * all else by search, which can take exponential time: what the budget does not allow is `Unknown`. A queue is searched
 * without its states, so that only how many operations overlap makes it hard.
 *
 * @example
 * ```ts
 * import { History, Linearizable, Specifications } from "@troupe/consistency"
 *
 * const { invoke, ok } = History
 * const history = History.make([
 *   invoke("alice", "write", 1),
 *   ok("alice", "write"),
 *   invoke("bob", "read"),
 *   ok("bob", "read", null)
 * ])
 * const verdict = Linearizable.check(history, Specifications.casRegister())
 * console.log(verdict._tag === "Violated" && verdict.reason)
 * // Before read() -> null by bob completed, the state can only have been 1.
 * ```
 *
 * Source: M. P. Herlihy, J. M. Wing, "Linearizability: A Correctness Condition for Concurrent Objects", TOPLAS 12(3),
 * 1990.
 */

import * as Explain from "./Explain.ts"
import type { History, Operation } from "./History.ts"
import { Limit } from "./internal/Limit.ts"
import { judge, table, type Table } from "./internal/linearizable/Monitor.ts"
import type { Pattern } from "./internal/linearizable/Pattern.ts"
import { earliest } from "./internal/linearizable/Prefix.ts"
import { judgeQueue } from "./internal/linearizable/Queue.ts"
import { type Found, search } from "./internal/linearizable/Search.ts"
import { type Operations, parts } from "./internal/Parts.ts"
import type { Specification } from "./Specification.ts"
import type { Budget, Verdict } from "./Verdict.ts"

const model = "linearizable"

interface Refusal {
  readonly culprit: Operation
  readonly reason: string
  readonly operations: Operations
}

type Outcome =
  | { readonly _tag: "Ok"; readonly order?: Operations }
  | ({ readonly _tag: "Violated" } & Refusal)
  | { readonly _tag: "Unknown"; readonly reason: string }

/**
 * Whether the history is linearizable. The culprit of one that is not is the operation with whose completion the shortest
 * prefix of its events ends that is not either. The history must have passed `Specifications.validate`.
 */
export const check = (history: History, specification: Specification, budget: Budget = {}): Verdict => {
  const limit = new Limit(budget)
  const orders: Array<Operations> = []
  let refusal: Refusal | undefined
  let unknown: string | undefined
  const all = history.operations.length === 0 ? [] : parts(history.operations, specification)
  for (const operations of all) {
    limit.forget()
    // What comes after a prefix that is refused cannot be the culprit.
    const until = refusal?.culprit.returned ?? Infinity
    const outcome = checkPart(until === Infinity ? operations : prefix(operations, until), specification, limit)
    if (outcome._tag === "Violated") refusal = outcome
    else if (outcome._tag === "Unknown") unknown ??= outcome.reason
    else if (outcome.order !== undefined) orders.push(outcome.order)
  }
  if (refusal !== undefined) {
    const involved = [...new Set([refusal.culprit, ...refusal.operations])]
      .sort((a, b) => a.invoked - b.invoked)
      .map((operation) => ({ _tag: "Operation", operation }) as const)
    return {
      _tag: "Violated",
      model,
      culprit: { _tag: "Operation", operation: refusal.culprit },
      reason: refusal.reason,
      involved
    }
  }
  if (unknown !== undefined) return { _tag: "Unknown", model, reason: unknown }
  return all.length === 1 && orders.length === 1 ? { _tag: "Ok", model, order: orders[0]! } : { _tag: "Ok", model }
}

const checkPart = (operations: Operations, spec: Specification, limit: Limit): Outcome => {
  const sorted = table(operations, spec)
  if (sorted !== undefined) {
    const judgement = judge(sorted, Infinity, "told", limit)
    if (judgement._tag === "Ok") return judgement
    if (judgement._tag === "Violated") return explainPattern(sorted, operations, judgement.pattern, limit)
    if (limit.reason !== undefined) return { _tag: "Unknown", reason: limit.reason }
  }
  if (spec.collection?.kind === "queue") {
    const answer = judgeQueue(operations, spec.collection, limit)
    if (answer === "Ok") return { _tag: "Ok" }
    if (answer === "Unknown") return { _tag: "Unknown", reason: limit.reason! }
    if (answer === "Violated") return explainQueue(operations, spec.collection, limit)
  }
  const found = search(operations, spec, limit)
  return found._tag === "Violated" ? explainSearch(found, operations, spec, limit) : found
}

const completions = (operations: Operations): Operations =>
  operations.filter(({ returned }) => returned !== Infinity).toSorted((a, b) => a.returned - b.returned)

/** The events until a time, as a history: what ends later is open, and nothing is known of its result. */
const prefix = (operations: Operations, time: number): Operations =>
  operations
    .filter(({ invoked }) => invoked <= time)
    .map((operation) =>
      operation.returned <= time ? operation : { ...operation, output: undefined, returned: Infinity }
    )

/** The culprit by bisection, first with what pending removals took later: there is less to try. */
const explainPattern = (sorted: Table, operations: Operations, whole: Pattern, limit: Limit): Outcome => {
  const ends = completions(operations)
  const patternAt = (index: number, foresight: "told" | "untold") => {
    const judgement = judge(sorted, ends[index]!.returned, foresight, limit)
    return judgement._tag === "Violated" ? judgement.pattern : undefined
  }
  const told = earliest(0, ends.length - 1, (index) => patternAt(index, "told") !== undefined)
  const at = earliest(told, ends.length - 1, (index) => patternAt(index, "untold") !== undefined)
  const { reason, operations: shows } = patternAt(at, "untold") ?? patternAt(at, "told") ?? whole
  return { _tag: "Violated", culprit: ends[at]!, reason, operations: shows }
}

const explainQueue = (
  operations: Operations,
  collection: NonNullable<Specification["collection"]>,
  limit: Limit
): Outcome => {
  const ends = completions(operations)
  const isRefused = (index: number): boolean => {
    limit.forget()
    return judgeQueue(prefix(operations, ends[index]!.returned), collection, limit) === "Violated"
  }
  const culprit = ends[earliest(0, ends.length - 1, isRefused)]!
  const reason = `No order of what was added and removed until then explains ${Explain.operation(culprit)}.`
  return { _tag: "Violated", culprit, reason, operations: around(culprit, operations) }
}

/** What later completions told may have made the search refuse too early: then a longer prefix is looked for. */
const explainSearch = (
  found: Extract<Found, { _tag: "Violated" }>,
  operations: Operations,
  spec: Specification,
  limit: Limit
): Outcome => {
  const tells = (operation: Operation): boolean =>
    operation.invoked < found.culprit.returned &&
    operation.returned > found.culprit.returned &&
    (operation.output !== null || spec.isRead?.(operation) === true) &&
    spec.isRead?.({ ...operation, output: undefined }) !== true
  if (!operations.some(tells)) return refusalOf(found, found.culprit, operations)
  const ends = completions(operations)
  const searchAt = (index: number): Extract<Found, { _tag: "Violated" }> | undefined => {
    const again = search(prefix(operations, ends[index]!.returned), spec, limit)
    return again._tag === "Violated" ? again : undefined
  }
  const at = earliest(ends.indexOf(found.culprit), ends.length - 1, (index) => searchAt(index) !== undefined)
  return refusalOf(searchAt(at) ?? found, ends[at]!, operations)
}

const mostStates = 4

const refusalOf = (
  { states }: Extract<Found, { _tag: "Violated" }>,
  culprit: Operation,
  operations: Operations
): Outcome => {
  const names = Explain.few(states.map(Explain.state), mostStates)
  const could = states.length === 1 ? "the state can only have been" : "the state can only have been one of"
  return {
    _tag: "Violated",
    culprit,
    reason: `Before ${Explain.operation(culprit)} completed, ${could} ${names}.`,
    operations: around(culprit, operations)
  }
}

// More would crowd a picture.
const mostAround = 12

/** What overlaps an operation, and the last that ended before it. */
const around = (culprit: Operation, operations: Operations): Operations => {
  const overlapping = operations.filter(
    ({ invoked, returned }) => invoked < culprit.returned && returned > culprit.invoked
  )
  const before = operations
    .filter(({ returned }) => returned < culprit.invoked)
    .toSorted((a, b) => b.returned - a.returned)
    .slice(0, 2)
  return [...before, ...overlapping.slice(-mostAround)]
}
