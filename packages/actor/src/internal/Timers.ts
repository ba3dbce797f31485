/**
 * The timers of one actor, over Effect's `Clock`: a heap of deadlines and one sleeper for the earliest.
 */
import { Clock, Duration, Effect, type Fiber } from "effect"

interface Entry {
  readonly timer: string
  readonly deadlineMillis: number
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
  private wakesAtMillis = Infinity

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
    const deadlineMillis = this.nowMillis() + Math.max(0, delayMillis)
    const entry = { timer, deadlineMillis, sequence: this.sequence++ }
    this.running.set(timer, entry)
    // Stale entries are dropped when they surface; a timer that is set anew and anew must not pile them up.
    if (this.heap.length > 32 && this.heap.length > 4 * this.running.size) this.rebuild()
    else push(this.heap, entry)
    if (deadlineMillis < this.wakesAtMillis) this.sleepUntil(deadlineMillis)
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
    this.wakesAtMillis = Infinity
  }

  private rebuild(): void {
    this.heap = []
    for (const entry of this.running.values()) push(this.heap, entry)
  }

  private nowMillis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  private sleepUntil(deadlineMillis: number): void {
    this.sleeper?.interruptUnsafe()
    this.wakesAtMillis = deadlineMillis
    const left = Math.max(0, deadlineMillis - this.nowMillis())
    this.sleeper = this.fork(Effect.andThen(this.clock.sleep(Duration.millis(left)), Effect.sync(this.wake)))
  }

  private readonly wake = (): void => {
    this.sleeper = undefined
    this.wakesAtMillis = Infinity
    const now = this.nowMillis()
    // What is due now, and nothing that its handlers set meanwhile: a timer of zero waits for the next turn.
    const limit = this.sequence
    for (;;) {
      const first = this.heap[0]
      if (first === undefined) return
      const stale = this.running.get(first.timer) !== first
      if (!stale && (first.deadlineMillis > now || first.sequence >= limit)) {
        if (first.deadlineMillis < this.wakesAtMillis) this.sleepUntil(first.deadlineMillis)
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
  a.deadlineMillis < b.deadlineMillis || (a.deadlineMillis === b.deadlineMillis && a.sequence < b.sequence)

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
