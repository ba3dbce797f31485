/**
 * What no isolation level allows, one transaction by itself or beside those whose values it reads (Biswas & Enea, OOPSLA
 * 2019; Møldrup & Pavlogiannis, PLDI 2025): values that nobody wrote, or only an aborted transaction, or that their writer
 * overwrote itself; and reads that do not see their own transaction's last write.
 */
import type { Access, Transaction } from "../../Transactions.ts"
import type { Verdict } from "../../Verdict.ts"
import { describeAccess, label } from "./Describe.ts"
import type { Written } from "./Numbers.ts"

export const refuse = (
  model: string,
  transaction: Transaction,
  access: number,
  { other, reason }: { readonly reason: string; readonly other?: Transaction }
): Verdict => {
  const culprit = { _tag: "Transaction", transaction, access } as const
  const involved = other === undefined ? [culprit] : [{ _tag: "Transaction", transaction: other } as const, culprit]
  return { _tag: "Violated", model, culprit, reason, involved }
}

export const ownRead = (transaction: Transaction, read: number): { readonly reason: string } => {
  const access = transaction.accesses[read]!
  const same = ({ key, kind }: Access): boolean => kind === "write" && key === access.key
  const before = transaction.accesses.slice(0, read).filter(same)
  const stale = before.some(({ value }) => JSON.stringify(value) === JSON.stringify(access.value))
  const name = stale ? "NotMyLastWrite" : "NotMyOwnWrite"
  const own = describeAccess(before.at(-1)!)
  return {
    reason: `${name}: ${label(transaction)} ${describeAccess(access)} after it ${own.replace("writes", "wrote")} itself.`
  }
}

export const outsideRead = (
  all: ReadonlyArray<Transaction>,
  { aborted, finals, overwritten }: Written,
  pair: number,
  t: number,
  read: number
): { readonly reason: string; readonly other?: Transaction } => {
  const what = `${label(all[t]!)} ${describeAccess(all[t]!.accesses[read]!)}`
  if (pair === -1) return { reason: `ThinAirRead: ${what}, a value that nobody wrote.` }
  if (finals[pair]!.length > 0 || overwritten[pair] === t) {
    return { reason: `FutureRead: ${what}, which it writes itself only later.` }
  }
  const other = all[overwritten[pair] === -1 ? aborted[pair]! : overwritten[pair]!]!
  return overwritten[pair] === -1
    ? { other, reason: `AbortedRead: ${what}, which only ${label(other)} wrote, and that was aborted.` }
    : { other, reason: `IntermediateRead: ${what}, which ${label(other)} wrote and overwrote itself.` }
}
