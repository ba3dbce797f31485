/** From two natural numbers to a third: open addressing in one typed array. */
export class PairMap {
  private slots: Int32Array
  private mask: number
  private size = 0

  constructor(capacity = 1024) {
    this.slots = new Int32Array(capacity * 3)
    this.mask = capacity - 1
  }

  get bytes(): number {
    return this.slots.byteLength
  }

  /** -1 where there is none. */
  get(a: number, b: number): number {
    const { mask, slots } = this
    for (let i = hash(a, b) & mask; ; i = (i + 1) & mask) {
      const value = slots[i * 3 + 2]!
      if (value === 0) return -1
      if (slots[i * 3] === a && slots[i * 3 + 1] === b) return value - 1
    }
  }

  /** The pair must be new. */
  set(a: number, b: number, value: number): void {
    if (this.size * 2 > this.mask) this.grow()
    this.put(a, b, value + 1)
    this.size++
  }

  private put(a: number, b: number, stored: number): void {
    const { mask, slots } = this
    let i = hash(a, b) & mask
    while (slots[i * 3 + 2] !== 0) i = (i + 1) & mask
    slots[i * 3] = a
    slots[i * 3 + 1] = b
    slots[i * 3 + 2] = stored
  }

  private grow(): void {
    const { slots } = this
    this.slots = new Int32Array(slots.length * 2)
    this.mask = this.mask * 2 + 1
    for (let at = 0; at < slots.length; at += 3) {
      if (slots[at + 2] !== 0) this.put(slots[at]!, slots[at + 1]!, slots[at + 2]!)
    }
  }
}

const hash = (a: number, b: number): number => {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
  return h ^ (h >>> 13)
}
