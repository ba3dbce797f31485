/**
 * Checkpoints of several actors together, and the way back to them: after a crash all resume from the last one that is
 * whole, and from a fault none of their states is ahead of another's.
 *
 * A checkpoint is coordinated: it is taken at a moment in which none of its members is at a message, so that it holds no
 * message that was never sent, and none is lost: what is under way between members waits in mailboxes, and is saved with
 * them (Chandy and Lamport, "Distributed snapshots", 1985, §2; blocking coordination as in Elnozahy, Alvisi, Wang and
 * Johnson, "A survey of rollback-recovery protocols in message-passing systems", 2002, §3.2). Members are of one process,
 * where that moment costs no messages and, states being read-only, no copy: they go on while it is written.
 *
 * What was done since the last checkpoint is lost with it. What must not be belongs into an event-sourced actor, whose log
 * is written ahead of each answer: it resumes from the last event, and takes no part.
 *
 * @example
 * import { ActorSystem, Behavior, Checkpoint, Messages } from "@troupe/actor"
 * import { MemoryStorage } from "@troupe/storage"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Counter = Messages.make("counter", {
 *   Add: Messages.tell({ amount: Schema.Int }),
 *   Sum: Messages.ask({}, { reply: Schema.Int })
 * })
 *
 * const counter = Behavior.make(Counter, {
 *   init: () => 0,
 *   on: { Add: (sum, { amount }) => sum + amount, Sum: (sum) => ({ state: sum, reply: sum }) }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const checkpoint = yield* Checkpoint.Checkpoint
 *   const ref = yield* Checkpoint.spawn(counter, { name: "hits", state: Schema.Int })
 *   const before = yield* ref.ask({ _tag: "Sum" })
 *   ref.tell({ _tag: "Add", amount: 2 })
 *   yield* checkpoint.save
 *   ref.tell({ _tag: "Add", amount: 40 })
 *   return before
 * })
 *
 * const storage = MemoryStorage.layer(MemoryStorage.make())
 * const life = Effect.provide(program, Checkpoint.layer("site").pipe(Layer.provideMerge(ActorSystem.layer()), Layer.provide(storage), Layer.fresh))
 * console.log(await Effect.runPromise(life), await Effect.runPromise(life)) // 0 2
 */
import type { Storage, StorageError } from "@troupe/storage"
import type { Codec } from "@troupe/transport"
import { Context, type Duration, Effect, Layer } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import { ActorSystem, type NameTaken } from "./ActorSystem.ts"
import { type Behavior, provide, type SpawnOptions } from "./Behavior.ts"
import type { NoCheckpoint, NotAtRest, NotReadable, NotWritable } from "./internal/checkpoint/failures.ts"
import { Group } from "./internal/checkpoint/Group.ts"
import { formOf, type Image, take } from "./internal/checkpoint/image.ts"
import { open, type Passed } from "./internal/checkpoint/Slots.ts"
import type { Cell } from "./internal/system/Cell.ts"
import { duration, whole } from "./internal/system/options.ts"
import type { Definition } from "./Messages.ts"

export { NoCheckpoint, NotAtRest, NotReadable, NotWritable, RolledBack } from "./internal/checkpoint/failures.ts"
export { type Dependencies, type Histories, recoveryLine } from "./internal/checkpoint/recoveryLine.ts"
export type { Passed } from "./internal/checkpoint/Slots.ts"

export interface MemberOptions<D extends Definition, in out State> extends SpawnOptions<D> {
  /** It is known by its name from life to life. */
  readonly name: string
  readonly state: Codec.MessageSchema<State>
  /** Of the schema of the state. Default: 1. */
  readonly version?: number
  /** A state of an earlier version, as JSON, as one of the next version. */
  readonly upcast?: (state: unknown, version: number) => unknown
}

/** What was found on disk. */
export interface Recovered {
  /** Of the checkpoint that members resume from: 0 where there is none. */
  readonly number: number
  /** Later or older ones that are damaged, or were never done. */
  readonly passed: ReadonlyArray<Passed>
}

