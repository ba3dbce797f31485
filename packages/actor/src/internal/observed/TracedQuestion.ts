import { type Exit, Tracer } from "effect"
import { Question } from "../system/envelopes.ts"

/** Of a chain that is not traced: what stands below it draws no lots again. */
export const untraced: Tracer.AnySpan = Tracer.externalSpan({ traceId: "", spanId: "", sampled: false })

/** A question of a chain of which it was decided whether it is traced. */
export class TracedQuestion extends Question {
  /** What is done for it has this for a parent. */
  span: Tracer.AnySpan
  /** Who takes it next stands below who has handed it on. */
  isHandedOn = false
  /** Ends the spans of handlers that put off the answer. */
  private ends: Array<(exit: Exit.Exit<unknown, unknown>) => void> | undefined = undefined

  constructor(message: { readonly _tag: string }, actor: { readonly path: string }, span: Tracer.AnySpan) {
    super(message, actor)
    this.span = span
  }

  override again(actor: { readonly path: string }): TracedQuestion {
    const again = new TracedQuestion(this.message, actor, this.span)
    again.isHandedOn = this.isHandedOn
    return again
  }

  /** With the question, or at once if that has its answer. */
  endLater(end: (exit: Exit.Exit<unknown, unknown>) => void): void {
    if (this.exit === undefined) (this.ends ??= []).push(end)
    else end(this.exit)
  }

  override end(exit: Exit.Exit<any, any>): void {
    if (this.exit !== undefined) return
    const { ends } = this
    // Who waits for it goes on at once.
    if (ends !== undefined) for (const end of ends) end(exit)
    super.end(exit)
  }
}
