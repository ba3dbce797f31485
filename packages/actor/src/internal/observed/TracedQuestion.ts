import type { Exit, Tracer } from "effect"
import { Question } from "../system/envelopes.ts"

/** A question of a chain that is traced, or for which it was decided that it is not. */
export class TracedQuestion extends Question {
  /** What is done for it has this for a parent. */
  span: Tracer.AnySpan
  /** Who takes it next stands below who has handed it on. */
  isHandedOn = false
  private readonly onEnd: (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>) => void
  /** Of handlers that put off the answer. */
  private open: Array<Tracer.Span> = none

  constructor(
    message: { readonly _tag: string },
    actor: { readonly path: string },
    span: Tracer.AnySpan,
    onEnd: (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>) => void
  ) {
    super(message, actor)
    this.span = span
    this.onEnd = onEnd
  }

  /** The span ends with the question. */
  keep(span: Tracer.Span): void {
    if (this.exit !== undefined) return this.onEnd(span, this.exit)
    if (this.open === none) this.open = []
    this.open.push(span)
  }

  override end(exit: Exit.Exit<any, any>): void {
    if (this.exit !== undefined) return
    const { open } = this
    this.open = none
    // Who waits for it goes on at once.
    for (const span of open) this.onEnd(span, exit)
    super.end(exit)
  }
}

const none: Array<Tracer.Span> = []
