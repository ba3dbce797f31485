import { Cell } from "../system/Cell.ts"
import type { Rare } from "../system/Rare.ts"

/** An actor of a system that is watched. */
export class ObservedCell extends Cell {
  /** Messages that a handler was given. */
  processed = 0
  private busyMillis = 0
  /** When its turn began, or the Effect that is under way; less than 0: it rests. */
  private sinceMillis = -1

  /** For how long handlers have run, or their Effects were under way. */
  get busy(): number {
    return this.sinceMillis < 0 ? this.busyMillis : this.busyMillis + this.system.monotonicMillis() - this.sinceMillis
  }

  override run(limit: number): number {
    if (this.status === "ready") this.sinceMillis = this.system.monotonicMillis()
    const taken = super.run(limit)
    if (this.status !== "busy") this.rest()
    return taken
  }

  override afterTurn(rare: Rare): void {
    super.afterTurn(rare)
    if (rare.fiber === undefined) this.rest()
  }

  private rest(): void {
    if (this.sinceMillis < 0) return
    this.busyMillis += this.system.monotonicMillis() - this.sinceMillis
    this.sinceMillis = -1
  }
}
