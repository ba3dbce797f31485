/**
 * The `Mutex` service over an actor that understands Acquire and Release: what every lock of this package shares.
 */
import type { Actor } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Clock, Context, Effect, Fiber, Option, Queue, type Scope, Stream } from "effect"
import { type Delay, type FencingToken, type Mutex, Reentrant } from "../Mutex.ts"

type Command = { readonly _tag: "Acquire" } | { readonly _tag: "Release" }
type Event =
  | { readonly _tag: "Acquired"; readonly token: FencingToken }
  /** It was granted, and is not any more: the body that runs must stop. */
  | { readonly _tag: "Lost" }
  /** Nothing that concerns a request. */
  | { readonly _tag: "Ask" }

/** How to read the state of a lock, on the node `self`. */
export interface Reading<in State> {
  /** Who is inside, where it is known. */
  readonly holder: (state: State, self: NodeId.NodeId) => NodeId.NodeId | undefined
  /** How many requests of other nodes it knows of. */
  readonly queue: (state: State) => number
  /** Whose message would bring its own request on; nobody's when it has none that waits. */
  readonly waitsFor: (state: State, self: NodeId.NodeId) => ReadonlyArray<NodeId.NodeId>
}

/** A request of a fiber of this node, from its asking to its leaving. */
interface Request {
  readonly lock: object
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** With the token, or without where it was given up. */
  resume: (granted: Effect.Effect<FencingToken | undefined>) => void
  granted: boolean
  done: boolean
}

/** The requests under whose grants a fiber runs. */
const Held = Context.Reference<ReadonlyArray<Request>>("@troupe/mutex/Held", { defaultValue: () => [] })

/** How often a request that waits says so. */
const patienceMillis = 5_000

/**
 * How many entries in a row may follow each other without a message: then sockets and timers get their turn, however short
 * the bodies are.
 */
const entriesATurn = 16

/**
 * Requests of this node are made one at a time, in the order of asking. Hand `onRestart` to the actor: when it has
 * forgotten what it was asked, a request that waits is made again, and a body that runs is interrupted, for it may not be
 * alone any more.
 */
