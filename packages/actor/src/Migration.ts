/**
 * Actors that move from node to node while they are used.
 *
 * A node moves an actor by asking another one to take it: `move`, where it is, or `fetch`, where it is wanted. Both nodes know
 * its behaviour, by a name; what goes over is data. **Weak**: its state. It starts anew there, from what came along. **Strong**:
 * also what it has put aside, its timers with the time that they have left, and the messages and questions that wait for it. It
 * goes on where it stopped.
 *
 * References stay good. What is sent to where it was goes on to where it is: nothing lost, doubled, or overtaken by what the
 * same sender sent later by the same reference. After any number of moves it goes there directly. What it is registered under
 * with receptionists goes along. Who watches it is told when it ends, not that it moves.
 *
 * What it is bound to comes along by identifier (`ActorSystem.Ref` in its state), or by value (`byValue`: the copy of the other
 * node, or else a copy of its own), or is of the other node's own kind (`byType`: a node without is refused).
 *
 * It is handed over in two steps. It stands still, and the other node is given its image, which it holds; when it says so, the
 * actor is given up here, and it lives when it has said that it does. Whoever hears that the other node is dead before that
 * goes on with what it has. So, of an actor that moves when a node crashes, one goes on: if the stream `down` of
 * `ActorSystem.remote` names only nodes that are dead, never two. If a node was taken for dead that was not, there may be two
 * until they hear of each other; then the one that has moved more often goes on, and what the other one did since is lost.
 *
 * Where nothing is said of a node that is dead or cut off, whether an actor that was given up to it lives there is in doubt: one
 * that went on here could be a second. So it stands still until that node is heard again or named by `down`. Who has it move is
 * told after `timeout`, by `MigrationInDoubt`; what it is told waits, as much as its mailbox holds, and who asks hears nothing
 * in time.
 *
 * An actor that lives at a node that dies is gone with it, as any other; one that has just ended may live again where it was
 * offered to, if its node dies before that is said there.
 *
 * An actor with children or links cannot move, nor one that is event-sourced; one that watches others only weakly. What a
 * handler promised by `self.defer` is still answered from where it was promised.
 *
 * @example
 * import { ActorSystem, Behavior, Messages, Migration } from "@troupe/actor"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Counter = Messages.make("counter", {
 *   Add: Messages.tell({ amount: Schema.Int }),
 *   Sum: Messages.ask({}, { reply: Schema.Int })
 * })
 *
 * const counter = Migration.movable("counter", {
 *   behavior: Behavior.make(Counter, {
 *     init: () => 0,
 *     on: {
 *       Add: (sum, { amount }) => sum + amount,
 *       Sum: (sum) => ({ state: sum, reply: sum })
 *     }
 *   }),
 *   state: Schema.Int
 * })
 *
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 * const node = (name: string) =>
 *   Migration.layer([counter]).pipe(
 *     Layer.provideMerge(ActorSystem.remote()),
 *     Layer.provide(Memory.layer(network, name)),
 *     Layer.fresh,
 *     Layer.build
 *   )
 *
 * const program = Effect.gen(function*() {
 *   const n1 = yield* node("n1")
 *   yield* node("n2")
 *   return yield* Effect.provide(Effect.gen(function*() {
 *     const ref = yield* Migration.spawn(counter)
 *     ref.tell({ _tag: "Add", amount: 2 })
 *     const moved = yield* Migration.move(ref, { to: "n2", kind: "strong" })
 *     ref.tell({ _tag: "Add", amount: 3 })
 *     return [moved.path, yield* ref.ask({ _tag: "Sum" })]
 *   }), n1)
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // [ 'n2:$2', 5 ]
 */
import { Codec, type NodeId } from "@troupe/transport"
import { Context, Duration, Effect, Layer } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import { ActorSystem } from "./ActorSystem.ts"
import { type Behavior, make as makeBehavior, provide, type Self } from "./Behavior.ts"
import { Agent, agents } from "./internal/migration/Agent.ts"
import { startedAs } from "./internal/migration/images.ts"
import { Packet } from "./internal/migration/Link.ts"
import type { Binding, Movable } from "./internal/migration/Movable.ts"
import type { Refusal } from "./internal/migration/refusals.ts"
import type { Kind } from "./internal/migration/words.ts"
import { inSpan } from "./internal/observed/here.ts"
import type { Cell } from "./internal/system/Cell.ts"
import type { NameTaken } from "./internal/system/failures.ts"
import * as Messages from "./Messages.ts"
import type { Supervision } from "./Supervision.ts"

export type { Binding, Movable } from "./internal/migration/Movable.ts"
export {
  ImageMismatch,
  MigrationFailed,
  MigrationInDoubt,
  MissingBindings,
  NotMovable,
  UnknownBehavior
} from "./internal/migration/refusals.ts"
export type { Refusal } from "./internal/migration/refusals.ts"

type IdOf<B> = B extends Binding<infer Id> ? Id : never

/** What can move: a behaviour by its name, the same at all nodes, with the schema of its state. */
export const movable = <D extends Messages.Definition, State, const B extends ReadonlyArray<Binding> = readonly []>(
  name: string,
  given: {
    readonly behavior: Behavior<D, IdOf<B[number]>>
    readonly state: Codec.MessageSchema<State>
    /**
     * The first state where it has come weakly: a value or, for Effect handlers, an Effect. Default: `init`, and then what
     * came along.
     */
    readonly from?: (moved: State, self: Self<D>) => State | Effect.Effect<State, unknown, any>
    /** The services that its handlers need. */
    readonly bindings?: B
    readonly supervision?: Supervision
  }
): Movable<D, IdOf<B[number]>> => ({
  name,
  behavior: given.behavior,
  state: Codec.binary(given.state),
  from: given.from ?? startedAs(given.behavior),
  bindings: given.bindings ?? [],
  supervision: given.supervision
})

