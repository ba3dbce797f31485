/**
 * The `Mutex` service over an actor that understands Acquire and Release: what every lock of this package shares.
 */
import type { Actor } from "@troupe/actor"
import { Effect, type Fiber, Semaphore } from "effect"
import type { FencingToken, Mutex } from "../Mutex.ts"

type Command = { readonly _tag: "Acquire" } | { readonly _tag: "Release" }
type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

/**
 * One request of this node is under way at a time; local users queue before it. `reset` is what the actor's `onRestart`
 * calls: a request that waits is made again; a body that runs is interrupted, for it may not be alone any more.
 */
export const acquisition = Effect.sync(() => {
  const local = Semaphore.makeUnsafe(1)
  let granted: ((token: FencingToken) => void) | undefined
  let inside: Fiber.Fiber<unknown, unknown> | undefined
  let actor: Actor.Actor<unknown, Command, Event>

  const acquire = Effect.callback<FencingToken>((resume) => {
    granted = (token) => {
      granted = undefined
      resume(Effect.succeed(token))
    }
    actor.tell({ _tag: "Acquire" })
    return Effect.sync(() => {
      granted = undefined
      actor.tell({ _tag: "Release" })
    })
  })

  const withLock: Mutex["Service"]["withLock"] = (body) =>
    local.withPermit(
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(acquire), (token) =>
          Effect.withFiber((fiber) => {
            inside = fiber
            return Effect.onExit(restore(Effect.suspend(() => body(token))), () =>
              Effect.sync(() => {
                inside = undefined
                actor.tell({ _tag: "Release" })
              }))
          }))
      )
    )

  return {
    reset: () => {
      if (granted !== undefined) actor.tell({ _tag: "Acquire" })
      inside?.interruptUnsafe()
    },
    mutex: (spawned: Actor.Actor<unknown, Command, Event>): Mutex["Service"] => {
      actor = spawned
      actor.subscribe(({ token }) => granted?.(token))
      return { withLock }
    }
  }
})
