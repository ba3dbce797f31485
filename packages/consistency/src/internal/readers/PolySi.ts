import type { Reading } from "../../Reader.ts"
import type { TransactionHistory } from "../../Transactions.ts"
import { lines, malformedLine, scalar, type Source } from "../Source.ts"
import { type TransactionDraft, TransactionDrafts } from "../TransactionDrafts.ts"

const pattern = /^([rw])\s*\(\s*([^\s,()]+)\s*,\s*([^\s,()]+)\s*,\s*(-?\d+)\s*,\s*(-?\d+)\s*\)$/

export const isPolySiLine = (line: string): boolean => /^[rw]\s*\(/.test(line)

/** The number of the transaction that writes are of which were aborted. */
const aborted = "-1"

/**
 * The text that PolySI and Plume share: `r(key,value,session,transaction)`, `w(…)`, a line each. A key is 0 before it is
 * written; transaction -1 holds what was written and aborted. A session's transactions come in its order.
 *
 * @see https://github.com/amnore/PolySI
 */
export const readPolySi = (source: Source): Reading => {
  const transactions = new TransactionDrafts()
  const known = new Map<string, TransactionDraft>()
  for (const line of lines(source.text)) {
    const [, kind, key, value, session, number] = pattern.exec(line.text) ?? []
    if (key === undefined || value === undefined || session === undefined) {
      throw malformedLine(source, line, `"r(key,value,session,transaction)" or "w(…)", session and transaction numbers`)
    }
    const isAborted = number === aborted
    if (isAborted && kind === "r") continue
    const name = `${session},${number}`
    let transaction = known.get(name)
    if (transaction === undefined) {
      transaction = transactions.add(session, isAborted ? "aborted" : "committed")
      known.set(name, transaction)
    }
    transaction.accesses.push({ kind: kind === "r" ? "read" : "write", key, value: scalar(value), line: line.number })
  }
  return { _tag: "Transactions", format: "polysi", history: withInitialReads(transactions.finish()) }
}

/** A 0 that nobody wrote is what was there at first. */
const withInitialReads = (history: TransactionHistory): TransactionHistory => {
  const zeros = new Set<string>()
  for (const { accesses } of history.transactions) {
    for (const { kind, key, value } of accesses) if (kind === "write" && value === 0) zeros.add(key)
  }
  const transactions = history.transactions.map((transaction) => ({
    ...transaction,
    accesses: transaction.accesses.map((access) =>
      access.kind === "read" && access.value === 0 && !zeros.has(access.key) ? { ...access, value: null } : access
    )
  }))
  return { ...history, transactions }
}
