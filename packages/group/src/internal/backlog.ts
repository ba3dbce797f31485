/** What is delivered to a topic that is read as a stream, and not taken yet. */
import { type Cause, Effect, Queue, Stream } from "effect"

export interface Backlog<A> {
  readonly offer: (delivery: A) => void
  /** What was not taken is gone: how many those were. */
  readonly end: () => number
  readonly stream: Stream.Stream<A>
}

/** So many at a time: those that a reader holds are not counted as waiting. */
const taken = 64

/** `onTake` is told how many were taken, before the reader has them. */
export const backlog = <A>(onTake: (count: number) => void): Effect.Effect<Backlog<A>> =>
  Effect.map(Queue.unbounded<A, Cause.Done>(), (queue) => {
    let ended = false
    return {
      offer: (delivery) => void Queue.offerUnsafe(queue, delivery),
      end: () => {
        ended = true
        const left = Queue.sizeUnsafe(queue)
        Queue.endUnsafe(queue)
        return left
      },
      stream: Stream.fromPull(
        Effect.succeed(
          Effect.map(Queue.takeBetween(queue, 1, taken), (some) => {
            if (!ended) onTake(some.length)
            return some as [A, ...Array<A>]
          })
        )
      )
    }
  })
