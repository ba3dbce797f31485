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
import {
  Clock,
  Context,
  Effect,
  Layer,
  Queue,
  Random,
  Scheduler,
  Schema,
  SchemaIssue,
  SchemaTransformation,
  type Scope,
  Stream,
  Tracer
} from "effect"
import { Channel, type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import type { ActorRef } from "./ActorRef.ts"
import { type Behavior, provide, type SpawnOptions } from "./Behavior.ts"
import { NameTaken, type NoSuchActor } from "./internal/system/failures.ts"
import { register } from "./internal/observed/metrics.ts"
import { Observation } from "./internal/observed/Observation.ts"
import { Cell } from "./internal/system/Cell.ts"
import * as Living from "./internal/system/Living.ts"
import { isForeign, readingRemote } from "./internal/system/reading.ts"
import { Remote } from "./internal/system/Remote.ts"
import { InvalidOption, named, whole } from "./internal/system/options.ts"
import { RemoteRef } from "./internal/system/RemoteRef.ts"
import { known, System } from "./internal/system/System.ts"
import type { Definition, Messages } from "./Messages.ts"
import { Observed } from "./Observed.ts"

export {
  AnsweredTwice,
  ChildFailed,
  HandlerTimeout,
  LinkBroken,
  NameTaken,
  StashFull
} from "./internal/system/failures.ts"
export { InvalidOption } from "./internal/system/options.ts"

/** A message that no actor took. */
export interface DeadLetter {
  /** For whom. */
  readonly actor: string
  /** `undefined` where it came from another node, and there is nobody who would understand it. */
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
  /** Questions that were not answered in time. */
  readonly askTimeouts: number
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
     * Ends an actor of this node, its children first, and waits for that. With `drain` it handles what waits for it now before.
     */
    readonly stop: (ref: ActorRef<any>, options?: { readonly drain?: boolean }) => Effect.Effect<void>
    /**
     * The actor at a path, of this node or of another one. Of another node it is not known whether there is one: who asks it
     * is told so.
     */
    readonly at: <D extends Definition>(
      messages: Messages<D>,
      path: string,
      node?: NodeId.NodeId
    ) => Effect.Effect<ActorRef<D>, NoSuchActor>
    /** From now on. A reader that lags by more than 1,024 misses the oldest. */
    readonly deadLetters: Stream.Stream<DeadLetter>
    readonly counters: () => Counters
  }
>()("@troupe/actor/ActorSystem") {}

export interface Options {
  /** Default: "system". */
  readonly name?: string
}

const make = (name: string) =>
  Effect.gen(function* () {
    named(name, "a system of actors")
    const observed = yield* Observed
    const given = yield* Effect.context<never>()
    // What it does is no part of the span in which it was made.
    const context = observed === undefined ? given : (Context.omit(Tracer.ParentSpan)(given) as Context.Context<never>)
    const system = new System(name, context, yield* Scheduler.Scheduler, yield* Clock.Clock, yield* Random.Random)
    if (observed !== undefined) system.observation = new Observation(system, observed)
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        Living.end(system.root, false),
        Effect.sync(() => system.close())
      )
    )
    return system
  })

/** The system as others know it, and in the registry of metrics while it lasts. */
const begun = (system: System): Effect.Effect<ActorSystem["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.acquireRelease(
      Effect.sync(() => register(system)),
      (undo) => Effect.sync(undo)
    )
    const service = serviceOf(system)
    known.set(service, system)
    return service
  })

const serviceOf = (system: System): ActorSystem["Service"] => ({
  name: system.name,
  spawn: <D extends Definition>(behavior: Behavior<D>, given: SpawnOptions<D> = {}) =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(system.spawn(system.root, behavior, given) as ActorRef<D>)
      } catch (error) {
        return error instanceof NameTaken ? Effect.fail(error) : Effect.die(error)
      }
    }),
  stop: (ref, given) => (ref instanceof Cell ? Living.end(ref, given?.drain ?? false) : Effect.die(elsewhere(ref))),
  at: (messages, path, node) => system.at(messages, path, node),
  deadLetters: Stream.callback<DeadLetter>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => system.deadLetters.subscribe((letter) => Queue.offerUnsafe(queue, letter))),
        (unsubscribe) => Effect.sync(unsubscribe)
      ),
    { bufferSize: 1024, strategy: "sliding" }
  ),
  counters: () => ({ ...system.counters, deadLetters: system.deadLetters.count })
})

const elsewhere = ({ path }: ActorRef<any>): InvalidOption => {
  const allowed = "an actor of this node; tell one of another node that it is to stop"
  return new InvalidOption({ of: "ActorSystem.stop", option: "ref", given: `"${path}"`, allowed })
}

/** A system that ends, with all its actors, when its scope does. */
export const layer = (options: Options = {}): Layer.Layer<ActorSystem> =>
  Layer.effect(ActorSystem, Effect.flatMap(make(options.name ?? "system"), begun))

