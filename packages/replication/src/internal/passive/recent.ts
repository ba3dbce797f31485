/**
 * What the latest batches made of a machine's states. Replicas in one process get the same batch, by reference, and most of
 * them hold the same state: the first computes what comes of it, and the others share that, and its memory.
 */
import type * as Machine from "../../Machine.ts"
import type { Batch } from "./messages.ts"

/** More than there are under way at a time: who is further behind computes for itself. */
const remembered = 16

class Recent {
  private readonly batches: Array<Batch | undefined> = Array.from({ length: remembered }, () => undefined)
  private readonly before: Array<unknown> = []
  private readonly after: Array<unknown> = []
  private next = 0

  note(batch: Batch, before: unknown, after: unknown): void {
    this.batches[this.next] = batch
    this.before[this.next] = before
    this.after[this.next] = after
    this.next = (this.next + 1) % remembered
  }

  /** What the batch made of that very state, if that is known. */
  find(batch: Batch, before: unknown): unknown {
    const at = this.batches.indexOf(batch)
    return at >= 0 && this.before[at] === before ? this.after[at] : undefined
  }
}

const all = new WeakMap<Machine.Any, Recent>()

export const of = (machine: Machine.Any): Recent => {
  let recent = all.get(machine)
  if (recent === undefined) all.set(machine, (recent = new Recent()))
  return recent
}
