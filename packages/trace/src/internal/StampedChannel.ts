import type { VectorClock } from "../Trace.ts"

interface Known {
  readonly clock: VectorClock
  /** None of a message of another process. */
  readonly id?: number
}

interface Asked {
  readonly id: number
  readonly clock: VectorClock
  readonly message: unknown
}

/**
 * The messages of one channel on one node, where they are stamped.
 *
 * An actor's step is told before what it asked for is sent, and a message is handed over before the step that takes it, if
 * others wait: both wait here, in their order.
 */
export class StampedChannel {
  private isActor = false
  private sends: Array<Asked & { readonly to: string }> = []
  private handed: Array<Known & { readonly message: unknown }> = []

  /** An actor speaks on it: its steps tell of its messages. */
  spawned(): void {
    this.isActor = true
  }

  /** What an actor asked for before it was stopped by a listener is not sent any more. */
  stepped(): void {
    this.sends = []
  }

  asked(to: string, send: Asked): void {
    this.sends.push({ ...send, to })
  }

  /** The stamp of a message that goes out, if an actor's latest step asked for it. */
  ask(to: string, message: unknown): { readonly id: number; readonly clock: VectorClock } | undefined {
    const first = this.sends[0]
    if (first === undefined || first.to !== to || first.message !== message) return undefined
    this.sends.shift()
    return { id: first.id, clock: first.clock }
  }

  /** A message is handed over: whether to an actor. */
  hand(message: unknown, known: Known): boolean {
    if (this.isActor) this.handed.push({ ...known, message })
    return this.isActor
  }

  /** What is known of the message that an actor takes. Those before it were refused: its mailbox was full. */
  take(message: unknown): Known | undefined {
    const at = this.handed.findIndex((other) => other.message === message)
    if (at < 0) return undefined
    const [known] = this.handed.splice(0, at + 1).slice(-1)
    return known
  }
}
