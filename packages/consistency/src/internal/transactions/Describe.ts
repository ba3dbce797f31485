/** Transactions, accesses and edges between transactions, in words. */
import type { Access, Transaction } from "../../Transactions.ts"
import type { Culprit, Verdict } from "../../Verdict.ts"
import { type Edge, Kind } from "../causal/Digraph.ts"
import { type Compiled, initially } from "./Compiled.ts"

export const name = ({ id }: Transaction): string => `T${id}`

export const label = (transaction: Transaction): string => `${name(transaction)} (session ${transaction.session})`

export const describeAccess = ({ key, kind, line, value }: Access): string =>
  `${kind}s ${key}=${JSON.stringify(value)}${line === undefined ? "" : ` (line ${line})`}`

/** "T5 (session 2) reads x=3 (line 9) from T1" */
export const describeRead = ({ reader, readAccess, readSource, transactions }: Compiled, read: number): string => {
  const transaction = transactions[reader[read]!]!
  const source = readSource[read]!
  const from = source === initially ? ", the initial value" : ` from ${name(transactions[source]!)}`
  return `${label(transaction)} ${describeAccess(transaction.accesses[readAccess[read]!]!)}${from}`
}

const keyOf = ({ reader, readAccess, transactions }: Compiled, read: number): string =>
  transactions[reader[read]!]!.accesses[readAccess[read]!]!.key

/** How the reader of a write came to know of the one before it: "having read from T2". */
export type Saw = (transaction: string) => string

const words = (compiled: Compiled, edge: Edge, saw: Saw): string => {
  switch (edge.kind) {
    case Kind.Program:
      return "then"
    case Kind.ReadsFrom:
      return `${keyOf(compiled, edge.why)} read by`
    case Kind.AntiDependency:
      return `read ${keyOf(compiled, edge.why)} before it was written by`
    case Kind.RealTime:
      return "ended before"
    case Kind.Conflict:
      return "wrote a key before"
    default:
      return `wrote ${keyOf(compiled, edge.why)} before, as ${describeRead(compiled, edge.why)} ${saw(name(compiled.transactions[edge.from]!))}`
  }
}

/** Where a transaction is two vertices, what leads from the one to the other goes without saying. */
export const chain = (compiled: Compiled, path: ReadonlyArray<Edge>, saw: Saw): string => {
  const edges = path.filter(({ from, to }) => compiled.transactions[from] !== compiled.transactions[to])
  return edges.reduce(
    (text, edge) => `${text} —${words(compiled, edge, saw)}→ ${name(compiled.transactions[edge.to]!)}`,
    name(compiled.transactions[edges[0]!.from]!)
  )
}

/** @param read at fault */
export const violated = (
  compiled: Compiled,
  model: string,
  read: number,
  reason: string,
  edges: ReadonlyArray<Edge>,
  others: ReadonlyArray<number> = []
): Verdict => {
  const { reader, readAccess, transactions } = compiled
  const at = transactions[reader[read]!]!
  const involved = new Set([at, ...others.map((vertex) => transactions[vertex]!)])
  for (const edge of edges) {
    involved.add(transactions[edge.from]!).add(transactions[edge.to]!)
    if (edge.why >= 0) involved.add(transactions[reader[edge.why]!]!)
  }
  const asCulprit = (transaction: Transaction): Culprit =>
    transaction === at
      ? { _tag: "Transaction", transaction, access: readAccess[read]! }
      : { _tag: "Transaction", transaction }
  return {
    _tag: "Violated",
    model,
    culprit: asCulprit(at),
    reason,
    involved: [...involved].toSorted((a, b) => a.id - b.id).map(asCulprit)
  }
}

/** What a cycle is blamed on: the last read that it rests on. */
export const lastRead = (edges: ReadonlyArray<Edge>): number => Math.max(...edges.map(({ why }) => why))