export class Checkpoint extends Context.Service<
  Checkpoint,
  {
    /**
     * An actor that is saved with the others, and resumes where it was: its `init` runs, then it has the state, the
     * messages that waited, what it had put aside, and its timers. One that fails and starts again takes all members back.
     * Children, watches and links are not saved: they are what `init` makes.
     */
    readonly spawn: <D extends Definition, State>(
      behavior: Behavior<D>,
      options: MemberOptions<D, State>
    ) => Effect.Effect<ActorRef<D>, NameTaken | NotReadable>
    /** Takes one now; when it is on disk, returns its number. */
    readonly save: Effect.Effect<number, NotAtRest | NotWritable | StorageError>
    /**
     * Takes all members back to the last one, and returns its number. Who waits for an answer fails with `HandlerFailed`,
     * whose cause is `RolledBack`.
     */
    readonly rollback: Effect.Effect<number, NotAtRest | NoCheckpoint>
    readonly recovered: Recovered
  }
>()("@troupe/actor/Checkpoint") {}

export interface Options {
  /** How many are kept, 2 to 16: where the last is damaged, an older one is good. Default: 3. */
  readonly keep?: number
  /** Takes one so often; one that fails is logged. Default: only when told to. */
  readonly every?: Duration.Input
  /** How long members may take to be done with a message. Default: 5 seconds. */
  readonly patience?: Duration.Input
}

/** Checkpoints of that name on the `Storage`. */
export const layer = (
  name: string,
  options: Options = {}
): Layer.Layer<Checkpoint, StorageError, ActorSystem | Storage> =>
  Layer.effect(
    Checkpoint,
    Effect.gen(function* () {
      const of = `the checkpoints "${name}"`
      const keep = whole({ of, option: "keep", given: options.keep ?? 3, least: 2, most: 16 })
      const patience = duration({ of, option: "patience", given: options.patience ?? "5 seconds" })
      const system = yield* ActorSystem
      const slots = yield* open(name, keep)
      const group = new Group(name, slots, patience)
      for (const { log, reason } of slots.passed)
        yield* Effect.logWarning(`checkpoint "${log}" is passed over: ${reason}`)
      if (options.every !== undefined) {
        const every = duration({ of, option: "every", given: options.every })
        const one = Effect.catch(group.save, (failure) => Effect.logWarning("no checkpoint was taken", failure))
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(every), one)))
      }
      return {
        spawn: (behavior, given) => enter(system, group, behavior, given),
        save: group.save,
        rollback: group.rollback,
        recovered: { number: slots.latest?.number ?? 0, passed: slots.passed }
      }
    })
  )

const enter = <D extends Definition, State>(
  system: ActorSystem["Service"],
  group: Group,
  behavior: Behavior<D>,
  { state, upcast, version = 1, ...options }: MemberOptions<D, State>
): Effect.Effect<ActorRef<D>, NameTaken | NotReadable> =>
  Effect.gen(function* () {
    const form = formOf(behavior.messages.schema, state, version, upcast)
    const image = yield* Effect.try({
      try: () => group.past(options.name, form),
      catch: (error) => error as NotReadable
    })
    const ref = yield* system.spawn(resuming(behavior, group, image), options)
    group.enter(options.name, ref as unknown as Cell, form, image)
    return ref
  })

/** The first time it resumes; when it starts again, all go back. */
const resuming = <D extends Definition>(behavior: Behavior<D>, group: Group, image: Image | undefined): Behavior<D> => {
  let isFirst = true
  const resume = (first: unknown, cell: Cell): unknown => {
    if (isFirst) {
      isFirst = false
      if (image === undefined) return first
      take(cell, image)
      return image.state
    }
    group.fellBehind(cell)
    return first
  }
  const { init } = behavior
  return {
    ...behavior,
    init: (self) => {
      const first = init(self)
      const cell = self as unknown as Cell
      return behavior.kind === "plain"
        ? resume(first, cell)
        : Effect.map(first as Effect.Effect<unknown>, (state) => resume(state, cell))
    }
  }
}

/** Spawns a member whose handlers have the environment of here. */
export const spawn = <D extends Definition, State, R = never>(
  behavior: Behavior<D, R>,
  options: MemberOptions<D, State>
): Effect.Effect<ActorRef<D>, NameTaken | NotReadable, Checkpoint | R> =>
  Effect.gen(function* () {
    const checkpoint = yield* Checkpoint
    return yield* checkpoint.spawn(yield* provide(behavior), options)
  })
