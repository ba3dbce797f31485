/**
 * The session guarantees (Terry et al. 1994), over histories of registers: what a process may rely on from one of its
 * operations to the next.
 *
 * Each asks, of every process, for one legal order of all writes and the process's own operations. They differ in what
 * that order has to keep of program order:
 *
 * - **read your writes**: the process's own writes before its later reads;
 * - **monotonic reads**: its own reads in their order;
 * - **monotonic writes**: the writes of each process in their order, and its own reads in theirs;
 * - **writes follow reads**: what a process had read before it wrote, before that write, for every process; and its own
 *   reads in their order.
 *
 * No single read shows in which order writes were applied. So the last two hold an observer to its reads' order as well:
 * they include monotonic reads, and without that would refuse nothing.
 *
 * Values that are written more than once, open operations and the initial value are dealt with as in `Causal`.
 */
import type { History } from "./History.ts"
import { Digraph, type Edge, Kind } from "./internal/causal/Digraph.ts"
import { chain, violated } from "./internal/causal/Explain.ts"
import { describe, initially, type Options, type Registers, resolve } from "./internal/causal/Registers.ts"
import * as Views from "./internal/causal/Views.ts"
import type { Verdict } from "./Verdict.ts"

export const checkMonotonicReads = (history: History, options: Options = {}): Verdict =>
  checkView("monotonic-reads", "the order of its reads", ownReads, history, options)

export const checkMonotonicWrites = (history: History, options: Options = {}): Verdict =>
  checkView(
    "monotonic-writes",
    "the order of each process's writes",
    (registers, process) => {
      const graph = ownReads(registers, process)
      const last = new Int32Array(registers.processes).fill(-1)
      for (let vertex = 0; vertex < registers.size; vertex++) {
        if (registers.isWrite[vertex] === 0) continue
        const writer = registers.process[vertex]!
        if (last[writer]! >= 0) graph.add(last[writer]!, vertex, Kind.Program, -1)
        if (registers.isOpen[vertex] === 0) last[writer] = vertex
      }
      return graph
    },
    history,
    options
  )

export const checkWritesFollowReads = (history: History, options: Options = {}): Verdict =>
  checkView(
    "writes-follow-reads",
    "the order of writes after what their processes had read",
    (registers) => {
      const graph = new Digraph(registers.size)
      const lastRead = new Int32Array(registers.processes).fill(-1)
      for (let vertex = 0; vertex < registers.size; vertex++) {
        const process = registers.process[vertex]!
        if (lastRead[process]! >= 0) graph.add(lastRead[process]!, vertex, Kind.Program, -1)
        if (registers.source[vertex]! > initially) graph.add(registers.source[vertex]!, vertex, Kind.ReadsFrom, -1)
        if (registers.isWrite[vertex] === 0) lastRead[process] = vertex
      }
      return graph
    },
    history,
    options
  )

const checkView = (
  name: string,
  called: string,
  order: Views.ViewModel["order"],
  history: History,
  options: Options
): Verdict =>
  Views.check({ name, order, called, cycle: "CyclicView", initial: "WriteBeforeInitRead" }, history, options)

/** The order of a process's reads, and their sources. */
const ownReads = (registers: Registers, process: number): Digraph => {
  const graph = new Digraph(registers.size)
  let last = -1
  for (let vertex = 0; vertex < registers.size; vertex++) {
    if (registers.isWrite[vertex] === 1 || registers.process[vertex] !== process) continue
    if (last >= 0) graph.add(last, vertex, Kind.Program, -1)
    if (registers.source[vertex]! > initially) graph.add(registers.source[vertex]!, vertex, Kind.ReadsFrom, -1)
    last = vertex
  }
  return graph
}

export const checkReadYourWrites = (history: History, options: Options = {}): Verdict =>
  resolve(history, options, "read-your-writes", readYourWrites)

/** What a process has done with a register so far. */
interface Own {
  write: number
  /** The last read of an own write that was made by now, and the last one of another such write. */
  last: Seen | undefined
  lastOther: Seen | undefined
  /** Reads of own writes that are yet to come. */
  readonly early: Array<Seen>
}

interface Seen {
  readonly write: number
  readonly read: number
}

/**
 * A read tells that all own writes of its register so far come before its source. So only two reads of own writes can
 * contradict each other, and only if each comes after the other's source in program order.
 */
const readYourWrites = (registers: Registers): Verdict => {
  const model = "read-your-writes"
  const { isOpen, isWrite, key, keys, process, size, source } = registers
  const owned = new Map<number, Own>()
  for (let vertex = 0; vertex < size; vertex++) {
    const slot = process[vertex]! * keys + key[vertex]!
    let own = owned.get(slot)
    if (own === undefined) owned.set(slot, (own = { write: -1, last: undefined, lastOther: undefined, early: [] }))
    if (isWrite[vertex] === 1) {
      if (isOpen[vertex] === 1) continue
      own.write = vertex
      for (const seen of own.early) if (seen.write === vertex) see(own, seen)
      continue
    }
    const from = source[vertex]!
    if (from === initially) {
      if (own.write !== -1) return initialRead(model, registers, own.write, vertex)
      continue
    }
    if (process[from] !== process[vertex] || isOpen[from] === 1) continue
    const other = own.last?.write === from ? own.lastOther : own.last
    if (other !== undefined && other.read > from) return contradiction(model, registers, other, vertex)
    const seen = { write: from, read: vertex }
    if (from < vertex) see(own, seen)
    else own.early.push(seen)
  }
  return { _tag: "Ok", model }
}

const see = (own: Own, seen: Seen): void => {
  if (own.last !== undefined && own.last.write !== seen.write) {
    if (seen.read > own.last.read) own.lastOther = own.last
    else if (own.lastOther === undefined || seen.read > own.lastOther.read) own.lastOther = seen
  }
  if (own.last === undefined || seen.read > own.last.read) own.last = seen
}

const initialRead = (model: string, registers: Registers, write: number, read: number): Verdict => {
  const edges: ReadonlyArray<Edge> = [{ from: write, to: read, kind: Kind.Program, why: -1 }]
  const reason = `WriteBeforeInitRead: ${describe(registers.operations[read]!)}, the initial value, after a write of its own: ${chain(registers, edges)}.`
  return violated(registers, model, read, reason, edges)
}

const contradiction = (model: string, registers: Registers, other: Seen, read: number): Verdict => {
  const write = registers.source[read]!
  const edges: ReadonlyArray<Edge> = [
    { from: other.write, to: write, kind: Kind.WriteOrder, why: read },
    { from: write, to: other.write, kind: Kind.WriteOrder, why: other.read }
  ]
  const reason = `CyclicView: a process's reads want its writes in both orders: ${chain(registers, edges)}.`
  return violated(registers, model, read, reason, edges)
}
