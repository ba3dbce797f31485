/**
 * Actors that survive a crash: what happened to one is an event in its log, and its state is all of them applied in turn. A
 * message is decided on first, into events; what its teller is answered, or others are told, goes out when they are on disk.
 *
 * Messages that follow are decided on meanwhile, so that many share one write. A log that has grown large is replaced by
 * the state, where there is a schema for it.
 *
 * Events are kept as JSON with the version of their schema. An actor whose events have changed reads older ones by `upcast`, and
 * an older state by that of `snapshot`.
 *
 * @example
 * import { ActorSystem, EventSourced, Messages } from "@troupe/actor"
 * import { MemoryStorage } from "@troupe/storage"
 * import { Effect, Schema } from "effect"
 *
 * const Account = Messages.make("account", {
 *   Deposit: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int })
 * })
 *
 * const account = (owner: string) =>
 *   EventSourced.make(Account, {
 *     log: `account/${owner}`,
 *     event: Schema.Struct({ deposited: Schema.Int }),
 *     init: () => 0,
 *     apply: (balance, { deposited }) => balance + deposited,
 *     on: {
 *       Deposit: (balance, { amount }) => ({ events: [{ deposited: amount }], reply: balance + amount })
 *     }
 *   })
 *
 * const program = Effect.gen(function*() {
 *   const system = yield* ActorSystem.ActorSystem
 *   const ann = yield* ActorSystem.spawn(account("ann"))
 *   yield* ann.ask({ _tag: "Deposit", amount: 5 })
 *   yield* system.stop(ann)
 *   const again = yield* ActorSystem.spawn(account("ann"))
 *   return yield* again.ask({ _tag: "Deposit", amount: 1 })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide([ActorSystem.layer(), MemoryStorage.layer()])))) // 6
 */
import { type Log, Storage, type StorageError } from "@troupe/storage"
import type { Codec } from "@troupe/transport"
import { Cause, Effect, Exit, Schema, type Scope } from "effect"
import { ActorStopped, HandlerFailed } from "./ActorRef.ts"
import {
  type Answered as BehaviorAnswered,
  type Asked,
  type Behavior,
  effect,
  type Later,
  type Mailbox,
  type Self
} from "./Behavior.ts"
import { textOf } from "./internal/defects.ts"
import { Journal } from "./internal/Journal.ts"
import { logName, whole } from "./internal/system/options.ts"
import type { Cell } from "./internal/system/Cell.ts"
import * as Turns from "./internal/system/Turns.ts"
import {
  isAsk,
  type Ask,
  type Definition,
  type FailureOf,
  type MessageOf,
  type Messages,
  type ReplyOf
} from "./Messages.ts"
import { type Durable, self as makeSelf } from "./Protocol.ts"

/** What comes of a message: events, none by default, and `after`, what is done when they are on disk. */
export interface Told<out Event> {
  readonly events?: ReadonlyArray<Event>
  readonly after?: () => void
}

/** The answer is given when the events are on disk. */
export type Answered<Event, Reply, Failure> = Told<Event> &
  ({ readonly reply: Reply } | { readonly failure: Failure } | { readonly later: Later })

export type Handlers<D extends Definition, State, Event> = {
  readonly [Tag in keyof D]: D[Tag] extends Ask
    ? (
        state: State,
        message: MessageOf<D, Tag>,
        self: Asked<D, ReplyOf<D, Tag>, FailureOf<D, Tag>>
      ) => Answered<Event, ReplyOf<D, Tag>, FailureOf<D, Tag>>
    : (state: State, message: MessageOf<D, Tag>, self: Self<D>) => Told<Event>
}

