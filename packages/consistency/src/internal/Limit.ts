/** How far a search may go in time and memory. Asking is cheap: the clock is read once in a thousand times. */
import { Clock, Context } from "effect"
import type { Budget } from "../Verdict.ts"

const clock = Context.get(Context.empty(), Clock.Clock)

const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

const defaults = { millis: 60_000, bytes: 2 ** 30 }

export class Limit {
  readonly budget: Required<Budget>
  readonly deadline: number
  asked = 0
  bytes = 0
  /** Why the search may not go on. */
  reason: string | undefined

  constructor(budget: Budget = {}) {
    this.budget = { millis: budget.millis ?? defaults.millis, bytes: budget.bytes ?? defaults.bytes }
    this.deadline = now() + this.budget.millis
    if (this.budget.millis <= 0) this.reason = outOfTime(this.budget.millis)
  }

  /** A limit for a part of the work: the same memory anew, and `share` of the time, but no more than is left. */
  part(share: number): Limit {
    const millis = Math.min(this.budget.millis * share, this.deadline - now())
    return new Limit({ millis, bytes: this.budget.bytes })
  }

  /** Notes that so many more bytes are remembered. */
  remember(bytes: number): void {
    this.bytes += bytes
    if (this.bytes > this.budget.bytes) {
      this.reason ??= `out of memory: it would remember more than ${this.budget.bytes} bytes`
    }
  }

  /** What was remembered is let go. */
  forget(): void {
    this.bytes = 0
  }

  get isReached(): boolean {
    if ((++this.asked & 1023) === 0 && now() > this.deadline) this.reason ??= outOfTime(this.budget.millis)
    return this.reason !== undefined
  }
}

const outOfTime = (millis: number): string => `out of time: undecided after ${Math.max(0, Math.round(millis))} ms`
