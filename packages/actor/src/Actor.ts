/**
 * The one driver: hosts a protocol as an actor on a node, over whatever transport, clock and randomness are provided.
 *
 * From a message's arrival to the sends that answer it all is plain synchronous calls. Effect is at the edges: the
 * actor lives as long as its scope, its failures are logged, its counters are metrics.
 *
 * @example
 * import { Actor, type Protocol } from "@troupe/actor"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Schema } from "effect"
 *
 * const counter: Protocol.Protocol<number, number, number> = {
 *   name: "demo/counter",
 *   message: Schema.Int,
 *   init: () => 0,
 *   onCommand: (sum, amount, act) => {
 *     act.sendAll(act.self.peers, amount)
 *     return sum + amount
 *   },
 *   onMessage: (sum, _from, amount) => sum + amount
 * }
 *
 * const program = Effect.gen(function*() {
 *   const actor = yield* Actor.spawn(counter)
 *   actor.tell(2)
 *   return actor.state()
 * })
 *
 * const network = Memory.network({ nodes: ["n1"] })
 * console.log(
 *   await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Memory.layer(network, "n1"))))
 * ) // 2
 */
import { Storage, type StorageError } from "@troupe/storage"
import { Channel, type Codec, type NodeId, Transport, type ChannelInUse } from "@troupe/transport"
import { Clock, type Duration, Effect, Option, Random, type Scope, Stream } from "effect"
import { registerCounters } from "./internal/counters.ts"
import { Driver } from "./internal/Driver.ts"
import type { ActorFailed } from "./internal/failures.ts"
import { Journal } from "./internal/Journal.ts"
import { Membership } from "./Membership.ts"
import { Observer } from "./Observer.ts"
import { type Any, type Protocol, type Self, self as makeSelf } from "./Protocol.ts"

export interface Actor<out State, in Command, out Event> {
  readonly node: NodeId.NodeId
  /** The channel that it speaks on. */
  readonly name: string
  readonly self: Self
  /** The state after the latest step. Of a protocol that persists, a crash may yet undo some of it. */
  readonly state: () => State
  /**
   * Gives the protocol a command. The step is done on return, unless one of this actor is under way: then it waits for
   * its turn. Throws `MailboxFull` when 65,536 inputs wait already. An actor that has stopped ignores it.
   */
  readonly tell: (command: Command) => void
  /** Calls `listener` with each event, inside the step that emitted it. Returns how to stop that. */
  readonly subscribe: (listener: (event: Event) => void) => () => void
  /** The events from now on. A reader that lags by more than 1,024 misses the oldest. */
  readonly events: Stream.Stream<Event>
  readonly counters: Readonly<Counters>
  /** Waits until the actor has given up, having failed more often than its restart policy allows. */
  readonly failed: Effect.Effect<never, ActorFailed>
}

/** What an actor has done since it was spawned. */
export interface Counters {
  steps: number
  sent: number
  received: number
  commands: number
  timeouts: number
  events: number
  restarts: number
}

export { ActorFailed, MailboxFull } from "./internal/failures.ts"

/** How often a protocol whose handler throws is started again. */
export interface RestartPolicy {
  /** Restarts within `within`, 1,000 at the most; one more and the actor stops for good. Default: 10. */
  readonly limit?: number
  /** Default: 1 minute. */
  readonly within?: Duration.Input
}

export interface SpawnOptions<State, Event = any> {
  /** Names the channel. Default: the protocol's name. Two actors of one protocol on one node need two names. */
  readonly name?: string
  readonly restart?: RestartPolicy
  /** Called when a handler threw and the protocol starts again with this state: what it was asked before is forgotten. */
  readonly onRestart?: (state: State, failure: unknown) => void
  /** As `subscribe`, from the first step on: that of the start is over when `spawn` comes back. */
  readonly onEvent?: (event: Event) => void
  /** Called when it has given up, as `failed` tells. */
  readonly onFailed?: (failure: ActorFailed) => void
  /** The codec of its messages. Default: `Codec.binary`. */
  readonly codec?: (schema: Codec.MessageSchema<any>) => Codec.Codec<any>
  /** Of a protocol that persists: the bytes of log above which it is compacted. Default: 64 MiB. */
  readonly compactAbove?: number
}

