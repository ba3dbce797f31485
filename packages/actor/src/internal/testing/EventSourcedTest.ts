/** An event-sourced actor on a disk in memory: what a command makes happen, and what of it is there after a restart. */
import { MemoryStorage, type Storage, type StorageError } from "@troupe/storage"
import type { Codec } from "@troupe/transport"
import { Cause, Effect, Fiber, Option, Schema, type Scope } from "effect"
import { type ActorRef, ActorStopped, type AskError } from "../../ActorRef.ts"
import { ActorSystem } from "../../ActorSystem.ts"
import { type Behavior, type Mailbox, provide } from "../../Behavior.ts"
import { type EventSourced, type Given, make, NotReplayed, type Told, UnknownVersion } from "../../EventSourced.ts"
import * as Messages from "../../Messages.ts"
import type { Ask, Definition, FailureOf, MessageOf, ReplyOf } from "../../Messages.ts"
import * as Supervision from "../../Supervision.ts"
import type { Cell } from "../system/Cell.ts"
import { answersOf, messageOf } from "../system/codecs.ts"
import { read } from "../system/reading.ts"
import { Remote } from "../system/Remote.ts"
import { same, shown } from "./comparing.ts"
import type { Restless, Stuck, Time } from "./Time.ts"

/** Something does not come back as it was: from its schema, or, a state, from its events. */
export class Altered extends Schema.TaggedError<Altered>()("Altered", {
  log: Schema.String,
  what: Schema.Literals(["command", "reply", "failure", "event", "state"]),
  value: Schema.String,
  by: Schema.Literals(["its schema", "a restart"]),
  /** What it becomes, or why it becomes nothing. */
  detail: Schema.String
}) {
  override get message(): string {
    return `"${this.log}": the ${this.what} ${this.value} does not survive ${this.by}: ${this.detail}`
  }
}

export interface EventSourcedOptions<out Event> {
  /** What has happened to it before. */
  readonly events?: ReadonlyArray<Event>
  /** Its disk, for what an earlier behaviour has left there. Default: an empty one. */
  readonly store?: MemoryStorage.Store
  /** Its messages never leave this process, and need not survive their schemas. Default: `false`. */
  readonly local?: boolean
}

/** What a question was answered. */
export type AnswerOf<Reply, Failure> =
  | { readonly _tag: "Reply"; readonly reply: Reply }
  | { readonly _tag: "Failure"; readonly failure: Failure }
  /** Not yet: `answer` waits for it. */
  | { readonly _tag: "Later"; readonly answer: Effect.Effect<Reply, Failure | AskError> }

/** What came of a message. */
export interface Ran<D extends Definition, Tag extends keyof D, out State, out Event> {
  /** That it, and what it made others tell this actor at once, made happen. */
  readonly events: ReadonlyArray<Event>
  readonly state: State
  /** Of a question. */
  readonly answer: D[Tag] extends Ask ? AnswerOf<ReplyOf<D, Tag>, FailureOf<D, Tag>> : undefined
}

/** It could not read its log. */
export type NotRestored = StorageError | UnknownVersion | NotReplayed

export interface EventSourcedTest<D extends Definition, out State, out Event> {
  /** The actor, in this life of it. */
  readonly ref: () => ActorRef<D>
  readonly state: () => State
  /** All that happened since the test began. */
  readonly events: () => ReadonlyArray<Event>
  /**
   * Until nothing is left to do at this moment. Then the message, its answer, its events and, where it has a schema, the
   * state have survived their schemas. A handler that fails is a defect of the test, after which the actor has started again.
   */
  readonly run: <Tag extends keyof D & string>(
    message: MessageOf<D, Tag> & { readonly _tag: Tag }
  ) => Effect.Effect<Ran<D, Tag, State, Event>, Altered | ActorStopped | Restless | NotRestored>
  /** Stops it, and starts it again: its log must make the state that it had. */
  readonly restart: Effect.Effect<State, Altered | Restless | Stuck | NotRestored>
}

/** Tags of no message of its own: its state is asked for, and events are made to happen. */
const look = "\0look"
const happen = "\0happen"

export const eventSourcedTestOf = <D extends Definition, State, Event>(
  behavior: EventSourced<D, State, Event>,
  options: EventSourcedOptions<Event>,
  time: Time
): Effect.Effect<
  EventSourcedTest<D, State, Event>,
  Altered | Restless | Stuck | NotRestored,
  ActorSystem | Scope.Scope
