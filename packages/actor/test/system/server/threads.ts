/** Threads that are none, for worlds in virtual time: they start late, hang and die, and what they are told takes its time. */
import { Messages, type Server, ServerWorker } from "@troupe/actor"
import { Deferred, Effect, Fiber, Queue, Random, Schema } from "effect"
import { Worker, WorkerError, WorkerRunner } from "effect/workers"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { id: Schema.Int }) {}

export const Work = Messages.make("work", {
  Do: Messages.ask(
    { id: Schema.Int, millis: Schema.Int, end: Schema.Literals(["reply", "fail", "die", "hang", "deaf", "kill"]) },
    { reply: Schema.Int, failure: Refused }
  )
})
export type Do = Messages.Of<typeof Work>

/** What has happened to messages, and on which threads. */
export class Log {
  readonly begun = new Map<number, number>()
  running = 0
  mostRunning = 0
  readonly threads: Array<Thread> = []
  readonly broken = new Set<string>()

  get alive(): number {
    return this.threads.filter(({ isOver }) => !isOver).length
  }

  begin({ id }: Do): void {
    this.begun.set(id, (this.begun.get(id) ?? 0) + 1)
    if (this.begun.get(id)! > 1) this.broken.add(`${id} is begun with twice`)
    this.running++
    this.mostRunning = Math.max(this.mostRunning, this.running)
  }
}

/** The same here and in a thread, which dies where it is to. */
export const handlers = (log: Log, thread?: Thread): Server.Handlers<typeof Work.definition> => ({
  Do: (message) =>
    Effect.gen(function* () {
      const { end, id, millis } = message
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          log.begin(message)
          thread?.begin(id)
        }),
        () =>
          Effect.sync(() => {
            log.running--
            thread?.end()
          })
      )
      if (end === "hang") return yield* Effect.never
      if (end === "deaf") return yield* thread === undefined ? Effect.never : thread.never
      yield* Effect.sleep(millis)
      if (end === "fail") return yield* new Refused({ id })
      if (end === "die" || (end === "kill" && thread === undefined)) return yield* Effect.die(new Error("on purpose"))
      if (end === "kill")
        return yield* Effect.andThen(
          Effect.sync(() => thread!.die(3)),
          thread!.never
        )
      return id
    }).pipe(Effect.scoped)
})

export class Thread {
  readonly log: Log
  isOver = false
  /** Its own end, as its platform tells of it. */
  readonly exit = Deferred.makeUnsafe<never, WorkerError.WorkerError>()
  /** Ends with it, and is not to be interrupted. */
  readonly never: Effect.Effect<never>
  private doing: number | undefined = undefined
  private readonly over = Deferred.makeUnsafe<never>()

  constructor(log: Log) {
    this.log = log
    this.never = Effect.uninterruptible(Deferred.await(this.over))
    log.threads.push(this)
  }

  begin(id: number): void {
    if (this.isOver) this.log.broken.add(`${id} is begun with on a thread that has ended`)
    if (this.doing !== undefined) this.log.broken.add(`${id} is begun with on a thread that does ${this.doing}`)
    this.doing = id
  }

  end(): void {
    this.doing = undefined
  }

  readonly terminate = (): void => this.die(1)

  die(code: number): void {
    if (this.isOver) return
    this.isOver = true
    const reason = new WorkerError.WorkerReceiveError({ message: `The worker has exited with code: ${code}` })
    Deferred.doneUnsafe(this.exit, Effect.fail(new WorkerError.WorkerError({ reason })))
    Deferred.doneUnsafe(this.over, Effect.interrupt)
  }
}

/** Takes one after the other to where it goes, each after a while. */
const carry = <A>(from: Queue.Queue<A>, to: (message: A) => Effect.Effect<unknown> | void) =>
  Effect.forever(
    Effect.gen(function* () {
      const message = yield* Queue.take(from)
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 2))
      const effect = to(message)
      if (effect !== undefined) yield* effect
    })
  )

/** Speaks with a `Thread` as the platforms of `effect/workers` do with theirs. */
export const platform: Worker.WorkerPlatform["Service"] = {
  spawn: <O, I>(id: number) =>
    Effect.gen(function* () {
      const spawn = yield* Worker.Spawner
      const down = yield* Queue.unbounded<I>()
      const up = yield* Queue.unbounded<O>()
      let current: Thread
      const runner: WorkerRunner.WorkerRunnerPlatform["Service"] = {
        start: () =>
          Effect.succeed({
            run: (handler) =>
              carry(down as Queue.Queue<any>, (message) =>
                current.isOver ? undefined : (handler(0, message) as Effect.Effect<unknown> | void)
              ),
            send: (_, message) => Effect.sync(() => void Queue.offerUnsafe(up, message as never)),
            sendUnsafe: (_, message) => void Queue.offerUnsafe(up, message as never)
          })
      }
      return {
        send: (message: I) => Effect.sync(() => void Queue.offerUnsafe(down, message)),
        run: (handler, options) =>
          Effect.gen(function* () {
            const thread = (current = spawn(id) as Thread)
            const life = Effect.gen(function* () {
              yield* Effect.sleep(yield* Random.nextIntBetween(0, 20))
              if ((yield* Random.nextIntBetween(1, 20)) === 1) thread.die(2)
              yield* options?.onSpawn ?? Effect.void
              yield* ServerWorker.run(Work, handlers(thread.log, thread))
            }).pipe(Effect.provideService(WorkerRunner.WorkerRunnerPlatform, runner))
            const told = carry(up, (answer) =>
              thread.isOver ? undefined : (handler(answer) as Effect.Effect<unknown>)
            )
            const fibers = yield* Effect.forEach([life, told], (effect) =>
              Effect.forkDetach(effect as Effect.Effect<void>)
            )
            return yield* Effect.onExit(Deferred.await(thread.exit), () =>
              Effect.forkDetach(Fiber.interruptAll(fibers))
            )
          }) as never
      } as Worker.Worker<O, I>
    })
}
