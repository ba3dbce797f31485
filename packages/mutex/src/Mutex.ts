/**
 * A lock across nodes. Programs use this service; an algorithm is a layer for it.
 *
 * @example
 * import { Mutex } from "@troupe/mutex"
 * import { Effect, Option } from "effect"
 *
 * export const charge = (order: string) =>
 *   Effect.gen(function*() {
 *     const mutex = yield* Mutex
 *     const receipt = yield* mutex.tryLock("2 seconds", (token) => Effect.succeed(`${order}, under token ${token}`))
 *     return Option.getOrElse(receipt, () => "busy, try again")
 *   })
 */
import type { NodeId } from "@troupe/transport"
import { Context, type Duration, type Effect, type Option, Schema, type Stream } from "effect"

/**
 * The number of an entry: unique, and higher than that of each earlier entry of the same lock. Hand it to what the lock
 * guards (`FencedResource`), which refuses a token lower than one it has seen: a holder that was slow, or wrongly thought
 * dead, can then do no harm. Tokens of two locks say nothing about each other: guard a resource by one lock.
 */
export type FencingToken = number

/** How the lock stands, as far as this node knows. */
export interface Status {
  /** Who is inside; none where nobody is, or the algorithm tells nobody. */
  readonly holder: Option.Option<NodeId.NodeId>
  /** Requests that wait: those of this node's fibers, and those of other nodes that it has heard of. */
  readonly waiting: number
  /** On whom this node's request waits; empty while it has none that waits. */
  readonly waitsFor: ReadonlyArray<NodeId.NodeId>
}

/** A request of this node that is not granted yet. */
export interface Delay {
  readonly millis: number
  readonly waitsFor: ReadonlyArray<NodeId.NodeId>
}

export class Mutex extends Context.Service<
  Mutex,
  {
    /**
     * Runs `body` as the only one across all nodes, with the fencing token of this entry. Waits for as long as it takes.
     * The lock is released when `body` ends, fails, dies or is interrupted; an interruption while waiting withdraws the
     * request. Fibers of one node enter in the order of asking. Not re-entrant: a `withLock` or `tryLock` of the same lock
     * inside the body dies of `Reentrant`.
     *
     * The body is interrupted when this node's part of the algorithm fails and starts anew: it may not be alone any more.
     * When that has failed for good, `withLock` dies of `ActorFailed`; whoever waits when the layer closes is interrupted.
     */
    readonly withLock: <A, E, R>(body: (token: FencingToken) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** As `withLock`, for who waits no longer than `within` to enter: then the request is withdrawn, and `body` not run. */
    readonly tryLock: <A, E, R>(
      within: Duration.Input,
      body: (token: FencingToken) => Effect.Effect<A, E, R>
    ) => Effect.Effect<Option.Option<A>, E, R>
    readonly status: Effect.Effect<Status>
    /**
     * Says again and again, every 5 seconds, on whom a request of this node has been waiting for so long. Each is a warning
     * in the log too. Whoever reads slowly holds nobody up, and misses the oldest of more than 64.
     */
    readonly delays: Stream.Stream<Delay>
  }
>()("@troupe/mutex/Mutex") {}

/** A body asks for the lock that it runs under, and would wait for itself. */
export class Reentrant extends Schema.TaggedError<Reentrant>()("Reentrant", {
  node: Schema.String,
  lock: Schema.String
}) {
  override get message(): string {
    return (
      `Lock "${this.lock}" on node "${this.node}" is asked for inside its own body, which would wait for itself. ` +
      `Hand the token on to what runs inside, or use a lock of another name there.`
    )
  }
}

/** An option of a lock's layer is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The lock cannot start: ${this.reason}`
  }
}