export interface Given<D extends Definition, State, Event> {
  /** Names its log: one actor at a time has it. 1 to 200 characters. */
  readonly log: string
  readonly event: Codec.MessageSchema<Event>
  /** Of the schema of events. Default: 1. */
  readonly version?: number
  /** An event of an earlier version, as JSON, as one of the next version. */
  readonly upcast?: (event: unknown, version: number) => unknown
  readonly init: () => State
  readonly apply: (state: State, event: Event) => State
  readonly on: Handlers<D, State, Event>
  /** Each time that it starts, when it has read its log: for timers, watches, children, and what it tells itself. */
  readonly onStart?: (state: State, self: Self<D>) => void
  readonly mailbox?: Mailbox<D>
  /** With `all-for-one`, what becomes of a child that fails becomes of all its siblings too. Default: `one-for-one`. */
  readonly children?: "one-for-one" | "all-for-one"
  /** What is done last, however it ends, with the last state that it had, which may be ahead of a disk that failed. */
  readonly onStop?: (state: State) => void
  /** With it, a log above so many bytes (64 MiB) is replaced by the state. */
  readonly snapshot?: {
    readonly state: Codec.MessageSchema<State>
    /** A state of an earlier version, as JSON, as one of the next version. */
    readonly upcast?: (state: unknown, version: number) => unknown
    readonly above?: number
  }
}

/** A behaviour whose state is made of events. */
export interface EventSourced<in out D extends Definition, in out State, in out Event> extends Behavior<D, Storage> {
  /** What it was made of, for who tests it. */
  readonly given: Given<D, State, Event>
}

/** The log has an event, or a state, of a version that is not known here. */
export class UnknownVersion extends Schema.TaggedError<UnknownVersion>()("UnknownVersion", {
  log: Schema.String,
  found: Schema.Int,
  known: Schema.Int
}) {
  override get message(): string {
    if (this.found === this.known) return `"${this.log}" has a state in place of its first events: give it \`snapshot\``
    return `"${this.log}" has events of version ${this.found}, and this program knows up to ${this.known}${
      this.found < this.known
        ? ", but not how to read older ones: give it `upcast`, and its `snapshot` one"
        : ". Run the newer program"
    }`
  }
}

/** What is in the log cannot be made a state of. Nothing of it is changed. */
export class NotReplayed extends Schema.TaggedError<NotReplayed>()("NotReplayed", {
  log: Schema.String,
  /** Which record, from 0 on, or the snapshot in front of them. */
  at: Schema.String,
  version: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `"${this.log}" cannot be read again: ${this.at}, of version ${this.version}: ${textOf(this.cause)}. If its schema or \`apply\` has changed, raise \`version\`, and give it \`upcast\``
  }
}

/** The layout of records, for good: what is in them may change with the version. Several events of one message are a list. */
const Record = Schema.Struct({
  kind: Schema.Literals(["event", "events", "state"]),
  version: Schema.Int,
  json: Schema.String
})
type Record = typeof Record.Type

interface Living<State> {
  state: State
  readonly journal: Journal<State, Record>
}

const durableOf = <State, Event>({
  apply,
  event,
  log,
  snapshot,
  upcast,
  version = 1
}: Given<any, State, Event>): Durable<State, Record> & {
  readonly recordOf: (events: ReadonlyArray<Event>) => Record
} => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(event))
  const write = Schema.encodeSync(codec)
  const read = Schema.decodeUnknownSync(Schema.toCodecJson(event))
  const state = snapshot && Schema.toCodecJson(snapshot.state)
  const unknown = (found: number) => new UnknownVersion({ log, found, known: version })
  const current = (json: unknown, written: number, upcast: Given<any, State, Event>["upcast"]): unknown => {
    if (written === version) return json
    if (written > version || upcast === undefined) throw unknown(written)
    let older = json
    for (let at = written; at < version; at++) older = upcast(older, at)
    return older
  }
  const applied = (before: State, json: unknown, written: number): State =>
    apply(before, read(current(json, written, upcast)))
  return {
    record: Record,
    recordOf: (events) =>
      events.length === 1
        ? { kind: "event", version, json: write(events[0]!) }
        : { kind: "events", version, json: `[${events.map((each) => write(each)).join(",")}]` },
    restore: (before, record) => {
      if (record.kind === "event") return applied(before, JSON.parse(record.json), record.version)
      if (record.kind === "events") {
        const events: ReadonlyArray<unknown> = JSON.parse(record.json)
        return events.reduce((now: State, each) => applied(now, each, record.version), before)
      }
      if (state === undefined) throw unknown(record.version)
      return Schema.decodeUnknownSync(state)(current(JSON.parse(record.json), record.version, snapshot?.upcast))
    },
    ...(state === undefined
      ? {}
      : {
          compact: (now: State) => [
            { kind: "state", version, json: JSON.stringify(Schema.encodeSync(state)(now)) } as const
          ]
        })
  }
}