export interface RemoteOptions<out E = never, out R = never> {
  /**
   * Of all nodes together: systems of other names have nothing to do with each other, and what is asked of one is not answered.
   * Default: "system".
   */
  readonly name?: string
  /**
   * Nodes that are taken for dead, as a failure detector tells of them: who watches an actor there is told so.
   * `downNodes()` of `@troupe/failure-detection` is such a stream.
   */
  readonly down?: Stream.Stream<NodeId.NodeId, E, R>
  /**
   * How many questions of each other node may wait for their answers here, and how many of its watches and links there may be;
   * how many questions of this node may wait for others. One more is refused: `MailboxFull`, or `Failed` to who watches. From
   * 1 to 16,777,216. Default: 65,536.
   */
  readonly limit?: number
}

/** A system that reaches those of its name on the other nodes of the `Transport`, and is reached by them. */
export const remote = <E = never, R = never>(
  options: RemoteOptions<E, R> = {}
): Layer.Layer<ActorSystem, ChannelInUse, Transport | R> => {
  const limit = whole({ of: "ActorSystem.remote", option: "limit", given: options.limit ?? 65_536, most: 2 ** 24 })
  return Layer.effect(
    ActorSystem,
    Effect.gen(function* () {
      const { down, name = "system" } = options
      const transport = yield* Transport
      const system = yield* make(name)
      const life = yield* Random.nextIntBetween(1, 2 ** 48)
      const there = new Remote(system, transport.self, life, transport.nodes, limit)
      system.remote = there
      const codec = there.codec(transport.maxMessageBytes)
      there.start(yield* transport.open(Channel.fromCodec(`actors/${name}`, codec), there.receive))
      yield* Effect.forkScoped(
        Stream.runForEach(transport.links, (event) => Effect.sync(() => there.heard(event))),
        {
          startImmediately: true
        }
      )
      if (down !== undefined) {
        yield* Effect.forkScoped(Stream.runForEach(down, (node) => Effect.sync(() => there.down(node))))
      }
      return yield* begun(system)
    })
  )
}

const Address = Schema.Struct({ node: Schema.String, life: Schema.Int, serial: Schema.Int, path: Schema.String })

/** What `Ref` makes, for types of messages that are written out. */
export type Ref<D extends Definition> = Schema.Codec<ActorRef<D>, any>

/**
 * References to actors as parts of messages. One that is sent to another node is a reference to the same actor there, in
 * this life of it: not to one that is spawned in its place later.
 *
 * Messages that speak of their own kind, or two kinds of each other, have their type written, and are given by a function.
 *
 * @example
 * import { ActorSystem, Behavior, Messages } from "@troupe/actor"
 * import { Effect, Schema } from "effect"
 *
 * type Player = {
 *   readonly Pass: Messages.Tell<{ readonly back: ActorSystem.Ref<Player> }>
 *   readonly Passed: Messages.Ask<{}, number, never>
 * }
 * const Player: Messages.Messages<Player> = Messages.make("player", {
 *   Pass: Messages.tell({ back: ActorSystem.Ref(() => Player) }),
 *   Passed: Messages.ask({}, { reply: Schema.Int })
 * })
 *
 * const player = Behavior.make(Player, {
 *   init: () => 0,
 *   on: {
 *     Pass: (passed, { back }, { ref }) => {
 *       if (passed < 3) back.tell({ _tag: "Pass", back: ref })
 *       return passed + 1
 *     },
 *     Passed: (passed) => ({ state: passed, reply: passed })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const [ann, bob] = [yield* ActorSystem.spawn(player), yield* ActorSystem.spawn(player)]
 *   ann.tell({ _tag: "Pass", back: bob })
 *   yield* Effect.sleep("10 millis")
 *   return yield* ann.ask({ _tag: "Passed" })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ActorSystem.layer())))) // 4
 */
export const Ref = <D extends Definition>(messages: Messages<D> | (() => Messages<D>)): Ref<D> =>
  Address.pipe(
    Schema.decodeTo(
      Schema.declare((value: unknown): value is ActorRef<D> => value instanceof Cell || value instanceof RemoteRef),
      SchemaTransformation.transformEffect<ActorRef<D>, typeof Address.Type>({
        decode: ({ node, ...target }) => {
          const remote = readingRemote()
          return remote === undefined
            ? invalid("a reference to an actor is read from what another system has sent, and from nothing else")
            : Effect.succeed(remote.refer(typeof messages === "function" ? messages() : messages, node, target))
        },
        encode: (ref) => addressOf(ref as unknown as Cell | RemoteRef)
      })
    )
  )

const invalid = (message: string) => Effect.fail(new SchemaIssue.InvalidValue({ message }))

const addressOf = (ref: Cell | RemoteRef): Effect.Effect<typeof Address.Type, SchemaIssue.Issue> => {
  const remote = ref instanceof RemoteRef ? ref.remote : ref.system.remote
  if (remote === undefined) {
    return invalid(`"${ref.path}" is of a system that others don't reach: make it by ActorSystem.remote`)
  }
  if (isForeign(remote)) {
    return invalid(`"${ref.path}" is of another system ("${remote.system.name}"): nobody here could reach it`)
  }
  return Effect.succeed(ref instanceof RemoteRef ? { node: ref.node, ...ref.target } : remote.export(ref))
}

/** Spawns an actor without a parent, whose handlers have the environment of here. */
export const spawn = <D extends Definition, R = never>(
  behavior: Behavior<D, R>,
  options?: SpawnOptions<D>
): Effect.Effect<ActorRef<D>, NameTaken, ActorSystem | R> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem
    return yield* system.spawn(yield* provide(behavior), options)
  })
