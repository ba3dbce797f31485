/**
 * Messages that arrive, over a network that loses, doubles and reorders them and past nodes that crash.
 *
 * A sender numbers its messages, keeps each until it is acknowledged, and sends it again. A receiver, an actor in front of
 * the one that the messages are for, hands them on once, in the order of sending, and acknowledges what that one has handled.
 * So memory is bounded on both sides: a sender keeps a window of messages, a receiver takes no more than it and its actor
 * have room for, and knows of each sender a number.
 *
 * What is promised, while the sender lives:
 *
 * - **Effectively once** (default): each message once and in order, as long as the receiver's node lives. Across its crash,
 *   what was handled and not yet acknowledged is handled again; never with `eventSourced`, which keeps with its state what it
 *   took.
 * - **At least once**: each message once or more, in no order. The receiver keeps nothing about its senders.
 *
 * What a sender had not heard of is lost with its node. A durable one has it on disk, and goes on from there.
 *
 * That the one who acts on a message must be the one who acknowledges it, and who leaves out what it had before, is the
 * end-to-end argument (Saltzer, Reed and Clark, "End-to-end arguments in system design", 1984); numbers, windows and
 * lives are those of TCP (RFC 9293).
 *
 * Only messages that are told can be sent so. A question has its own acknowledgement: who hears no answer asks again.
 *
 * @example
 * import { ActorSystem, Behavior, Messages, Reliable } from "@troupe/actor"
 * import { Effect, Schema } from "effect"
 *
 * const Orders = Messages.make("orders", {
 *   Place: Messages.tell({ item: Schema.String }),
 *   Placed: Messages.ask({}, { reply: Schema.Array(Schema.String) })
 * })
 *
 * const orders = Behavior.make(Orders, {
 *   init: (): ReadonlyArray<string> => [],
 *   on: {
 *     Place: (placed, { item }) => [...placed, item],
 *     Placed: (placed) => ({ state: placed, reply: placed })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   // At the node of the shop, as a rule, ...
 *   const shop = yield* ActorSystem.spawn(orders)
 *   const inbox = yield* ActorSystem.spawn(Reliable.receiver(Orders, shop), { name: "orders" })
 *   // ... and at another one, where `system.at(Reliable.inbox(Orders), "orders", "shop")` is the same.
 *   const sender = yield* Reliable.sender(Orders, { to: inbox })
 *   yield* sender.send({ _tag: "Place", item: "bread" })
 *   sender.tell({ _tag: "Place", item: "wine" })
 *   yield* sender.acknowledged
 *   return yield* shop.ask({ _tag: "Placed" })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(ActorSystem.layer())))) // [ 'bread', 'wine' ]
 */
import { Corrupt, Storage, type StorageError } from "@troupe/storage"
import { type Duration, Effect, Random, Schema, type Scope } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import * as ActorSystem from "./ActorSystem.ts"
import type { Behavior } from "./Behavior.ts"
import { Journal } from "./internal/Journal.ts"
import { durable, type Kept, Outbox, record } from "./internal/reliable/Outbox.ts"
import { behaviorOf } from "./internal/reliable/Receiving.ts"
import * as remembering from "./internal/reliable/remembering.ts"
import { bodyOf, type Disk, type Failure, Sending, type Settings } from "./internal/reliable/Sending.ts"
import { type Inbox, inboxOf, serial } from "./internal/reliable/wire.ts"
import { Cell } from "./internal/system/Cell.ts"
import { duration, whole } from "./internal/system/options.ts"
import type { Ask, Definition, MessageOf, Messages } from "./Messages.ts"
import { self as makeSelf } from "./Protocol.ts"

export type { Failure } from "./internal/reliable/Sending.ts"
export { type Inbox, SessionForgotten, TooManySessions } from "./internal/reliable/wire.ts"

/** The tags of those that are told. */
export type TellTag<D extends Definition> = { readonly [T in keyof D]: D[T] extends Ask ? never : T }[keyof D]

/** Those that can be sent so. */
export type Tellable<D extends Definition> = MessageOf<D, TellTag<D>>

