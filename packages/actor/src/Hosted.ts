/**
 * A protocol as an actor of a system: it is spawned, told, asked, watched, supervised and stopped as any other, and its nodes
 * speak to each other over the `Transport`, as they do by themselves.
 *
 * Its messages become the protocol's commands, and a question is answered from the state that its command led to. When a
 * handler of the protocol throws, the actor has failed: the protocol starts again as after a crash, if the supervision wants
 * it, from `init` and what it persisted. There is no state to keep, so that `resume` and `kept` start it again, too.
 *
 * @example
 * import { ActorSystem, Hosted, Messages, type Protocol } from "@troupe/actor"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const counting: Protocol.Protocol<number, number, number> = {
 *   name: "demo/counting",
 *   message: Schema.Int,
 *   init: () => 0,
 *   onCommand: (sum, amount, act) => {
 *     act.sendAll(act.self.peers, amount)
 *     return sum + amount
 *   },
 *   onMessage: (sum, _from, amount) => sum + amount
 * }
 *
 * const Counter = Messages.make("counter", {
 *   Add: Messages.tell({ amount: Schema.Int }),
 *   Sum: Messages.ask({}, { reply: Schema.Int })
 * })
 *
 * const counter = Hosted.make(Counter, {
 *   protocol: counting,
 *   command: (message) => (message._tag === "Add" ? message.amount : undefined),
 *   reply: { Sum: (sum) => sum }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const ref = yield* ActorSystem.spawn(counter)
 *   ref.tell({ _tag: "Add", amount: 2 })
 *   return yield* ref.ask({ _tag: "Sum" })
 * })
 *
 * const network = Memory.network({ nodes: ["n1"] })
 * const live = ActorSystem.remote().pipe(Layer.provideMerge(Memory.layer(network, "n1")))
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(live)))) // 2
 */
import type { Storage, StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Cause, Effect, Exit, Scope } from "effect"
import * as Actor from "./Actor.ts"
import { MailboxFull } from "./ActorRef.ts"
import { type Behavior, effect, type Self, type Table } from "./Behavior.ts"
import { bare } from "./internal/observed/Told.ts"
import type { Cell } from "./internal/system/Cell.ts"
import { Fault } from "./internal/system/envelopes.ts"
import {
  type Ask,
  type AskTag,
  type Definition,
  isAsk,
  type MessageOf,
  type Messages,
  type ReplyOf
} from "./Messages.ts"
import type { Protocol } from "./Protocol.ts"

interface Shared<D extends Definition, State, Message, Command, Event, Timer extends string, Options, Persisted> {
  readonly protocol: Protocol<State, Message, Command, Event, Timer, Options, Persisted>
  /** What a message asks the protocol for; `undefined`: nothing. */
  readonly command: (message: MessageOf<D>) => Command | undefined
  /** Takes each event, inside the step that emitted it: to tell an actor of it, say. */
  readonly event?: (event: Event) => void
  /** Names the channel, and the log. Default: the protocol's name. Two of one protocol on one node need two names. */
  readonly name?: string
}

type Replies<D extends Definition, State> = {
  readonly [Tag in AskTag<D>]: (state: State, message: MessageOf<D, Tag>) => ReplyOf<D, Tag>
}

/** `options` and `reply` are given where there is something to give. */
export type Given<
  D extends Definition,
  State,
  Message,
  Command,
  Event,
  Timer extends string,
  Options,
  Persisted
> = Shared<D, State, Message, Command, Event, Timer, Options, Persisted> &
  ([Options] extends [void] ? { readonly options?: undefined } : { readonly options: NoInfer<Options> }) &
  ([AskTag<D>] extends [never]
    ? { readonly reply?: undefined }
    : {
        /** Answers questions, from the state after their commands. Of a protocol that persists, a crash may yet undo that. */
        readonly reply: Replies<D, NoInfer<State>>
      })

type Living = Actor.Actor<unknown, unknown, unknown>

/** The protocol in this life of the actor, which may have failed. */
interface Host {
  readonly scope: Scope.Scope
  living: Living | undefined
  /** Of the latest, which may have failed. */
  own: Scope.Closeable | undefined
  failure: Actor.ActorFailed | undefined
  /** Its failure is the handler's that is under way. */
  isStepping: boolean
}

