import type { Tracer } from "effect"
import { Envelope } from "../system/envelopes.ts"

/** A message that was told within a span. */
export class Told extends Envelope {
  readonly message: { readonly _tag: string }
  /** Of who has told it. */
  readonly span: Tracer.AnySpan

  constructor(message: { readonly _tag: string }, span: Tracer.AnySpan) {
    super()
    this.message = message
    this.span = span
  }

  get _tag(): string {
    return this.message._tag
  }
}

/** The message itself, where it was told within a span. */
export const bare = (taken: unknown): unknown => (taken instanceof Told ? taken.message : taken)
