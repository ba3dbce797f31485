/**
 * What an actor does with its messages: a first state, and a handler for each. A handler takes the state and returns the
 * next one, plainly or as an Effect; that of a question also says what is answered.
 *
 * @example
 * import { Behavior, Messages } from "@troupe/actor"
 * import { Schema } from "effect"
 *
 * const Counter = Messages.make("counter", {
 *   Add: Messages.tell({ amount: Schema.Int }),
 *   Sum: Messages.ask({}, { reply: Schema.Int })
 * })
 *
 * export const counter = Behavior.make(Counter, {
 *   init: () => 0,
 *   on: {
 *     Add: (sum, { amount }) => sum + amount,
 *     Sum: (sum) => ({ state: sum, reply: sum })
 *   }
 * })
 */
import { type Context, type Duration, Effect, type Scope } from "effect"
import type { ActorRef, Reason } from "./ActorRef.ts"
import {
  type Ask,
  type Definition,
  type FailureOf,
  isAsk,
  type MessageOf,
  type Messages,
  type ReplyOf
} from "./Messages.ts"
import { duration, whole } from "./internal/system/options.ts"
import type { Supervision } from "./Supervision.ts"

// --------------------------------------------------------------------------------------------------- what handlers get

/** What a handler can do besides going on to the next state. For use in handlers only, while they run. */
export interface Self<in out D extends Definition> {
  readonly ref: ActorRef<D>
  /**
   * A child: it stops with this actor, and is supervised by it. One that needs services has them by `Behavior.provide` first.
   */
  readonly spawn: <C extends Definition>(behavior: Behavior<C>, options?: SpawnOptions<C>) => ActorRef<C>
  /** Stops this actor, after this message; or a child of it, at once. What waits for it are dead letters. */
  readonly stop: (child?: ActorRef<any>) => void
  /** Is told when an actor is no more, once; at once, if it is none any more. */
  readonly watch: (ref: ActorRef<any>, told: (reason: Reason) => MessageOf<D>) => void
  readonly unwatch: (ref: ActorRef<any>) => void
  /** Each of the two fails when the other one fails for good. */
  readonly link: (ref: ActorRef<any>) => void
  readonly unlink: (ref: ActorRef<any>) => void
  /** Hands this message on, to each of several: who has asked is answered by the first who has an answer. */
  readonly forward: (...to: ReadonlyArray<ActorRef<D>>) => Later
  /** Puts this message aside, until `unstash`. */
  readonly stash: () => Later
  /** All that were put aside come next, in their order. */
  readonly unstash: () => void
  /** This actor is told the message after so long, unless the timer is set anew or cleared. */
  readonly setTimer: (timer: string, after: Duration.Input, message: MessageOf<D>) => void
  /** The same, again and again. One that still waits in the mailbox is not told twice. */
  readonly setInterval: (timer: string, every: Duration.Input, message: MessageOf<D>) => void
  readonly clearTimer: (timer: string) => void
  /** Is told the message when no other has come for so long. `undefined`: no more. */
  readonly setReceiveTimeout: (after: Duration.Input | undefined, message?: MessageOf<D>) => void
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number
  /** From 0 (included) to 1 (excluded). */
  readonly random: () => number
}

/** Of the handler of a question. */
export interface Asked<in out D extends Definition, in Reply, in Failure> extends Self<D> {
  /**
   * For an answer that is given later, once. Who asked is told so when this actor cannot give it any more: `ActorStopped`
   * when it ends; `HandlerFailed` when it starts from its first state, or fails at the question after all.
   */
  readonly defer: () => Answer<Reply, Failure>
}

declare const laterId: unique symbol

/** The question is answered later, or came to be put aside. */
export interface Later {
  readonly [laterId]: true
}

export interface Answer<in Reply, in Failure> extends Later {
  /** The first one counts; a second throws `AnsweredTwice`. */
  readonly reply: (reply: Reply) => void
  readonly fail: (failure: Failure) => void
}

/** What comes of a question: the next state, and the answer. */
export type Answered<State, Reply, Failure> =
  | { readonly state: State; readonly reply: Reply }
  | { readonly state: State; readonly failure: Failure }
  | { readonly state: State; readonly later: Later }

// ------------------------------------------------------------------------------------------------------------ behaviours

/** Of each message a function: only so is the state inferred from an `init` that takes `self`. */
export type Handlers<D extends Definition, State> = {
  readonly [Tag in keyof D]: (
    state: State,
    message: MessageOf<D, Tag>,
    self: SelfOf<D, Tag>
  ) => OutcomeOf<D, Tag, State>
}

/** A question's typed failure is its answer; any other failure is the actor's. */
export type EffectHandlers<D extends Definition, State, R> = {
  readonly [Tag in keyof D]: (
    state: State,
    message: MessageOf<D, Tag>,
    self: SelfOf<D, Tag>
  ) => Effect.Effect<OutcomeOf<D, Tag, State>, D[Tag] extends Ask ? FailureOf<D, Tag> : unknown, R>
}

type SelfOf<D extends Definition, Tag extends keyof D> = D[Tag] extends Ask
  ? Asked<D, ReplyOf<D, Tag>, FailureOf<D, Tag>>
  : Self<D>

/** Without a state a handler returns nothing. */
type OutcomeOf<D extends Definition, Tag extends keyof D, State> = D[Tag] extends Ask
  ? Answered<State, ReplyOf<D, Tag>, FailureOf<D, Tag>>
  : [State] extends [undefined]
    ? State | void
    : State