/**
 * A behaviour to spawn. When it starts, it reads its log, and messages wait; when its disk fails, the actor has failed, and its
 * supervision decides: started again, it has what is on disk.
 *
 * Its handlers may do what those of `Behavior.make` may, at once: what is to wait for the disk is for `after`. They are
 * functions, since a decision that waited would be one on an older state; so none takes longer than it may. What only an
 * Effect can tell comes as a message, from a child, say.
 */
export const make = <D extends Definition, State, Event>(
  messages: Messages<D>,
  given: Given<D, State, Event>
): EventSourced<D, State, Event> => {
  logName(given.log, "EventSourced")
  const of = `EventSourced "${given.log}"`
  whole({ of, option: "version", given: given.version ?? 1 })
  whole({ of, option: "snapshot.above", given: given.snapshot?.above ?? 1, least: 0 })
  const durable = durableOf(given)
  const decide = (tag: keyof D & string) => {
    const handle = given.on[tag] as (state: State, message: unknown, self: unknown) => Answered<Event, unknown, unknown>
    const isAsked = isAsk(messages.definition[tag] as Ask)
    return (living: Living<State>, message: unknown, self: Asked<D, unknown, unknown>) => {
      const decided = handle(living.state, message, self)
      if (isAsked && !Turns.isAnswer(self as unknown as Cell, decided)) throw Turns.unanswered()
      persist(living, decided.events ?? [])
      const { after } = decided
      if (after !== undefined) whenDurable(living, after)
      if (!isAsked) return ready(living, living)
      if ("later" in decided) return ready(living, { state: living, later: decided.later })
      return ready(living, answered(living, decided, self as unknown as Cell))
    }
  }
  /** All of them, or none, in one record: one that cannot be written or applied leaves nothing of the others. */
  const persist = (living: Living<State>, events: ReadonlyArray<Event>): void => {
    if (events.length === 0) return
    const record = durable.recordOf(events)
    const state = events.reduce((before, event) => given.apply(before, event), living.state)
    living.journal.holds({ _tag: "Persist", record })
    living.state = state
  }
  const on = Object.fromEntries(Object.keys(messages.definition).map((tag) => [tag, decide(tag)]))
  const init = (self: Self<D>) => recover(given, durable, self as unknown as Cell)
  // Some of its state never came to the disk.
  const isSpoilt = ({ journal }: Living<State>): boolean => journal.hasFailed
  const whenWritten = (living: Living<State>, then: () => void): void =>
    living.journal.hasFailed ? then() : whenDurable(living, then, then)
  const { children, mailbox, onStop } = given
  const behavior = effect(messages, {
    ...{ init, on: on as never },
    ...(mailbox === undefined ? {} : { mailbox }),
    ...(children === undefined ? {} : { children }),
    ...(onStop === undefined ? {} : { onStop: ({ state }: Living<State>) => onStop(state) })
  })
  return { ...behavior, isSpoilt, whenWritten, given }
}

/** What waits for the disk: `after`, or an answer. */
interface Waiting {
  readonly done: () => void
  /** Where the disk writes nothing more. */
  readonly failed: ((failure: StorageError) => void) | undefined
}

