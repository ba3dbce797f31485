import type { Reading } from "../../Reader.ts"
import { lines, malformedLine, scalar, type Source } from "../Source.ts"
import { type TransactionDraft, TransactionDrafts } from "../TransactionDrafts.ts"

const accessPattern = /^([rw])\s+(\S+)\s+(\S+)$/
const sessionRule = /^={3,}$/
const transactionRule = /^-{3,}$/

export const isAwditLine = (line: string): boolean =>
  accessPattern.test(line) || sessionRule.test(line) || transactionRule.test(line)

/**
 * Accesses `r key value` and `w key value`, a line each; lines of `---` between transactions, of `===` between sessions.
 * Between two rules there may be nothing.
 */
export const readAwdit = (source: Source): Reading => {
  const transactions = new TransactionDrafts()
  let session = 0
  let transaction: TransactionDraft | undefined
  for (const line of lines(source.text)) {
    const { text } = line
    if (text.startsWith("#")) continue
    const [, kind, key, value] = accessPattern.exec(text) ?? []
    if (key !== undefined && value !== undefined) {
      transaction ??= transactions.add(`${session}`)
      transaction.accesses.push({ kind: kind === "r" ? "read" : "write", key, value: scalar(value), line: line.number })
    } else if (sessionRule.test(text)) {
      session++
      transaction = undefined
    } else if (transactionRule.test(text)) transaction = undefined
    else throw malformedLine(source, line, `"r key value", "w key value", or a rule of at least three "-" or "="`)
  }
  return { _tag: "Transactions", format: "awdit", history: transactions.finish() }
}
