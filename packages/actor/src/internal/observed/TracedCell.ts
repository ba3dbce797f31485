import { Effect, type Fiber, type Tracer } from "effect"
import type { AskOptions } from "../../ActorRef.ts"
import type { Behavior, SpawnOptions } from "../../Behavior.ts"
import type { Cell } from "../system/Cell.ts"
import { Envelope } from "../system/envelopes.ts"
import type { System } from "../system/System.ts"
import { inSpan, spanHere } from "./here.ts"
import { ObservedCell } from "./ObservedCell.ts"
import { below, type Spans, told, within } from "./Spans.ts"
import { TracedQuestion, untraced } from "./TracedQuestion.ts"

/** An actor of a system whose chains of questions are traced, or some of them. */
export class TracedCell extends ObservedCell {
  /** While a handler runs: what it begins has this for a parent. */
  span: Tracer.AnySpan | undefined = undefined
  /** What it has begun last. */
  begun: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private readonly spans: Spans
  /** The Effect of a handler that is about to have a fiber to itself, and the span that the fiber is to have. */
  private lone: Effect.Effect<unknown, unknown, any> | undefined = undefined
  private loneSpan: Tracer.AnySpan | undefined = undefined

  constructor(system: System, parent: Cell, behavior: Behavior<any, any>, options: SpawnOptions, spans: Spans) {
    super(system, parent, behavior, options)
    this.spans = spans
  }

  override tell(message: unknown): void {
    const span = spanHere()
    super.tell(span === undefined || message instanceof Envelope ? message : told(message, span))
  }

  override ask(message: any, options?: AskOptions): Effect.Effect<any, any> {
    return Effect.withFiber((fiber) => {
      const { spans } = this
      if (!spans.chooses(fiber)) return this.put(new TracedQuestion(message, this, untraced), options)
      return spans.asking(this.behavior.messages.name, this.path, message, (span) =>
        this.put(new TracedQuestion(message, this, span), options)
      )
    })
  }

  override run(limit: number): number {
    return inSpan(undefined, () => super.run(limit))
  }

  /** The Effect of its handler is to run in this span. */
  within<A, E>(span: Tracer.AnySpan, effect: Effect.Effect<A, E, any>): Effect.Effect<A, E, any> {
    const isAlone = this.status === "running" && this.waiting === 0 && this.behavior.handlerMillis === undefined
    if (!isAlone) return within(span, effect)
    this.lone = effect
    this.loneSpan = span
    return effect
  }

  override runFork<A>(effect: Effect.Effect<A, unknown, any>): Fiber.Fiber<A, unknown> {
    let { span } = this
    if (effect === this.lone) {
      span = this.loneSpan
      this.lone = this.loneSpan = undefined
    }
    if (span === undefined) return super.runFork(effect)
    const context = below(span, this.behavior.context ?? this.system.context)
    const fiber = Effect.runForkWith(context)(effect as Effect.Effect<A, unknown>)
    this.begun = fiber
    return fiber
  }
}
