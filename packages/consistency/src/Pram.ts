/**
 * PRAM, also called FIFO consistency (Lipton & Sandberg 1988): each process sees the writes of every process in the order
 * in which that one made them, with its own operations among them. In what order it sees the writes of different
 * processes is its own affair.
 */
import type { History } from "./History.ts"
import { Digraph, Kind } from "./internal/causal/Digraph.ts"
import { initially, type Options, type Registers } from "./internal/causal/Registers.ts"
import * as Views from "./internal/causal/Views.ts"
import type { Verdict } from "./Verdict.ts"

export const check = (history: History, options: Options = {}): Verdict =>
  Views.check(
    { name: "pram", order, cycle: "CyclicView", initial: "WriteBeforeInitRead", called: "program order" },
    history,
    options
  )

const order = (registers: Registers, process: number): Digraph => {
  const graph = new Digraph(registers.size)
  for (let vertex = 0; vertex < registers.size; vertex++) {
    const { previous, process: of, source } = registers
    if (previous[vertex]! >= 0) graph.add(previous[vertex]!, vertex, Kind.Program, -1)
    if (of[vertex] === process && source[vertex]! > initially) {
      graph.add(source[vertex]!, vertex, Kind.ReadsFrom, -1)
    }
  }
  return graph
}
