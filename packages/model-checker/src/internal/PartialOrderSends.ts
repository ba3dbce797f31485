/**
 * To whom a node may send, from a local state on: learnt from the local steps that were seen, and so a relation that grows.
 *
 * Who may act on a node is a set of sources: the nodes whose messages it may get, and that it may crash. For each set that
 * is asked for there is a table from local states to the nodes that are sent to on some way of local steps that these
 * sources allow. A new step changes what leads to it, and nothing else.
 */
import { grown } from "./Visited.ts"

export interface SendTable {
  /** Bits: a node each, and one more for that the node may crash. */
  readonly sources: number
  /** By local state, bits: to whom. */
  masks: Int32Array
  /** By local state, bits: to whom not, as something that was left out relies on. */
  relied: Int32Array
}

/** Beyond, a set of sources counts as all of them: that may leave out less, never too much. */
const maxTables = 256

export class Sends {
  /** Whether the relation has outgrown what was relied on. */
  isOutdated = false
  private readonly all: number
  private readonly tables = new Map<number, SendTable>()
  // Steps between local states, by number. Those that lead to a state are a list, from `heads` on; 0: no more.
  private count = 1
  private heads: Int32Array = new Int32Array(256)
  private nexts: Int32Array = new Int32Array(256)
  private befores: Int32Array = new Int32Array(256)
  private afters: Int32Array = new Int32Array(256)
  private targets: Int32Array = new Int32Array(256)
  private sources: Int32Array = new Int32Array(256)
  private readonly waiting: Array<number> = []

  /** `all` are the bits of all sources. */
  constructor(all: number) {
    this.all = all
  }

  get bytes(): number {
    let locals = 0
    for (const { masks } of this.tables.values()) locals += masks.length
    return this.heads.byteLength + this.nexts.byteLength * 5 + locals * 8
  }

  /** A step was seen, from one local state to another, that sends to `targets` and needs `source` (bits; 0: none). */
  learn(before: number, after: number, targets: number, source: number): void {
    const step = this.count++
    if (step === this.nexts.length) this.grow()
    while (Math.max(before, after) >= this.heads.length) this.heads = grown(this.heads, this.heads.length * 2)
    this.nexts[step] = this.heads[after]!
    this.heads[after] = step
    this.befores[step] = before
    this.afters[step] = after
    this.targets[step] = targets
    this.sources[step] = source
    for (const table of this.tables.values()) this.follow(table, step)
  }

  /** Under these sources. Local states beyond its end send nothing. */
  table(sources: number): SendTable {
    const known = this.tables.get(sources)
    if (known !== undefined) return known
    if (this.tables.size >= maxTables && sources !== this.all) return this.table(this.all)
    const { length } = this.heads
    const table = { sources, masks: new Int32Array(length), relied: new Int32Array(length) }
    this.tables.set(sources, table)
    for (let step = 1; step < this.count; step++) this.follow(table, step)
    return table
  }

  /** It is relied on that from this local state on nothing is sent to `targets`. */
  rely(table: SendTable, local: number, targets: number): void {
    this.cover(table, local)
    table.relied[local]! |= targets
  }

  /** By local state, a number for the circle of steps that it lies on; what needs a source of `without` is no step. */
  circles(without: number): Int32Array {
    const { befores, heads, nexts, sources } = this
    const size = heads.length
    const circle = new Int32Array(size)
    const order = new Int32Array(size)
    const least = new Int32Array(size)
    const at = heads.slice()
    const stack: Array<number> = []
    let count = 0
    for (let root = 0; root < size; root++) {
      if (order[root] !== 0) continue
      const path = [root]
      order[root] = least[root] = ++count
      stack.push(root)
      while (path.length > 0) {
        const local = path.at(-1)!
        const step = at[local]!
        if (step !== 0) {
          at[local] = nexts[step]!
          if ((sources[step]! & without) !== 0) continue
          const before = befores[step]!
          if (order[before] === 0) {
            order[before] = least[before] = ++count
            stack.push(before)
            path.push(before)
          } else if (circle[before] === 0) least[local] = Math.min(least[local]!, order[before]!)
          continue
        }
        path.pop()
        const above = path.at(-1)
        if (above !== undefined) least[above] = Math.min(least[above]!, least[local]!)
        if (least[local] !== order[local]) continue
        for (let each = stack.pop()!; ; each = stack.pop()!) {
          circle[each] = local + 1
          if (each === local) break
        }
      }
    }
    return circle
  }

  /** Nothing is relied on any more; what was learnt stays. */
  release(): void {
    this.isOutdated = false
    for (const { relied } of this.tables.values()) relied.fill(0)
  }

  private follow(table: SendTable, step: number): void {
    if ((this.sources[step]! & ~table.sources) !== 0) return
    const after = this.afters[step]!
    const beyond = after < table.masks.length ? table.masks[after]! : 0
    this.add(table, this.befores[step]!, this.targets[step]! | beyond)
  }

  private add(table: SendTable, local: number, targets: number): void {
    this.cover(table, local)
    const { masks, relied } = table
    if ((targets & ~masks[local]!) === 0) return
    const { befores, heads, nexts, sources, waiting } = this
    masks[local]! |= targets
    waiting.push(local)
    while (waiting.length > 0) {
      const at = waiting.pop()!
      const reached = masks[at]!
      if ((relied[at]! & reached) !== 0) this.isOutdated = true
      for (let step = heads[at]!; step !== 0; step = nexts[step]!) {
        const before = befores[step]!
        if ((sources[step]! & ~table.sources) !== 0 || (reached & ~masks[before]!) === 0) continue
        masks[before]! |= reached
        waiting.push(before)
      }
    }
  }

  /** Makes room for all local states that there are steps of, and for this one. */
  private cover(table: SendTable, local: number): void {
    while (local >= this.heads.length) this.heads = grown(this.heads, this.heads.length * 2)
    const { length } = this.heads
    if (table.masks.length === length) return
    table.masks = grown(table.masks, length)
    table.relied = grown(table.relied, length)
  }

  private grow(): void {
    const length = this.nexts.length * 2
    this.nexts = grown(this.nexts, length)
    this.befores = grown(this.befores, length)
    this.afters = grown(this.afters, length)
    this.targets = grown(this.targets, length)
    this.sources = grown(this.sources, length)
  }
}
