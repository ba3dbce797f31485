import type { VectorClock } from "./Trace.ts"

/** The vector clocks of a run that is told in an order in which causes come first. A clock that was handed out is kept. */
export class VectorClocks {
  private readonly latest = new Map<string, VectorClock>()

  /** The clock of the next event of `node`, which knows what `cause` knew. */
  tick(node: string, cause?: VectorClock): VectorClock {
    const before = this.latest.get(node)
    const clock: Record<string, number> = { ...before }
    if (cause !== undefined) {
      for (const other in cause) {
        const known = cause[other]!
        if (known > (clock[other] ?? 0)) clock[other] = known
      }
    }
    clock[node] = (clock[node] ?? 0) + 1
    this.latest.set(node, clock)
    return clock
  }
}
