/** A commit order while it is searched for, step by step, and back. */
import type { Adjacency, Digraph } from "../causal/Digraph.ts"
import { type Compiled, initially } from "./Compiled.ts"

/** Versions of keys are numbered: the initial ones first, then `writeKey`'s. */
export class CommitOrder {
  /** How many vertices are in the order. */
  done = 0
  readonly #compiled: Compiled
  readonly #isSplit: boolean
  readonly #chains: ReadonlyArray<ReadonlyArray<number>>
  /** How far each chain got. */
  readonly #at: Uint32Array
  /** How many still have to come before a vertex. */
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
  /** The commit that will write the key, where its transaction has started, or -1. */
  readonly #claimed: Int32Array
  /** The version that each write overwrote. */
  readonly #overwrote: Int32Array
  readonly #rank: Int32Array
  /** Where `isStuck` has been: the number of its call. */
  readonly #visited: Int32Array
  #calls = 0

  constructor(compiled: Compiled, graph: Digraph, isSplit: boolean) {
    const { chain, count, keys, readKey, readSource, reader, size, writeKey, writeStart } = compiled
    this.#compiled = compiled
    this.#graph = graph
    this.#isSplit = isSplit
    this.#outgoing = graph.outgoing()
    this.#incoming = graph.incoming()
    this.#visited = new Int32Array(size)
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
      if (vertex === undefined || !this.#allows(vertex)) continue
      if (this.#isHarmless(vertex)) return [chain]
      found.push(chain)
    }
    return found.sort((a, b) => this.#rank[this.#next(a)!]! - this.#rank[this.#next(b)!]!)
  }

  /** What comes next in each chain. */
  next(): ReadonlyArray<number> {
    return this.#chains.flatMap((_, chain) => this.#next(chain) ?? [])
  }

  step(chain: number): void {
    const { keys, writeKey, writeStart } = this.#compiled
    const vertex = this.#next(chain)!
    this.#at[chain]!++
    this.done++
    this.#read(vertex, 1)
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      this.#overwrote[i] = this.#last[writeKey[i]!]!
      this.#last[writeKey[i]!] = keys + i
      this.#claimed[writeKey[i]!] = -1
    }
    this.#claim(vertex, vertex + 1)
    this.#release(vertex, -1)
  }

  undo(chain: number): void {
    const { writeKey, writeStart } = this.#compiled
    this.#at[chain]!--
    this.done--
    const vertex = this.#next(chain)!
    this.#release(vertex, 1)
    this.#claim(vertex, -1)
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      this.#last[writeKey[i]!] = this.#overwrote[i]!
      if (this.#isSplit) this.#claimed[writeKey[i]!] = vertex
    }
    this.#read(vertex, -1)
  }

  /**
   * Whether the last step made transactions wait for each other in a circle. Only who still has to read what the step
   * wrote may have come to stand in one, or who has to commit what it claims.
   */
  isStuck(chain: number): boolean {
    const { keys, reader, writeStart } = this.#compiled
    const vertex = this.#chains[chain]![this.#at[chain]! - 1]!
    if (this.#claims(vertex) && this.#waitsForItself(vertex + 1)) return true
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      const version = keys + i
      if (this.#pending[version] === 0) continue
      for (let at = this.#readsFrom[version]!; at < this.#readsFrom[version + 1]!; at++) {
        const waiting = reader[this.#readsOf[at]!]!
        if (!this.#isDone(waiting) && this.#waitsForItself(waiting)) return true
      }
    }
    return false
  }

  #waitsForItself(vertex: number): boolean {
    const call = ++this.#calls
    const pending = [vertex]
    const visit = (next: number): boolean => {
      if (next === vertex) return true
      if (this.#visited[next] !== call) {
        this.#visited[next] = call
        pending.push(next)
      }
      return false
    }
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) if (this.#waitsFor(at, visit)) return true
    return false
  }

  /** Goes through what a vertex waits for, until `visit` says that that is enough. */
  #waitsFor(vertex: number, visit: (other: number) => boolean): boolean {
    const { reader, writeKey, writeStart } = this.#compiled
    const { edges, offsets } = this.#incoming
    for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) {
      const before = this.#graph.from[edges[i]!]!
      if (!this.#isDone(before) && visit(before)) return true
    }
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      const version = this.#last[writeKey[i]!]!
      if (this.#pending[version] === 0) continue
      for (let at = this.#readsFrom[version]!; at < this.#readsFrom[version + 1]!; at++) {
        const other = reader[this.#readsOf[at]!]!
        if (other !== vertex && !this.#isDone(other) && visit(other)) return true
      }
    }
    if (!this.#claims(vertex)) return false
    for (let i = writeStart[vertex + 1]!; i < writeStart[vertex + 2]!; i++) {
      const claimed = this.#claimed[writeKey[i]!]!
      if (claimed !== -1 && visit(claimed)) return true
    }
    return false
  }

  #isDone(vertex: number): boolean {
    return this.#at[this.#compiled.chain[vertex]!]! > this.#compiled.position[vertex]!
  }

  #next(chain: number): number | undefined {
    return this.#chains[chain]![this.#at[chain]!]
  }

  /** Whether it is the start of a transaction that writes. */
  #claims(vertex: number): boolean {
    const { writeStart } = this.#compiled
    return this.#isSplit && vertex % 2 === 0 && writeStart[vertex + 1]! < writeStart[vertex + 2]!
  }

  /**
   * Whether it leaves all others as free as before, where it is allowed: what writes nothing, and what commits what its
   * start had claimed, as nobody else could have written that, and nobody is to read what it overwrites.
   */
  #isHarmless(vertex: number): boolean {
    const { writeStart } = this.#compiled
    return this.#isSplit ? !this.#claims(vertex) : writeStart[vertex] === writeStart[vertex + 1]
  }

  #allows(vertex: number): boolean {
    const { writeKey, writeStart } = this.#compiled
    if (this.#waits[vertex]! > 0) return false
    if (this.#claims(vertex)) {
      for (let i = writeStart[vertex + 1]!; i < writeStart[vertex + 2]!; i++) {
        if (this.#claimed[writeKey[i]!] !== -1) return false
      }
    }
    this.#read(vertex, 1)
    let allowed = true
    for (let i = writeStart[vertex]!; i < writeStart[vertex + 1]!; i++) {
      if (this.#pending[this.#last[writeKey[i]!]!]! > 0) allowed = false
    }
    this.#read(vertex, -1)
    return allowed
  }

  #read(vertex: number, sign: 1 | -1): void {
    const { readStart } = this.#compiled
    for (let read = readStart[vertex]!; read < readStart[vertex + 1]!; read++) {
      this.#pending[this.#version[read]!]! -= sign
    }
  }

  /** Of a start: has who will commit them, or nobody, claim the transaction's keys. */
  #claim(vertex: number, by: number): void {
    if (!this.#claims(vertex)) return
    const { writeKey, writeStart } = this.#compiled
    for (let i = writeStart[vertex + 1]!; i < writeStart[vertex + 2]!; i++) this.#claimed[writeKey[i]!] = by
  }

  #release(vertex: number, change: 1 | -1): void {
    const { edges, offsets } = this.#outgoing
    for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) this.#waits[this.#graph.to[edges[i]!]!]! += change
  }
}
