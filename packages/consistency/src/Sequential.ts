/**
 * Sequential consistency: some order of all operations explains all results and keeps the order of each process.
 *
 * Real time does not matter, so a client may see what is old. It does not hold of a whole because it holds of its parts:
 * objects are checked together. To decide it is NP-complete (Taylor 1983; Gibbons & Korach 1997); what the budget does
 * not allow is `Unknown`. An operation that is open takes effect at any time after those before it in its process, or
 * never.
 *
 * @example
 * ```ts
 * import { History, Linearizable, Sequential, Specifications } from "@troupe/consistency"
 *
 * const { invoke, ok } = History
 * const history = History.make([
 *   invoke("alice", "write", 1),
 *   ok("alice", "write"),
 *   invoke("bob", "read"),
 *   ok("bob", "read", null)
 * ])
 * console.log(Linearizable.check(history, Specifications.register())._tag) // Violated
 * console.log(Sequential.check(history, Specifications.register())._tag) // Ok
 * ```
 *
 * Source: L. Lamport, "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs", IEEE
 * Transactions on Computers C-28(9), 1979.
 */

import * as Explain from "./Explain.ts"
import type { History, Operation } from "./History.ts"
import { Limit } from "./internal/Limit.ts"
import { earliest } from "./internal/linearizable/Prefix.ts"
import { together } from "./internal/Parts.ts"
import { needs, saturate, wasSeen, writes } from "./internal/sequential/Saturation.ts"
import { type Found, search } from "./internal/sequential/Search.ts"
import { lacks } from "./internal/sequential/Supply.ts"
import { sessions } from "./internal/sequential/Sessions.ts"
import { check as linearizable } from "./Linearizable.ts"
import type { Specification } from "./Specification.ts"
import type { Budget, Verdict } from "./Verdict.ts"

type Operations = ReadonlyArray<Operation>

/**
 * Whether the history is sequentially consistent. The culprit of one that is not is the first operation, in the order of
 * invocations, whose result cannot be explained together with those before it, whatever the later ones returned. The
 * history must have passed `Specifications.validate`.
 */
export const check = (history: History, specification: Specification, budget: Budget = {}): Verdict =>
  checkAs("sequential", history.operations, specification, new Limit(budget))

/** The same under another model's name. */
export const checkAs = (model: string, operations: Operations, spec: Specification, limit: Limit): Verdict => {
  if (isLinearizable(operations, spec, limit)) return { _tag: "Ok", model }
  const found = decide(operations, spec, limit)
  if (found._tag === "Ok") return { _tag: "Ok", model, order: found.order }
  if (found._tag === "Unknown") return { _tag: "Unknown", model, reason: found.reason }
  const culprit = culpritOf(operations, spec, limit.part(0.5))
  return {
    _tag: "Violated",
    model,
    culprit: { _tag: "Operation", operation: culprit },
    reason:
      `No order that keeps each process's own explains ${Explain.operation(culprit)} together with the results of what ` +
      `was invoked before it.`,
    involved: around(culprit, operations).map((operation) => ({ _tag: "Operation", operation }))
  }
}

// Of fewer operations the search is done soon.
const many = 64

/** What is linearizable is sequential, and that is mostly quick to see. */
const isLinearizable = (operations: Operations, spec: Specification, limit: Limit): boolean =>
  operations.length > many && linearizable({ operations }, spec, limit.part(0.1).budget)._tag === "Ok"

const decide = (operations: Operations, spec: Specification, limit: Limit): Found => {
  if (lacks(operations, spec)) return { _tag: "Violated" }
  const known = writes(operations, spec)
  const given = sessions(operations, spec, (operation) => known === undefined || wasSeen(known, operation))
  const order = known === undefined ? undefined : saturate(given, known, limit)
  if (order === "circular") return { _tag: "Violated" }
  const counts = order === undefined ? undefined : needs(order, given)
  const isOne = operations.every(({ key }) => key === undefined)
  return search(given, isOne ? spec : together(spec), counts, limit)
}

/** The history where only the results until an operation are known. */
const told = (operations: Operations, until: number): Operations =>
  operations.map((operation, at) => (at <= until ? operation : { ...operation, output: undefined }))

/** By bisection: with fewer results known, more can be explained. What cannot be told in time is taken for explained. */
const culpritOf = (operations: Operations, spec: Specification, limit: Limit): Operation => {
  const isRefused = (until: number): boolean => decide(told(operations, until), spec, limit)._tag === "Violated"
  return operations[earliest(0, operations.length - 1, isRefused)]!
}

/** What a picture shows: of each process, the last on the same object before the culprit, and those at the same time. */
const around = (culprit: Operation, operations: Operations): Operations => {
  const sameObject = operations.filter(({ key, id }) => key === culprit.key && id !== culprit.id)
  const lasts = new Map<string, Operation>()
  for (const operation of sameObject) if (operation.invoked < culprit.invoked) lasts.set(operation.process, operation)
  const others = sameObject.filter(
    ({ invoked, returned }) => invoked < culprit.returned && returned > culprit.invoked && returned !== Infinity
  )
  return [...new Set([...lasts.values(), ...others.slice(0, 8), culprit])].sort((a, b) => a.invoked - b.invoked)
}
