/**
 * Looks for a commit order, transaction by transaction (Biswas & Enea, OOPSLA 2019).
 *
 * A transaction may be next if what it reads is what was written last, and nobody who is still to come reads what it
 * overwrites. So how far each session got says all that matters of the past, and no such frontier is gone on from twice:
 * for a fixed number of sessions that is polynomial. A transaction that writes nothing is taken as soon as it may be next,
 * which leaves all others as free as before.
 *
 * Under snapshot isolation a transaction takes two steps: it starts, which is when it reads, and commits; between the two
 * nobody else commits a key that it writes.
 */
import type { Verdict } from "../../Verdict.ts"
import * as Deadline from "../causal/Deadline.ts"
import type { Digraph } from "../causal/Digraph.ts"
import { type Compiled, initially, type Options } from "./Compiled.ts"
import { describeRead, label, name } from "./Describe.ts"

export type Steps = "atomic" | "snapshot"

/** How often time is looked at, in steps. */
const interval = 1024

/**
 * @param graph what has to commit before what starts; without a cycle
 */
export const search = (model: string, compiled: Compiled, graph: Digraph, steps: Steps, options: Options): Verdict => {
  const run = new Run(compiled, graph, steps)
  const deadline = Deadline.make(options)
  const bytes = Deadline.bytes(options)
  const seen = new Set<string>()
  // What was tried at each depth: the chains that may step next, and how many of them have been tried.
  const choices: Array<ReadonlyArray<number>> = [run.choices()]
  const tried: Array<number> = [0]
  const taken: Array<number> = []
  let deepest: Stuck = { committed: -1, blocked: [] }
  for (let turn = 1; run.committed < compiled.size; turn++) {
    const depth = choices.length - 1
    if (tried[depth]! < choices[depth]!.length) {
      const chain = choices[depth]![tried[depth]!++]!
      run.step(chain)
      const frontier = run.frontier()
      if (seen.has(frontier)) {
        run.undo(chain)
        continue
      }
      seen.add(frontier)
      taken.push(chain)
      choices.push(run.choices())
      tried.push(0)
    } else {
      if (run.committed > deepest.committed) deepest = { committed: run.committed, blocked: run.blocked() }
      choices.pop()
      tried.pop()
      if (taken.length === 0) return refuse(model, compiled, deepest)
      run.undo(taken.pop()!)
    }
    if (turn % interval !== 0) continue
    const limit = deadline.passed() ? "time" : seen.size * (2 * compiled.count + 40) > bytes ? "memory" : undefined
    if (limit === undefined) continue
    const reason = `out of ${limit} after ${seen.size} frontiers of a commit order, the longest of ${Math.max(deepest.committed, run.committed)} of ${compiled.size} transactions`
    return { _tag: "Unknown", model, reason }
  }
  return { _tag: "Ok", model }
}

interface Block {
  readonly vertex: number
  /** The read that is not of what was written last, or -1. */
  readonly read: number
}

interface Stuck {
  readonly committed: number
  readonly blocked: ReadonlyArray<Block>
}

const refuse = (model: string, compiled: Compiled, { blocked, committed }: Stuck): Verdict => {
  const { readAccess, transactions } = compiled
  const at = blocked.find(({ read }) => read !== -1) ?? blocked[0]!
  const transaction = transactions[at.vertex]!
  const access = at.read === -1 ? {} : { access: readAccess[at.read]! }
  const culprit = { _tag: "Transaction", transaction, ...access } as const
  const why = at.read === -1 ? `${label(transaction)} cannot follow` : `${describeRead(compiled, at.read)}, too late`
  const others = blocked.filter(({ vertex }) => vertex !== at.vertex).map(({ vertex }) => transactions[vertex]!)
  const rest = others.length === 0 ? "" : `, nor can ${others.map(name).join(", ")}`
  const reason = `NoCommitOrder: all were tried. The longest has ${committed} of ${compiled.size} transactions; then ${why}${rest}.`
  const involved = [culprit, ...others.map((other) => ({ _tag: "Transaction", transaction: other }) as const)]
  return { _tag: "Violated", model, culprit, reason, involved }
}

/** A commit order while it is built. Versions of keys are numbered: the initial ones first, then `writeKey`'s. */
class Run {
  committed = 0
  readonly #compiled: Compiled
  readonly #steps: Steps
  readonly #chains: ReadonlyArray<ReadonlyArray<number>>
  /** How far each chain got, in steps: two a transaction. */
  readonly #at: Uint32Array
  /** How many still have to commit before a vertex may start. */
  readonly #waits: Int32Array
  readonly #outgoing
  readonly #graph: Digraph
  /** Of each key its last version, and of each version how many reads of it are still to come. */
  readonly #last: Int32Array
  readonly #pending: Int32Array
  readonly #version: Int32Array
  /** Who has started and will write the key, or -1. */
  readonly #claimed: Int32Array
  /** The version that each write overwrote. */
  readonly #overwrote: Int32Array
  readonly #rank: Int32Array