> =>
  Effect.gen(function* () {
    const { events = [], store = MemoryStorage.make() } = options
    const system = yield* ActorSystem
    const tested = new Tested(behavior, options, { time, system, scope: yield* Effect.scope, store })
    yield* Effect.addFinalizer(() => tested.stop)
    yield* tested.begin
    if (events.length > 0) yield* tested.after(events)
    return {
      ref: () => tested.ref,
      state: () => tested.state,
      events: () => tested.events,
      run: (message) => tested.run(message) as any,
      restart: tested.restart
    }
  })

interface Surroundings {
  readonly time: Time
  readonly system: ActorSystem["Service"]
  readonly scope: Scope.Scope
  readonly store: MemoryStorage.Store
}

class Tested<D extends Definition, State, Event> {
  private readonly messages: Messages.Messages<D>
  private readonly given: Given<D, State, Event>
  private readonly isLocal: boolean
  private readonly around: Surroundings
  private readonly behavior: Effect.Effect<Behavior<any>>
  private readonly supervision: Supervision.Supervision
  private readonly writtenEvent: (event: Event) => Event
  private readonly writtenState: ((state: State) => State) | undefined
  ref!: ActorRef<any>
  state!: State
  events: ReadonlyArray<Event> = []
  /** So many of them have survived their schema. */
  private checked = 0
  /** Why it has failed. */
  private failure: Cause.Cause<unknown> | undefined

  constructor(behavior: EventSourced<D, State, Event>, options: EventSourcedOptions<Event>, around: Surroundings) {
    this.messages = behavior.messages
    this.given = behavior.given
    const { event, snapshot } = behavior.given
    this.writtenEvent = throughJson(event)
    this.writtenState = snapshot === undefined ? undefined : throughJson(snapshot.state)
    this.isLocal = options.local ?? false
    this.around = around
    this.behavior = Effect.provide(provide(this.observed()), MemoryStorage.layer(around.store))
    this.supervision = Supervision.decide((cause) => {
      this.failure ??= cause
      return Supervision.stop
    })
  }

  /** The behaviour, seen by this. */
  private observed(): Behavior<any, Storage> {
    const { given, messages } = this
    const definition = {
      ...messages.definition,
      [look]: Messages.ask({}, { reply: Schema.Any }),
      [happen]: Messages.ask({ events: Schema.Any }, { reply: Schema.Void })
    }
    const own = {
      [look]: (state: State) => ({ reply: state }),
      [happen]: (_: State, { events }: { readonly events: ReadonlyArray<Event> }) => ({ events, reply: undefined })
    }
    const on = Object.entries<any>({ ...given.on, ...own }).map(([tag, handle]) => [tag, this.noting(handle)])
    return make<any, State, Event>(Messages.make(messages.name, definition), {
      ...given,
      ...(given.mailbox === undefined ? {} : { mailbox: ranking(given.mailbox) }),
      apply: (before, event) => (this.state = given.apply(before, event)),
      on: Object.fromEntries(on)
    })
  }

  /** Events have happened when they are on disk. */
  private noting(handle: (state: State, message: unknown, self: unknown) => Told<Event>): typeof handle {
    return (state, message, self) => {
      const told = handle(state, message, self)
      const after = (): void => {
        this.events = [...this.events, ...(told.events ?? [])]
        told.after?.()
      }
      return { ...told, after }
    }
  }

