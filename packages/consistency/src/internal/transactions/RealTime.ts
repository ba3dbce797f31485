/** Real-time order: what ended before another transaction began comes before it. */
import { type Digraph, Kind } from "../causal/Digraph.ts"
import type { Compiled } from "./Compiled.ts"

/** A committed transaction whose times the history does not have, if there is one. */
export const timeless = ({ isUnknown, transactions }: Compiled): number =>
  transactions.findIndex(
    ({ began, ended }, vertex) => isUnknown[vertex] === 0 && (began === undefined || ended === undefined)
  )

/** One edge from each session to each transaction: from the last that ended before it began. */
export const addRealTime = ({ chain, count, isUnknown, size, transactions }: Compiled, graph: Digraph): void => {
  const sessions: Array<Array<number>> = Array.from({ length: count }, () => [])
  for (let vertex = 0; vertex < size; vertex++) if (isUnknown[vertex] === 0) sessions[chain[vertex]!]!.push(vertex)
  for (let vertex = 0; vertex < size; vertex++) {
    const { began } = transactions[vertex]!
    if (began === undefined) continue
    for (const session of sessions) {
      let low = 0
      let high = session.length
      while (low < high) {
        const middle = (low + high) >>> 1
        if (transactions[session[middle]!]!.ended! < began) low = middle + 1
        else high = middle
      }
      if (low > 0 && session[low - 1] !== vertex) graph.add(session[low - 1]!, vertex, Kind.RealTime, -1)
    }
  }
}
