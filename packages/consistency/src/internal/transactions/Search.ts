/**
 * Looks for a commit order, transaction by transaction (Biswas & Enea, OOPSLA 2019).
 *
 * A transaction may be next if what it reads is what was written last, and nobody who is still to come reads what it
 * overwrites. So how far each session got says all that matters of the past, and no such frontier is gone on from twice:
 * for a fixed number of sessions that is polynomial. A transaction that writes nothing is taken as soon as it may be next,
 * which leaves all others as free as before. Where transactions wait for each other in a circle, no end is found by going
 * on, and the last step is taken back.
 *
 * Under snapshot isolation a transaction is two vertices: it starts, which is when it reads, and commits; between the two
 * nobody else commits a key that it writes. A commit is taken as soon as it may be next.
 */
import type { Verdict } from "../../Verdict.ts"
import * as Deadline from "../causal/Deadline.ts"
import type { Digraph } from "../causal/Digraph.ts"
import type { Compiled, Options } from "./Compiled.ts"
import { CommitOrder } from "./CommitOrder.ts"
import { name } from "./Describe.ts"

/** How often time is looked at, in steps. */
const interval = 1024

/**
 * @param graph what has to come before what; without a cycle
 * @param isSplit whether transactions are split into start and commit
 */
export const search = (
  model: string,
  compiled: Compiled,
  graph: Digraph,
  isSplit: boolean,
  options: Options
): Verdict => {
  const run = new CommitOrder(compiled, graph, isSplit)
  const deadline = Deadline.make(options)
  const bytes = Deadline.bytes(options)
  const seen = new Set<string>()
  const parts = isSplit ? 2 : 1
  // What was tried at each depth: the chains that may step next, and how many of them have been tried.
  const choices: Array<ReadonlyArray<number>> = [run.choices()]
  const tried: Array<number> = [0]
  const taken: Array<number> = []
  let deepest: Stuck = { done: -1, next: [] }
  for (let turn = 1; run.done < compiled.size; turn++) {
    const depth = choices.length - 1
    if (tried[depth]! < choices[depth]!.length) {
      const chain = choices[depth]![tried[depth]!++]!
      run.step(chain)
      const frontier = run.frontier()
      if (seen.has(frontier) || run.isStuck(chain)) {
        seen.add(frontier)
        run.undo(chain)
        continue
      }
      seen.add(frontier)
      taken.push(chain)
      choices.push(run.choices())
      tried.push(0)
    } else {
      if (run.done > deepest.done) deepest = { done: run.done, next: run.next() }
      choices.pop()
      tried.pop()
      if (taken.length === 0) return refuse(model, compiled, deepest, parts)
      run.undo(taken.pop()!)
    }
    if (turn % interval !== 0) continue
    const limit = deadline.passed() ? "time" : seen.size * (2 * compiled.count + 40) > bytes ? "memory" : undefined
    if (limit === undefined) continue
    const reason = `out of ${limit} after ${seen.size} frontiers of a commit order, the longest of ${Math.floor(Math.max(deepest.done, run.done) / parts)} of ${compiled.size / parts} transactions`
    return { _tag: "Unknown", model, reason }
  }
  return { _tag: "Ok", model }
}

interface Stuck {
  readonly done: number
  readonly next: ReadonlyArray<number>
}

const refuse = (model: string, compiled: Compiled, { done, next }: Stuck, parts: number): Verdict => {
  const blocked = next.map((vertex) => compiled.transactions[vertex]!)
  const involved = blocked.map((transaction) => ({ _tag: "Transaction", transaction }) as const)
  const reason = `NoCommitOrder: all were tried. The longest has ${Math.floor(done / parts)} of ${compiled.size / parts} transactions; then none of ${blocked.map(name).join(", ")} can follow, for each waits for another, or overwrites what one of the others still reads.`
  return { _tag: "Violated", model, culprit: involved[0]!, reason, involved }
}
