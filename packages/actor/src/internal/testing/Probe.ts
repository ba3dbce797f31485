/** An actor that keeps what it is told, for a test to look at. */
import { Duration, Effect, Option, Schema } from "effect"
import { type ActorRef, MailboxFull, type Reason } from "../../ActorRef.ts"
import { type Answer, type Behavior, make } from "../../Behavior.ts"
import {
  type Ask,
  type AskTag,
  type Definition,
  type FailureOf,
  isAsk,
  type MessageOf,
  type Messages,
  type ReplyOf
} from "../../Messages.ts"
import type { Cell } from "../system/Cell.ts"
import * as Facilities from "../system/Facilities.ts"
import { same, shown } from "./comparing.ts"
import type { Restless, Time } from "./Time.ts"

/** Something else came than was expected, or nothing. */
export class Unexpected extends Schema.TaggedError<Unexpected>()("Unexpected", {
  probe: Schema.String,
  expected: Schema.String,
  withinMillis: Schema.Number,
  /** In the order of coming, the last one being what was not expected. */
  came: Schema.Array(Schema.String),
  /** What has come behind it, and was not looked at. */
  waiting: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const came = this.came.length === 0 ? "nothing came" : `there came ${this.came.join(", ")}`
    const waiting = this.waiting.length === 0 ? "" : `. Behind it waits ${this.waiting.join(", ")}`
    return `"${this.probe}" expected ${this.expected} within ${this.withinMillis} ms, and ${came}${waiting}`
  }
}

/** A tag, or a message, or a function that says whether it is one that is expected. */
export type Match<D extends Definition> = (keyof D & string) | MessageOf<D> | ((message: MessageOf<D>) => boolean)

/** What a match leaves of the messages. */
export type Matched<D extends Definition, M> = M extends keyof D ? MessageOf<D, M> : MessageOf<D>

export interface Within {
  /** In virtual time. Default: 3 seconds. */
  readonly within?: Duration.Input
}

/** A question that waits for its answer. */
export interface Asked<D extends Definition, Tag extends keyof D> {
  readonly message: MessageOf<D, Tag>
  readonly reply: (reply: ReplyOf<D, Tag>) => void
  readonly fail: (failure: FailureOf<D, Tag>) => void
}

/** Time passes, while one waits, only as far as it takes. */
export interface Probe<D extends Definition> {
  readonly ref: ActorRef<D>
  /** The next message, which must be one that matches. */
  readonly expectMessage: <const M extends Match<D>>(
    match?: M,
    options?: Within
  ) => Effect.Effect<Matched<D, M>, Unexpected | Restless>
  /** The next message, which must be this question: for its answer. */
  readonly expectQuestion: <Tag extends AskTag<D> & string>(
    tag: Tag,
    options?: Within
  ) => Effect.Effect<Asked<D, Tag>, Unexpected | Restless>
  /** Nothing comes for so long; by default, at this moment. */
  readonly expectNoMessage: (within?: Duration.Input) => Effect.Effect<void, Unexpected | Restless>
  /** The next so many messages. */
  readonly receiveN: (
    count: number,
    options?: Within
  ) => Effect.Effect<ReadonlyArray<MessageOf<D>>, Unexpected | Restless>
  /** The first one that matches. Those before it are let go. */
  readonly fishFor: <const M extends Match<D>>(
    match: M,
    options?: Within
  ) => Effect.Effect<Matched<D, M>, Unexpected | Restless>
  /** That an actor is no more, or comes to be, and why. */
  readonly expectTerminated: (ref: ActorRef<any>, options?: Within) => Effect.Effect<Reason, Unexpected | Restless>
}

type Item =
  | {
      readonly _tag: "Message"
      readonly message: { readonly _tag: string }
      readonly answer: Answer<any, any> | undefined
    }
  | { readonly _tag: "Terminated"; readonly ref: ActorRef<any>; readonly reason: Reason }

/** What nobody has looked at. */
const capacity = 65_536

/** None that a message could have. */
const terminated = "\0terminated"

/** What has come, and who waits for it. */
class Letters {
  private items: Array<Item> = []
  private waiter: (() => void) | undefined = undefined

  add(path: string, item: Item): void {
    if (this.items.length >= capacity) throw new MailboxFull({ actor: path, capacity })
    this.items.push(item)
    this.waiter?.()
  }

  get all(): ReadonlyArray<Item> {
    return this.items
  }

  readonly take: Effect.Effect<Item> = Effect.callback((resume) => {
    const take = (): void => {
      this.waiter = undefined
      resume(Effect.succeed(this.items.shift()!))
    }
    if (this.items.length > 0) return take()
    this.waiter = take
    return Effect.sync(() => void (this.waiter = undefined))
  })
}

/** What the actor of a probe does. */
export const behaviorOf = <D extends Definition>(messages: Messages<D>, letters: Letters): Behavior<D> => {
  const handle = (tag: string) =>
    isAsk(messages.definition[tag] as Ask)
      ? (_: unknown, message: { readonly _tag: string }, self: any) => {
          const answer: Answer<any, any> = self.defer()
          letters.add(self.ref.path, { _tag: "Message", message, answer })
          return { state: undefined, later: answer }
        }
      : (_: unknown, message: { readonly _tag: string }, self: any) =>
          letters.add(self.ref.path, { _tag: "Message", message, answer: undefined })
  const on = Object.fromEntries(Object.keys(messages.definition).map((tag) => [tag, handle(tag)]))
  const behavior = make(messages, { init: () => undefined, on: on as never })
  const ended = {
    isAsk: false,
    handle: (_: unknown, { item }: { readonly item: Item }, self: any) => letters.add(self.ref.path, item)
  }
  return { ...behavior, table: { ...behavior.table, [terminated]: ended } }
}

