/**
 * What runs come to: looks for a run, fair and without end, that never comes to a state in which a property holds.
 *
 * The states and steps are laid out as a graph. In the part of it in which the property does not hold, a run without end
 * stays in one strongly connected component at last. It can do so and be fair exactly if each fair step that is possible
 * in all states of the component is also taken in it; every state may be one in which nothing happens any more. Paths that
 * join, and circles, are no trouble, since states are not marked with the way on which they were reached.
 *
 * Source: for the components R. Tarjan, SIAM J. Computing 1(2), 1972; for fairness Z. Manna, A. Pnueli, "Temporal
 * Verification of Reactive Systems: Safety", 1995.
 */
import type { Property } from "../Property.ts"
import type { PathStep, Receiver, Space } from "./Space.ts"
import { find, holds } from "./Search.ts"
import { grown, Visited } from "./Visited.ts"

/** A run: the way to a circle, and once round it. An empty circle: nothing more happens. */
export interface Lasso {
  readonly steps: ReadonlyArray<PathStep>
  readonly loopFrom: number
}

interface Edge {
  readonly to: number
  readonly label: number
}

export class Graph<View> implements Receiver {
  numbers: Int32Array = new Int32Array(1 << 14)
  readonly space: Space<View>
  readonly visited = new Visited()
  /** Where the numbers of each state begin, and those of the next end. */
  private starts: Int32Array = new Int32Array(1 << 10)
  private end = 0
  /** The steps of a state are those from `firsts[state]` to `firsts[state + 1]`. */
  private firsts: Int32Array = new Int32Array(1 << 10)
  private targets: Int32Array = new Int32Array(1 << 12)
  private stepLabels: Int32Array = new Int32Array(1 << 12)
  private steps = 0
  private expanded = 0
  /** The state that is being gone on from; -1: none. */
  parent = -1
  private readonly maxBytes: number
  /** States that lie outside of the model's bounds: what follows is not known. */
  private readonly outside = new Set<number>()
  isCut = false

  constructor(space: Space<View>, maxBytes: number) {
    this.space = space
    this.maxBytes = maxBytes
    space.initial(this)
  }

  get bytes(): number {
    const { firsts, numbers, starts, stepLabels, targets } = this
    const arrays = [firsts, numbers, starts, stepLabels, targets].reduce((sum, { byteLength }) => sum + byteLength, 0)
    return arrays + this.visited.bytes + this.space.bytes
  }

  get size(): number {
    return this.visited.size
  }

  /** Goes on from so many states; whether there is more to do. */
  advance(states: number): boolean {
    for (let i = 0; i < states && this.expanded < this.size; i++) this.expand(this.expanded++)
    if (this.bytes > this.maxBytes) this.isCut = true
    return !this.isCut && this.expanded < this.size
  }

  private expand(state: number): void {
    if (state + 2 > this.firsts.length) this.firsts = grown(this.firsts, this.firsts.length * 2)
    const [from, length] = this.extent(state)
    this.parent = state
    if (this.space.isWithin(this.space.view(this.numbers, from, length))) {
      this.space.successors(this.numbers.slice(from, from + length), 0, length, this)
    } else this.outside.add(state)
    this.firsts[state + 1] = this.steps
  }

  private extent(state: number): readonly [from: number, length: number] {
    const from = this.starts[state]!
    return [from, (state + 1 < this.size ? this.starts[state + 1]! : this.end) - from]
  }

  offer(high: number, low: number, label: number, length: number): number {
    const index = this.visited.add(high, low, this.parent)
    if (this.parent >= 0) this.step(index < 0 ? this.visited.find(high, low) : index, label)
    if (index < 0) return -1
    if (index === this.starts.length) this.starts = grown(this.starts, index * 2)
    while (this.end + length > this.numbers.length) this.numbers = grown(this.numbers, this.numbers.length * 2)
    this.starts[index] = this.end
    this.end += length
    return this.starts[index]!
  }

  written(): void {}

  private step(target: number, label: number): void {
    if (this.steps === this.targets.length) {
      this.targets = grown(this.targets, this.steps * 2)
      this.stepLabels = grown(this.stepLabels, this.steps * 2)
    }
    this.targets[this.steps] = target
    this.stepLabels[this.steps++] = label
  }

  private edges(state: number): ReadonlyArray<Edge> {
    const edges: Array<Edge> = []
    for (let i = this.firsts[state]!; i < this.firsts[state + 1]!; i++) {
      edges.push({ to: this.targets[i]!, label: this.stepLabels[i]! })
    }
    return edges
  }

  // ----------------------------------------------------------------------------------------------------------- analysis

  /** A fair run that breaks the property, if there is one: as short a way to its circle as can be. */
  lasso(property: Property<View>): Lasso | undefined {
    const isBad = new Uint8Array(this.size)
    for (let state = 0; state < this.size; state++) {
      const [from, length] = this.extent(state)
      const view = this.space.view(this.numbers, from, length)
      isBad[state] = this.outside.has(state) || holds(property, view, state) ? 0 : 1
    }
    const passes = (state: number): boolean => property.kind === "infinitely often" || isBad[state] === 1
    const reached = this.reach(passes)
    let best: { readonly state: number; readonly component: Set<number> } | undefined
    for (const component of this.components((state) => isBad[state] === 1 && reached.distance[state]! >= 0)) {
      if (!this.isFair(component)) continue
      const nearest = component.reduce((a, b) => (reached.distance[b]! < reached.distance[a]! ? b : a))
      if (best === undefined || reached.distance[nearest]! < reached.distance[best.state]!) {
        best = { state: nearest, component: new Set(component) }
      }
    }
    if (best === undefined) return undefined
    const way: Array<Edge> = []
    for (let at = best.state; at >= 0; at = reached.before[at]!) way.push({ to: at, label: reached.by[at]! })
    return this.told(way.reverse(), this.circle(best.state, best.component))
  }

