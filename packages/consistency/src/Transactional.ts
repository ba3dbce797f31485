/**
 * Isolation levels of transactional histories: read committed, read atomic, transactional causal consistency, snapshot
 * isolation, serializability and strict serializability, each stronger than the ones before.
 *
 * Each level says which commit orders explain a history: total orders of the committed transactions that extend session
 * order and reads-from, and in which a read is of a writer that no other writer of the key follows which the reader had to
 * know of (Biswas & Enea, "On the complexity of checking transactional consistency", OOPSLA 2019). Which those are is what
 * levels differ in:
 *
 * - **read committed**: those that the transaction had read from before;
 * - **read atomic**: those that it reads from, or follows in its session;
 * - **causal**: those in its causal past;
 * - **snapshot isolation**: those that committed before it started; and of two transactions that write a key, one starts
 *   after the other committed;
 * - **serializable**: those that committed before it;
 * - **strict serializable**: the same, where the order of commits keeps to real time as well.
 *
 * The first three take polynomial time: one pass adds the edges that a commit order must have, and the history is right if
 * they have no cycle (Møldrup & Pavlogiannis, "AWDIT: an optimal weak database isolation tester", PLDI 2025). The others
 * are NP-complete. What is forced is found first, and mostly suffices to refuse; then a commit order is searched for, within
 * the budget.
 *
 * At every level a read sees its own transaction's last write of the key, or else the last one of a transaction that
 * committed. A transaction of unknown status counts if somebody saw it, and may commit at any time. Values should be
 * written to a key once; where a value that was read was not, all ways to match it are tried, up to 65,536.
 *
 * @example
 * import { Transactional, Transactions } from "@troupe/consistency"
 *
 * // Two doctors go off duty, each as the other seems to stay: write skew.
 * const history = Transactions.make([
 *   [[["r", "alice", null], ["r", "bob", null], ["w", "alice", "off"]]],
 *   [[["r", "alice", null], ["r", "bob", null], ["w", "bob", "off"]]]
 * ])
 * console.log(Transactional.checkSnapshotIsolation(history)._tag) // Ok
 * console.log(Transactional.checkSerializable(history)._tag) // Violated
 */
import type { Compiled, Options } from "./internal/transactions/Compiled.ts"
import { label } from "./internal/transactions/Describe.ts"
import { addRealTime, timeless } from "./internal/transactions/RealTime.ts"
import { resolve } from "./internal/transactions/Resolve.ts"
import { saturate } from "./internal/transactions/Saturation.ts"
import { search } from "./internal/transactions/Search.ts"
import { separate, split } from "./internal/transactions/Snapshot.ts"
import * as Weak from "./internal/transactions/Weak.ts"
import type { TransactionHistory } from "./Transactions.ts"
import type { Verdict } from "./Verdict.ts"

export { type Options } from "./internal/transactions/Compiled.ts"

export const checkReadCommitted = (history: TransactionHistory, options: Options = {}): Verdict =>
  resolve(history, options, "read-committed", Weak.readCommitted)

export const checkReadAtomic = (history: TransactionHistory, options: Options = {}): Verdict =>
  resolve(history, options, "read-atomic", Weak.readAtomic)

export const checkCausal = (history: TransactionHistory, options: Options = {}): Verdict =>
  resolve(history, options, "transactional-causal", (compiled) =>
    Weak.causal("transactional-causal", compiled, options)
  )

export const checkSnapshotIsolation = (history: TransactionHistory, options: Options = {}): Verdict => {
  const model = "snapshot-isolation"
  return resolve(history, options, model, (compiled) => {
    const causal = Weak.causal(model, compiled, options)
    if (causal._tag !== "Ok") return causal
    // Most histories of sound stores are serializable as well, and that takes a search of half the depth.
    const half = { ...options, millis: (options.millis ?? 60_000) / 2 }
    if (serializable("serializable", compiled, half)._tag === "Ok") return { _tag: "Ok", model }
    const parts = split(compiled)
    const graph = Weak.baseGraph(parts)
    const forced = saturate(model, parts, graph, half, (clock) => separate(parts, graph, clock))
    return forced ?? search(model, parts, graph, true, half)
  })
}

export const checkSerializable = (history: TransactionHistory, options: Options = {}): Verdict =>
  resolve(history, options, "serializable", (compiled) => serializable("serializable", compiled, options))

/** Needs to know when transactions began and ended; of a history that does not, the verdict is `Unknown`. */
export const checkStrictSerializable = (history: TransactionHistory, options: Options = {}): Verdict => {
  const model = "strict-serializable"
  return resolve(history, options, model, (compiled) => {
    const without = timeless(compiled)
    if (without === -1) return serializable(model, compiled, options)
    const reason = `it is not known when ${label(compiled.transactions[without]!)} began and ended: verify this history as serializable`
    return { _tag: "Unknown", model, reason }
  })
}

const serializable = (model: "serializable" | "strict-serializable", compiled: Compiled, options: Options): Verdict => {
  // A refusal that a weaker level explains is the simpler one.
  const causal = Weak.causal(model, compiled, options)
  if (causal._tag !== "Ok") return causal
  const graph = Weak.baseGraph(compiled)
  if (model === "strict-serializable") addRealTime(compiled, graph)
  return saturate(model, compiled, graph, options) ?? search(model, compiled, graph, false, options)
}
