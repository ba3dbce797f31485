/**
 * The timers of one actor, over Effect's `Clock`: a heap of deadlines and one sleeper for the earliest.
 */
import { type Clock, Duration, Effect, type Fiber } from "effect"
import { pop, push, type Ranked } from "./Heap.ts"

/** Its rank is its deadline, in nanoseconds. */
interface Entry extends Ranked {
  readonly timer: string
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
    const entry = { timer, rank: deadlineNanos, sequence: this.sequence++ }
    this.running.set(timer, entry)
    // Stale entries are dropped when they surface; a timer that is set anew and anew must not pile them up.
    if (this.heap.length > 32 && this.heap.length > 4 * this.running.size) this.rebuild()
    else push(this.heap, entry)
    if (deadlineNanos < this.wakesAtNanos) this.sleepUntil(deadlineNanos)
  }

  clear(timer: string): void {
    this.running.delete(timer)
  }

  /** How long it still has, if it runs. */
  leftMillis(timer: string): number | undefined {
    const entry = this.running.get(timer)
    return entry && Math.max(0, entry.rank - this.nowNanos()) / 1e6
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
      if (!stale && (first.rank > now || first.sequence >= limit)) {
        if (first.rank < this.wakesAtNanos) this.sleepUntil(first.rank)
        return
      }
      pop(this.heap)
      if (stale) continue
      this.running.delete(first.timer)
      this.onTimeout(first.timer)
    }
  }
}
