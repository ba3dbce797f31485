/** What waits for an actor: a queue, or a heap where some messages come first. */
import { pop, push, type Ranked } from "../Heap.ts"

export interface Mailbox {
  readonly size: number
  push(message: unknown): void
  /** There is one. */
  shift(): unknown
  /** Ahead of all others, in this order. */
  unshift(messages: ReadonlyArray<unknown>): void
}

/** Messages, and in the last slot the chunk that follows: so what waits is never copied. */
type Chunk = Array<unknown>

const chunk = (slots: number): Chunk => {
  const chunk: Chunk = new Array(slots + 1)
  chunk[slots] = undefined
  return chunk
}

const fewestSlots = 8
const mostSlots = 128

export class Fifo implements Mailbox {
  size = 0
  private first = chunk(fewestSlots)
  private last = this.first
  /** Where the first chunk is read, and where the last one is written. */
  private head = 0
  private tail = 0

  push(message: unknown): void {
    const { last, tail } = this
    this.size++
    if (tail === last.length - 1) return this.grow(message)
    last[tail] = message
    this.tail = tail + 1
  }

  private grow(message: unknown): void {
    const { last, tail } = this
    const next = chunk(Math.min(2 * tail, mostSlots))
    next[0] = message
    last[tail] = next
    this.last = next
    this.tail = 1
  }

  shift(): unknown {
    const { first, head } = this
    const message = first[head]
    first[head] = undefined
    if (--this.size === 0) this.clear()
    else if (head + 2 === first.length) {
      this.first = first[head + 1] as Chunk
      this.head = 0
    } else this.head = head + 1
    return message
  }

  /** Who had much to do once keeps no room for it. */
  private clear(): void {
    if (this.last.length > 2 * fewestSlots + 1) this.last = chunk(fewestSlots)
    this.first = this.last
    this.head = this.tail = 0
  }

  unshift(messages: ReadonlyArray<unknown>): void {
    let left = messages.length
    while (left > 0 && this.head > 0) this.first[--this.head] = messages[--left]
    if (left > 0) this.first = [...messages.slice(0, left), this.first]
    this.size += messages.length
  }
}

interface Waiting extends Ranked {
  readonly message: unknown
}

export class Heap implements Mailbox {
  private readonly rankOf: (message: unknown) => number
  private readonly heap: Array<Waiting> = []
  private last = 0
  private first = 0

  constructor(rankOf: (message: unknown) => number) {
    this.rankOf = rankOf
  }

  get size(): number {
    return this.heap.length
  }

  push(message: unknown): void {
    push(this.heap, { message, rank: this.rankOf(message), sequence: ++this.last })
  }

  shift(): unknown {
    return pop(this.heap).message
  }

  unshift(messages: ReadonlyArray<unknown>): void {
    this.first -= messages.length
    for (const [at, message] of messages.entries()) {
      push(this.heap, { message, rank: -Infinity, sequence: this.first + at })
    }
  }
}
