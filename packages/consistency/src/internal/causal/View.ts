/**
 * Whether one process may have seen all writes, and its own operations among them, in one legal order that extends a
 * given one.
 *
 * Its own reads stand in one order, r₀ < r₁ < …, and each has its source. So a write of the same key that comes before a
 * read comes before the read's source, unless it is the source. What that rule adds to the order is added until it adds
 * nothing. Then a legal order exists exactly if the result has no cycle and no write stands before a read of the initial
 * value: r₀'s past, r₀, what r₁'s past adds, r₁, and so on (Bouajjani, Enea, Guerraoui & Hamza 2017, whose happened-before
 * HB_o this is where the given order is the causal one).
 *
 * Of each vertex only its stage is kept: the first read that it comes before. A write at stage s has to come before the
 * source of the first read of its key from s on; that the sources of the later ones come after that one is added at once.
 */
import { type Digraph, type Edge, Kind } from "./Digraph.ts"
import { initially, type Registers } from "./Registers.ts"

export type Refusal =
  | { readonly _tag: "Cycle"; readonly edges: ReadonlyArray<Edge> }
  /** From a write to a read of the initial value of its key. */
  | { readonly _tag: "Initial"; readonly read: number; readonly edges: ReadonlyArray<Edge> }

/**
 * Why a process has no such order, if it has none.
 *
 * @param reads those of the process, in its order
 * @param graph the given order, which holds that of the reads and their sources; what follows is added to it
 */
export const refuse = (registers: Registers, reads: Int32Array, graph: Digraph): Refusal | undefined => {
  const initial = saturate(registers, reads, graph)
  if (initial !== undefined) {
    return { _tag: "Initial", read: initial.read, edges: graph.path(initial.write, initial.read)! }
  }
  if (graph.order() !== undefined) return undefined
  return { _tag: "Cycle", edges: graph.shortestCycle()! }
}

const saturate = (
  { isWrite, key, keys, size, source }: Registers,
  reads: Int32Array,
  graph: Digraph
): { readonly write: number; readonly read: number } | undefined => {
  const given = graph.incoming()
  const ofKey = readsByKey(keys, key, reads)
  const stage = new Int32Array(size).fill(reads.length)
  // The added predecessors of each vertex, as linked lists.
  const first = new Int32Array(size).fill(-1)
  const next: Array<number> = []
  const before: Array<number> = []
  const lastAfter = new Int32Array(size).fill(-1)
  const lowered: Array<number> = []

  const lower = (vertex: number, to: number): void => {
    if (stage[vertex]! <= to) return
    stage[vertex] = to
    lowered.push(vertex)
  }
  const add = (write: number, later: number, read: number): void => {
    graph.add(write, later, Kind.WriteOrder, read)
    before.push(write)
    next.push(first[later]!)
    first[later] = before.length - 1
    lower(write, stage[later]!)
  }
  const lowerPast = (vertex: number, to: number): void => {
    for (let i = given.offsets[vertex]!; i < given.offsets[vertex + 1]!; i++) lower(graph.from[given.edges[i]!]!, to)
    for (let i = first[vertex]!; i !== -1; i = next[i]!) lower(before[i]!, to)
  }

  for (const stages of ofKey) {
    for (let i = 1; i < stages.length; i++) {
      const [write, read] = [source[reads[stages[i - 1]!]!]!, reads[stages[i]!]!]
      if (write === source[read] || write === initially) continue
      if (source[read] === initially) return { write, read }
      add(write, source[read]!, read)
    }
  }
  for (let at = 0; at < reads.length; at++) {
    lowerPast(reads[at]!, at)
    for (let vertex = lowered.pop(); vertex !== undefined; vertex = lowered.pop()) {
      lowerPast(vertex, stage[vertex]!)
      if (isWrite[vertex] === 0) continue
      const read = firstFrom(ofKey[key[vertex]!]!, reads, stage[vertex]!)
      if (read === -1 || source[read] === vertex) continue
      if (source[read] === initially) return { write: vertex, read }
      if (lastAfter[vertex] === source[read]) continue
      lastAfter[vertex] = source[read]!
      add(vertex, source[read]!, read)
    }
  }
  return undefined
}

/** Of each key, the places of its reads among all, ascending. */
const readsByKey = (keys: number, key: Int32Array, reads: Int32Array): ReadonlyArray<ReadonlyArray<number>> => {
  const ofKey: Array<Array<number>> = Array.from({ length: keys }, () => [])
  reads.forEach((read, at) => ofKey[key[read]!]!.push(at))
  return ofKey
}

/** The first of these reads that is at `stage` or later, or -1. */
const firstFrom = (stages: ReadonlyArray<number>, reads: Int32Array, stage: number): number => {
  let low = 0
  let high = stages.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (stages[middle]! < stage) low = middle + 1
    else high = middle
  }
  return low === stages.length ? -1 : reads[stages[low]!]!
}
