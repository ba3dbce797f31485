/** A queue of what is to happen, by virtual time and, at the same instant, in the order of asking. */
export interface Timed {
  readonly atNanos: number
  readonly sequence: number
}

export class Heap<A extends Timed> {
  private items: Array<A> = []

  get size(): number {
    return this.items.length
  }

  peek(): A | undefined {
    return this.items[0]
  }

  /** Drops what is not to be kept. */
  retain(keep: (item: A) => boolean): void {
    const items = this.items
    this.items = []
    for (const item of items) if (keep(item)) this.push(item)
  }

  push(item: A): void {
    const items = this.items
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 2
      const above = items[parent]!
      if (isBefore(above, item)) break
      items[at] = above
      at = parent
    }
    items[at] = item
  }

  pop(): A | undefined {
    const items = this.items
    const first = items[0]
    const last = items.pop()
    const size = items.length
    if (size === 0 || last === undefined) return first
    let at = 0
    for (;;) {
      const start = 4 * at + 1
      if (start >= size) break
      const end = Math.min(start + 4, size)
      let child = start
      let least = items[start]!
      for (let i = start + 1; i < end; i++) {
        const other = items[i]!
        if (isBefore(other, least)) {
          least = other
          child = i
        }
      }
      if (isBefore(last, least)) break
      items[at] = least
      at = child
    }
    items[at] = last
    return first
  }
}

const isBefore = (a: Timed, b: Timed): boolean =>
  a.atNanos < b.atNanos || (a.atNanos === b.atNanos && a.sequence < b.sequence)