export const acquisition = <State>(reading: Reading<State>) =>
  Effect.sync(() => {
    /** The first is the one that the lock knows of. */
    const requests: Array<Request> = []
    const listeners = new Set<(delay: Delay) => void>()
    let lock: Actor.Actor<State, Command, Event>
    let closed: Effect.Effect<never> | undefined
    let scope: Scope.Scope
    let watched = false
    /** When the first request was made of the lock. */
    let askedMillis = 0
    /** Entries since the lock last heard a message, and how many it had heard by then. */
    let entries = 0
    let heard = 0
    let clock: Clock.Clock

    const ask = (): void => {
      if (requests.length === 0 || closed !== undefined) return
      askedMillis = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      lock.tell({ _tag: "Acquire" })
    }

    const wait = (request: Request): Effect.Effect<FencingToken | undefined> =>
      Effect.suspend(() => {
        if (closed !== undefined) return closed
        const granted = Effect.callback<FencingToken | undefined>((resume) => {
          // Given up before it was made.
          if (request.done) return resume(Effect.succeed(undefined))
          request.resume = resume
          if (requests.push(request) === 1) ask()
        })
        return watched ? granted : Effect.andThen(watch, granted)
      })

    const entered = (token: FencingToken): Effect.Effect<FencingToken> => {
      const { received } = lock.counters
      entries = received === heard && entries < entriesATurn ? entries + 1 : 1
      heard = received
      return entries < entriesATurn ? Effect.succeed(token) : Effect.as(Effect.yieldNow, token)
    }

    const leave = (request: Request): void => {
      if (request.done) return
      request.done = true
      const at = requests.indexOf(request)
      if (at < 0) return
      requests.splice(at, 1)
      if (at > 0) return
      // Leaves, or withdraws what was not granted.
      lock.tell({ _tag: "Release" })
      ask()
    }

    /** Tells of the request that waits, for as long as one does. */
    const watch = Effect.suspend(() => {
      watched = true
      return Effect.forkIn(
        Effect.gen(function* () {
          do {
            yield* Effect.sleep(patienceMillis)
            const millis = Math.round(Number(clock.monotonicTimeNanosUnsafe()) / 1e6 - askedMillis)
            if (requests[0]?.granted !== false || millis < patienceMillis) continue
            const delay = { millis, waitsFor: reading.waitsFor(lock.state(), lock.node) }
            for (const listener of listeners) listener(delay)
            yield* Effect.logWarning(
              `Lock "${lock.name}" on node "${lock.node}" has not been granted for ${millis} ms: it waits for ` +
                `${delay.waitsFor.join(", ") || "nobody in particular"}`
            )
          } while (requests.some(({ granted }) => !granted))
          watched = false
        }),
        scope
      )
    })

    const enter = <A, E, R>(
      body: (token: FencingToken) => Effect.Effect<A, E, R>,
      waiting: (request: Request) => Effect.Effect<FencingToken | undefined>
    ): Effect.Effect<Option.Option<A>, E, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiber((fiber) => {
          const held = Context.get(fiber.context, Held)
          if (held.some((each) => each.lock === lock && !each.done)) {
            return Effect.die(new Reentrant({ node: lock.node, lock: lock.name }))
          }
          const request: Request = { lock, fiber, resume: () => {}, granted: false, done: false }
          const holding = [...held, request]
          return Effect.onExit(
            Effect.flatMap(restore(waiting(request)), (token) =>
              token === undefined
                ? Effect.succeedNone
                : Effect.asSome(
                    restore(
                      Effect.provideService(
                        Effect.suspend(() => body(token)),
                        Held,
                        holding
                      )
                    )
                  )
            ),
            () => Effect.sync(() => leave(request))
          )
        })
      )

    const withLock: Mutex["Service"]["withLock"] = (body) =>
      Effect.map(enter(body, wait), (result) => (result as Option.Some<any>).value)

    const tryLock: Mutex["Service"]["tryLock"] = (within, body) =>
      enter(body, (request) =>
        Effect.flatMap(
          Effect.forkChild(
            Effect.andThen(
              Effect.sleep(within),
              Effect.sync(() => {
                if (request.granted) return
                leave(request)
                request.resume(Effect.succeed(undefined))
              })
            )
          ),
          (timer) => Effect.ensuring(wait(request), Fiber.interrupt(timer))
        )
      )

    const onRestart = (): void => {
      const [first] = requests
      if (first?.granted === true) first.fiber.interruptUnsafe()
      else if (first !== undefined) lock.tell({ _tag: "Acquire" })
    }

    const close = (why: Effect.Effect<never>) =>
      Effect.sync(() => {
        closed = why
        for (const request of requests) if (!request.granted) request.resume(why)
      })

    const mutex = Effect.fnUntraced(function* (spawned: Actor.Actor<State, Command, Event>) {
      lock = spawned
      scope = yield* Effect.scope
      clock = yield* Clock.Clock
      lock.subscribe((event) => {
        const [first] = requests
        if (event._tag === "Lost" && first?.granted === true) first.fiber.interruptUnsafe()
        if (event._tag !== "Acquired" || first?.granted !== false) return
        first.granted = true
        first.resume(entered(event.token))
      })
      // A node whose actor is gone is never answered: whoever waits is told so.
      yield* Effect.addFinalizer(() => close(Effect.interrupt))
      yield* Effect.forkScoped(
        Effect.catch(lock.failed, (failure) => {
          onRestart()
          return close(Effect.die(failure))
        })
      )
      const service: Mutex["Service"] = {
        withLock,
        tryLock,
        status: Effect.sync(() => {
          const state = lock.state()
          return {
            holder: Option.fromUndefinedOr(reading.holder(state, lock.node)),
            waiting: requests.filter(({ granted }) => !granted).length + reading.queue(state),
            waitsFor: reading.waitsFor(state, lock.node)
          }
        }),
        delays: Stream.callback<Delay>(
          (queue) =>
            Effect.acquireRelease(
              Effect.sync(() => {
                const listener = (delay: Delay): void => void Queue.offerUnsafe(queue, delay)
                listeners.add(listener)
                return listener
              }),
              (listener) => Effect.sync(() => listeners.delete(listener))
            ),
          { bufferSize: 64, strategy: "sliding" }
        )
      }
      return service
    })

    return { onRestart, mutex }
  })