const again = "\0again"

/** A behaviour to spawn. A protocol that persists needs a `Storage`, and has the log of its name. */
export const make = <
  D extends Definition,
  State,
  Message,
  Command,
  Event,
  Timer extends string,
  Options = void,
  Persisted = void
>(
  messages: Messages<D>,
  given: Given<D, State, Message, Command, Event, Timer, Options, Persisted>
): Behavior<D, Transport | ([Persisted] extends [void] ? never : Storage)> => {
  const init = (self: Self<D>) =>
    Effect.gen(function* () {
      const host: Host = {
        scope: yield* Effect.scope,
        living: undefined,
        own: undefined,
        failure: undefined,
        isStepping: true
      }
      yield* begin(host, given as Any, self as unknown as Cell)
      return host
    })
  const table: Record<string, Table[string]> = Object.create(null)
  for (const [tag, entry] of Object.entries(messages.definition)) {
    const isAsked = isAsk(entry as Ask)
    const reply = isAsked ? (given.reply as Any["reply"])[tag] : undefined
    const handle = (host: Host, message: MessageOf<D>, cell: Cell): Effect.Effect<unknown, unknown, any> => {
      if (host.living === undefined) {
        return Effect.flatMap(begin(host, given as Any, cell), () => handle(host, message, cell))
      }
      const failure = step(host, host.living, given.command(message), cell)
      if (failure !== undefined) return Effect.die(failure)
      return Effect.succeed(reply === undefined ? host : { state: host, reply: reply(host.living.state(), message) })
    }
    table[tag] = { handle, isAsk: isAsked }
  }
  const goOn = (host: Host, _: unknown, cell: Cell) =>
    host.living === undefined ? Effect.as(begin(host, given as Any, cell), host) : Effect.succeed(host)
  return {
    ...(effect(messages, { init, on: {} as never }) as Behavior<D, any>),
    table: { ...table, [again]: { handle: goOn, isAsk: false } }
  }
}

interface Any extends Shared<any, any, any, any, any, any, any, any> {
  readonly options: unknown
  readonly reply: Record<string, (state: unknown, message: unknown) => unknown>
}

/** Spawns the protocol, for the first time or again. */
const begin = (
  host: Host,
  { event, name, options, protocol }: Any,
  cell: Cell
): Effect.Effect<void, Actor.ActorFailed | ChannelInUse | StorageError, Transport | Storage> =>
  Effect.gen(function* () {
    host.failure = undefined
    host.isStepping = true
    if (host.own !== undefined) yield* Scope.close(host.own, Exit.void)
    const own = (host.own = yield* Scope.fork(host.scope))
    const spawning = Actor.spawnDurable(protocol, {
      ...(name === undefined ? {} : { name }),
      ...(event === undefined ? {} : { onEvent: event }),
      // What becomes of it is its supervision's to say.
      restart: { limit: 0 },
      onFailed: (failure) => failed(host, failure, cell),
      options
    })
    const actor = yield* Scope.provide(spawning, own)
    host.isStepping = false
    if (host.failure !== undefined) return yield* Effect.fail(host.failure)
    host.living = actor
  })

const step = (host: Host, actor: Living, command: unknown, cell: Cell): Actor.ActorFailed | undefined => {
  if (command === undefined) return undefined
  host.isStepping = true
  try {
    actor.tell(command)
  } catch {
    // It waits for its disk, as do more commands than may.
    cell.question?.end(Exit.fail(new MailboxFull({ actor: cell.path, capacity: cell.behavior.capacity })))
    cell.system.deadLetters.add(cell, bare(cell.current), "mailbox full")
  }
  host.isStepping = false
  return host.failure
}

/** It comes before what waits for the actor: nothing is handled by a protocol that has failed. */
const failed = (host: Host, failure: Actor.ActorFailed, cell: Cell): void => {
  host.failure = failure
  const { living } = host
  host.living = undefined
  if (cell.ending !== undefined || (host.isStepping && living === undefined)) return
  // Where it goes on with what it has, the protocol starts again.
  cell.box.unshift(host.isStepping ? [{ _tag: again }] : [new Fault(Cause.fail(failure)), { _tag: again }])
  if (cell.status === "idle") cell.goOn()
}
