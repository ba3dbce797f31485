/**
 * Read committed, read atomic and transactional causal consistency, in one pass each.
 *
 * Each level says of a transaction that reads x from a writer which other writers of x it knows of; these must have
 * committed before that writer (Biswas & Enea, OOPSLA 2019). Knowing means: having read from it earlier (read committed);
 * having read from it, or following it in the session (read atomic); having it in the causal past (causal). Only as many
 * of these edges as others follow from are added, as in AWDIT (Møldrup & Pavlogiannis, PLDI 2025). The history is right
 * exactly if the graph of them, of session order and of reads-from has no cycle.
 */
import type { Verdict } from "../../Verdict.ts"
import { clockBytes, clocks, lastKnown, precedes } from "../causal/Chains.ts"
import * as Deadline from "../causal/Deadline.ts"
import { Digraph, type Edge, Kind } from "../causal/Digraph.ts"
import { type Compiled, initially, type Options } from "./Compiled.ts"
import { chain, describeRead, label, lastRead, name, type Saw, violated } from "./Describe.ts"

/** Session order and reads-from. */
export const baseGraph = ({ previous, readSource, readStart, size }: Compiled): Digraph => {
  const graph = new Digraph(size)
  const lastReader = new Int32Array(size).fill(-1)
  for (let vertex = 0; vertex < size; vertex++) {
    if (previous[vertex]! >= 0) graph.add(previous[vertex]!, vertex, Kind.Program, -1)
    for (let read = readStart[vertex]!; read < readStart[vertex + 1]!; read++) {
      const source = readSource[read]!
      if (source === initially || lastReader[source] === vertex) continue
      lastReader[source] = vertex
      graph.add(source, vertex, Kind.ReadsFrom, read)
    }
  }
  return graph
}

const writes = ({ writeKey, writeStart }: Compiled, vertex: number, key: number): boolean => {
  let low = writeStart[vertex]!
  let high = writeStart[vertex + 1]!
  while (low < high) {
    const middle = (low + high) >>> 1
    if (writeKey[middle]! < key) low = middle + 1
    else high = middle
  }
  return low < writeStart[vertex + 1]! && writeKey[low] === key
}

/** A transaction knows of one that wrote what it reads the initial value of. */
interface Initial {
  readonly writer: number
  readonly read: number
}

const verdict = (model: string, compiled: Compiled, graph: Digraph, saw: Saw): Verdict => {
  if (graph.order() !== undefined) return { _tag: "Ok", model }
  const cycle = graph.shortestCycle()!
  const isCausal = cycle.every(({ kind }) => kind === Kind.Program || kind === Kind.ReadsFrom)
  const reason = isCausal
    ? `CausalCycle: a transaction comes before itself in causal order: ${chain(compiled, cycle, saw)}.`
    : `CommitOrderCycle: ${describeRead(compiled, lastRead(cycle))}, and no commit order allows that: ${chain(compiled, cycle, saw)}.`
  return violated(compiled, model, lastRead(cycle), reason, cycle)
}

const initialRead = (
  model: string,
  compiled: Compiled,
  { read, writer }: Initial,
  saw: Saw,
  edges: ReadonlyArray<Edge> = []
): Verdict => {
  const other = name(compiled.transactions[writer]!)
  const path = edges.length === 0 ? "" : `: ${chain(compiled, edges, saw)}`
  const reason = `InitialRead: ${describeRead(compiled, read)}, ${saw(other)}, which wrote that key${path}.`
  return violated(compiled, model, read, reason, edges, [writer])
}

export const readCommitted = (compiled: Compiled): Verdict => {
  const model = "read-committed"
  const saw: Saw = (other) => `having read from ${other}`
  const graph = baseGraph(compiled)
  const initial = afterReads(compiled, graph)
  return initial === undefined ? verdict(model, compiled, graph, saw) : initialRead(model, compiled, initial, saw)
}

/**
 * Goes through the reads of a transaction backwards. `next` is, of each key, the next read of it; `other` the next one
 * after that which has another source: what these read from comes after whatever an earlier read saw.
 */
const afterReads = (compiled: Compiled, graph: Digraph): Initial | undefined => {
  const { keys, readKey, readSource, readStart, size, writeKey, writeStart } = compiled
  const next = new Int32Array(keys)
  const other = new Int32Array(keys)
  const known = new Int32Array(keys).fill(-1)
  const firstRead = new Int32Array(size).fill(-1)
  const firstReader = new Int32Array(size).fill(-1)
  const laterKeys = new Int32Array(keys)
  for (let vertex = 0; vertex < size; vertex++) {
    const start = readStart[vertex]!
    for (let read = start; read < readStart[vertex + 1]!; read++) {
      const source = readSource[read]!
      if (source === initially || firstReader[source] === vertex) continue
      firstReader[source] = vertex
      firstRead[source] = read
    }
    let later = 0
    for (let read = readStart[vertex + 1]! - 1; read >= start; read--) {
      const source = readSource[read]!
      if (source !== initially && firstRead[source] === read) {
        const few = writeStart[source + 1]! - writeStart[source]! <= later
        const end = few ? writeStart[source + 1]! : later
        for (let i = few ? writeStart[source]! : 0; i < end; i++) {
          const key = few ? writeKey[i]! : laterKeys[i]!
          if (known[key] !== vertex || (!few && !writes(compiled, source, key))) continue
          const why = readSource[next[key]!] === source ? other[key]! : next[key]!
          if (why === -1) continue
          if (readSource[why] === initially) return { writer: source, read: why }
          graph.add(source, readSource[why]!, Kind.WriteOrder, why)
        }
      }
      const key = readKey[read]!
      if (known[key] !== vertex) {
        known[key] = vertex
        laterKeys[later++] = key
        other[key] = -1
      } else if (readSource[next[key]!] !== source) other[key] = next[key]!
      next[key] = read
    }
  }
  return undefined
}

