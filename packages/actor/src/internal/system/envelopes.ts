/** What stands in a mailbox besides messages. */
import { type Cause, Duration, Effect, Exit } from "effect"
import { type AskOptions, AskTimeout, type Reason } from "../../ActorRef.ts"

export abstract class Envelope {}

type Resume = (exit: Exit.Exit<any, any>) => void

/** A question, and who waits for its answer. */
export class Question extends Envelope {
  readonly message: { readonly _tag: string }
  readonly actor: { readonly path: string }
  exit: Exit.Exit<any, any> | undefined = undefined
  resume: Resume | undefined = undefined
  onOver: (() => void) | undefined = undefined
  /** For how long who asks waits, from the asking on. */
  patienceMillis = Infinity
  // Its place among those of one patience.
  deadlineMillis = 0
  before: Question | undefined = undefined
  after: Question | undefined = undefined
  list: Patience | undefined = undefined

  constructor(message: { readonly _tag: string }, actor: { readonly path: string }) {
    super()
    this.message = message
    this.actor = actor
  }

  get isOver(): boolean {
    return this.exit !== undefined
  }

  /** Of one that is not among those of its patience yet, it has just begun. */
  leftMillis(nowMillis: number): number {
    return this.list === undefined ? this.patienceMillis : Math.max(0, this.deadlineMillis - nowMillis)
  }

  /** The same, for another actor. */
  again(actor: { readonly path: string }): Question {
    return new Question(this.message, actor)
  }

  end(exit: Exit.Exit<any, any>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    this.list?.remove(this)
    this.onOver?.()
    this.resume?.(exit)
  }
}

/** Stops the actor in its turn. */
export class Poison extends Envelope {}

/** Says that all before it is handled. */
export class Mark extends Envelope {
  readonly reached: () => void

  constructor(reached: () => void) {
    super()
    this.reached = reached
  }
}

/** The actor fails in its turn. */
export class Fault extends Envelope {
  readonly cause: Cause.Cause<unknown>
  /** The tag of the message that it failed at, where there is one. */
  readonly _tag: string | undefined

  constructor(cause: Cause.Cause<unknown>, at?: string) {
    super()
    this.cause = cause
    this._tag = at
  }
}

/** Of a timer: worth something while the timer has not been set anew or cleared. */
export class Tick extends Envelope {
  readonly timer: string
  readonly generation: number
  readonly message: unknown

  constructor(timer: string, generation: number, message: unknown) {
    super()
    this.timer = timer
    this.generation = generation
    this.message = message
  }
}

/** An actor that was watched is no more: worth something while it is watched. */
export class Terminated extends Envelope {
  readonly actor: unknown
  readonly told: (reason: Reason) => unknown
  readonly reason: Reason

  constructor(actor: unknown, told: (reason: Reason) => unknown, reason: Reason) {
    super()
    this.actor = actor
    this.told = told
    this.reason = reason
  }
}

/** Whether it is of the actor's own: there is one of it for each thing that it asked for, and no bound is for it. */
export const isSignal = (taken: unknown): boolean =>
  taken instanceof Tick ||
  taken instanceof Terminated ||
  taken instanceof Fault ||
  taken instanceof Poison ||
  taken instanceof Mark

/** Open questions of one patience, the earliest deadline first: one sleeper for all of them. */
export class Patience {
  private readonly millis: number
  private readonly nowMillis: () => number
  /** Returns how to wake up for good. */
  private readonly sleep: (millis: number, then: () => void) => () => void
  private readonly onTimeout: () => void
  private first: Question | undefined = undefined
  private last: Question | undefined = undefined
  private cancel: (() => void) | undefined = undefined

  constructor(
    millis: number,
    nowMillis: () => number,
    sleep: (millis: number, then: () => void) => () => void,
    onTimeout: () => void
  ) {
    this.millis = millis
    this.nowMillis = nowMillis
    this.sleep = sleep
    this.onTimeout = onTimeout
  }

  add(question: Question): void {
    question.deadlineMillis = this.nowMillis() + this.millis
    question.list = this
    question.before = this.last
    if (this.last === undefined) this.first = question
    else this.last.after = question
    this.last = question
    if (this.cancel === undefined) this.sleepOn()
  }

  remove(question: Question): void {
    const { after, before } = question
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    question.before = question.after = question.list = undefined
  }

  get isIdle(): boolean {
    return this.first === undefined
  }

  count(): number {
    let count = 0
    for (let question = this.first; question !== undefined; question = question.after) count++
    return count
  }

  /** Nobody waits any more. */
  stop(): void {
    this.cancel?.()
    this.cancel = undefined
  }

  private sleepOn(): void {
    if (this.first === undefined) return
    // Whole nanoseconds: who sleeps for a part of one does not sleep at all.
    const leftNanos = Math.ceil((this.first.deadlineMillis - this.nowMillis()) * 1e6)
    this.cancel = this.sleep(Math.max(0, leftNanos) / 1e6, this.wake)
  }

  private readonly wake = (): void => {
    // Who is told may ask again at once.
    this.cancel = awake
    const now = this.nowMillis()
    while (this.first !== undefined && this.first.deadlineMillis <= now) {
      const question = this.first
      this.onTimeout()
      question.end(
        Exit.fail(new AskTimeout({ actor: question.actor.path, question: question.message._tag, millis: this.millis }))
      )
    }
    this.cancel = undefined
    this.sleepOn()
  }
}

const awake = (): void => {}

/** For how many milliseconds who asks waits. */
export const patienceOf = (options: AskOptions | undefined): number =>
  options?.timeout === undefined ? 5_000 : Math.max(0, Duration.toMillis(options.timeout))

/** Waits for the answer of a question that is under way. */
export const awaited = (question: Question): Effect.Effect<any, any> =>
  question.exit ??
  Effect.callback((resume) => {
    if (question.exit !== undefined) return resume(question.exit)
    question.resume = resume
    return Effect.sync(() => question.end(Exit.interrupt()))
  })
