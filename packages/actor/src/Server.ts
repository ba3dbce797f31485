/**
 * Servers: actors whose handlers know nothing but their message, so that it is a choice of its own how many of them run at a
 * time, and where. One and the same handlers, three dispatchers:
 *
 * - `singleThreaded`: one message after the other. Who waits for a disk has all others wait.
 * - `eventLoop`: many messages are under way, and while one waits others go on. What computes has all others wait.
 * - `multiThreaded`: threads of the process take a message each, to compute or to block as they like. What crosses is copied.
 *
 * Sources: A. S. Tanenbaum, M. van Steen, "Distributed Systems", 3rd ed., §3.1; J. Ousterhout, "Why Threads Are A Bad Idea
 * (for most purposes)", USENIX 1996.
 *
 * @example
 * import { ActorSystem, Messages, Server } from "@troupe/actor"
 * import { Effect, Schema } from "effect"
 *
 * const Pages = Messages.make("pages", {
 *   Fetch: Messages.ask({ page: Schema.Int }, { reply: Schema.String })
 * })
 *
 * const handlers: Server.Handlers<typeof Pages.definition> = {
 *   Fetch: ({ page }) => Effect.delay(Effect.succeed(`page ${page}`), "10 millis")
 * }
 *
 * const program = Effect.gen(function*() {
 *   const pages = yield* ActorSystem.spawn(Server.make(Pages, {
 *     on: handlers,
 *     dispatcher: Server.eventLoop({ inFlight: 100 })
 *   }))
 *   const asking = [1, 2, 3].map((page) => pages.ask({ _tag: "Fetch", page }))
 *   return yield* Effect.all(asking, { concurrency: "unbounded" })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ActorSystem.layer())))) // [ 'page 1', 'page 2', 'page 3' ]
 */
import { Duration, Effect } from "effect"
import { Worker } from "effect/workers"
import { type Behavior, effect, type Mailbox } from "./Behavior.ts"
import { Flights } from "./internal/server/Flights.ts"
import { type Endable, Pool } from "./internal/server/Pool.ts"
import type { Cell, Message } from "./internal/system/Cell.ts"
import { HandlerTimeout } from "./internal/system/failures.ts"
import { duration, whole } from "./internal/system/options.ts"
import {
  type Ask,
  type Definition,
  type FailureOf,
  isAsk,
  type MessageOf,
  type Messages,
  type ReplyOf
} from "./Messages.ts"

export { ThreadDied } from "./internal/server/failures.ts"

/** A question is answered by what comes of it, or by its typed failure. Any other failure is the actor's. */
export type Handlers<D extends Definition, R = never> = {
  readonly [Tag in keyof D]: D[Tag] extends Ask
    ? (message: MessageOf<D, Tag>) => Effect.Effect<ReplyOf<D, Tag>, FailureOf<D, Tag>, R>
    : (message: MessageOf<D, Tag>) => Effect.Effect<unknown, unknown, R>
}

// --------------------------------------------------------------------------------------------------------- dispatchers

/** Handlers run here, so many of them at a time. */
export interface Here {
  readonly _tag: "Here"
  readonly inFlight: number
}

/** Handlers run in threads, which load them from a module of their own. */
export interface Threads extends ThreadsOptions {
  readonly _tag: "Threads"
}

/** Strictly one at a time: the next message is begun with when this one is done. */
export const singleThreaded: Here = { _tag: "Here", inFlight: 1 }

export interface EventLoopOptions {
  /** How many messages may be under way; the next one waits in the mailbox. From 1 to 1,048,576. Default: 1,024. */
  readonly inFlight?: number
}

/** Many at a time, begun with in the order of the mailbox, done in any. A handler that computes holds up all others. */
export const eventLoop = ({ inFlight = 1_024 }: EventLoopOptions = {}): Here => ({
  _tag: "Here",
  inFlight: whole({ of: "Server.eventLoop", option: "inFlight", given: inFlight, most: 1_048_576 })
})

export interface ThreadsOptions {
  /** How many, each with one message at a time. From 1 to 1,024. */
  readonly threads: number
  /**
   * Starts a thread with a module that runs `ServerWorker.run`: of Node,
   * `() => new Worker(new URL("./handlers.ts", import.meta.url))`. The platform of `effect/workers` talks to it.
   */
  readonly spawn: (number: number) => Endable
  /**
   * Threads that die of themselves are replaced, so many times in a minute; with one more the server has failed, whatever its
   * supervision. From 0 on. Default: 10.
   */
  readonly deaths?: number
  /** A thread that has not started by then has died. Default: 30 seconds. */
  readonly startTimeout?: Duration.Input
}

