/** What waits for an actor: a queue, or a heap where some messages come first. */
import { pop, push, type Ranked } from "../Heap.ts"
import { isSignal } from "./envelopes.ts"

export interface Mailbox {
  readonly size: number
  push(message: unknown): void
  /** There is one. */
  shift(): unknown
  /** Ahead of all others, in this order. */
  unshift(messages: ReadonlyArray<unknown>): void
  /** Takes out what has waited longest and was told by others, if there is any. */
  dropOldest(): unknown
  /** What waits, the oldest first. Another mailbox is to take it up. */
  readonly all: Waits
}

/** The first so many were put ahead of all others, where that is not the order of all. */
export interface Waits {
  readonly messages: ReadonlyArray<unknown>
  readonly ahead: number
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

  dropOldest(): unknown {
    const ahead: Array<unknown> = []
    let oldest: unknown
    while (oldest === undefined && this.size > 0) {
      const message = this.shift()
      if (isSignal(message)) ahead.push(message)
      else oldest = message
    }
    this.unshift(ahead)
    return oldest
  }

  get all(): Waits {
    const messages: Array<unknown> = []
    let chunk = this.first
    for (let left = this.size, at = this.head; left > 0; left--, at++) {
      if (at === chunk.length - 1) {
        chunk = chunk[at] as Chunk
        at = 0
      }
      messages.push(chunk[at])
    }
    return { messages, ahead: 0 }
  }
}

interface Waiting extends Ranked {
  readonly message: unknown
  isTaken: boolean
}

export class Heap implements Mailbox {
  size = 0
  private readonly rankOf: (message: unknown) => number
  /** Some may be taken out already. */
  private heap: Array<Waiting> = []
  /** Those that others told, the oldest last, as of some time: what is not among them is younger. */
  private oldest: Array<Waiting> = []
  private last = 0
  private first = 0

  constructor(rankOf: (message: unknown) => number) {
    this.rankOf = rankOf
  }

  push(message: unknown): void {
    this.add(message, this.rankOf(message), ++this.last)
  }

  private add(message: unknown, rank: number, sequence: number): Waiting {
    const waiting = { message, rank, sequence, isTaken: false }
    this.size++
    push(this.heap, waiting)
    return waiting
  }

  shift(): unknown {
    let next = pop(this.heap)
    while (next.isTaken) next = pop(this.heap)
    return this.taken(next)
  }

  private taken(waiting: Waiting): unknown {
    waiting.isTaken = true
    this.size--
    return waiting.message
  }

  unshift(messages: ReadonlyArray<unknown>): void {
    for (const message of messages.toReversed()) {
      const waiting = this.add(message, -Infinity, --this.first)
      // It is older than all who are known to be old.
      if (this.oldest.length > 0 && !isSignal(message)) this.oldest.push(waiting)
    }
    if (this.oldest.length > 2 * this.size + 32) this.oldest = this.oldest.filter(({ isTaken }) => !isTaken)
  }

  dropOldest(): unknown {
    const dropped = this.nextOldest() ?? (this.sortByAge(), this.nextOldest())
    if (dropped === undefined) return undefined
    const message = this.taken(dropped)
    if (this.heap.length > 2 * this.size + 32) this.rebuild()
    return message
  }

  private nextOldest(): Waiting | undefined {
    let next = this.oldest.pop()
    while (next?.isTaken === true) next = this.oldest.pop()
    return next
  }

  private sortByAge(): void {
    this.oldest = this.heap.filter(({ isTaken, message }) => !isTaken && !isSignal(message))
    this.oldest.sort((a, b) => b.sequence - a.sequence)
  }

  get all(): Waits {
    const waiting = this.heap.filter(({ isTaken }) => !isTaken).sort((a, b) => a.sequence - b.sequence)
    return {
      messages: waiting.map(({ message }) => message),
      ahead: waiting.filter(({ sequence }) => sequence < 0).length
    }
  }

  /** What is deep down in the heap does not come up by itself. */
  private rebuild(): void {
    const waiting = this.heap.filter(({ isTaken }) => !isTaken)
    this.heap = []
    for (const each of waiting) push(this.heap, each)
  }
}