/** Hosts a protocol on the node of the `Transport`, for as long as the scope lives. */
export const spawn: {
  <State, Message, Command, Event, Timer extends string>(
    protocol: Protocol<State, Message, Command, Event, Timer, void>,
    options?: SpawnOptions<State, Event>
  ): Effect.Effect<Actor<State, Command, Event>, ChannelInUse, Transport | Scope.Scope>
  <State, Message, Command, Event, Timer extends string, Options>(
    protocol: Protocol<State, Message, Command, Event, Timer, Options>,
    options: SpawnOptions<State, Event> & { readonly options: NoInfer<Options> }
  ): Effect.Effect<Actor<State, Command, Event>, ChannelInUse, Transport | Scope.Scope>
} = Effect.fnUntraced(function* (protocol: Any, options: SpawnOptions<any> & { readonly options?: unknown } = {}) {
  if (protocol.durable !== undefined) {
    return yield* Effect.die(new TypeError(`Protocol "${protocol.name}" persists: use Actor.spawnDurable`))
  }
  return yield* host(protocol, options, undefined)
})

/**
 * Hosts a protocol that persists: with what its node persisted in earlier lives, from the log of the actor's name. Comes
 * back when that is read; messages that arrive meanwhile wait. When the disk fails, the actor stops for good: see `failed`.
 */
export const spawnDurable: {
  <State, Message, Command, Event, Timer extends string, Persisted>(
    protocol: Protocol<State, Message, Command, Event, Timer, void, Persisted>,
    options?: SpawnOptions<State, Event>
  ): Effect.Effect<Actor<State, Command, Event>, ChannelInUse | StorageError, Transport | Storage | Scope.Scope>
  <State, Message, Command, Event, Timer extends string, Options, Persisted>(
    protocol: Protocol<State, Message, Command, Event, Timer, Options, Persisted>,
    options: SpawnOptions<State, Event> & { readonly options: NoInfer<Options> }
  ): Effect.Effect<Actor<State, Command, Event>, ChannelInUse | StorageError, Transport | Storage | Scope.Scope>
} = Effect.fnUntraced(function* (protocol: Any, options: SpawnOptions<any> & { readonly options?: unknown } = {}) {
  const { durable } = protocol
  if (durable === undefined) return yield* host(protocol, options, undefined)
  const storage = yield* Storage
  const { nodes, self: id } = yield* Transport
  const log = yield* storage.log(options.name ?? protocol.name)
  const journal = new Journal(durable, log, options.compactAbove)
  const self = makeSelf(id, nodes, options.options)
  yield* journal.recover(protocol.init(self), self)
  return yield* host(protocol, options, journal)
})

/** `journal` has been read. */
const host = Effect.fnUntraced(function* (
  protocol: Any,
  options: SpawnOptions<any> & { readonly options?: unknown },
  journal: Journal<any, any> | undefined
): Effect.fn.Return<Actor<any, any, any>, ChannelInUse, Transport | Scope.Scope> {
  const transport = yield* Transport
  const membership = yield* Effect.serviceOption(Membership)
  const context = yield* Effect.context<never>()
  const name = options.name ?? protocol.name
  const self = makeSelf(transport.self, transport.nodes, options.options)
  const driver = new Driver(protocol, name, self, options, context, journal, {
    clock: yield* Clock.Clock,
    random: yield* Random.Random,
    observer: yield* Observer
  })
  const channel = Channel.make(name, protocol.message, options.codec)
  const send = yield* transport.open(channel, driver.receive)
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const series = registerCounters(driver, protocol.name, context)
      driver.start(send)
      return series
    }),
    (series) =>
      Effect.sync(() => {
        driver.stop()
        series.forEach((registration) => registration.remove())
      })
  )
  if (Option.isSome(membership) && protocol.onView !== undefined) {
    yield* Effect.forkScoped(
      Stream.runForEach(membership.value.views, (view) => Effect.sync(() => driver.install(view)))
    )
  }
  return driver
})
