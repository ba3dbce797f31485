/** Transactional histories: what transactions read and wrote, session by session. */
import type { Value } from "./History.ts"

/** One read or write of a transaction. */
export interface Access {
  readonly kind: "read" | "write"
  readonly key: string
  /** Read or written; `null` is what is read where nothing was written yet. */
  readonly value: Value
  readonly line?: number
}

export interface Transaction {
  /** Its index in `TransactionHistory.transactions`. */
  readonly id: number
  readonly session: number
  /** In program order. */
  readonly accesses: ReadonlyArray<Access>
  /** Of an aborted transaction nobody may see anything; of an `unknown` one somebody may. */
  readonly status: "committed" | "aborted" | "unknown"
  /** Places in real time, where the history has them: needed for strict serializability. */
  readonly began?: number
  readonly ended?: number
}

export interface TransactionHistory {
  /** Session by session, in the order of each session. */
  readonly transactions: ReadonlyArray<Transaction>
  readonly sessions: number
}
