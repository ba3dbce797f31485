/**
 * The resource that the lock guards: accounts, and the highest fencing token seen.
 *
 * It trusts no lock. A write with a token lower than one seen comes from a holder that has been overtaken, and is
 * refused. A transfer is applied once: submitted again, under a new token, it changes nothing.
 */
import type { LamportTimestamp } from "@troupe/clocks"
import type { FencingToken } from "@troupe/mutex"
import type { Transfer } from "./Transfer.ts"

export interface Entry {
  readonly token: FencingToken
  readonly node: string
  readonly transfer: Transfer
  /** The holder's Lamport time when it sent the write, and the ledger's when it took it. */
  readonly sent: LamportTimestamp.LamportTimestamp
  readonly taken: LamportTimestamp.LamportTimestamp
  readonly outcome: "applied" | "declined" | "repeated"
}

export interface Ledger {
  readonly balances: Map<string, number>
  /** The outcome of each transfer by its id. */
  readonly outcomes: Map<string, "applied" | "declined">
  readonly entries: Array<Entry>
  /** Writes refused, with the token that they carried. */
  readonly refused: Array<{ readonly token: FencingToken; readonly highest: FencingToken; readonly node: string }>
}

export const make = (transfers: ReadonlyArray<Transfer>, openingCents: number): Ledger => ({
  balances: new Map(
    transfers.flatMap(({ from, to }) => [
      [from, openingCents],
      [to, openingCents]
    ])
  ),
  outcomes: new Map(),
  entries: [],
  refused: []
})

export const total = (ledger: Ledger): number => {
  let sum = 0
  for (const balance of ledger.balances.values()) sum += balance
  return sum
}

export const highestToken = (ledger: Ledger): FencingToken => ledger.entries.at(-1)?.token ?? -1

/** Applies a write under its token. A repeated message, with the token and transfer of the latest entry, is one write. */
export const apply = (ledger: Ledger, write: Omit<Entry, "outcome">): Entry["outcome"] | "refused" => {
  const { node, token, transfer } = write
  const latest = ledger.entries.at(-1)
  if (latest !== undefined && token <= latest.token) {
    if (token === latest.token && transfer.id === latest.transfer.id) return latest.outcome
    ledger.refused.push({ token, highest: latest.token, node })
    return "refused"
  }
  const outcome = ledger.outcomes.has(transfer.id) ? "repeated" : move(ledger, transfer)
  if (outcome !== "repeated") ledger.outcomes.set(transfer.id, outcome)
  ledger.entries.push({ ...write, outcome })
  return outcome
}

const move = (ledger: Ledger, { amount, from, to }: Transfer): "applied" | "declined" => {
  const available = ledger.balances.get(from) ?? 0
  if (available < amount) return "declined"
  ledger.balances.set(from, available - amount)
  ledger.balances.set(to, (ledger.balances.get(to) ?? 0) + amount)
  return "applied"
}
