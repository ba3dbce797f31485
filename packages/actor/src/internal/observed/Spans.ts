/**
 * Spans of questions: the asker's is a client span, the handler's a server span whose parent that is, and what the handler
 * asks in turn goes on from there.
 */
import { Context, Effect, type Exit, Option, Tracer } from "effect"
import type { Cell } from "../system/Cell.ts"
import type { Trace } from "../system/frames.ts"
import type { System } from "../system/System.ts"
import { TracedQuestion } from "./TracedQuestion.ts"

/** Of a chain that is not traced: what stands below it draws no lots again. */
const untraced: Tracer.AnySpan = Tracer.externalSpan({ traceId: "", spanId: "", sampled: false })

export class Spans {
  private readonly system: System
  private readonly tracer: Tracer.Tracer
  private readonly sample: number

  constructor(system: System, sample: number) {
    this.system = system
    this.tracer = Context.get(system.context, Tracer.Tracer)
    this.sample = sample
  }

  /** Asks within a client span: a child of the one in which it is asked, or else one that is chosen by lot. */
  client(
    messages: string,
    actor: string,
    message: { readonly _tag: string },
    ask: (span: Tracer.AnySpan) => Effect.Effect<any, any>
  ): Effect.Effect<any, any> {
    return Effect.withFiber((fiber) => {
      const around = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
      const isTraced = around === undefined ? this.system.chance.nextDoubleUnsafe() < this.sample : around.sampled
      if (!isTraced) return ask(untraced)
      const attributes = this.attributes(actor)
      return Effect.useSpan(`${messages} ${message._tag}`, { kind: "client", attributes }, ask)
    })
  }

  private attributes(actor: string): Record<string, unknown> {
    const node = this.system.remote?.node
    return node === undefined ? { actor } : { actor, node }
  }

  server(name: string, cell: Cell, parent: Tracer.AnySpan): Tracer.Span {
    const span = this.tracer.span({
      name,
      parent: Option.some(parent),
      annotations: Context.empty(),
      links: [],
      startTime: this.system.clock.currentTimeNanosUnsafe(),
      kind: "server",
      root: false,
      sampled: true
    })
    for (const [key, value] of Object.entries(this.attributes(cell.path))) span.attribute(key, value)
    return span
  }

  readonly end = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
    span.end(this.system.clock.currentTimeNanosUnsafe(), exit)
  }

  question(message: { readonly _tag: string }, actor: { readonly path: string }, span: Tracer.AnySpan): TracedQuestion {
    return new TracedQuestion(message, actor, span, this.end)
  }

  /** What another node has said of it. */
  arrived(message: { readonly _tag: string }, actor: { readonly path: string }, trace: Trace): TracedQuestion {
    return this.question(message, actor, trace.traceId === "" ? untraced : Tracer.externalSpan(trace))
  }
}

/** For another node. */
export const traceOf = ({ sampled, spanId, traceId }: Tracer.AnySpan): Trace =>
  sampled ? { traceId, spanId } : { traceId: "", spanId: "" }

export const handOn = (question: unknown): void => {
  if (question instanceof TracedQuestion) question.isHandedOn = true
}

/** Asked on behalf of a question that was handed on. */
export const within = <A, E>(question: unknown, asked: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  question instanceof TracedQuestion ? Effect.provideService(asked, Tracer.ParentSpan, question.span) : asked
