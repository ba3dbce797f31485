/** What waits for an actor: a queue, or a heap where some messages come first. */

export interface Mailbox {
  readonly size: number
  push(message: unknown): void
  /** There is one. */
  shift(): unknown
  /** Ahead of all others, in this order. */
  unshift(messages: ReadonlyArray<unknown>): void
}

export class Fifo implements Mailbox {
  /** What came since `taken` was taken up, and what is left of that: from `next` on. */
  private come: Array<unknown> = []
  private taken: Array<unknown> = none
  private next = 0

  get size(): number {
    return this.come.length + this.taken.length - this.next
  }

  push(message: unknown): void {
    this.come.push(message)
  }

  shift(): unknown {
    if (this.next === this.taken.length) {
      this.taken = this.come
      this.come = []
      this.next = 0
    }
    const message = this.taken[this.next]
    this.taken[this.next++] = undefined
    if (this.next === this.taken.length) {
      this.taken = none
      this.next = 0
    }
    return message
  }

  unshift(messages: ReadonlyArray<unknown>): void {
    this.taken = [...messages, ...this.taken.slice(this.next)]
    this.next = 0
  }
}

const none: Array<unknown> = []

interface Ranked {
  readonly message: unknown
  readonly rank: number
  readonly sequence: number
}

export class Heap implements Mailbox {
  private readonly rankOf: (message: unknown) => number
  private readonly heap: Array<Ranked> = []
  private last = 0
  private first = 0

  constructor(rankOf: (message: unknown) => number) {
    this.rankOf = rankOf
  }

  get size(): number {
    return this.heap.length
  }

  push(message: unknown): void {
    this.add({ message, rank: this.rankOf(message), sequence: ++this.last })
  }

  shift(): unknown {
    const { heap } = this
    const { message } = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return message
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (before(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return message
  }

  unshift(messages: ReadonlyArray<unknown>): void {
    this.first -= messages.length
    for (const [at, message] of messages.entries()) this.add({ message, rank: -Infinity, sequence: this.first + at })
  }

  private add(ranked: Ranked): void {
    const { heap } = this
    let at = heap.length
    heap.push(ranked)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (before(heap[parent]!, ranked)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = ranked
  }
}

const before = (a: Ranked, b: Ranked): boolean => a.rank < b.rank || (a.rank === b.rank && a.sequence < b.sequence)