/** As many at a time as there are threads. Handlers may compute, or block. */
export const multiThreaded = (options: ThreadsOptions): Threads => {
  const { deaths = 10, startTimeout = "30 seconds", threads } = options
  const of = "Server.multiThreaded"
  whole({ of, option: "threads", given: threads, most: 1_024 })
  whole({ of, option: "deaths", given: deaths, least: 0 })
  duration({ of, option: "startTimeout", given: startTimeout })
  return { _tag: "Threads", ...options }
}

// -------------------------------------------------------------------------------------------------------------- making

interface Shared<D extends Definition> {
  readonly mailbox?: Mailbox<D>
  /**
   * A handler that takes longer has failed: it is interrupted or, in a thread, ended together with the thread. Default: none
   * has.
   */
  readonly handlerTimeout?: Duration.Input
}

export interface GivenHere<D extends Definition, R> extends Shared<D> {
  readonly on: Handlers<D, R>
  /** Default: `singleThreaded`. */
  readonly dispatcher?: Here
}

export interface GivenThreads<D extends Definition> extends Shared<D> {
  readonly dispatcher: Threads
}

/** A behaviour to spawn. What is under way goes on when it starts again, and ends with it; drained, it is waited for. */
export const make: {
  <D extends Definition, R = never>(messages: Messages<D>, given: GivenHere<D, R>): Behavior<D, R>
  <D extends Definition>(messages: Messages<D>, given: GivenThreads<D>): Behavior<D, Worker.WorkerPlatform>
} = <D extends Definition>(messages: Messages<D>, given: GivenHere<D, any> | GivenThreads<D>): Behavior<D, any> => {
  const { handlerTimeout, mailbox } = given
  const of = messages.name
  const handlerMillis =
    handlerTimeout === undefined ? undefined : duration({ of, option: "handlerTimeout", given: handlerTimeout })
  const init =
    "on" in given
      ? (cell: Cell) => here(cell, given, handlerMillis)
      : (cell: Cell) => inThreads(cell, messages, given.dispatcher, handlerMillis)
  const begin = (isQuestion: boolean) => (flights: Flights, message: Message) => flights.begin(message, isQuestion)
  const on = Object.fromEntries(
    Object.entries(messages.definition).map(([tag, entry]) => [tag, begin(isAsk(entry as Ask))])
  )
  return {
    ...effect(messages, { init: init as never, on: on as never, ...(mailbox === undefined ? {} : { mailbox }) }),
    drained: (flights: Flights) => flights.drained
  }
}

const here = (cell: Cell, { dispatcher = singleThreaded, on }: GivenHere<any, any>, millis: number | undefined) => {
  const handlers = on as Record<string, (message: unknown) => Effect.Effect<unknown, unknown>>
  const handle = (message: Message) => handlers[message._tag]!(message)
  const work = millis === undefined ? handle : (message: Message) => within(cell, message, handle(message), millis)
  return Effect.acquireRelease(
    Effect.sync(() => new Flights(cell, dispatcher.inFlight, work)),
    ({ close }) => close
  )
}

const within = (cell: Cell, { _tag }: Message, effect: Effect.Effect<unknown, unknown>, millis: number) =>
  Effect.timeoutOrElse(effect, {
    duration: millis,
    orElse: () => Effect.die(new HandlerTimeout({ actor: cell.path, handler: _tag, millis }))
  })

const inThreads = (cell: Cell, messages: Messages<any>, dispatcher: Threads, handlerMillis: number | undefined) =>
  Effect.gen(function* () {
    const { deaths = 10, spawn, startTimeout = "30 seconds", threads } = dispatcher
    const startMillis = Duration.toMillis(startTimeout)
    const platform = yield* Worker.WorkerPlatform
    const made = Effect.sync(
      () => new Pool(cell, messages, { threads, spawn, deaths, startMillis, handlerMillis }, platform)
    )
    const pool = yield* Effect.acquireRelease(made, ({ close }) => close)
    return new Flights(cell, threads, pool.run)
  })
