/** The causal order of a history of registers: program order and reads-from, and what follows. */
import { clocks } from "./Chains.ts"
import { Digraph, Kind } from "./Digraph.ts"
import { initially, type Registers } from "./Registers.ts"

export const causalGraph = (registers: Registers): Digraph => {
  const graph = new Digraph(registers.size)
  for (let vertex = 0; vertex < registers.size; vertex++) {
    const { previous, source } = registers
    if (previous[vertex]! >= 0) graph.add(previous[vertex]!, vertex, Kind.Program, -1)
    if (source[vertex]! > initially) graph.add(source[vertex]!, vertex, Kind.ReadsFrom, -1)
  }
  return graph
}

/** The causal past of each operation as a vector clock, or `undefined` where the order has a cycle. */
export const causalClocks = (registers: Registers, graph: Digraph): Int32Array | undefined => {
  const order = graph.order()
  return order && clocks(registers, graph, order)
}