export interface Sender<in out D extends Definition> {
  /**
   * Takes a message over; a durable sender does so when it is on disk. Waits while as many as `window` are
   * unacknowledged.
   */
  readonly send: (message: Tellable<D>) => Effect.Effect<void, Failure>
  /**
   * The same, at once: throws `MailboxFull` where it would wait, and what `send` fails with. That it is on disk is not
   * known.
   */
  readonly tell: (message: Tellable<D>) => void
  /** Waits until all that it took over so far is acknowledged. */
  readonly acknowledged: Effect.Effect<void, Failure>
  /** How many are not. */
  readonly unacknowledged: () => number
  /** Since it began. */
  readonly counters: () => { readonly sent: number; readonly resent: number; readonly acknowledged: number }
}

export interface SenderOptions {
  /**
   * The receiver. One by its path, from `system.at(Reliable.inbox(messages), path, node)`, may stop and come back; with one by a
   * reference that was sent along, the sender fails when it stops.
   */
  readonly to: ActorRef<Inbox>
  /** Default: `effectively-once`. */
  readonly delivery?: "effectively-once" | "at-least-once"
  /** How many messages may be unacknowledged, from 1 to 32,768. Default: 1,024. */
  readonly window?: number
  /** Of a message for another node. Default: 1 MiB. */
  readonly maxBytes?: number
  /** When nothing was acknowledged for so long, the receiver is asked; then twice as long, up to the second. Default: 200 ms and 5 s. */
  readonly resend?: { readonly after?: Duration.Input; readonly atMost?: Duration.Input }
}

export interface DurableOptions extends SenderOptions {
  /** Names its log: one sender at a time has it. 1 to 200 characters. */
  readonly log: string
  /** A log above so many bytes is replaced by what is unacknowledged. Default: 1 MiB. */
  readonly compactAbove?: number
}

export interface ReceiverOptions {
  /** How many messages of one sender may wait here and for the actor, from 1 to 32,768. Default: 1,024. */
  readonly window?: number
  /** How many senders are known. One more is told to wait. Default: 1,024. */
  readonly sessions?: number
  /** A sender that was silent for so long is forgotten for one more. Default: 10 minutes. */
  readonly forgetAfter?: Duration.Input
}

const windowOf = (of: string, given = 1024): number => whole({ of, option: "window", given, most: 32_768 })

/** What a receiver understands: to find one by its path. */
export const inbox = (messages: Messages<any>): Messages<Inbox> => inboxOf(messages)

/** To be spawned beside the actor that the messages are for, in the same process. It stops when that one does. */
export const receiver = <D extends Definition>(
  messages: Messages<D>,
  to: ActorRef<D>,
  { forgetAfter = "10 minutes", sessions = 1024, window }: ReceiverOptions = {}
): Behavior<Inbox> => {
  if (!(to instanceof Cell)) throw new TypeError(`"${to.path}" is at another node: its receiver stands beside it`)
  const of = `the receiver of "${to.path}"`
  return behaviorOf(messages, to, {
    window: windowOf(of, window),
    sessions: whole({ of, option: "sessions", given: sessions }),
    forgetMillis: duration({ of, option: "forgetAfter", given: forgetAfter })
  })
}

/**
 * An event-sourced actor that remembers what it took from whom, with its events. Its receiver acknowledges what is on disk,
 * so that each message has its effect once, whatever crashes. It knows as many senders as `sessions` says (1,024), and forgets
 * who was silent for longest.
 */
export const eventSourced = <D extends Definition, State, Event>(
  messages: Messages<D>,
  { sessions = 1024, ...given }: remembering.Given<D, State, Event> & { readonly sessions?: number }
): Behavior<D, Storage> =>
  remembering.make(messages, given, whole({ of: `"${given.log}"`, option: "sessions", given: sessions }))

/** A sender that ends with the scope; what is not acknowledged then may be lost. */
export const sender = <D extends Definition>(
  messages: Messages<D>,
  options: SenderOptions
): Effect.Effect<Sender<D>, never, ActorSystem.ActorSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const outbox = new Outbox()
    outbox.session = serial(yield* Random.next)
    return yield* begin<D>(new Sending(settingsOf(messages, options), outbox, undefined))
  })

