/**
 * Threads that handle messages, one at a time each. One that is not done in time is ended, one that died is missed: either
 * is replaced.
 */
import { Codec } from "@troupe/transport"
import { Cause, Duration, Effect, Exit, Fiber } from "effect"
import { Worker } from "effect/workers"
import { Misunderstood } from "../../ActorRef.ts"
import { type Ask, isAsk, type Messages } from "../../Messages.ts"
import type { Cell, Message } from "../system/Cell.ts"
import { answersOf, messageOf } from "../system/codecs.ts"
import { HandlerTimeout } from "../system/failures.ts"
import * as Living from "../system/Living.ts"
import { ThreadDied } from "./failures.ts"
import { type Answer, defects, type Parent, type Request } from "./frames.ts"

/** What a thread is started as: of Node, of a browser. */
export interface Endable {
  readonly terminate: () => unknown
}

export interface PoolOptions {
  readonly threads: number
  readonly spawn: (number: number) => Endable
  /** How many may die of themselves in a minute. */
  readonly deaths: number
  readonly startMillis: number
  readonly handlerMillis: number | undefined
}

/** A message that a thread handles. */
interface Task {
  readonly message: Message
  readonly bytes: Uint8Array
  readonly parent: Parent | undefined
  readonly resume: (effect: Effect.Effect<unknown, unknown>) => void
  /** Of who has interrupted it. */
  onFreed: (() => void) | undefined
}

const minuteMillis = 60_000

export class Pool {
  readonly cell: Cell
  readonly messages: Messages<any>
  readonly options: PoolOptions
  private readonly platform: Worker.WorkerPlatform["Service"]
  private readonly idle: Array<Thread> = []
  private readonly threads = new Set<Thread>()
  /** Those that are being ended too. */
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  private deathTimes: Array<number> = []
  private lastNumber = 0
  private isClosed = false

  constructor(cell: Cell, messages: Messages<any>, options: PoolOptions, platform: Worker.WorkerPlatform["Service"]) {
    this.cell = cell
    this.messages = messages
    this.options = options
    this.platform = platform
    for (let i = 0; i < options.threads; i++) this.add()
  }

  /** Has a thread handle it. There is an idle one: no more is begun with than there are threads. */
  readonly run = (message: Message): Effect.Effect<unknown, unknown> => {
    let bytes: Uint8Array
    try {
      bytes = Codec.encode(messageOf(this.messages), message)
    } catch (error) {
      return this.notUnderstood(message, error)
    }
    return Effect.callback((resume) => {
      const thread = this.idle.pop()!
      const task: Task = { message, bytes, parent: parentHere(), resume, onFreed: undefined }
      thread.begin(task)
      // The thread may not listen: what is interrupted ends when the thread is free, or replaced.
      return Effect.callback<void>((done) => {
        task.onFreed = () => done(Effect.void)
        if (!thread.interrupt(task)) done(Effect.void)
      })
    })
  }

  private notUnderstood(message: Message, error: unknown): Effect.Effect<unknown, unknown> {
    const { cell } = this
    cell.system.deadLetters.add(cell, message, "not understood")
    return isAsk(this.messages.definition[message._tag] as Ask)
      ? Exit.fail(new Misunderstood({ actor: cell.path, reason: String(error) }))
      : Exit.void
  }

  free(thread: Thread): void {
    this.idle.push(thread)
  }

  /** It is no more. */
  lose(thread: Thread): void {
    this.threads.delete(thread)
    const at = this.idle.indexOf(thread)
    if (at >= 0) this.idle.splice(at, 1)
    if (!this.isClosed) this.add()
  }

  /** It has died of itself: its message has failed, or else the server has. */
  died(thread: Thread, task: Task | undefined, cause: Cause.Cause<unknown>): void {
    const { cell, options } = this
    const error = new ThreadDied({ actor: cell.path, cause: reasonOf(cause) })
    const now = cell.system.monotonicMillis()
    this.deathTimes = [...this.deathTimes.filter((time) => time > now - minuteMillis), now]
    const isHopeless = this.deathTimes.length > options.deaths
    if (isHopeless) this.isClosed = true
    this.lose(thread)
    if (isHopeless) Living.terminate(cell, { _tag: "Failed", cause: Cause.fail(error) })
    this.failed(task, error)
  }

  /** Where nobody waits for the message, the server has failed at it all the same. */
  failed(task: Task | undefined, error: unknown): void {
    if (task === undefined || task.onFreed !== undefined) this.cell.fault(Cause.die(error), task?.message._tag)
    settle(task, Effect.die(error))
  }

  private add(): void {
    const thread = new Thread(this)
    this.threads.add(thread)
    this.idle.push(thread)
    const fiber = thread.start(this.platform, this.lastNumber++)
    this.fibers.add(fiber)
    fiber.addObserver(() => void this.fibers.delete(fiber))
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    for (const thread of this.threads) thread.end(Effect.interrupt)
    return Fiber.awaitAll(this.fibers)
  })
}

