/** Virtual time, and turns that are counted: so that it is known when nothing is left to do at a moment. */
import { Clock, Context, Duration, Effect, Fiber, Layer, Random, Scheduler, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"

/** Turns at one moment. */
const turnsMax = 200_000

/** Before others of the process have theirs. */
const turnsAtOnce = 100

/** Turns of the process in which nothing comes, before nothing is taken to come: promises that are kept wake others. */
const quietTurns = 2

/** Who has always something to do: two actors that tell each other, and never wait. */
export class Restless extends Schema.TaggedError<Restless>()("Restless", {
  atMillis: Schema.Number,
  turns: Schema.Int
}) {
  override get message(): string {
    return `After ${this.turns} turns at ${this.atMillis} ms there is still something to do: who tells whom without end?`
  }
}

/** What is waited for cannot come, or not in time. */
export class Stuck extends Schema.TaggedError<Stuck>()("Stuck", {
  atMillis: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `At ${this.atMillis} ms ${this.reason}. What is waited for must come from an actor, a timer or a message`
  }
}

/** Takes turns in the order of asking, and tells when none is left. */
class Turns {
  readonly scheduler: Scheduler.Scheduler
  private readonly outer: Scheduler.SchedulerDispatcher
  private tasks: Array<() => void> = []
  private waiting: Array<(isQuiet: boolean) => void> = []
  private isDriven = false
  private taken = 0
  private quiet = 0

  constructor(outer: Scheduler.Scheduler) {
    this.outer = outer.makeDispatcher()
    this.scheduler = new Scheduler.MixedScheduler("async", (task) => {
      const entry = { task: task as (() => void) | undefined }
      this.tasks.push(() => entry.task?.())
      this.drive()
      return () => void (entry.task = undefined)
    })
  }

  /** Resumes with `false` when it does not come to an end. */
  readonly settled: Effect.Effect<boolean> = Effect.callback((resume) => {
    this.taken = 0
    this.quiet = 0
    const waiter = (isQuiet: boolean): void => resume(Effect.succeed(isQuiet))
    this.waiting.push(waiter)
    this.drive()
    return Effect.sync(() => void (this.waiting = this.waiting.filter((each) => each !== waiter)))
  })

  private drive(): void {
    if (this.isDriven) return
    this.isDriven = true
    this.outer.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    this.isDriven = false
    let at = 0
    while (at < this.tasks.length && at < turnsAtOnce) this.tasks[at++]!()
    this.tasks = this.tasks.slice(at)
    this.taken += at
    this.quiet = at > 0 ? 0 : this.quiet + 1
    const isOver = this.quiet >= quietTurns
    if (isOver || this.taken >= turnsMax) {
      this.quiet = this.taken = 0
      this.waiting.shift()?.(isOver)
    }
    if (this.tasks.length > 0 || this.waiting.length > 0) this.drive()
  }
}

/** When whoever sleeps is to be woken: the latest first. */
class Sleepers {
  private readonly deadlines: Array<number> = []

  get next(): number | undefined {
    return this.deadlines.at(-1)
  }

  add(deadline: number): void {
    this.deadlines.splice(this.place(deadline), 0, deadline)
  }

  remove(deadline: number): void {
    this.deadlines.splice(this.place(deadline), 1)
  }

  private place(deadline: number): number {
    let low = 0
    let high = this.deadlines.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.deadlines[middle]! > deadline) low = middle + 1
      else high = middle
    }
    return low
  }
}

export interface Time {
  readonly nowMillis: () => number
  /** Until nothing is left to do at this moment. */
  readonly settle: Effect.Effect<void, Restless>
  /** Lets so much time pass: at each moment at which something is due, until nothing is left to do. */
  readonly adjust: (by: Duration.Input) => Effect.Effect<void, Restless>
  /** Runs an effect, and lets time pass as far as it takes, up to `within`: 1 day. */
  readonly elapse: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: { readonly within?: Duration.Input }
  ) => Effect.Effect<A, E | Restless | Stuck, R>
}

const timeOf = (turns: Turns, clock: TestClock.TestClock, sleepers: Sleepers): Time => {
  const now = (): number => clock.currentTimeMillisUnsafe()
  const settle = Effect.flatMap(turns.settled, (isQuiet) =>
    isQuiet ? Effect.void : Effect.fail(new Restless({ atMillis: now(), turns: turnsMax }))
  )
  const moveTo = (millis: number) => Effect.andThen(clock.setTime(millis), settle)
  return {
    nowMillis: now,
    settle,
    adjust: (by) =>
      Effect.gen(function* () {
        const end = now() + Duration.toMillis(by)
        yield* settle
        for (let next = sleepers.next; next !== undefined && next <= end; next = sleepers.next) yield* moveTo(next)
        yield* moveTo(end)
      }),
    elapse: (effect, options = {}) =>
      Effect.gen(function* () {
        const latest = now() + Duration.toMillis(options.within ?? "1 day")
        const fiber = yield* Effect.forkScoped(effect, { startImmediately: true })
        for (;;) {
          yield* settle
          if (fiber.pollUnsafe() !== undefined) return yield* Fiber.join(fiber)
          const { next } = sleepers
          if (next === undefined)
            return yield* new Stuck({ atMillis: now(), reason: "nothing is left that could happen" })
          if (next > latest) return yield* new Stuck({ atMillis: now(), reason: "it has taken as long as it may" })
          yield* moveTo(next)
        }
      }).pipe(Effect.scoped) as any
  }
}

/** The clock, which tells of its sleepers. */
const attended = (clock: TestClock.TestClock, sleepers: Sleepers): TestClock.TestClock => ({
  ...clock,
  sleep: (duration) =>
    Effect.suspend(() => {
      const millis = Duration.toMillis(duration)
      const deadline = clock.currentTimeMillisUnsafe() + millis
      if (!(millis > 0) || deadline === Infinity) return clock.sleep(duration)
      return Effect.acquireUseRelease(
        Effect.sync(() => sleepers.add(deadline)),
        () => clock.sleep(duration),
        () => Effect.sync(() => sleepers.remove(deadline))
      )
    })
})

/** Its clock, scheduler and chance, and how it passes. */
export const make = (
  seed: string | number
): Effect.Effect<readonly [Time, Context.Context<never>], never, Scope.Scope> =>
  Effect.gen(function* () {
    const turns = new Turns(yield* Scheduler.Scheduler)
    const built = yield* Effect.provideService(
      Layer.build(Layer.fresh(TestClock.layer())),
      Scheduler.Scheduler,
      turns.scheduler
    )
    const sleepers = new Sleepers()
    const clock = attended(Context.get(built as Context.Context<never>, Clock.Clock) as TestClock.TestClock, sleepers)
    const context = Context.add(built as Context.Context<never>, Clock.Clock, clock)
    const chance = yield* Random.withSeed(Effect.service(Random.Random), seed)
    return [timeOf(turns, clock, sleepers), Context.add(context, Random.Random, chance)] as const
  })
