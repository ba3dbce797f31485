/**
 * The `Mutex` service over an actor that understands Acquire and Release: what every lock of this package shares.
 */
import type { Actor } from "@troupe/actor"
import { Effect, type Fiber, Semaphore } from "effect"
import type { FencingToken, Mutex } from "../Mutex.ts"

type Command = { readonly _tag: "Acquire" } | { readonly _tag: "Release" }
type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }
type Lock = Actor.Actor<unknown, Command, Event>

/** The request of this node that is under way. */
interface Entry {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly resume: (granted: Effect.Effect<FencingToken>) => void
  granted: boolean
}

/**
 * One request of this node is under way at a time; local users queue before it. Hand `onRestart` to the actor: when it
 * has forgotten what it was asked, a request that waits is made again, and a body that runs is interrupted, for it may
 * not be alone any more.
 */
export const acquisition = Effect.sync(() => {
  const local = Semaphore.makeUnsafe(1)
  let lock: Lock
  let entry: Entry | undefined
  let closed: Effect.Effect<never> | undefined

  const enter = (fiber: Entry["fiber"]) =>
    Effect.callback<FencingToken>((resume) => {
      if (closed !== undefined) return resume(closed)
      entry = { fiber, resume, granted: false }
      lock.tell({ _tag: "Acquire" })
    })

  const withLock: Mutex["Service"]["withLock"] = (body) =>
    local.withPermit(
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiber((fiber) =>
          Effect.onExit(
            Effect.flatMap(restore(enter(fiber)), (token) => restore(Effect.suspend(() => body(token)))),
            // Leaves, or withdraws what was not granted.
            () =>
              Effect.sync(() => {
                entry = undefined
                lock.tell({ _tag: "Release" })
              })
          )
        )
      )
    )

  const onRestart = (): void => {
    if (entry?.granted === true) entry.fiber.interruptUnsafe()
    else if (entry !== undefined) lock.tell({ _tag: "Acquire" })
  }

  const close = (why: Effect.Effect<never>) =>
    Effect.sync(() => {
      closed = why
      if (entry?.granted === false) entry.resume(why)
    })

  const mutex = Effect.fnUntraced(function* (spawned: Lock) {
    lock = spawned
    lock.subscribe(({ token }) => {
      if (entry?.granted !== false) return
      entry.granted = true
      entry.resume(Effect.succeed(token))
    })
    // A node whose actor is gone is never answered: whoever waits is told so.
    yield* Effect.addFinalizer(() => close(Effect.interrupt))
    yield* Effect.forkScoped(
      Effect.catch(lock.failed, (failure) => {
        onRestart()
        return close(Effect.die(failure))
      })
    )
    return { withLock }
  })

  return { onRestart, mutex }
})
