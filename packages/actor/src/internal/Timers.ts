/**
 * The timers of one actor, over Effect's `Clock`: a heap of deadlines and one sleeper for the earliest.
 */
import { type Clock, Duration, Effect, type Fiber } from "effect"

interface Entry {
  readonly timer: string
  readonly deadlineNanos: number
  /** Breaks ties in the order of setting, so that runs repeat. */
  readonly sequence: number
}

export class Timers {
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly onTimeout: (timer: string) => void
  /** The entry that counts for each running timer; others in the heap are stale. */
  private readonly running = new Map<string, Entry>()
  private heap: Array<Entry> = []
  private sequence = 0
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  private wakesAtNanos = Infinity

  constructor(
    clock: Clock.Clock,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
    onTimeout: (timer: string) => void
  ) {
    this.clock = clock
    this.fork = fork
    this.onTimeout = onTimeout
  }

  set(timer: string, delayMillis: number): void {
    const deadlineNanos = this.nowNanos() + Math.max(0, Math.round(delayMillis * 1e6))
    const entry = { timer, deadlineNanos, sequence: this.sequence++ }
    this.running.set(timer, entry)
    // Stale entries are dropped when they surface; a timer that is set anew and anew must not pile them up.
    if (this.heap.length > 32 && this.heap.length > 4 * this.running.size) this.rebuild()
    else push(this.heap, entry)
    if (deadlineNanos < this.wakesAtNanos) this.sleepUntil(deadlineNanos)
  }

  clear(timer: string): void {
    this.running.delete(timer)
  }

  /** Stops every timer. */
  clearAll(): void {
    this.running.clear()
    this.heap = []
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
    this.wakesAtNanos = Infinity
  }

  private rebuild(): void {
    this.heap = []
    for (const entry of this.running.values()) push(this.heap, entry)
  }

  // Whole nanoseconds: a deadline that a fraction of one is left to would never come.
  private nowNanos(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe())
  }

  private sleepUntil(deadlineNanos: number): void {
    this.sleeper?.interruptUnsafe()
    this.wakesAtNanos = deadlineNanos
    const left = deadlineNanos - this.nowNanos()
    // Some clocks sleep no time at all by not sleeping: then the timer would run out while it is being set.
    const sleep = left > 0 ? this.clock.sleep(Duration.nanos(BigInt(left))) : Effect.yieldNow
    this.sleeper = this.fork(Effect.andThen(sleep, Effect.sync(this.wake)))
  }

  private readonly wake = (): void => {
    this.sleeper = undefined
    this.wakesAtNanos = Infinity
    const now = this.nowNanos()
    // What is due now, and nothing that its handlers set meanwhile: a timer of zero waits for the next turn.
    const limit = this.sequence
    for (;;) {
      const first = this.heap[0]
      if (first === undefined) return
      const stale = this.running.get(first.timer) !== first
      if (!stale && (first.deadlineNanos > now || first.sequence >= limit)) {
        if (first.deadlineNanos < this.wakesAtNanos) this.sleepUntil(first.deadlineNanos)
        return
      }
      pop(this.heap)
      if (stale) continue
      this.running.delete(first.timer)
      this.onTimeout(first.timer)
    }
  }
}

const before = (a: Entry, b: Entry): boolean =>
  a.deadlineNanos < b.deadlineNanos || (a.deadlineNanos === b.deadlineNanos && a.sequence < b.sequence)

const push = (heap: Array<Entry>, entry: Entry): void => {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (before(heap[parent]!, entry)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = entry
}

const pop = (heap: Array<Entry>): void => {
  const last = heap.pop()!
  if (heap.length === 0) return
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
}
