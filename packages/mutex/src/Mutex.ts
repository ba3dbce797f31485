/**
 * A lock across nodes. Programs use this service; an algorithm is a layer for it.
 *
 * @example
 * import { Mutex } from "@troupe/mutex"
 * import { Effect } from "effect"
 *
 * export const charge = (order: string) =>
 *   Effect.gen(function*() {
 *     const mutex = yield* Mutex
 *     return yield* mutex.withLock((token) => Effect.log(`charging ${order} under token ${token}`))
 *   })
 */
import { Context, type Effect } from "effect"

/**
 * The number of an entry: unique, and higher than that of each earlier entry. Hand it to what the lock guards, which
 * refuses a token lower than one it has seen: a holder that was slow, or wrongly thought dead, can then do no harm.
 */
export type FencingToken = number

export class Mutex extends Context.Service<
  Mutex,
  {
    /**
     * Runs `body` as the only one across all nodes, with the fencing token of this entry. Waits for as long as it takes:
     * put `Effect.timeout` around it to wait less. The lock is released when `body` ends, fails, dies or is interrupted;
     * an interruption while waiting withdraws the request. Not re-entrant: a `withLock` inside the body of the same lock
     * waits for itself.
     *
     * The body is interrupted when this node's part of the algorithm fails and starts anew: it may not be alone any more.
     * When that has failed for good, `withLock` dies of `ActorFailed`; whoever waits when the layer closes is interrupted.
     */
    readonly withLock: <A, E, R>(body: (token: FencingToken) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("@troupe/mutex/Mutex") {}
