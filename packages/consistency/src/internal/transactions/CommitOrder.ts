/** A commit order while it is searched for, step by step, and back. */
import type { Adjacency, Digraph } from "../causal/Digraph.ts"
import { type Compiled, initially } from "./Compiled.ts"

/** Under snapshot isolation a transaction takes two steps: it starts, which is when it reads, and commits. */
export type Steps = "atomic" | "snapshot"

export interface Block {
  readonly vertex: number
  /** The read that is not of what was written last, or -1. */
  readonly read: number
}

/** Versions of keys are numbered: the initial ones first, then `writeKey`'s. */
export class CommitOrder {
  committed = 0
  readonly #compiled: Compiled
  readonly #steps: Steps
  readonly #chains: ReadonlyArray<ReadonlyArray<number>>
  /** How far each chain got, in steps: two a transaction. */
  readonly #at: Uint32Array
  /** How many still have to commit before a vertex may start. */
  readonly #waits: Int32Array
  readonly #outgoing: Adjacency
  readonly #incoming: Adjacency
  readonly #graph: Digraph
  /** Of each key its last version, and of each version how many reads of it are still to come. */
  readonly #last: Int32Array
  readonly #pending: Int32Array
  readonly #version: Int32Array
  /** The reads of each version: of `version` they are `#readsOf[#readsFrom[version]]` up to `#readsFrom[version + 1]`. */
  readonly #readsFrom: Int32Array
  readonly #readsOf: Int32Array
  /** Who has started and will write the key, or -1. */
  readonly #claimed: Int32Array
  /** The version that each write overwrote. */
  readonly #overwrote: Int32Array
  readonly #rank: Int32Array
  /** Where `isStuck` has been: the number of its call. */
  readonly #visited: Int32Array
  #calls = 0

  constructor(compiled: Compiled, graph: Digraph, steps: Steps) {
    const { chain, count, keys, readKey, readSource, reader, size, writeKey, writeStart } = compiled
    this.#compiled = compiled
    this.#graph = graph
    this.#steps = steps
    this.#outgoing = graph.outgoing()
    this.#incoming = graph.incoming()
    this.#visited = new Int32Array(2 * size)
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
    this.#readsFrom = new Int32Array(this.#pending.length + 1)
    for (let slot = 0; slot < this.#pending.length; slot++) {
      this.#readsFrom[slot + 1] = this.#readsFrom[slot]! + this.#pending[slot]!
    }
    this.#readsOf = new Int32Array(reader.length)
    const next = this.#readsFrom.slice()
    for (let read = 0; read < reader.length; read++) this.#readsOf[next[this.#version[read]!]!++] = read
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

  /**
   * Whether the last step made transactions wait for each other in a circle. Only who still has to read what the step
   * wrote may have come to stand in one, or who has started by it.
   */
  isStuck(chain: number): boolean {
    const { keys, reader, writeStart } = this.#compiled
    if (this.#hasStarted(chain)) return this.#waitsForItself(2 * this.#next(chain)! + 1)
    const vertex = this.#chains[chain]![(this.#at[chain]! - 1) >> 1]!
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      const version = keys + i
      if (this.#pending[version] === 0) continue
      for (let at = this.#readsFrom[version]!; at < this.#readsFrom[version + 1]!; at++) {
        const waiting = reader[this.#readsOf[at]!]!
        if (this.#isToStart(waiting) && this.#waitsForItself(this.#reading(waiting))) return true
      }
    }
    return false
  }

  /** Steps by number: a vertex's start is twice the vertex, its commit one more. */
  #waitsForItself(step: number): boolean {
    const call = ++this.#calls
    const pending = [step]
    const visit = (next: number): boolean => {
      if (next === step) return true
      if (this.#visited[next] !== call) {
        this.#visited[next] = call
        pending.push(next)
      }
      return false
    }
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (at % 2 === 0 ? this.#startWaits(at >> 1, visit) : this.#commitWaits(at >> 1, visit)) return true
    }
    return false
  }

  /** Goes through the steps that a start waits for, until `visit` says that that is enough. */
  #startWaits(vertex: number, visit: (step: number) => boolean): boolean {
    const { writeKey, writeStart } = this.#compiled
    const { edges, offsets } = this.#incoming
    for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) {
      const before = this.#graph.from[edges[i]!]!
      if (!this.#hasCommitted(before) && visit(2 * before + 1)) return true
    }
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      const claimed = this.#claimed[writeKey[i]!]!
      if (claimed !== -1 && claimed !== vertex && visit(2 * claimed + 1)) return true
    }
    return false
  }

  #commitWaits(vertex: number, visit: (step: number) => boolean): boolean {
    const { reader, writeKey, writeStart } = this.#compiled
    if (this.#isToStart(vertex) && visit(2 * vertex)) return true
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      const version = this.#last[writeKey[i]!]!
      if (this.#pending[version] === 0) continue
      for (let at = this.#readsFrom[version]!; at < this.#readsFrom[version + 1]!; at++) {
        const other = reader[this.#readsOf[at]!]!
        if (other !== vertex && this.#isToStart(other) && visit(this.#reading(other))) return true
      }
    }
    return false
  }

  /** The step in which a vertex reads. */
  #reading(vertex: number): number {
    return this.#steps === "atomic" ? 2 * vertex + 1 : 2 * vertex
  }

  #isToStart(vertex: number): boolean {
    return this.#at[this.#compiled.chain[vertex]!]! <= 2 * this.#compiled.position[vertex]!
  }

  #hasCommitted(vertex: number): boolean {
    return this.#at[this.#compiled.chain[vertex]!]! >= 2 * this.#compiled.position[vertex]! + 2
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
