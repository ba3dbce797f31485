/** Refusals of histories of registers, in words. */
import type { Operation } from "../../History.ts"
import type { Culprit, Verdict } from "../../Verdict.ts"
import { type Edge, Kind } from "./Digraph.ts"
import { describe, type Registers } from "./Registers.ts"

const words = ({ operations }: Registers, edge: Edge): string => {
  switch (edge.kind) {
    case Kind.Program:
      return "then"
    case Kind.ReadsFrom:
      return "read by"
    default:
      return `before, as ${describe(operations[edge.why]!)}`
  }
}

/** "process 1 writes x=1 —then→ process 1 writes y=2 —read by→ process 2 reads y=2" */
export const chain = (registers: Registers, edges: ReadonlyArray<Edge>): string =>
  edges.reduce(
    (text, edge) => `${text} —${words(registers, edge)}→ ${describe(registers.operations[edge.to]!)}`,
    describe(registers.operations[edges[0]!.from]!)
  )

const asCulprit = (operation: Operation): Culprit => ({ _tag: "Operation", operation })

/** @param edges those that the reason tells of */
export const violated = (
  registers: Registers,
  model: string,
  culprit: number,
  reason: string,
  edges: ReadonlyArray<Edge>,
  others: ReadonlyArray<number> = []
): Verdict => {
  const involved = new Set([culprit, ...others])
  for (const edge of edges) {
    involved.add(edge.from).add(edge.to)
    if (edge.why >= 0) involved.add(edge.why)
  }
  return {
    _tag: "Violated",
    model,
    culprit: asCulprit(registers.operations[culprit]!),
    reason,
    involved: [...involved].toSorted((a, b) => a - b).map((vertex) => asCulprit(registers.operations[vertex]!))
  }
}

/** What a cycle is blamed on: the last read that it rests on. */
export const lastRead = (registers: Registers, edges: ReadonlyArray<Edge>): number => {
  let last = -1
  for (const edge of edges) {
    for (const vertex of [edge.to, edge.why]) {
      if (vertex > last && registers.isWrite[vertex] === 0) last = vertex
    }
  }
  return last
}
