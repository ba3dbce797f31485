/**
 * Who waits for which lock at this node, in the order of coming. The first of a line asks for it, again and again, and the
 * others wait for their turn: so that many who wait for one lock ask no more than one.
 */
import { Effect } from "effect"

export interface Place {
  /** Ends when nobody is before this one any more. */
  readonly turn: Effect.Effect<void>
  readonly leave: () => void
}

interface Waiter {
  wake: (() => void) | undefined
}

export class Lines {
  private readonly lines = new Map<string, Array<Waiter>>()

  enter(key: string): Place {
    let line = this.lines.get(key)
    if (line === undefined) this.lines.set(key, (line = []))
    const waiter: Waiter = { wake: undefined }
    line.push(waiter)
    return { turn: turnOf(line, waiter), leave: () => this.leave(key, line, waiter) }
  }

  private leave(key: string, line: Array<Waiter>, waiter: Waiter): void {
    const at = line.indexOf(waiter)
    if (at < 0) return
    line.splice(at, 1)
    if (line.length === 0) this.lines.delete(key)
    else if (at === 0) line[0]!.wake?.()
  }
}

const turnOf = (line: ReadonlyArray<Waiter>, waiter: Waiter): Effect.Effect<void> =>
  Effect.callback((resume) => {
    waiter.wake = () => resume(Effect.void)
    if (line[0] === waiter) waiter.wake()
  })
