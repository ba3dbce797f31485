/** States that were seen, by number. */
export interface Seen {
  readonly size: number
  high(index: number): number
  low(index: number): number
  /** From a first state to this one. */
  pathTo(index: number): ReadonlyArray<number>
}

/**
 * The states that were seen: 64 bits of each, and the state that it was reached from. Nothing else of a state is kept, in
 * 12 bytes and a slot of 4; with the room to grow, 18 to 36 bytes a state.
 */
export class Visited implements Seen {
  size = 0
  private slots: Int32Array
  private mask: number
  private highs: Int32Array
  private lows: Int32Array
  private parents: Int32Array

  constructor(capacity = 4096) {
    this.slots = new Int32Array(capacity * 2)
    this.mask = capacity * 2 - 1
    this.highs = new Int32Array(capacity)
    this.lows = new Int32Array(capacity)
    this.parents = new Int32Array(capacity)
  }

  get bytes(): number {
    return this.slots.byteLength + this.highs.byteLength * 3
  }

  /** The index of a state that is new, reached from the state of index `parent` or from none (-1); -1 if it is known. */
  add(high: number, low: number, parent: number): number {
    if (this.size === this.highs.length) this.grow()
    const { highs, lows, mask, slots } = this
    let i = low & mask
    for (let stored = slots[i]!; stored !== 0; stored = slots[(i = (i + 1) & mask)]!) {
      if (lows[stored - 1] === low && highs[stored - 1] === high) return -1
    }
    const index = this.size++
    slots[i] = index + 1
    highs[index] = high
    lows[index] = low
    this.parents[index] = parent
    return index
  }

  /** The index of a state, -1 if it is not known. */
  find(high: number, low: number): number {
    const { highs, lows, mask, slots } = this
    for (let i = low & mask; ; i = (i + 1) & mask) {
      const stored = slots[i]!
      if (stored === 0) return -1
      if (lows[stored - 1] === low && highs[stored - 1] === high) return stored - 1
    }
  }

  high(index: number): number {
    return this.highs[index]!
  }

  low(index: number): number {
    return this.lows[index]!
  }

  /** The state that this one was reached from, -1 of a first one. */
  parent(index: number): number {
    return this.parents[index]!
  }

  /** From a first state to this one. */
  pathTo(index: number): ReadonlyArray<number> {
    const path: Array<number> = []
    for (let at = index; at >= 0; at = this.parents[at]!) path.push(at)
    return path.reverse()
  }

  private grow(): void {
    const capacity = this.highs.length * 2
    this.highs = grown(this.highs, capacity)
    this.lows = grown(this.lows, capacity)
    this.parents = grown(this.parents, capacity)
    this.slots = new Int32Array(capacity * 2)
    this.mask = capacity * 2 - 1
    for (let index = 0; index < this.size; index++) {
      let i = this.lows[index]! & this.mask
      while (this.slots[i] !== 0) i = (i + 1) & this.mask
      this.slots[i] = index + 1
    }
  }
}

export const grown = (array: Int32Array, length: number): Int32Array => {
  const larger = new Int32Array(length)
  larger.set(array)
  return larger
}