  /** The shortest ways from the first states, through states that `passes` lets through. */
  private reach(passes: (state: number) => boolean) {
    const distance = new Int32Array(this.size).fill(-1)
    const before = new Int32Array(this.size).fill(-1)
    const by = new Int32Array(this.size).fill(-1)
    const queue: Array<number> = []
    for (let state = 0; state < this.size && this.visited.pathTo(state).length === 1; state++) {
      if (!passes(state)) continue
      distance[state] = 0
      queue.push(state)
    }
    for (let at = 0; at < queue.length; at++) {
      const state = queue[at]!
      for (let i = this.firsts[state]!; i < this.firsts[state + 1]!; i++) {
        const to = this.targets[i]!
        if (distance[to]! >= 0 || !passes(to)) continue
        distance[to] = distance[state]! + 1
        before[to] = state
        by[to] = this.stepLabels[i]!
        queue.push(to)
      }
    }
    return { distance, before, by }
  }

  /** The strongly connected components among the states that `isIn` names; a state alone is one too. */
  private *components(isIn: (state: number) => boolean): Generator<ReadonlyArray<number>> {
    const { firsts, size, targets } = this
    const order = new Int32Array(size)
    const least = new Int32Array(size)
    const onStack = new Uint8Array(size)
    const next = new Int32Array(size)
    const stack: Array<number> = []
    let count = 0
    for (let root = 0; root < size; root++) {
      if (order[root] !== 0 || !isIn(root)) continue
      const path = [root]
      order[root] = least[root] = ++count
      next[root] = firsts[root]!
      stack.push(root)
      onStack[root] = 1
      while (path.length > 0) {
        const state = path.at(-1)!
        if (next[state]! < firsts[state + 1]!) {
          const to = targets[next[state]!++]!
          if (!isIn(to)) continue
          if (order[to] === 0) {
            order[to] = least[to] = ++count
            next[to] = firsts[to]!
            stack.push(to)
            onStack[to] = 1
            path.push(to)
          } else if (onStack[to] === 1) least[state] = Math.min(least[state]!, order[to]!)
          continue
        }
        path.pop()
        const above = path.at(-1)
        if (above !== undefined) least[above] = Math.min(least[above]!, least[state]!)
        if (least[state] !== order[state]) continue
        const component = stack.splice(stack.lastIndexOf(state))
        for (const each of component) onStack[each] = 0
        yield component
      }
    }
  }

  /** Whether a run may stay in the component for ever, and put off nothing that could happen all the time. */
  private isFair(component: ReadonlyArray<number>): boolean {
    const inside = new Set(component)
    const [first, ...others] = component
    let owed = this.fairLabels(first!)
    for (const state of others) {
      if (owed.size === 0) return true
      const here = this.fairLabels(state)
      owed = new Set([...owed].filter((label) => here.has(label)))
    }
    for (const state of component) {
      if (owed.size === 0) return true
      for (const { label, to } of this.edges(state)) if (inside.has(to)) owed.delete(label)
    }
    return owed.size === 0
  }

  private fairLabels(state: number): Set<number> {
    return new Set(this.edges(state).flatMap(({ label }) => (this.space.isFair(label) ? [label] : [])))
  }

  /** A way from `start` back to it that owes nothing; empty where it may stay. */
  private circle(start: number, component: ReadonlySet<number>): ReadonlyArray<Edge> {
    const owed = this.fairLabels(start)
    const circle: Array<Edge> = []
    let at = start
    const go = (isThere: (edge: Edge) => boolean): void => {
      for (const edge of this.within(at, component, isThere)) {
        circle.push(edge)
        at = edge.to
        const here = this.fairLabels(at)
        owed.delete(edge.label)
        for (const label of owed) if (!here.has(label)) owed.delete(label)
      }
    }
    while (owed.size > 0) {
      go(({ label, to }) => owed.has(label) || [...owed].some((each) => !this.fairLabels(to).has(each)))
    }
    if (at !== start) go(({ to }) => to === start)
    return circle
  }

  /** The shortest way inside the component whose last step is what was looked for. */
  private within(from: number, component: ReadonlySet<number>, isThere: (edge: Edge) => boolean): ReadonlyArray<Edge> {
    const cameBy = new Map<number, { readonly before: number; readonly edge: Edge }>()
    const queue = [from]
    for (const state of queue) {
      for (const edge of this.edges(state)) {
        if (!component.has(edge.to)) continue
        if (isThere(edge)) {
          const way = [edge]
          for (let at = state; at !== from;) {
            const step = cameBy.get(at)!
            way.push(step.edge)
            at = step.before
          }
          return way.reverse()
        }
        if (cameBy.has(edge.to) || edge.to === from) continue
        cameBy.set(edge.to, { before: state, edge })
        queue.push(edge.to)
      }
    }
    throw new Error("a strongly connected component is not")
  }

  private told(way: ReadonlyArray<Edge>, circle: ReadonlyArray<Edge>): Lasso {
    const steps: Array<PathStep> = []
    for (const { label, to } of [...way, ...circle]) {
      const [high, low] = [this.visited.high(to), this.visited.low(to)]
      steps.push(find(this.space, steps.at(-1), high, low, label))
    }
    return { steps, loopFrom: way.length }
  }
}
