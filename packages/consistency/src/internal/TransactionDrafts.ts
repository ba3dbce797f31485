import type { Access, Transaction, TransactionHistory } from "../Transactions.ts"

/** A transaction while it is built. */
export interface TransactionDraft {
  readonly accesses: Array<Access>
  status: Transaction["status"]
  began: number | undefined
  ended: number | undefined
}

/** Gathers transactions in whatever order a file has them, and lists them session by session. */
export class TransactionDrafts {
  private readonly sessions = new Map<string, Array<TransactionDraft>>()

  /** The next transaction of a session. */
  add(session: string, status: Transaction["status"] = "committed"): TransactionDraft {
    const draft: TransactionDraft = { accesses: [], status, began: undefined, ended: undefined }
    const own = this.sessions.get(session)
    if (own === undefined) this.sessions.set(session, [draft])
    else own.push(draft)
    return draft
  }

  /** Sessions are numbered in the order of their first transactions. */
  finish(): TransactionHistory {
    const transactions: Array<Transaction> = []
    let session = 0
    for (const own of this.sessions.values()) {
      for (const { accesses, status, began, ended } of own) {
        transactions.push({
          id: transactions.length,
          session,
          accesses,
          status,
          ...(began !== undefined && { began }),
          ...(ended !== undefined && { ended })
        })
      }
      session++
    }
    return { transactions, sessions: session }
  }
}