  constructor(compiled: Compiled, graph: Digraph, steps: Steps) {
    const { chain, count, keys, readKey, readSource, reader, size, writeKey, writeStart } = compiled
    this.#compiled = compiled
    this.#graph = graph
    this.#steps = steps
    this.#outgoing = graph.outgoing()
    const chains: Array<Array<number>> = Array.from({ length: count }, () => [])
    for (let vertex = 0; vertex < size; vertex++) chains[chain[vertex]!]!.push(vertex)
    this.#chains = chains
    this.#at = new Uint32Array(count)
    this.#waits = new Int32Array(size)
    for (let edge = 0; edge < graph.edges; edge++) this.#waits[graph.to[edge]!]!++
    this.#rank = new Int32Array(size)
    graph.order()!.forEach((vertex, rank) => (this.#rank[vertex] = rank))
    this.#last = Int32Array.from({ length: keys }, (_, key) => key)
    this.#pending = new Int32Array(keys + writeKey.length)
    this.#version = new Int32Array(reader.length)
    this.#claimed = new Int32Array(keys).fill(-1)
    this.#overwrote = new Int32Array(writeKey.length)
    for (let read = 0; read < reader.length; read++) {
      const source = readSource[read]!
      const key = readKey[read]!
      const end = source === initially ? 0 : writeStart[source + 1]!
      const slot =
        source === initially
          ? key
          : keys + writeKey.subarray(writeStart[source], end).indexOf(key) + writeStart[source]!
      this.#version[read] = slot
      this.#pending[slot]!++
    }
  }

  frontier(): string {
    let text = ""
    for (const at of this.#at) text += at < 0xffff ? String.fromCharCode(at) : `\uffff${at},`
    return text
  }

  /** The chains that may step, the most promising first; one alone where that takes nothing from the others. */
  choices(): ReadonlyArray<number> {
    const found: Array<number> = []
    for (let chain = 0; chain < this.#at.length; chain++) {
      const vertex = this.#next(chain)
      if (vertex === undefined || !this.#allows(chain, vertex)) continue
      if (this.#isReadOnly(vertex)) return [chain]
      found.push(chain)
    }
    return found.sort((a, b) => this.#rank[this.#next(a)!]! - this.#rank[this.#next(b)!]!)
  }

  blocked(): ReadonlyArray<Block> {
    const { readStart } = this.#compiled
    return this.#at.reduce<Array<Block>>((blocked, _, chain) => {
      const vertex = this.#next(chain)
      if (vertex === undefined) return blocked
      let read = readStart[vertex]!
      while (read < readStart[vertex + 1]! && (this.#hasStarted(chain) || !this.#isOverwritten(read))) read++
      return [...blocked, { vertex, read: read === readStart[vertex + 1] ? -1 : read }]
    }, [])
  }

  step(chain: number): void {
    const vertex = this.#next(chain)!
    if (!this.#hasStarted(chain)) {
      this.#start(vertex, 1)
      this.#at[chain]!++
      if (this.#steps === "snapshot" && !this.#isReadOnly(vertex)) return
    }
    this.#commit(vertex)
    this.#at[chain]!++
  }

  undo(chain: number): void {
    const wasCommit = !this.#hasStarted(chain)
    const vertex = this.#chains[chain]![(this.#at[chain]! - 1) >> 1]!
    if (wasCommit) {
      this.#rollBack(vertex)
      this.#at[chain]!--
      if (this.#steps === "snapshot" && !this.#isReadOnly(vertex)) return
    }
    this.#start(vertex, -1)
    this.#at[chain]!--
  }

  #next(chain: number): number | undefined {
    return this.#chains[chain]![this.#at[chain]! >> 1]
  }

  #hasStarted(chain: number): boolean {
    return this.#at[chain]! % 2 === 1
  }

  #isReadOnly(vertex: number): boolean {
    return this.#compiled.writeStart[vertex] === this.#compiled.writeStart[vertex + 1]
  }

  #isOverwritten(read: number): boolean {
    return this.#last[this.#compiled.readKey[read]!] !== this.#version[read]
  }

  #allows(chain: number, vertex: number): boolean {
    const { readStart, writeKey, writeStart } = this.#compiled
    const starts = !this.#hasStarted(chain)
    const commits = !starts || this.#steps === "atomic"
    if (starts) {
      if (this.#waits[vertex]! > 0) return false
      for (let read = readStart[vertex]!; read < readStart[vertex + 1]!; read++) {
        if (this.#isOverwritten(read)) return false
      }
      for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
        if (this.#claimed[writeKey[i]!] !== -1) return false
      }
    }
    if (!commits) return true
    if (starts) this.#start(vertex, 1)
    let allowed = true
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      if (this.#pending[this.#last[writeKey[i]!]!]! > 0) allowed = false
    }
    if (starts) this.#start(vertex, -1)
    return allowed
  }

  /** Reads, and claims what will be written; with -1 takes that back. */
  #start(vertex: number, sign: 1 | -1): void {
    const { readStart, writeKey, writeStart } = this.#compiled
    for (let read = readStart[vertex]!; read < readStart[vertex + 1]!; read++)
      this.#pending[this.#version[read]!]! -= sign
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      this.#claimed[writeKey[i]!] = sign === 1 ? vertex : -1
    }
  }

  #commit(vertex: number): void {
    const { keys, writeKey, writeStart } = this.#compiled
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      this.#overwrote[i] = this.#last[writeKey[i]!]!
      this.#last[writeKey[i]!] = keys + i
      this.#claimed[writeKey[i]!] = -1
    }
    this.#release(vertex, -1)
    this.committed++
  }

  #rollBack(vertex: number): void {
    const { writeKey, writeStart } = this.#compiled
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      this.#last[writeKey[i]!] = this.#overwrote[i]!
      this.#claimed[writeKey[i]!] = vertex
    }
    this.#release(vertex, 1)
    this.committed--
  }

  #release(vertex: number, change: 1 | -1): void {
    const { edges, offsets } = this.#outgoing
    for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) this.#waits[this.#graph.to[edges[i]!]!]! += change
  }
}