/**
 * A sender that keeps on disk what is not acknowledged: the next one with that log goes on with it. References to actors are
 * good for one life, and not for its messages.
 */
export const durableSender = <D extends Definition>(
  messages: Messages<D>,
  options: DurableOptions
): Effect.Effect<Sender<D>, StorageError, ActorSystem.ActorSystem | Storage | Scope.Scope> =>
  Effect.gen(function* () {
    const { compactAbove = 1024 * 1024, log: name } = options
    const settings = settingsOf(messages, options)
    const log = yield* (yield* Storage).log(name)
    const journal = new Journal(durable, log, compactAbove)
    const outbox = yield* journal.recover(new Outbox(), makeSelf(name, [name], undefined))
    journal.restored()
    yield* readAgain(settings, outbox, name)
    const json = Schema.fromJsonString(Schema.toCodecJson(messages.schema))
    const disk: Disk = { journal, write: Schema.encodeSync(json) as (message: unknown) => string }
    const sending = new Sending(settings, outbox, disk)
    if (outbox.session === 0) {
      outbox.session = serial(yield* Random.next)
      journal.holds({ _tag: "Persist", record: record("session", outbox.session) })
      journal.commit(outbox)
    }
    const context = yield* Effect.context<never>()
    journal.fork = (effect) => void Effect.runForkWith(context)(effect)
    journal.onFailure = (failure) => sending.fail(failure)
    journal.onDurable = () => {
      for (let action = journal.take(); action !== undefined; action = journal.take()) {
        ;(action as { readonly event: () => void }).event()
      }
    }
    return yield* begin<D>(sending)
  })

const settingsOf = (messages: Messages<any>, options: SenderOptions): Settings => {
  const of = `the sender to "${options.to.path}"`
  const { after = 200, atMost = 5_000 } = options.resend ?? {}
  return {
    messages,
    to: options.to,
    isOnce: options.delivery !== "at-least-once",
    window: windowOf(of, options.window),
    maxBytes: whole({ of, option: "maxBytes", given: options.maxBytes ?? 1024 * 1024 }),
    resendMillis: duration({ of, option: "resend.after", given: after }),
    resendMillisMax: duration({ of, option: "resend.atMost", given: atMost })
  }
}

/** What an earlier life left, as this one sends it. */
const readAgain = (settings: Settings, { entries }: Outbox, name: string): Effect.Effect<void, Corrupt> => {
  const decode = Schema.decodeSync(Schema.fromJsonString(Schema.toCodecJson(settings.messages.schema)))
  const failed = (number: number) => (error: unknown) =>
    new Corrupt({ name, at: `message ${number}`, detail: `it cannot be sent: ${String(error)}` })
  const again = ([number, { json }]: readonly [number, Kept]) =>
    Effect.try({
      try: () => void entries.set(number, { body: bodyOf(decode(json), settings), json }),
      catch: failed(number)
    })
  return Effect.forEach([...entries], again, { discard: true })
}

const begin = <D extends Definition>(
  sending: Sending
): Effect.Effect<Sender<D>, never, ActorSystem.ActorSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const { outbox } = sending
    const actor = yield* Effect.orDie(system.spawn(sending.behavior))
    yield* Effect.addFinalizer(() => system.stop(actor))
    const send = (message: Tellable<D>): Effect.Effect<void, Failure> =>
      Effect.suspend(() => {
        if (sending.isFull && sending.failure === undefined) {
          // Who is let go on, and does not, leaves the room to the next.
          return Effect.onInterrupt(Effect.andThen(sending.room, send(message)), () =>
            Effect.sync(() => sending.makeRoom())
          )
        }
        try {
          const number = sending.accept(message)
          return outbox.stored > number ? Effect.void : sending.stored(number)
        } catch (error) {
          return Effect.fail(error as Failure)
        }
      })
    return {
      send,
      tell: (message) => void sending.accept(message),
      acknowledged: Effect.suspend(() => sending.acknowledgedBelow(outbox.next)),
      unacknowledged: () => outbox.entries.size,
      counters: () => ({ ...sending.counters })
    }
  })
