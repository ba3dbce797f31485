/** What nobody took. */
import { Effect } from "effect"
import type { DeadLetter } from "../../ActorSystem.ts"

/** How many of them are logged in so many milliseconds. */
const loggedAtOnce = 10
const logMillis = 10_000

export class DeadLetters {
  readonly counts: Record<DeadLetter["reason"], number> = { stopped: 0, "mailbox full": 0, "not understood": 0 }
  private readonly listeners = new Set<(letter: DeadLetter) => void>()
  private readonly nowMillis: () => number
  private readonly fork: (effect: Effect.Effect<void>) => void
  private sinceMillis = -Infinity
  private logged = 0

  constructor(nowMillis: () => number, fork: (effect: Effect.Effect<void>) => void) {
    this.nowMillis = nowMillis
    this.fork = fork
  }

  get count(): number {
    return this.counts.stopped + this.counts["mailbox full"] + this.counts["not understood"]
  }

  subscribe(listener: (letter: DeadLetter) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  add(actor: { readonly path: string }, message: unknown, reason: DeadLetter["reason"]): void {
    this.counts[reason]++
    if (this.listeners.size > 0) {
      const letter = { actor: actor.path, message, reason }
      for (const listener of this.listeners) listener(letter)
    }
    this.log(actor, message, reason)
  }

  /** The first few, and how many there were since. */
  private log(actor: { readonly path: string }, message: unknown, reason: string): void {
    const now = this.nowMillis()
    if (now - this.sinceMillis >= logMillis) {
      const more = this.logged - loggedAtOnce
      if (more > 0) this.fork(Effect.logDebug(`${more} more dead letters`))
      this.sinceMillis = now
      this.logged = 0
    }
    if (this.logged++ >= loggedAtOnce) return
    const { _tag = "a message" } = (message ?? {}) as { readonly _tag?: string }
    this.fork(Effect.logDebug(`dead letter: ${_tag} for "${actor.path}", ${reason}`))
  }
}
