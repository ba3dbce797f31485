/**
 * A tree of actors in one process: where they are spawned from, how they are stopped, and where goes what nobody took.
 *
 * Actors take turns on one thread. One that is told something has its turn later, never inside `tell`; of one actor, messages
 * are handled one at a time, and those of one sender in the order of their sending.
 *
 * @example
 * import { ActorSystem, Behavior, Messages } from "@troupe/actor"
 * import { Effect, Schema } from "effect"
 *
 * const Counter = Messages.make("counter", {
 *   Add: Messages.tell({ amount: Schema.Int }),
 *   Sum: Messages.ask({}, { reply: Schema.Int })
 * })
 *
 * const counter = Behavior.make(Counter, {
 *   init: () => 0,
 *   on: {
 *     Add: (sum, { amount }) => sum + amount,
 *     Sum: (sum) => ({ state: sum, reply: sum })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const ref = yield* ActorSystem.spawn(counter)
 *   ref.tell({ _tag: "Add", amount: 2 })
 *   ref.tell({ _tag: "Add", amount: 3 })
 *   return yield* ref.ask({ _tag: "Sum" })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ActorSystem.layer())))) // 5
 */
import { Clock, Context, Effect, Layer, Queue, Random, Scheduler, Stream } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import { type Behavior, provide, type SpawnOptions } from "./Behavior.ts"
import type { NameTaken } from "./internal/system/failures.ts"
import type { Cell } from "./internal/system/Cell.ts"
import * as Living from "./internal/system/Living.ts"
import { System } from "./internal/system/System.ts"
import type { Definition } from "./Messages.ts"

export {
  AnsweredTwice,
  ChildFailed,
  HandlerTimeout,
  LinkBroken,
  NameTaken,
  StashFull
} from "./internal/system/failures.ts"

/** A message that no actor took. */
export interface DeadLetter {
  /** For whom. */
  readonly actor: string
  readonly message: unknown
  readonly reason: "stopped" | "mailbox full" | "not understood"
}

/** What has happened since the system began. */
export interface Counters {
  readonly spawned: number
  readonly stopped: number
  readonly processed: number
  readonly failures: number
  readonly restarts: number
  readonly deadLetters: number
}

export class ActorSystem extends Context.Service<
  ActorSystem,
  {
    readonly name: string
    /** An actor without a parent among actors: it lives as long as the system, unless it stops. */
    readonly spawn: <D extends Definition>(
      behavior: Behavior<D>,
      options?: SpawnOptions<D>
    ) => Effect.Effect<ActorRef<D>, NameTaken>
    /**
     * Ends an actor, its children first, and waits for that. With `drain` it handles what waits for it now before.
     */
    readonly stop: (ref: ActorRef<any>, options?: { readonly drain?: boolean }) => Effect.Effect<void>
    /** From now on. A reader that lags by more than 1,024 misses the oldest. */
    readonly deadLetters: Stream.Stream<DeadLetter>
    readonly counters: () => Counters
  }
>()("@troupe/actor/ActorSystem") {}

export interface Options {
  /** Default: "system". */
  readonly name?: string
}

/** A system that ends, with all its actors, when its scope does. */
export const layer = (options: Options = {}): Layer.Layer<ActorSystem> =>
  Layer.effect(
    ActorSystem,
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      const system = new System(
        options.name ?? "system",
        context,
        yield* Scheduler.Scheduler,
        yield* Clock.Clock,
        yield* Random.Random
      )
      yield* Effect.addFinalizer(() => Living.end(system.root, false))
      return {
        name: system.name,
        spawn: <D extends Definition>(behavior: Behavior<D>, given: SpawnOptions<D> = {}) =>
          Effect.try({
            try: (): ActorRef<D> => system.spawn(system.root, behavior, given),
            catch: (taken) => taken as NameTaken
          }),
        stop: (ref, given) => Living.end(ref as Cell, given?.drain ?? false),
        deadLetters: Stream.callback<DeadLetter>(
          (queue) =>
            Effect.acquireRelease(
              Effect.sync(() => system.deadLetters.subscribe((letter) => Queue.offerUnsafe(queue, letter))),
              (unsubscribe) => Effect.sync(unsubscribe)
            ),
          { bufferSize: 1024, strategy: "sliding" }
        ),
        counters: () => ({ ...system.counters, deadLetters: system.deadLetters.count })
      }
    })
  )

/** Spawns an actor without a parent, whose handlers have the environment of here. */
export const spawn = <D extends Definition, R = never>(
  behavior: Behavior<D, R>,
  options?: SpawnOptions<D>
): Effect.Effect<ActorRef<D>, NameTaken, ActorSystem | R> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem
    return yield* system.spawn(yield* provide(behavior), options)
  })
