/** Numbers for the keys and values of a transactional history, and who wrote what. */
import type { Value } from "../../History.ts"
import type { Transaction, TransactionHistory } from "../../Transactions.ts"
import * as Interner from "../causal/Interner.ts"

/** Accesses by number: those of transaction `t` are `start[t]` up to `start[t + 1]`. */
export interface Numbers {
  readonly start: Int32Array
  readonly key: Int32Array
  readonly value: Int32Array
  readonly keys: number
  readonly values: Interner.Interner
  readonly written: Written
}

/** What is known of each value of each key that was written. */
export interface Written {
  /** The number of a key and value that were written, or -1. */
  find(key: number, value: number): number
  /** Who left that value there, by transaction: none, one, or several. */
  readonly finals: ReadonlyArray<ReadonlyArray<number>>
  readonly overwritten: ReadonlyArray<number>
  readonly aborted: ReadonlyArray<number>
}

const pairOf = (key: number, value: number): number => key * 2 ** 26 + value

export const number = ({ transactions }: TransactionHistory): Numbers => {
  const start = new Int32Array(transactions.length + 1)
  transactions.forEach(({ accesses }, t) => (start[t + 1] = start[t]! + accesses.length))
  const key = new Int32Array(start[transactions.length]!)
  const value = new Int32Array(key.length)
  const keys = new Map<string, number>()
  const values = Interner.make()
  let at = 0
  for (const { accesses } of transactions) {
    for (const access of accesses) {
      let number = keys.get(access.key)
      if (number === undefined) keys.set(access.key, (number = keys.size))
      key[at] = number
      value[at++] = values.add(access.value)
    }
  }
  return { start, key, value, keys: keys.size, values, written: writes(transactions, start, key, value, keys.size) }
}

export const nobody: ReadonlyArray<number> = []

const writes = (
  transactions: ReadonlyArray<Transaction>,
  start: Int32Array,
  key: Int32Array,
  value: Int32Array,
  keys: number
): Written => {
  const pairs = new Map<number, number>()
  const finals: Array<Array<number>> = []
  const overwritten: Array<number> = []
  const aborted: Array<number> = []
  const seen = new Int32Array(keys).fill(-1)
  for (let t = 0; t < transactions.length; t++) {
    const { accesses, status } = transactions[t]!
    for (let i = accesses.length - 1; i >= 0; i--) {
      if (accesses[i]!.kind === "read") continue
      const at = start[t]! + i
      const pairKey = pairOf(key[at]!, value[at]!)
      let pair = pairs.get(pairKey)
      if (pair === undefined) {
        pairs.set(pairKey, (pair = finals.length))
        finals.push([])
        overwritten.push(-1)
        aborted.push(-1)
      }
      if (status === "aborted") aborted[pair] = t
      else if (seen[key[at]!] === t) overwritten[pair] = t
      else finals[pair]!.push(t)
      seen[key[at]!] = t
    }
  }
  return { find: (k, v) => pairs.get(pairOf(k, v)) ?? -1, finals, overwritten, aborted }
}

/** The transactions that count: what committed, and what was seen by what counts. */
export const include = ({ transactions }: TransactionHistory, numbers: Numbers, initial: Value): Uint8Array => {
  const included = Uint8Array.from(transactions, ({ status }) => (status === "committed" ? 1 : 0))
  if (transactions.every(({ status }) => status !== "unknown")) return included
  const initialNumber = numbers.values.find(initial)
  const pending = transactions.flatMap(({ status }, t) => (status === "committed" ? [t] : []))
  for (let t = pending.pop(); t !== undefined; t = pending.pop()) {
    transactions[t]!.accesses.forEach(({ kind }, i) => {
      const at = numbers.start[t!]! + i
      if (kind === "write" || numbers.value[at] === initialNumber) return
      const pair = numbers.written.find(numbers.key[at]!, numbers.value[at]!)
      for (const source of pair === -1 ? nobody : numbers.written.finals[pair]!) {
        if (included[source] === 1) continue
        included[source] = 1
        pending.push(source)
      }
    })
  }
  return included
}
