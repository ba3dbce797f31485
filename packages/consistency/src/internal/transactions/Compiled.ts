/** A transactional history, compiled: numbers for transactions and keys, and who read from whom. */
import type { Value } from "../../History.ts"
import type { Transaction } from "../../Transactions.ts"
import type { Budget } from "../../Verdict.ts"
import type { Chains, Writers } from "../causal/Chains.ts"

export interface Options extends Budget {
  /** What every key holds at first. Default: `null`. */
  readonly initial?: Value
}

/** The source of a read of the initial value. */
export const initially = -1

/** Vertices are the transactions that committed, and those of unknown status whose writes were seen. */
export interface Compiled extends Chains {
  readonly transactions: ReadonlyArray<Transaction>
  readonly keys: number
  /** The one before it in its session, or -1. Nothing comes after one of unknown status: it may commit at any time. */
  readonly previous: Int32Array
  readonly isUnknown: Uint8Array
  /** Reads of what other transactions wrote, in program order: of a vertex `readStart[vertex]` up to `readStart[vertex + 1]`. */
  readonly readStart: Int32Array
  readonly reader: Int32Array
  readonly readKey: Int32Array
  readonly readSource: Int32Array
  readonly readAccess: Int32Array
  /** The keys that a vertex writes, ascending, each once. */
  readonly writeStart: Int32Array
  readonly writeKey: Int32Array
  readonly writers: Writers
}