export const readAtomic = (compiled: Compiled): Verdict => {
  const model = "read-atomic"
  const saw: Saw = (other) => `having seen ${other}`
  const graph = baseGraph(compiled)
  const broken = afterSources(compiled, graph)
  if (broken === undefined) return verdict(model, compiled, graph, saw)
  if ("writer" in broken) return initialRead(model, compiled, broken, saw)
  const sources = [broken.first, broken.second].flatMap((read) => Math.max(compiled.readSource[read]!, 0))
  const first = describeRead(compiled, broken.first)
  const second = describeRead(compiled, broken.second).replace(
    `${label(compiled.transactions[compiled.reader[broken.second]!]!)} `,
    ""
  )
  return violated(compiled, model, broken.second, `NonRepeatableRead: ${first}, then ${second}.`, [], sources)
}

const afterSources = (
  compiled: Compiled,
  graph: Digraph
): Initial | { readonly first: number; readonly second: number } | undefined => {
  const { isUnknown, keys, readKey, readSource, readStart, size, transactions, writeKey, writeStart } = compiled
  const readOf = new Int32Array(keys).fill(-1)
  const lastWriter = new Int32Array(keys).fill(-1)
  const firstReader = new Int32Array(size).fill(-1)
  for (let vertex = 0; vertex < size; vertex++) {
    const start = readStart[vertex]!
    const end = readStart[vertex + 1]!
    for (let read = start; read < end; read++) {
      const first = readOf[readKey[read]!]!
      if (first >= start && readSource[first] !== readSource[read]) return { first, second: read }
      if (first < start) readOf[readKey[read]!] = read
    }
    for (let read = start; read < end; read++) {
      const source = readSource[read]!
      const key = readKey[read]!
      const before = lastWriter[key]!
      if (before !== -1 && before !== source && transactions[before]!.session === transactions[vertex]!.session) {
        if (source === initially) return { writer: before, read }
        graph.add(before, source, Kind.WriteOrder, read)
      }
      if (source === initially || firstReader[source] === vertex) continue
      firstReader[source] = vertex
      const few = writeStart[source + 1]! - writeStart[source]! <= end - start
      const last = few ? writeStart[source + 1]! : end
      for (let i = few ? writeStart[source]! : start; i < last; i++) {
        const other = few ? readOf[writeKey[i]!]! : i
        if (other < start || readSource[other] === source) continue
        if (!few && !writes(compiled, source, readKey[other]!)) continue
        if (readSource[other] === initially) return { writer: source, read: other }
        graph.add(source, readSource[other]!, Kind.WriteOrder, other)
      }
    }
    if (isUnknown[vertex] === 1) continue
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) lastWriter[writeKey[i]!] = vertex
  }
  return undefined
}

export const causal = (model: string, compiled: Compiled, options: Options): Verdict => {
  const saw: Saw = (other) => `with ${other} in its causal past`
  if (clockBytes(compiled) > Deadline.bytes(options)) {
    const reason = `out of memory: the vector clocks of ${compiled.size} transactions in ${compiled.count} sessions take ${clockBytes(compiled)} bytes`
    return { _tag: "Unknown", model, reason }
  }
  const graph = baseGraph(compiled)
  const order = graph.order()
  if (order === undefined) return verdict(model, compiled, graph, saw)
  const clock = clocks(compiled, graph, order)
  const initial = afterPast(compiled, graph, clock)
  if (initial === undefined) return verdict(model, compiled, graph, saw)
  return initialRead(
    model,
    compiled,
    initial,
    saw,
    baseGraph(compiled).path(initial.writer, compiled.reader[initial.read]!)
  )
}

const afterPast = (compiled: Compiled, graph: Digraph, clock: Int32Array): Initial | undefined => {
  const { chain, count, position, readKey, readSource, readStart, size, writers } = compiled
  const readOf = new Int32Array(compiled.keys).fill(-1)
  for (let vertex = 0; vertex < size; vertex++) {
    const start = readStart[vertex]!
    for (let read = start; read < readStart[vertex + 1]!; read++) {
      const key = readKey[read]!
      const source = readSource[read]!
      const first = readOf[key]!
      if (first >= start && readSource[first] === source) continue
      readOf[key] = read
      for (let group = writers.keyGroups[key]!; group < writers.keyGroups[key + 1]!; group++) {
        const session = writers.groupChain[group]!
        const own = session === chain[vertex] ? position[vertex]! : clock[vertex * count + session]!
        const writer = lastKnown(compiled, writers, group, own)
        if (writer === -1 || writer === source) continue
        if (source === initially) return { writer, read }
        if (!precedes(compiled, clock, writer, source)) graph.add(writer, source, Kind.WriteOrder, read)
      }
    }
  }
  return undefined
}