/** Now, if nothing waits for the disk. */
const whenDurable = ({ journal }: Living<any>, done: () => void, failed?: Waiting["failed"]): void => {
  if (!journal.holds({ _tag: "Emit", event: { done, failed } satisfies Waiting })) done()
}

/** It is given also when the actor ends meanwhile, or begins anew: all that it has decided on is written before. */
const answered = (
  living: Living<any>,
  decided: { readonly reply: unknown } | { readonly failure: unknown },
  cell: Cell
): BehaviorAnswered<Living<any>, unknown, unknown> => {
  const { question } = cell
  const event: Waiting = {
    done: () => question?.end("reply" in decided ? Exit.succeed(decided.reply) : Exit.fail(decided.failure)),
    failed: (failure) => question?.end(Exit.fail(unwritten(cell, question.message._tag, failure)))
  }
  if (!living.journal.holds({ _tag: "Emit", event })) return { ...decided, state: living }
  cell.question = undefined
  return { state: living, later }
}

const later = {} as Later

/** What it asked for may be on the disk, or not. */
const unwritten = ({ ending, path: actor }: Cell, question: string, cause: StorageError) =>
  ending === undefined ? new HandlerFailed({ actor, question, cause }) : new ActorStopped({ actor })

/** The step is over; where too much waits for the disk, the next one waits, too. */
const ready = <A>({ journal, state }: Living<any>, result: A): Effect.Effect<A> => {
  journal.commit(state)
  if (!journal.isFull) return Effect.succeed(result)
  return Effect.callback((resume) => {
    const before = journal.onDurable
    journal.onDurable = () => {
      before()
      if (journal.isFull) return
      journal.onDurable = before
      resume(Effect.succeed(result))
    }
  })
}

/** Where it fails to read, it says at which record. */
const saying = <State>(durable: Durable<State, Record>, { first, name }: Log): Durable<State, Record> => {
  let index = first
  return {
    ...durable,
    restore: (before, record, self) => {
      const at = record.kind === "state" ? "its snapshot" : `record ${index++}`
      try {
        return durable.restore(before, record, self)
      } catch (defect) {
        if (defect instanceof UnknownVersion) throw defect
        throw new NotReplayed({ log: name, at, version: record.version, cause: defect })
      }
    }
  }
}

const recover = <State, Event>(
  { init, log: name, onStart, snapshot }: Given<any, State, Event>,
  durable: Durable<State, Record>,
  cell: Cell
): Effect.Effect<Living<State>, StorageError, Storage | Scope.Scope> =>
  Effect.gen(function* () {
    const log = yield* (yield* Storage).log(name)
    const journal = new Journal(saying(durable, log), log, snapshot?.above)
    const state = yield* journal.recover(init(), makeSelf(name, [name], undefined))
    journal.restored()
    const context = yield* Effect.context<never>()
    journal.fork = (effect) => void Effect.runForkWith(context)(effect)
    // A log may fail once more, or as it is closed, a snapshot of it under way: that is no failure of the life that follows.
    let isOver = false
    yield* Effect.addFinalizer(() => Effect.sync(() => (isOver = true)))
    journal.onFailure = (failure) => {
      if (!isOver) cell.fault(Cause.fail(failure))
      isOver = true
      for (const action of journal.abandon()) (action as { readonly event: Waiting }).event.failed?.(failure)
      // A handler may wait for room.
      journal.onDurable()
    }
    journal.onDurable = () => {
      for (let action = journal.take(); action !== undefined; action = journal.take()) {
        try {
          ;(action as { readonly event: Waiting }).event.done()
        } catch (defect) {
          // Others wait for the disk, too.
          cell.fault(Cause.die(defect))
        }
      }
    }
    onStart?.(state, cell as unknown as Self<any>)
    return { state, journal }
  })
