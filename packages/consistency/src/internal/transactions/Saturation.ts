/**
 * The edges of the commit order that serializability leaves no choice about, as Cobra (Tan et al., OSDI 2020) and PolySI
 * (Huang et al., VLDB 2023) take them before they search.
 *
 * Where a transaction reads x from a writer, any other writer of x comes before that writer or after the reader. Which of
 * the two is known once the other writer is known to come before the reader, or after the writer. What follows from that
 * is followed on, until nothing does.
 */
import type { Verdict } from "../../Verdict.ts"
import { clockBytes, clocks, lastKnown, precedes } from "../causal/Chains.ts"
import * as Deadline from "../causal/Deadline.ts"
import { type Digraph, Kind } from "../causal/Digraph.ts"
import { type Compiled, initially, type Options } from "./Compiled.ts"
import { chain, describeRead, lastRead, violated } from "./Describe.ts"

/**
 * Adds the forced edges to `graph`; tells why there can be no commit order where that shows.
 *
 * @param also adds what else is forced, given the clocks of what is forced so far
 */
export const saturate = (
  model: string,
  compiled: Compiled,
  graph: Digraph,
  options: Options,
  also: (clock: Int32Array) => void = () => {}
): Verdict | undefined => {
  if (clockBytes(compiled) > Deadline.bytes(options)) {
    const reason = `out of memory: the vector clocks of ${compiled.size} transactions in ${compiled.count} sessions take ${clockBytes(compiled)} bytes`
    return { _tag: "Unknown", model, reason }
  }
  const deadline = Deadline.make(options)
  for (;;) {
    const order = graph.order()
    if (order === undefined) return refuse(model, compiled, graph)
    if (deadline.passed()) {
      return { _tag: "Unknown", model, reason: `out of time while ${graph.edges} forced edges led to more of them` }
    }
    const edges = graph.edges
    const clock = clocks(compiled, graph, order)
    for (let read = 0; read < compiled.reader.length; read++) {
      overwrite(compiled, graph, clock, read)
      if (compiled.readSource[read] !== initially) come(compiled, graph, clock, read)
    }
    also(clock)
    if (graph.edges === edges) return undefined
  }
}

const refuse = (model: string, compiled: Compiled, graph: Digraph): Verdict => {
  const cycle = graph.shortestCycle()!
  const read = lastRead(cycle)
  const saw = (other: string): string => `with ${other} before it`
  const path = chain(compiled, cycle, saw)
  if (read !== -1) {
    const reason = `CommitOrderCycle: ${describeRead(compiled, read)}, and no commit order allows that: ${path}.`
    return violated(compiled, model, read, reason, cycle)
  }
  const reason = cycle.some(({ kind }) => kind === Kind.RealTime)
    ? `RealTimeCycle: a session's transactions are not in the order of their times: ${path}.`
    : `ConflictCycle: transactions that write one key each have to start before the other commits: ${path}.`
  const transactions = new Set(cycle.map(({ to }) => compiled.transactions[to]!))
  const involved = Array.from(transactions, (transaction) => ({ _tag: "Transaction", transaction }) as const)
  return { _tag: "Violated", model, culprit: involved.at(-1)!, reason, involved }
}

/** A writer that comes after what was read comes after the reader. */
const overwrite = (compiled: Compiled, graph: Digraph, clock: Int32Array, read: number): void => {
  const { readKey, readSource, reader, writers } = compiled
  const vertex = reader[read]!
  const key = readKey[read]!
  for (let group = writers.keyGroups[key]!; group < writers.keyGroups[key + 1]!; group++) {
    const writer = firstAfter(compiled, clock, group, readSource[read]!, vertex)
    if (writer === -1 || precedes(compiled, clock, vertex, writer)) continue
    graph.add(vertex, writer, Kind.AntiDependency, read)
  }
}

/** The first writer of a group, other than the reader, that is known to come after the source of a read, or -1. */
const firstAfter = (compiled: Compiled, clock: Int32Array, group: number, source: number, reader: number): number => {
  const { vertices, groupStart } = compiled.writers
  let low = groupStart[group]!
  let high = groupStart[group + 1]!
  const end = high
  while (source !== initially && low < high) {
    const middle = (low + high) >>> 1
    if (precedes(compiled, clock, source, vertices[middle]!)) high = middle
    else low = middle + 1
  }
  if (low < end && vertices[low] === reader) low++
  return low === end ? -1 : vertices[low]!
}

/** A writer that comes before the reader comes before what was read. */
const come = (compiled: Compiled, graph: Digraph, clock: Int32Array, read: number): void => {
  const { chain, count, position, readKey, readSource, reader, writers } = compiled
  const vertex = reader[read]!
  const source = readSource[read]!
  const key = readKey[read]!
  for (let group = writers.keyGroups[key]!; group < writers.keyGroups[key + 1]!; group++) {
    const session = writers.groupChain[group]!
    const known = session === chain[vertex] ? position[vertex]! : clock[vertex * count + session]!
    const writer = lastKnown(compiled, writers, group, known)
    if (writer === -1 || writer === source || precedes(compiled, clock, writer, source)) continue
    graph.add(writer, source, Kind.WriteOrder, read)
  }
}
