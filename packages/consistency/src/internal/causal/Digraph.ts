/** A directed graph with labelled edges, in typed arrays: orders of its vertices, shortest paths, shortest cycles. */

/** What an edge says. */
export const Kind = {
  /** One process or session did the one, then the other. */
  Program: 0,
  /** The one wrote what the other read. */
  ReadsFrom: 1,
  /** A read tells in which order two writes were made. */
  WriteOrder: 2,
  /** The one read what the other overwrote. */
  AntiDependency: 3,
  /** The one ended before the other began. */
  RealTime: 4,
  /** The two wrote one key, and the one started before the other committed. */
  Conflict: 5
} as const

export interface Edge {
  readonly from: number
  readonly to: number
  readonly kind: number
  /** The read that tells, as the graph's owner numbers reads. */
  readonly why: number
}

/** Edge ids by vertex: those of `vertex` are `edges[offsets[vertex]]` up to `edges[offsets[vertex + 1]]`. */
export interface Adjacency {
  readonly offsets: Int32Array
  readonly edges: Int32Array
}

/** Shortest cycles are looked for from this many vertices of a strongly connected component at most. */
const cycleStarts = 256

const grow = (array: Int32Array): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}

export class Digraph {
  readonly size: number
  edges = 0
  from = new Int32Array(64)
  to = new Int32Array(64)
  #kind = new Int32Array(64)
  #why = new Int32Array(64)

  constructor(size: number) {
    this.size = size
  }

  add(from: number, to: number, kind: number, why: number): void {
    if (this.edges === this.from.length) {
      this.from = grow(this.from)
      this.to = grow(this.to)
      this.#kind = grow(this.#kind)
      this.#why = grow(this.#why)
    }
    const edge = this.edges++
    this.from[edge] = from
    this.to[edge] = to
    this.#kind[edge] = kind
    this.#why[edge] = why
  }

  edge(id: number): Edge {
    return { from: this.from[id]!, to: this.to[id]!, kind: this.#kind[id]!, why: this.#why[id]! }
  }

  outgoing(): Adjacency {
    return this.#adjacency(this.from)
  }

  incoming(): Adjacency {
    return this.#adjacency(this.to)
  }

  #adjacency(ends: Int32Array): Adjacency {
    const offsets = new Int32Array(this.size + 1)
    for (let edge = 0; edge < this.edges; edge++) offsets[ends[edge]! + 1]!++
    for (let vertex = 0; vertex < this.size; vertex++) offsets[vertex + 1]! += offsets[vertex]!
    const next = offsets.slice()
    const edges = new Int32Array(this.edges)
    for (let edge = 0; edge < this.edges; edge++) edges[next[ends[edge]!]!++] = edge
    return { offsets, edges }
  }

  /** All vertices, each after those that have an edge to it, or `undefined` of a graph with a cycle. */
  order(): Int32Array | undefined {
    const { offsets, edges } = this.outgoing()
    const waits = new Int32Array(this.size)
    for (let edge = 0; edge < this.edges; edge++) waits[this.to[edge]!]!++
    const order = new Int32Array(this.size)
    let end = 0
    for (let vertex = 0; vertex < this.size; vertex++) if (waits[vertex] === 0) order[end++] = vertex
    for (let at = 0; at < end; at++) {
      const vertex = order[at]!
      for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) {
        const next = this.to[edges[i]!]!
        if (--waits[next]! === 0) order[end++] = next
      }
    }
    return end === this.size ? order : undefined
  }

  /** A shortest path of at least one edge. */
  path(from: number, to: number): ReadonlyArray<Edge> | undefined {
    return this.#search(from, to, this.outgoing(), undefined)
  }

  /** A shortest one through the vertices that were tried: all of a small component, the first of a large one. */
  shortestCycle(): ReadonlyArray<Edge> | undefined {
    const outgoing = this.outgoing()
    const component = this.#cyclicComponents(outgoing)
    let best: ReadonlyArray<Edge> | undefined
    let tried = 0
    for (let vertex = 0; vertex < this.size && tried < cycleStarts; vertex++) {
      if (component[vertex] === -1) continue
      tried++
      const cycle = this.#search(vertex, vertex, outgoing, component)
      if (cycle !== undefined && (best === undefined || cycle.length < best.length)) best = cycle
      if (best !== undefined && best.length <= 2) break
    }
    return best
  }

  #search(
    from: number,
    to: number,
    { edges, offsets }: Adjacency,
    component: Int32Array | undefined
  ): ReadonlyArray<Edge> | undefined {
    const by = new Int32Array(this.size).fill(-1)
    const queue = [from]
    for (const vertex of queue) {
      for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) {
        const edge = edges[i]!
        const next = this.to[edge]!
        if (component !== undefined && component[next] !== component[from]) continue
        if (by[next] !== -1) continue
        by[next] = edge
        if (next === to) return this.#back(from, to, by)
        queue.push(next)
      }
    }
    return undefined
  }

  #back(from: number, to: number, by: Int32Array): ReadonlyArray<Edge> {
    const path: Array<Edge> = []
    let vertex = to
    do {
      const edge = this.edge(by[vertex]!)
      path.push(edge)
      vertex = edge.from
    } while (vertex !== from)
    return path.toReversed()
  }

  /** A number for each strongly connected component that holds a cycle (Tarjan 1972), -1 for what is on none. */
  #cyclicComponents({ edges, offsets }: Adjacency): Int32Array {
    const component = new Int32Array(this.size).fill(-1)
    const index = new Int32Array(this.size).fill(-1)
    const low = new Int32Array(this.size)
    const onStack = new Uint8Array(this.size)
    const at = new Int32Array(this.size)
    const stack: Array<number> = []
    const calls: Array<number> = []
    let count = 0
    const enter = (vertex: number): void => {
      index[vertex] = low[vertex] = count++
      at[vertex] = offsets[vertex]!
      stack.push(vertex)
      onStack[vertex] = 1
      calls.push(vertex)
    }
    const leave = (vertex: number): void => {
      calls.pop()
      const caller = calls.at(-1)
      if (caller !== undefined) low[caller] = Math.min(low[caller]!, low[vertex]!)
      if (low[vertex] !== index[vertex]) return
      const alone = stack.at(-1) === vertex && !this.#hasLoop(vertex, { edges, offsets })
      for (;;) {
        const member = stack.pop()!
        onStack[member] = 0
        if (!alone) component[member] = vertex
        if (member === vertex) return
      }
    }
    for (let root = 0; root < this.size; root++) {
      if (index[root] !== -1) continue
      enter(root)
      while (calls.length > 0) {
        const vertex = calls.at(-1)!
        if (at[vertex]! === offsets[vertex + 1]!) {
          leave(vertex)
          continue
        }
        const next = this.to[edges[at[vertex]!++]!]!
        if (index[next] === -1) enter(next)
        else if (onStack[next] === 1) low[vertex] = Math.min(low[vertex]!, index[next]!)
      }
    }
    return component
  }

  #hasLoop(vertex: number, { edges, offsets }: Adjacency): boolean {
    for (let i = offsets[vertex]!; i < offsets[vertex + 1]!; i++) if (this.to[edges[i]!] === vertex) return true
    return false
  }
}