/** Of the fiber that runs, as another thread is told of it. */
const parentHere = (): Parent | undefined => {
  const span = Fiber.getCurrent()?.cache.span
  return span && [span.traceId, span.spanId, span.sampled]
}

const settle = (task: Task | undefined, outcome: Effect.Effect<unknown, unknown>): void => {
  task?.resume(outcome)
  task?.onFreed?.()
}

/** What a thread died of, as far as its platform tells. */
const reasonOf = (cause: Cause.Cause<unknown>): unknown => {
  const error = Cause.squash(cause) as { readonly reason?: { readonly cause?: unknown } }
  return error.reason?.cause ?? error.reason ?? error
}

const requestOf = (id: number, { bytes, parent }: Task): Request =>
  parent === undefined ? [id, bytes] : [id, bytes, parent]

class Thread {
  private readonly pool: Pool
  private send: (request: Request) => void = () => {}
  private handle: Endable | undefined = undefined
  private fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private isEnded = false
  private isReady = false
  private task: Task | undefined = undefined
  /** Of its tasks. */
  private id = 0
  /** Wakes when it has taken too long. */
  private sleeper: Fiber.Fiber<void> | undefined = undefined

  constructor(pool: Pool) {
    this.pool = pool
  }

  start(platform: Worker.WorkerPlatform["Service"], number: number): Fiber.Fiber<unknown, unknown> {
    const { cell, options } = this.pool
    const spawn = (id: number): Endable => (this.handle = options.spawn(id))
    const life = Effect.gen({ self: this }, function* () {
      const worker = yield* platform.spawn<Answer, Request>(number)
      this.send = (request) => void cell.runFork(worker.send(request))
      if (this.task !== undefined) this.send(requestOf(this.id, this.task))
      return yield* worker.run((answer) => Effect.sync(() => this.answered(answer)), {
        onSpawn: Effect.sync(() => this.ready())
      })
    })
    this.limit(options.startMillis, () => this.dies(Cause.fail(new Error("it did not start in time"))))
    const fiber = cell.runFork(Effect.provideService(life, Worker.Spawner, spawn))
    this.fiber = fiber
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit)) this.dies(exit.cause)
    })
    if (this.isEnded) fiber.interruptUnsafe()
    return fiber
  }

  private ready(): void {
    this.isReady = true
    this.limitTask()
  }

  begin(task: Task): void {
    this.task = task
    this.id++
    this.send(requestOf(this.id, task))
    if (this.isReady) this.limitTask()
  }

  /** Whether it still has the task. */
  interrupt(task: Task): boolean {
    if (this.task !== task) return false
    this.send([this.id, undefined])
    return true
  }

  private answered([id, outcome, bytes]: Answer): void {
    const { pool, task } = this
    if (id !== this.id || task === undefined) return
    this.task = undefined
    this.unlimit()
    pool.free(this)
    settle(task, outcomeOf(pool.messages, task.message._tag, outcome, bytes))
  }

  private limitTask(): void {
    this.unlimit()
    const { cell, options } = this.pool
    const { handlerMillis } = options
    const { task } = this
    if (handlerMillis === undefined || task === undefined) return
    this.limit(handlerMillis, () => {
      const { _tag } = task.message
      const timeout = new HandlerTimeout({ actor: cell.path, handler: _tag, millis: handlerMillis })
      this.task = undefined
      this.pool.lose(this)
      this.end(Effect.void)
      this.pool.failed(task, timeout)
    })
  }

  private limit(millis: number, then: () => void): void {
    const { clock, fork } = this.pool.cell.system
    if (millis < Infinity) this.sleeper = fork(Effect.andThen(clock.sleep(Duration.millis(millis)), Effect.sync(then)))
  }

  private unlimit(): void {
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
  }

  private dies(cause: Cause.Cause<unknown>): void {
    if (this.isEnded) return
    const { task } = this
    this.task = undefined
    this.end(Effect.void)
    this.pool.died(this, task, cause)
  }

  /**
   * At once. A platform asks a thread to end, and waits for that; one that hangs does not hear it, so it is ended by what it
   * was started as, which the platform notices.
   */
  end(outcome: Effect.Effect<unknown, unknown>): void {
    if (this.isEnded) return
    this.isEnded = true
    this.unlimit()
    this.handle?.terminate()
    this.fiber?.interruptUnsafe()
    const { task } = this
    this.task = undefined
    settle(task, outcome)
  }
}

const outcomeOf = (
  messages: Messages<any>,
  tag: string,
  outcome: Answer[1],
  bytes: Uint8Array | undefined
): Effect.Effect<unknown, unknown> => {
  try {
    switch (outcome) {
      case "told":
        return Exit.void
      case "reply":
        return Exit.succeed(Codec.decode(answersOf(messages, tag).reply, bytes!))
      case "failure":
        return Exit.fail(Codec.decode(answersOf(messages, tag).failure, bytes!))
      case "defect":
        return Exit.die(Codec.decode(defects, bytes!))
      case "interrupted":
        return Effect.interrupt
    }
  } catch (error) {
    return Exit.die(error)
  }
}
