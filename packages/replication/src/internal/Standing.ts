/** How a front end stands by its replica, whatever the layer: who hears of changes, and until when it lives. */
import type { Actor } from "@troupe/actor"
import { type Duration, Effect, Queue, type Scope, Stream } from "effect"
import type { Status } from "../Replicated.ts"

export class Standing {
  private readonly listeners = new Set<() => void>()

  /** How it stands now, and after each change; who reads slowly misses all but the latest. */
  changes(status: () => Status): Stream.Stream<Status> {
    return Stream.callback<Status>(
      (queue) => {
        const listener = (): void => void Queue.offerUnsafe(queue, status())
        return Effect.acquireRelease(
          Effect.sync(() => {
            this.listeners.add(listener)
            listener()
          }),
          () => Effect.sync(() => this.listeners.delete(listener))
        )
      },
      { bufferSize: 1, strategy: "sliding" }
    )
  }

  changed(): void {
    for (const listener of this.listeners) listener()
  }
}

/** As long as the scope lives: looks again and again, and hears why the replica has stopped, or that it is to. */
export const attend = <Command>(
  actor: Actor.Actor<any, Command, any>,
  {
    every,
    look,
    stop
  }: { readonly every: Duration.Input; readonly look: () => void; readonly stop: (why: string) => void }
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.addFinalizer(() => Effect.sync(() => stop("it is shutting down")))
    yield* Effect.forkScoped(
      Effect.catch(actor.failed, ({ message }) => {
        stop(message)
        return Effect.logError("the replica has stopped", { reason: message })
      })
    )
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(every), Effect.sync(look))))
  })
