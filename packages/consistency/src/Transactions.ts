/** Transactional histories: what transactions read and wrote, session by session. */
import type { Value } from "./History.ts"
import { TransactionDrafts } from "./internal/TransactionDrafts.ts"

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

/** What `make` takes: `["w", "x", 1]`, `["r", "x", null]`. */
export type AccessTuple = readonly [kind: "r" | "w", key: string, value: Value]

/**
 * A history by hand: sessions of committed transactions of accesses.
 *
 * @example
 * import { Transactions } from "@troupe/consistency"
 *
 * const history = Transactions.make([
 *   [[["w", "x", 1]], [["w", "y", 1]]],
 *   [[["r", "y", 1], ["r", "x", null]]]
 * ])
 * console.log(history.sessions, history.transactions.length) // 2 3
 */
export const make = (sessions: ReadonlyArray<ReadonlyArray<ReadonlyArray<AccessTuple>>>): TransactionHistory => {
  const drafts = new TransactionDrafts()
  sessions.forEach((transactions, session) => {
    for (const accesses of transactions) {
      const draft = drafts.add(`${session}`)
      for (const [kind, key, value] of accesses) {
        draft.accesses.push({ kind: kind === "r" ? "read" : "write", key, value })
      }
    }
  })
  return drafts.finish()
}

/** A line a transaction, with a line's end after each, as the reader for NDJSON takes them. */
export const toNdjson = (history: TransactionHistory): string =>
  history.transactions
    .map(({ session, accesses, status, began, ended }) => {
      const tuples = accesses.map(({ kind, key, value }): AccessTuple => [kind === "read" ? "r" : "w", key, value])
      return `${JSON.stringify({ session, accesses: tuples, status, began, ended })}\n`
    })
    .join("")
