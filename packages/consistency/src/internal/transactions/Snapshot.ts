/**
 * Snapshot isolation as serializability: each transaction is taken for two, its start, which reads, and its commit, which
 * writes (Biswas & Enea, OOPSLA 2019). Vertex v starts as 2v and commits as 2v + 1.
 */
import { lastKnown, precedes, writers } from "../causal/Chains.ts"
import { type Digraph, Kind } from "../causal/Digraph.ts"
import { type Compiled, initially } from "./Compiled.ts"

export const split = (compiled: Compiled): Compiled => {
  const size = 2 * compiled.size
  const spread = (each: Int32Array, even: (value: number) => number, odd: (value: number) => number): Int32Array =>
    new Int32Array(size).map((_, vertex) => (vertex % 2 === 0 ? even : odd)(each[vertex >> 1]!))
  const { previous, readSource, reader, writeKey, writeStart } = compiled
  const chains = {
    size,
    count: compiled.count,
    chain: spread(
      compiled.chain,
      (chain) => chain,
      (chain) => chain
    ),
    position: spread(
      compiled.position,
      (position) => 2 * position,
      (position) => 2 * position + 1
    )
  }
  return {
    ...compiled,
    ...chains,
    transactions: compiled.transactions.flatMap((transaction) => [transaction, transaction]),
    previous: new Int32Array(size).map((_, vertex) => {
      if (vertex % 2 === 1) return vertex - 1
      return previous[vertex >> 1] === -1 ? -1 : 2 * previous[vertex >> 1]! + 1
    }),
    isUnknown: Uint8Array.from({ length: size }, (_, vertex) => compiled.isUnknown[vertex >> 1]!),
    readStart: Int32Array.from({ length: size + 1 }, (_, vertex) => compiled.readStart[(vertex + 1) >> 1]!),
    reader: reader.map((vertex) => 2 * vertex),
    readSource: readSource.map((source) => (source === initially ? source : 2 * source + 1)),
    writeStart: Int32Array.from({ length: size + 1 }, (_, vertex) => writeStart[vertex >> 1]!),
    writeKey,
    writers: writers(chains, compiled.keys, ...writesOf(compiled))
  }
}

const writesOf = ({ keys, writers }: Compiled): [Int32Array, Int32Array] => {
  const key = new Int32Array(writers.vertices.length)
  for (let k = 0; k < keys; k++) {
    key.fill(k, writers.groupStart[writers.keyGroups[k]!], writers.groupStart[writers.keyGroups[k + 1]!])
  }
  return [key, writers.vertices.map((vertex) => 2 * vertex + 1)]
}

/** Of two writers of a key, one starts after the other committed: which, where one started before the other committed. */
export const separate = (compiled: Compiled, graph: Digraph, clock: Int32Array): void => {
  const { chain, count, position, size, writeKey, writeStart, writers } = compiled
  for (let commit = 1; commit < size; commit += 2) {
    for (let i = writeStart[commit]!; i < writeStart[commit + 1]!; i++) {
      const key = writeKey[i]!
      for (let group = writers.keyGroups[key]!; group < writers.keyGroups[key + 1]!; group++) {
        const session = writers.groupChain[group]!
        // A start that is known is one place before its commit.
        const known = session === chain[commit] ? position[commit]! : clock[commit * count + session]! + 1
        const other = lastKnown(compiled, writers, group, known)
        if (other === -1 || precedes(compiled, clock, other, commit - 1)) continue
        graph.add(other, commit - 1, Kind.Conflict, -1)
      }
    }
  }
}