export const letters = (): Letters => new Letters()

export const probeOf = <D extends Definition>(ref: ActorRef<D>, letters: Letters, time: Time): Probe<D> => {
  const expect = new Expecting(ref.path, letters, time)
  const message = (match: Match<D> | undefined, options?: Within) =>
    expect.next(expected(match), (item) => item._tag === "Message" && matches(match, item.message as never), options)
  return {
    ref,
    expectMessage: (match, options) => Effect.map(message(match, options), messageOf) as any,
    expectQuestion: (tag, options) =>
      Effect.map(message(tag, options), (item) => ({ message: messageOf(item), ...answerOf(item) })) as any,
    expectNoMessage: (within = 0) => expect.nothing(within),
    receiveN: (count, options) => Effect.map(expect.several(count, options), (items) => items.map(messageOf)) as any,
    fishFor: (match, options) =>
      Effect.map(
        expect.first(
          expected(match),
          (item) => item._tag === "Message" && matches(match, item.message as never),
          options
        ),
        messageOf
      ) as any,
    expectTerminated: (other, options) =>
      Effect.suspend(() => {
        Facilities.watch(ref as unknown as Cell, other, (reason) => ({
          _tag: terminated,
          item: { _tag: "Terminated", ref: other, reason }
        }))
        const isIt = (item: Item): boolean => item._tag === "Terminated" && item.ref === other
        return Effect.map(
          expect.next(`the end of "${other.path}"`, isIt, options),
          (item) => (item as Extract<Item, { readonly _tag: "Terminated" }>).reason
        )
      })
  }
}

const messageOf = (item: Item): unknown => (item as Extract<Item, { readonly _tag: "Message" }>).message

const answerOf = (item: Item): Pick<Answer<any, any>, "reply" | "fail"> => {
  const { fail, reply } = (item as Extract<Item, { readonly _tag: "Message" }>).answer!
  return { reply, fail }
}

type Expected<A> = Effect.Effect<A, Unexpected | Restless>

/** Waits for letters, and says what came instead. */
class Expecting {
  private readonly path: string
  private readonly letters: Letters
  private readonly time: Time

  constructor(path: string, letters: Letters, time: Time) {
    this.path = path
    this.letters = letters
    this.time = time
  }

  private take(millis: number): Effect.Effect<Item | undefined, Restless> {
    return Effect.gen({ self: this }, function* () {
      yield* this.time.settle
      if (this.letters.all.length > 0) return yield* this.letters.take
      if (!(millis > 0)) return undefined
      const taken = this.time.elapse(Effect.timeoutOption(this.letters.take, millis), { within: Infinity })
      return Option.getOrUndefined(yield* Effect.catchTag(taken, "Stuck", () => Effect.succeedNone))
    })
  }

  private unexpected(expected: string, options: Within | undefined, came: ReadonlyArray<Item>): Unexpected {
    return new Unexpected({
      probe: this.path,
      expected,
      withinMillis: millisOf(options),
      came: came.map(show),
      waiting: this.letters.all.slice(0, 5).map(show)
    })
  }

  next(expected: string, matches: (item: Item) => boolean, options?: Within): Expected<Item> {
    return Effect.flatMap(this.take(millisOf(options)), (item) =>
      item !== undefined && matches(item)
        ? Effect.succeed(item)
        : Effect.fail(this.unexpected(expected, options, item === undefined ? [] : [item]))
    )
  }

  nothing(within: Duration.Input): Expected<void> {
    return Effect.flatMap(this.take(Duration.toMillis(within)), (item) =>
      item === undefined ? Effect.void : Effect.fail(this.unexpected("no message", { within }, [item]))
    )
  }

  several(count: number, options?: Within): Expected<ReadonlyArray<Item>> {
    const items: Array<Item> = []
    if (count <= 0) return Effect.succeed(items)
    const one = this.until(options, (item) => {
      items.push(item)
      return item._tag !== "Message" || items.length >= count
    })
    return Effect.flatMap(one, () =>
      items.length === count && items.every(({ _tag }) => _tag === "Message")
        ? Effect.succeed(items)
        : Effect.fail(this.unexpected(`${count} messages`, options, items))
    )
  }

  first(expected: string, matches: (item: Item) => boolean, options?: Within): Expected<Item> {
    const came: Array<Item> = []
    const found = this.until(options, (item) => {
      came.push(item)
      return matches(item)
    })
    return Effect.flatMap(found, (isFound) =>
      isFound ? Effect.succeed(came.at(-1)!) : Effect.fail(this.unexpected(expected, options, came.slice(-5)))
    )
  }

  /** Takes items as long as there is time, until one of them is the last. */
  private until(options: Within | undefined, isLast: (item: Item) => boolean): Effect.Effect<boolean, Restless> {
    return Effect.gen({ self: this }, function* () {
      const end = this.time.nowMillis() + millisOf(options)
      for (;;) {
        const item = yield* this.take(end - this.time.nowMillis())
        if (item === undefined) return false
        if (isLast(item)) return true
      }
    })
  }
}

const millisOf = ({ within = "3 seconds" }: Within = {}): number => Duration.toMillis(within)

const matches = <D extends Definition>(match: Match<D> | undefined, message: MessageOf<D>): boolean => {
  if (match === undefined) return true
  if (typeof match === "function") return match(message)
  return typeof match === "string" ? message._tag === match : same(match, message)
}

const expected = <D extends Definition>(match: Match<D> | undefined): string =>
  match === undefined
    ? "a message"
    : typeof match === "function"
      ? "a message that its function takes"
      : typeof match === "string"
        ? match
        : shown(match)

const show = (item: Item): string =>
  item._tag === "Message" ? shown(item.message) : `the end of "${item.ref.path}" (${item.reason._tag})`
