/** A behaviour without a system: what it does with a message, and what it asks for, as data. */
import { Cause, Clock, Duration, Effect, Option, Random, type Scope } from "effect"
import { type ActorRef, ActorStopped } from "../../ActorRef.ts"
import type { Behavior, SpawnOptions } from "../../Behavior.ts"
import type { Definition, MessageOf } from "../../Messages.ts"

/** What a handler asked for. Timers are in milliseconds. */
export type Action =
  | { readonly _tag: "Spawned"; readonly path: string; readonly messages: string; readonly options: SpawnOptions }
  | { readonly _tag: "Stopped"; readonly path: string }
  | { readonly _tag: "Watched" | "Unwatched" | "Linked" | "Unlinked"; readonly path: string }
  /** To a child, or to itself. */
  | { readonly _tag: "Told"; readonly path: string; readonly message: unknown }
  | { readonly _tag: "Forwarded"; readonly paths: ReadonlyArray<string> }
  | { readonly _tag: "Stashed" | "Unstashed" }
  | { readonly _tag: "TimerSet"; readonly timer: string; readonly afterMillis: number; readonly message: unknown }
  | { readonly _tag: "IntervalSet"; readonly timer: string; readonly everyMillis: number; readonly message: unknown }
  | { readonly _tag: "TimerCleared"; readonly timer: string }
  | {
      readonly _tag: "ReceiveTimeoutSet"
      readonly afterMillis: number | undefined
      readonly message: unknown
    }
  /** A question that was put off is answered: that of the step of this number. */
  | { readonly _tag: "Answered"; readonly step: number; readonly answer: Answer }

export type Answer =
  | { readonly _tag: "Reply"; readonly reply: unknown }
  | { readonly _tag: "Failure"; readonly failure: unknown }
  | { readonly _tag: "Later" }

/** What came of a message. */
export interface Step {
  readonly state: unknown
  /** Of a question. */
  readonly answer: Answer | undefined
  readonly actions: ReadonlyArray<Action>
}

export interface BehaviorTest<D extends Definition, R = never> {
  /** After the latest step. */
  readonly state: () => unknown
  /** What `init` asked for. */
  readonly started: ReadonlyArray<Action>
  /** A handler that fails has changed nothing, and its failure is a defect of the test. */
  readonly run: (message: MessageOf<D>) => Effect.Effect<Step, never, R>
}

/**
 * Runs handlers one by one, as `Protocol.step` does those of a protocol, of a behaviour by `Behavior.make` or
 * `Behavior.effect`. Its children are told, but don't run: one that is asked has stopped.
 */
export const behaviorTest = <D extends Definition, R>(
  behavior: Behavior<D, R>
): Effect.Effect<BehaviorTest<D, R>, unknown, R | Scope.Scope> =>
  Effect.gen(function* () {
    const recorded = new Recorded(yield* Clock.Clock, yield* Random.Random)
    const initial = behavior.init(recorded as any)
    let state = behavior.kind === "effect" ? yield* initial as Effect.Effect<unknown, unknown, R> : initial
    const started = recorded.taken()
    const run = (message: MessageOf<D>): Effect.Effect<Step, never, R> =>
      Effect.gen(function* () {
        const entry = behavior.table[message._tag as string]!
        recorded.step++
        const handle = () => entry.handle(state, message, recorded)
        const handled =
          behavior.kind === "effect" ? answeredBy(entry.isAsk, state, Effect.suspend(handle)) : Effect.sync(handle)
        const result = yield* Effect.onError(handled, () => Effect.sync(() => recorded.taken()))
        state = entry.isAsk ? result.state : result
        return { state, answer: entry.isAsk ? answerOf(result) : undefined, actions: recorded.taken() }
      })
    return { state: () => state, started, run }
  })

/** The typed failure of a question is its answer. */
const answeredBy = (isAsked: boolean, state: unknown, handled: Effect.Effect<any, unknown, any>) =>
  Effect.catchCause(handled, (cause) => {
    const failure = Cause.findErrorOption(cause)
    if (!isAsked || Option.isNone(failure)) return Effect.die(Cause.squash(cause))
    return Effect.succeed({ state, failure: failure.value })
  })

const answerOf = (result: Record<string, unknown>): Answer => {
  if ("reply" in result) return { _tag: "Reply", reply: result["reply"] }
  return "failure" in result ? { _tag: "Failure", failure: result["failure"] } : { _tag: "Later" }
}

/** What a handler is given, and notes what it is asked for. */
class Recorded {
  readonly path = "tested"
  readonly ref: ActorRef<any>
  step = 0
  private actions: Array<Action> = []
  private children = 0
  private readonly clock: Clock.Clock
  private readonly chance: Random.Random

  constructor(clock: Clock.Clock, chance: Random.Random) {
    this.clock = clock
    this.chance = chance
    this.ref = this.refer(this.path)
  }

  taken(): ReadonlyArray<Action> {
    const { actions } = this
    this.actions = []
    return actions
  }

  private note(action: Action): void {
    this.actions.push(action)
  }

  private refer(path: string): ActorRef<any> {
    const tell = (message: unknown): void => this.note({ _tag: "Told", path, message })
    return {
      path,
      tell,
      send: (message) => Effect.sync(() => tell(message)),
      ask: () => Effect.fail(new ActorStopped({ actor: path })) as any
    }
  }

  spawn(behavior: Behavior<any>, options: SpawnOptions = {}): ActorRef<any> {
    const path = `${this.path}/${options.name ?? `$${++this.children}`}`
    this.note({ _tag: "Spawned", path, messages: behavior.messages.name, options })
    return this.refer(path)
  }

  stop(child: ActorRef<any> = this.ref): void {
    this.note({ _tag: "Stopped", path: child.path })
  }

  watch({ path }: ActorRef<any>): void {
    this.note({ _tag: "Watched", path })
  }

  unwatch({ path }: ActorRef<any>): void {
    this.note({ _tag: "Unwatched", path })
  }

  link({ path }: ActorRef<any>): void {
    this.note({ _tag: "Linked", path })
  }

  unlink({ path }: ActorRef<any>): void {
    this.note({ _tag: "Unlinked", path })
  }

  forward(...to: ReadonlyArray<ActorRef<any>>): object {
    this.note({ _tag: "Forwarded", paths: to.map(({ path }) => path) })
    return {}
  }

  stash(): object {
    this.note({ _tag: "Stashed" })
    return {}
  }

  unstash(): void {
    this.note({ _tag: "Unstashed" })
  }

  setTimer(timer: string, after: Duration.Input, message: unknown): void {
    this.note({ _tag: "TimerSet", timer, afterMillis: Duration.toMillis(after), message })
  }

  setInterval(timer: string, every: Duration.Input, message: unknown): void {
    this.note({ _tag: "IntervalSet", timer, everyMillis: Duration.toMillis(every), message })
  }

  clearTimer(timer: string): void {
    this.note({ _tag: "TimerCleared", timer })
  }

  setReceiveTimeout(after: Duration.Input | undefined, message?: unknown): void {
    const afterMillis = after === undefined ? undefined : Duration.toMillis(after)
    this.note({ _tag: "ReceiveTimeoutSet", afterMillis, message })
  }

  defer(): object {
    const { step } = this
    return {
      reply: (reply: unknown) => this.note({ _tag: "Answered", step, answer: { _tag: "Reply", reply } }),
      fail: (failure: unknown) => this.note({ _tag: "Answered", step, answer: { _tag: "Failure", failure } })
    }
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  random(): number {
    return this.chance.nextDoubleUnsafe()
  }
}