/** Something of each node's own, such as a printer: a node that has none cannot take the actor. */
export const byType = <Id, Service>(key: Context.Key<Id, Service>): Binding<Id> => ({ key, codec: undefined })

/** The same at all nodes: a node that has a copy of its own binds the actor to that, any other one to a copy that comes along. */
export const byValue = <Id, Service>(
  key: Context.Key<Id, Service>,
  schema: Codec.MessageSchema<Service>
): Binding<Id> => ({ key, codec: Codec.binary(schema) })

export interface MoveOptions {
  readonly to: NodeId.NodeId
  readonly kind: Kind
}

export class Migration extends Context.Service<
  Migration,
  {
    readonly spawn: <D extends Messages.Definition>(
      movable: Movable<D, never>,
      options?: SpawnOptions
    ) => Effect.Effect<ActorRef<D>, NameTaken>
    readonly move: <D extends Messages.Definition>(
      ref: ActorRef<D>,
      options: MoveOptions
    ) => Effect.Effect<ActorRef<D>, Refusal>
    readonly fetch: <D extends Messages.Definition>(
      ref: ActorRef<D>,
      options: { readonly kind: Kind }
    ) => Effect.Effect<ActorRef<D>, Refusal>
  }
>()("@troupe/actor/Migration") {}

export interface SpawnOptions {
  /** Where it is spawned. Elsewhere it has a number. */
  readonly name?: string
}

export interface Options {
  /** What is not acknowledged is said again, at growing intervals. Default: 200 ms. */
  readonly retry?: Duration.Input
  /** How long a node that is to take an actor may take to say so, and then to say that it lives there. Default: 5 seconds. */
  readonly timeout?: Duration.Input
  /**
   * How long what is sent to an actor waits when its node is not heard of, for the actor to be heard of elsewhere: then it is
   * no more to who watches it from here. Default: 10 seconds.
   */
  readonly grace?: Duration.Input
}

const Service = Messages.make("migration", { Packet: Messages.tell({ packet: Packet }) })

const path = "migration"

/**
 * Lets actors leave this node, and come to it if their behaviours are among these. What they are bound to by type they have
 * from here. Needs a system that other nodes reach: `ActorSystem.remote`.
 */
export const layer = (
  movables: ReadonlyArray<Movable>,
  options: Options = {}
): Layer.Layer<Migration, NameTaken, ActorSystem> =>
  Layer.effect(
    Migration,
    Effect.gen(function* () {
      const system = yield* ActorSystem
      let receive: (packet: Packet) => void = () => {}
      const behavior = makeBehavior(Service, {
        init: (): void => {},
        on: { Packet: (_, { packet }) => receive(packet) }
      })
      const cell = (yield* system.spawn(behavior, { name: path })) as unknown as Cell
      const { remote } = cell.system
      if (remote === undefined)
        return yield* Effect.die(new TypeError("Actors move in a system of `ActorSystem.remote`"))
      const { grace = "10 seconds", retry = "200 millis", timeout = "5 seconds" } = options
      const agent = new Agent(
        cell,
        movables,
        yield* Effect.context<never>(),
        {
          retryMillis: Duration.toMillis(retry),
          timeoutMillis: Duration.toMillis(timeout),
          graceMillis: Duration.toMillis(grace)
        },
        // What is lost here is said again.
        (to, packet) => {
          const there = remote.refer(Service, to, { life: 0, serial: 0, path })
          inSpan(undefined, () => there.tell({ _tag: "Packet", packet } as never))
        }
      )
      receive = (packet) => agent.receive(packet)
      const undo = remote.onDown((node) => agent.down(node))
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          undo()
          agent.close()
        })
      )
      const service = serviceOf(agent)
      agents.set(service, agent)
      return service
    })
  )

const serviceOf = (agent: Agent): Migration["Service"] => ({
  spawn: (movable, { name } = {}) =>
    Effect.try({
      try: () => {
        const { behavior, supervision } = movable
        const options = {
          ...(name === undefined ? {} : { name }),
          ...(supervision === undefined ? {} : { supervision })
        }
        const cell = agent.system.spawn(agent.system.root, behavior, options)
        agent.spawned(cell, movable)
        return cell
      },
      catch: (taken) => taken as NameTaken
    }),
  move: (ref, { kind, to }) => agent.requests.move(ref, to, kind),
  fetch: (ref, { kind }) => agent.requests.move(ref, agent.node, kind)
})

/** Spawns an actor that can move, whose handlers have the environment of here as long as it is here. */
export const spawn = <D extends Messages.Definition, R = never>(
  movable: Movable<D, R>,
  options?: SpawnOptions
): Effect.Effect<ActorRef<D>, NameTaken, Migration | R> =>
  Effect.gen(function* () {
    const migration = yield* Migration
    return yield* migration.spawn({ ...movable, behavior: yield* provide(movable.behavior) }, options)
  })

/**
 * Has an actor move to another node, from wherever it is. The reference that it was known by stays good; the one that comes back
 * is of where it is. Where it fails, the actor goes on where it was, but for `MigrationInDoubt`.
 */
export const move = <D extends Messages.Definition>(
  ref: ActorRef<D>,
  options: MoveOptions
): Effect.Effect<ActorRef<D>, Refusal, Migration> =>
  Effect.flatMap(Migration, (migration) => migration.move(ref, options))

/** Has an actor of another node come here. */
export const fetch = <D extends Messages.Definition>(
  ref: ActorRef<D>,
  options: { readonly kind: Kind }
): Effect.Effect<ActorRef<D>, Refusal, Migration> =>
  Effect.flatMap(Migration, (migration) => migration.fetch(ref, options))