  get begin(): Effect.Effect<void, NotRestored> {
    return Effect.gen({ self: this }, function* () {
      this.failure = undefined
      this.ref = yield* Effect.orDie(this.around.system.spawn(yield* this.behavior, { supervision: this.supervision }))
      const asked = this.ref.ask({ _tag: look } as never, { timeout: Infinity }) as Effect.Effect<State, AskError>
      this.state = yield* Effect.catchCause(asked, (cause) => notRestored(this.failure ?? cause))
    })
  }

  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => this.around.system.stop(this.ref))
  }

  /** Makes events happen, before the test begins. */
  after(events: ReadonlyArray<Event>) {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.ignore(this.ref.ask({ _tag: happen, events } as never) as Effect.Effect<void, AskError>)
      yield* this.restart
      this.events = []
      this.checked = 0
    })
  }

  run(message: { readonly _tag: string }) {
    return Effect.gen({ self: this }, function* () {
      yield* this.settled
      const { messages, ref } = this
      const { status } = ref as unknown as Cell
      if (status === "stopping" || status === "stopped") return yield* new ActorStopped({ actor: ref.path })
      yield* this.crosses("command", messageOf(messages), message)
      const before = this.events.length
      const asking = Messages.isAsk(messages.definition[message._tag]!)
        ? yield* Effect.forkIn(ref.ask(message as never, { timeout: Infinity }), this.around.scope, {
            startImmediately: true
          })
        : ref.tell(message as never)
      yield* this.settled
      const answer = asking === undefined ? undefined : yield* this.answer(message._tag, asking)
      yield* this.kept
      return { events: this.events.slice(before), state: this.state, answer }
    })
  }

  private answer(tag: string, asking: Fiber.Fiber<unknown, unknown>) {
    return Effect.gen({ self: this }, function* () {
      const exit = asking.pollUnsafe()
      if (exit === undefined) return { _tag: "Later", answer: Fiber.join(asking) }
      const { failure: failures, reply: replies } = answersOf(this.messages, tag)
      if (exit._tag === "Success") {
        yield* this.crosses("reply", replies, exit.value)
        return { _tag: "Reply", reply: exit.value }
      }
      const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      if (failure === undefined || failure instanceof ActorStopped) return yield* Effect.failCause(exit.cause as any)
      yield* this.crosses("failure", failures, failure)
      return { _tag: "Failure", failure }
    })
  }

  get restart(): Effect.Effect<State, Altered | Restless | Stuck | NotRestored> {
    return Effect.gen({ self: this }, function* () {
      yield* this.settled
      yield* this.kept
      const before = this.state
      yield* this.around.time.elapse(this.stop)
      yield* this.begin
      yield* this.survives("state", before, "a restart", () => this.state)
      return this.state
    })
  }

  /** Nothing is left to do at this moment, and it has not failed. */
  private get settled(): Effect.Effect<void, Restless | NotRestored> {
    return Effect.gen({ self: this }, function* () {
      yield* this.around.time.settle
      const { failure } = this
      if (failure === undefined) return
      yield* this.begin
      return yield* Effect.die(Cause.squash(failure))
    })
  }

  /** What is new on its disk can be read again. */
  private get kept(): Effect.Effect<void, Altered> {
    return Effect.gen({ self: this }, function* () {
      for (; this.checked < this.events.length; this.checked++) {
        const value = this.events[this.checked]!
        yield* this.survives("event", value, "its schema", () => this.writtenEvent(value))
      }
      const { writtenState } = this
      if (writtenState === undefined) return
      yield* this.survives("state", this.state, "its schema", () => writtenState(this.state))
    })
  }

  /** A message, or an answer, goes to another node as what it is. */
  private crosses(what: Altered["what"], codec: Codec.Codec<unknown>, value: unknown): Effect.Effect<void, Altered> {
    const { system } = this.ref as unknown as Cell
    if (this.isLocal) return Effect.void
    return this.survives(what, value, "its schema", () => {
      const { remote } = system
      // Only so are there references to actors that others could have.
      system.remote = remote ?? new Remote(system, "tested", 1, [], 1)
      try {
        return read(system.remote, codec, { codec, message: value })
      } finally {
        system.remote = remote
      }
    })
  }

  private survives(what: Altered["what"], value: unknown, by: Altered["by"], again: () => unknown) {
    return Effect.suspend(() => {
      const detail = differing(value, again)
      if (detail === undefined) return Effect.void
      return Effect.fail(new Altered({ log: this.given.log, what, value: shown(value), by, detail }))
    })
  }
}

/** What is asked here comes first: its own function knows nothing of that. */
const ranking = ({ priority, ...mailbox }: Mailbox<any>): Mailbox<any> => {
  if (priority === undefined) return mailbox
  const isOurs = ({ _tag }: MessageOf<any>): boolean => _tag === look || _tag === happen
  return { ...mailbox, priority: (message) => (isOurs(message) ? -Infinity : priority(message)) }
}

/** Why it did not start: what its disk or what is on it is to blame for, else a defect. */
const notRestored = (cause: Cause.Cause<unknown>): Effect.Effect<never, NotRestored> => {
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause)) as StorageError | undefined
  if (failure !== undefined) return Effect.fail(failure)
  const defect = Cause.squash(cause)
  return defect instanceof UnknownVersion || defect instanceof NotReplayed ? Effect.fail(defect) : Effect.die(defect)
}

/** Into a log, and out of it. */
const throughJson = <A>(schema: Codec.MessageSchema<A>): ((value: A) => A) => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(schema))
  const write = Schema.encodeSync(codec)
  const read = Schema.decodeSync(codec)
  return (value) => read(write(value))
}

const differing = (value: unknown, again: () => unknown): string | undefined => {
  try {
    const found = again()
    return same(value, found) ? undefined : `it comes back as ${shown(found)}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
