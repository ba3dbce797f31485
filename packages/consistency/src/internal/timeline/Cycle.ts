/** What must come before what among a few transactions, and a cycle of it where there is one. */
import type { Access, Transaction } from "../../Transactions.ts"

export interface Edge {
  readonly from: Transaction
  readonly to: Transaction
  /** In one session; read from; overwritten after it was read; or written before, as a reader of both shows. */
  readonly kind: "session" | "reads" | "overwrites" | "before"
  /** Of a read: the indexes of the write and of the read. */
  readonly write?: number
  readonly read?: number
}

/** A value is read from the last write of it. */
export const readsFrom = (transactions: ReadonlyArray<Transaction>): ReadonlyArray<Edge> => {
  const writes = new Map<string, { readonly from: Transaction; readonly write: number }>()
  for (const from of transactions) {
    for (const [write, access] of from.accesses.entries()) {
      if (access.kind === "write") writes.set(version(access), { from, write })
    }
  }
  return transactions.flatMap((to) =>
    to.accesses.flatMap((access, read) => {
      const source = access.kind === "read" ? writes.get(version(access)) : undefined
      return source === undefined || source.from === to ? [] : [{ ...source, to, kind: "reads" as const, read }]
    })
  )
}

const version = ({ key, value }: Access): string => JSON.stringify([key, value])

/** The edges of a shortest cycle: of sessions and reads alone if that is one, else of what they imply as well. */
export const cycle = (transactions: ReadonlyArray<Transaction>): ReadonlyArray<Edge> => {
  const reads = readsFrom(transactions)
  const known = [...sessions(transactions), ...reads]
  const isBefore = reachability(known)
  const implied = transactions.flatMap((reader) =>
    reader.accesses.flatMap((access) =>
      access.kind === "write" ? [] : impliedBy(reader, access, transactions, reads, isBefore)
    )
  )
  const before = implied.filter(({ kind }) => kind === "before")
  for (const edges of [known, [...known, ...before], [...known, ...implied]]) {
    const found = shortest(transactions, edges)
    if (found.length > 0) return found
  }
  return []
}

/**
 * The given transactions, with those by way of which one of them knows of another: what a picture of them needs. Ways of
 * more than eight steps are left out.
 */
export const connected = (
  all: ReadonlyArray<Transaction>,
  given: ReadonlyArray<Transaction>
): ReadonlyArray<Transaction> => {
  const next = Map.groupBy(readsFrom(all), ({ from }) => from)
  const after = new Map<Transaction, Transaction>()
  const latest = new Map<number, Transaction>()
  for (const one of all) {
    const before = latest.get(one.session)
    if (before !== undefined) after.set(before, one)
    latest.set(one.session, one)
  }
  const found = new Set(given)
  for (const start of given) {
    const cameFrom = new Map<Transaction, { readonly one: Transaction; readonly steps: number }>()
    const queue = [{ one: start, steps: 0 }]
    for (const { one, steps } of queue) {
      if (steps >= 8) break
      const following = [after.get(one) ?? [], (next.get(one) ?? []).map(({ to }) => to)].flat()
      for (const other of following) {
        if (cameFrom.has(other)) continue
        cameFrom.set(other, { one, steps: steps + 1 })
        queue.push({ one: other, steps: steps + 1 })
      }
    }
    for (const end of given) {
      for (let at = cameFrom.get(end)?.one; at !== undefined && at !== start; at = cameFrom.get(at)?.one) found.add(at)
    }
  }
  return [...found].sort((a, b) => a.id - b.id)
}

const sessions = (transactions: ReadonlyArray<Transaction>): ReadonlyArray<Edge> =>
  transactions.flatMap((from) =>
    transactions
      .filter((to) => to.session === from.session && to.id > from.id)
      .map((to) => ({ from, to, kind: "session" as const }))
  )

/**
 * Another write of what was read: if the reader knew of it, it came before the write that was read; if it knew of the
 * write that was read, or nothing was written when it was read, the reader came before it.
 */
const impliedBy = (
  reader: Transaction,
  access: Access,
  transactions: ReadonlyArray<Transaction>,
  reads: ReadonlyArray<Edge>,
  isBefore: (a: Transaction, b: Transaction) => boolean
): ReadonlyArray<Edge> => {
  const source = reads.find(({ read, to }) => to === reader && reader.accesses[read!] === access)?.from
  if (source === undefined && access.value !== null) return []
  return transactions.flatMap((other): ReadonlyArray<Edge> => {
    const writes = other.accesses.some(({ key, kind }) => kind === "write" && key === access.key)
    if (!writes || other === reader || other === source) return []
    const edges: Array<Edge> = []
    if (source === undefined || isBefore(source, other)) edges.push({ from: reader, to: other, kind: "overwrites" })
    if (source !== undefined && isBefore(other, reader)) edges.push({ from: other, to: source, kind: "before" })
    return edges
  })
}

const reachability = (edges: ReadonlyArray<Edge>): ((a: Transaction, b: Transaction) => boolean) => {
  const next = Map.groupBy(edges, ({ from }) => from)
  return (a, b) => {
    const seen = new Set([a])
    for (const one of seen) {
      for (const { to } of next.get(one) ?? []) {
        if (to === b) return true
        seen.add(to)
      }
    }
    return false
  }
}

const shortest = (transactions: ReadonlyArray<Transaction>, edges: ReadonlyArray<Edge>): ReadonlyArray<Edge> => {
  const next = Map.groupBy(edges, ({ from }) => from)
  let best: ReadonlyArray<Edge> = []
  for (const start of transactions) {
    const cameBy = new Map<Transaction, Edge>()
    const queue = [start]
    for (const one of queue) {
      for (const edge of next.get(one) ?? []) {
        if (cameBy.has(edge.to)) continue
        cameBy.set(edge.to, edge)
        queue.push(edge.to)
      }
    }
    const path: Array<Edge> = []
    for (let edge = cameBy.get(start); edge !== undefined; edge = cameBy.get(edge.from)) {
      path.unshift(edge)
      if (edge.from === start) break
    }
    if (path.length > 0 && (best.length === 0 || path.length < best.length)) best = path
  }
  return best
}