/** A handler of what is no message is one too many. */
type NoOthers<D, H> = { readonly [Tag in Exclude<keyof H, keyof D>]: never }

/** What handlers need from the environment, all together. */
type NeedsOf<H> = {
  readonly [Tag in keyof H]: H[Tag] extends (...given: any) => Effect.Effect<any, any, infer R> ? R : never
}[keyof H]

/** How many messages wait for an actor, and what becomes of one more. */
export interface Mailbox<in out D extends Definition> {
  /** From 1 to 16,777,216. Default: 65,536. */
  readonly capacity?: number
  /**
   * `drop-newest` and `drop-oldest`: a dead letter. `fail`: `tell` throws `MailboxFull`. `suspend`: `send` waits for room, and
   * `tell`, which doesn't wait, throws. Default: `fail`.
   */
  readonly onFull?: "drop-newest" | "drop-oldest" | "fail" | "suspend"
  /** What comes first: the lower number, and of equals what came first. Default: all are equal. */
  readonly priority?: (message: MessageOf<D>) => number
}

interface Shared<D extends Definition> {
  readonly mailbox?: Mailbox<D>
  /** With `all-for-one`, what becomes of a child that fails becomes of all its siblings too. Default: `one-for-one`. */
  readonly children?: "one-for-one" | "all-for-one"
  /** What is done last, however it ends, with the last state that it had; not where it has never begun. */
  readonly onStop?: (state: any) => void
}

/** Something to spawn. What it needs from its environment is `R`: see `provide`. */
export interface Behavior<in out D extends Definition, out R = never> extends Shared<D> {
  readonly messages: Messages<D>
  readonly kind: "plain" | "effect"
  readonly init: (self: Self<D>) => unknown
  readonly table: Table
  readonly capacity: number
  /** Of Effect handlers: where they run. */
  readonly context: Context.Context<never> | undefined
  readonly handlerMillis: number | undefined
  /** Of a server: when nothing is under way. What is, and its state, outlives that it starts again. */
  readonly drained?: (state: any) => Effect.Effect<void>
  /** Of a state that it cannot go on with, whatever its supervision says. */
  readonly isSpoilt?: (state: any) => boolean
  /** Of an event-sourced one: when all that it has decided on is on disk, or never will be. */
  readonly whenWritten?: (state: any, then: () => void) => void
  readonly "~R": R | undefined
}

/** Handlers by tags. */
export interface Table {
  readonly [tag: string]: { readonly handle: (state: any, message: any, self: any) => any; readonly isAsk: boolean }
}

export interface SpawnOptions<in _D extends Definition = any> {
  /** Unique among its siblings. Default: a number. */
  readonly name?: string
  /** Default: restarted, 10 times in a minute at the most. */
  readonly supervision?: Supervision
}

/** Of a mailbox that says nothing else. */
export const capacity = 65_536

const capacityOf = ({ name }: Messages<any>, { capacity: given = capacity }: Mailbox<any> = {}): number =>
  whole({ of: name, option: "mailbox.capacity", given, most: 16_777_216 })

const tableOf = (messages: Messages<any>, on: Record<string, Table[string]["handle"]>): Table => {
  const table: Record<string, Table[string]> = Object.create(null)
  for (const [tag, entry] of Object.entries(messages.definition)) {
    table[tag] = { handle: on[tag]!, isAsk: isAsk(entry as Ask) }
  }
  return table
}

/** Handlers that are functions: they decide at once. The quickest. */
export const make = <D extends Definition, State>(
  messages: Messages<D>,
  given: {
    readonly init: (self: Self<D>) => State
    readonly on: Handlers<D, NoInfer<State>>
    readonly onStop?: (state: NoInfer<State>) => void
  } & Omit<Shared<D>, "onStop">
): Behavior<D> => {
  const { on, ...rest } = given
  return {
    ...rest,
    messages,
    kind: "plain",
    capacity: capacityOf(messages, given.mailbox),
    table: tableOf(messages, on as any),
    context: undefined,
    handlerMillis: undefined,
    "~R": undefined
  }
}

/**
 * Handlers that are Effects: one at a time, the next message waits until they are done. `init` has a scope that ends with the
 * actor, or when it starts again.
 */
export const effect = <D extends Definition, State, H, R = never>(
  messages: Messages<D>,
  given: {
    readonly init: (self: Self<D>) => Effect.Effect<State, unknown, R>
    readonly on: H & EffectHandlers<D, NoInfer<State>, any> & NoOthers<D, H>
    /** A handler that takes longer has failed. Default: none has. */
    readonly handlerTimeout?: Duration.Input
    readonly onStop?: (state: NoInfer<State>) => void
  } & Omit<Shared<D>, "onStop">
): Behavior<D, Exclude<R, Scope.Scope> | NeedsOf<H>> => {
  const { handlerTimeout, on, ...rest } = given
  return {
    ...rest,
    messages,
    kind: "effect",
    capacity: capacityOf(messages, given.mailbox),
    table: tableOf(messages, on as any),
    context: undefined,
    handlerMillis:
      handlerTimeout === undefined
        ? undefined
        : duration({ of: messages.name, option: "handlerTimeout", given: handlerTimeout }),
    "~R": undefined
  }
}

/** The behaviour with the environment of here, for an actor that spawns it. */
export const provide = <D extends Definition, R>(behavior: Behavior<D, R>): Effect.Effect<Behavior<D>, never, R> =>
  Effect.map(Effect.context<R>(), (context) => ({
    ...behavior,
    context: context as unknown as Context.Context<never>,
    "~R": undefined
  }))
