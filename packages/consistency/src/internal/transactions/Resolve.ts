/** Compiles a transactional history, and has it decided. */
import type { Value } from "../../History.ts"
import type { Transaction, TransactionHistory } from "../../Transactions.ts"
import type { Verdict } from "../../Verdict.ts"
import { type Chains, writers } from "../causal/Chains.ts"
import { type Ambiguous, decideAll } from "../causal/Ways.ts"
import { type Compiled, initially, type Options } from "./Compiled.ts"
import { include, nobody, number, type Numbers } from "./Numbers.ts"
import { outsideRead, ownRead, refuse } from "./ReadRules.ts"

/** Decides a history: compiles it, and asks `decide` for each way to match reads with writes of equal value. */
export const resolve = (
  history: TransactionHistory,
  options: Options,
  model: string,
  decide: (compiled: Compiled) => Verdict
): Verdict => {
  const numbers = number(history)
  const included = include(history, numbers, options.initial ?? null)
  const result = compile(history, numbers, included, options.initial ?? null, model)
  if ("_tag" in result) return result
  const { ambiguous, compiled } = result
  const verdict = decideAll(model, options, ambiguous, compiled.readSource, () => decide(compiled))
  const open = ambiguous.some(({ candidates }) => candidates.some((vertex) => compiled.isUnknown[vertex] === 1))
  if (verdict._tag === "Violated" && open) {
    const reason = `a value that was read was written more than once, also by a transaction of which it is unknown whether it committed`
    return { _tag: "Unknown", model, reason }
  }
  return verdict
}

const compile = (
  { transactions: all }: TransactionHistory,
  numbers: Numbers,
  included: Uint8Array,
  initial: Value,
  model: string
): { readonly compiled: Compiled; readonly ambiguous: ReadonlyArray<Ambiguous> } | Verdict => {
  const ids = all.flatMap((_, t) => (included[t] === 1 ? [t] : [])).sort((a, b) => all[a]!.session - all[b]!.session)
  const vertexOf = new Int32Array(all.length).fill(-1)
  ids.forEach((t, vertex) => (vertexOf[t] = vertex))
  const arranged = arrange(ids.map((t) => all[t]!))
  const size = ids.length
  const readStart = new Int32Array(size + 1)
  const [reader, readKey, readSource, readAccess] = [0, 1, 2, 3].map(() => new Int32Array(numbers.key.length)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array
  ]
  const writeStart = new Int32Array(size + 1)
  const writeKey = new Int32Array(numbers.key.length)
  const ambiguous: Array<Ambiguous> = []
  const initialNumber = numbers.values.find(initial)
  const ownWriter = new Int32Array(numbers.keys).fill(-1)
  const ownValue = new Int32Array(numbers.keys)
  let reads = 0
  let writesSoFar = 0
  for (let vertex = 0; vertex < size; vertex++) {
    const t = ids[vertex]!
    const { accesses } = all[t]!
    for (let i = 0; i < accesses.length; i++) {
      const at = numbers.start[t]! + i
      const key = numbers.key[at]!
      if (accesses[i]!.kind === "write") {
        if (ownWriter[key] !== vertex) writeKey[writesSoFar++] = key
        ownWriter[key] = vertex
        ownValue[key] = numbers.value[at]!
        continue
      }
      if (ownWriter[key] === vertex) {
        if (ownValue[key] === numbers.value[at]) continue
        return refuse(model, all[t]!, i, ownRead(all[t]!, i))
      }
      const pair = numbers.written.find(key, numbers.value[at]!)
      const found = pair === -1 ? nobody : numbers.written.finals[pair]!
      const isInitial = numbers.value[at] === initialNumber
      let source = isInitial ? initially : -2
      if (found.length === 1 && !isInitial && found[0] !== t) source = vertexOf[found[0]!]!
      else if (found.length > 0) {
        const candidates = found.filter((writer) => writer !== t).map((writer) => vertexOf[writer]!)
        if (isInitial) candidates.unshift(initially)
        if (candidates.length > 1) ambiguous.push({ read: reads, candidates })
        source = candidates[0] ?? -2
      }
      if (source === -2) return refuse(model, all[t]!, i, outsideRead(all, numbers.written, pair, t, i))
      reader[reads] = vertex
      readKey[reads] = key
      readSource[reads] = source
      readAccess[reads++] = i
    }
    readStart[vertex + 1] = reads
    writeStart[vertex + 1] = writesSoFar
    writeKey.subarray(writeStart[vertex], writesSoFar).sort()
  }
  const vertices = new Int32Array(writesSoFar)
  for (let vertex = 0; vertex < size; vertex++) vertices.fill(vertex, writeStart[vertex], writeStart[vertex + 1])
  const compiled: Compiled = {
    ...arranged,
    keys: numbers.keys,
    readStart,
    reader: reader.subarray(0, reads),
    readKey,
    readSource,
    readAccess,
    writeStart,
    writeKey,
    writers: writers(arranged, numbers.keys, ...byChain(arranged, writeKey.subarray(0, writesSoFar), vertices))
  }
  return { compiled, ambiguous }
}

/** Writes in the order of chains: those of unknown status stand in chains of their own, after the sessions. */
const byChain = (chains: Chains, key: Int32Array, vertex: Int32Array): [Int32Array, Int32Array] => {
  const order = new Int32Array(key.length).map((_, i) => i)
  order.sort((a, b) => chains.chain[vertex[a]!]! - chains.chain[vertex[b]!]! || a - b)
  return [order.map((i) => key[i]!), order.map((i) => vertex[i]!)]
}

const arrange = (
  transactions: ReadonlyArray<Transaction>
): Pick<Compiled, "transactions" | "previous" | "isUnknown" | keyof Chains> => {
  const size = transactions.length
  const [chain, position, previous] = [0, 1, 2].map(() => new Int32Array(size)) as [Int32Array, Int32Array, Int32Array]
  const isUnknown = new Uint8Array(size)
  const sessions = new Map<number, number>()
  for (const { session } of transactions) if (!sessions.has(session)) sessions.set(session, sessions.size)
  const last: Array<number> = Array.from({ length: sessions.size }, () => -1)
  let count = sessions.size
  for (let vertex = 0; vertex < size; vertex++) {
    const session = sessions.get(transactions[vertex]!.session)!
    previous[vertex] = last[session]!
    if (transactions[vertex]!.status === "unknown") {
      isUnknown[vertex] = 1
      chain[vertex] = count++
      continue
    }
    chain[vertex] = session
    position[vertex] = last[session] === -1 ? 0 : position[last[session]!]! + 1
    last[session] = vertex
  }
  return { size, count, chain, position, transactions, previous, isUnknown }
}
