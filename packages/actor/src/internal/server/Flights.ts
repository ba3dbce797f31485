/** What a server has begun and not yet finished: so many at a time, and no more. */
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { ActorStopped, HandlerFailed } from "../../ActorRef.ts"
import type { Later } from "../../Behavior.ts"
import type { Cell, Message } from "../system/Cell.ts"
import type { Question } from "../system/envelopes.ts"

export class Flights {
  private readonly cell: Cell
  private readonly most: number
  private readonly work: (message: any) => Effect.Effect<unknown, unknown, any>
  private readonly flying = new Set<Fiber.Fiber<unknown, unknown>>()
  /** Goes on with the next message. */
  private onRoom: (() => void) | undefined = undefined
  /** Of who waits until nothing is in flight. */
  private onNone: (() => void) | undefined = undefined
  /** What comes of any message: it goes on as it is, and the answer is given later. */
  private readonly told = Exit.succeed<Flights>(this)
  private readonly asked = Exit.succeed({ state: this, later: {} as Later })

  constructor(cell: Cell, most: number, work: (message: any) => Effect.Effect<unknown, unknown, any>) {
    this.cell = cell
    this.most = most
    this.work = work
  }

  /** Begins with a message. What comes back is done when the next one may be begun with. */
  begin(message: Message, isAsk: boolean): Effect.Effect<unknown, unknown> {
    const { cell } = this
    const { question } = cell
    const result: Effect.Effect<unknown> = isAsk ? this.asked : this.told
    const begun = this.run(message)
    const exit = Exit.isExit(begun) ? begun : begun.pollUnsafe()
    if (exit !== undefined) {
      if (Exit.isFailure(exit) && !isAnswer(isAsk, exit)) return exit as Exit.Exit<never, unknown>
      cell.question = undefined
      question?.end(exit)
      return result
    }
    cell.question = undefined
    this.fly(begun as Fiber.Fiber<unknown, unknown>, message, isAsk, question)
    return this.flying.size < this.most ? result : Effect.andThen(this.room, result)
  }

  private run(message: Message): Exit.Exit<unknown, unknown> | Fiber.Fiber<unknown, unknown> {
    const effect = this.work(message)
    return Exit.isExit(effect) ? (effect as Exit.Exit<unknown, unknown>) : this.cell.runFork(effect)
  }

  private fly(
    fiber: Fiber.Fiber<unknown, unknown>,
    message: Message,
    isAsk: boolean,
    question: Question | undefined
  ): void {
    this.flying.add(fiber)
    // Who asked has an answer, or waits no more.
    if (question !== undefined) question.onOver = () => fiber.interruptUnsafe()
    fiber.addObserver((exit) => {
      this.flying.delete(fiber)
      this.landed(exit, message, isAsk, question)
      // Who was answered may have asked again by now.
      if (this.flying.size < this.most) this.goOn()
      if (this.flying.size === 0) this.onNone?.()
    })
  }

  private goOn(): void {
    const { onRoom } = this
    this.onRoom = undefined
    onRoom?.()
  }

  private landed(
    exit: Exit.Exit<unknown, unknown>,
    message: Message,
    isAsk: boolean,
    question: Question | undefined
  ): void {
    if (Exit.isSuccess(exit) || isAnswer(isAsk, exit)) return question?.end(exit)
    const { cell } = this
    const { cause } = exit
    if (Cause.hasInterruptsOnly(cause)) {
      if (cell.ending !== undefined) return question?.end(Exit.fail(new ActorStopped({ actor: cell.path })))
      if (question?.isOver === true) return
    }
    const failed = new HandlerFailed({ actor: cell.path, question: message._tag, cause: Cause.squash(cause) })
    question?.end(Exit.fail(failed))
    cell.fault(cause, message._tag)
  }

  /** There is one who waits: the actor. */
  private readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.flying.size < this.most) return resume(Effect.void)
    this.onRoom = () => resume(Effect.void)
  })

  /** Until nothing is in flight. */
  readonly drained: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.flying.size === 0) return resume(Effect.void)
    this.onNone = () => resume(Effect.void)
  })

  /** Interrupts all, and waits for that. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => Fiber.interruptAll(this.flying))
}

/** Whether the question is answered by its typed failure. */
const isAnswer = (isAsk: boolean, exit: Exit.Failure<unknown, unknown>): boolean =>
  isAsk && Option.isSome(Cause.findErrorOption(exit.cause))
