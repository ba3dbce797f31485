/** What the tests of transports share. */
import type { Channel, LinkEvent, Transport } from "@troupe/transport"
import { Effect, type Scope, Stream } from "effect"

/** What happened so far, and a way to wait for more. */
export class Log<A> {
  readonly items: Array<A> = []
  private waiting: Array<() => void> = []

  readonly add = (item: A): void => {
    this.items.push(item)
    this.waiting.forEach((look) => look())
  }

  until(enough: (items: ReadonlyArray<A>) => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const look = (): void => {
        if (!enough(this.items)) return
        this.waiting = this.waiting.filter((other) => other !== look)
        resume(Effect.void)
      }
      this.waiting.push(look)
      look()
    }).pipe(
      Effect.timeout("20 seconds"),
      Effect.orElseSucceed(() => {
        throw new Error(`waited in vain; got ${this.items.length}: ${JSON.stringify(this.items.slice(-10))}`)
      })
    )
  }
}

/** The link events of a node from now on. */
export const events = (node: Transport["Service"]): Effect.Effect<Log<LinkEvent>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const log = new Log<LinkEvent>()
    yield* Effect.forkScoped(
      Stream.runForEach(node.links, (event) => Effect.sync(() => log.add(event))),
      { startImmediately: true }
    )
    return log
  })

/** The messages that arrive at a node on a channel. */
export const arrivals = <Message>(node: Transport["Service"], channel: Channel.Channel<Message>) =>
  Effect.gen(function* () {
    const log = new Log<Message>()
    yield* node.open(channel, (_, message) => log.add(message))
    return log
  })

/** A small seeded generator (mulberry32): numbers from 0 (included) to 1 (excluded). */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
