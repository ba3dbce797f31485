/**
 * Spans of questions and of what is told: the asker's is a client span, the handler's a server span whose parent that is, and
 * what the handler asks in turn goes on from there. What is told has a span where it is handled: a consumer span, whose
 * parent is the one in which it was told.
 */
import { Context, Effect, type Exit, type Fiber, Option, Tracer } from "effect"
import type { Cell, Message } from "../system/Cell.ts"
import type { Trace } from "../system/frames.ts"
import type { System } from "../system/System.ts"
import { spanHere } from "./here.ts"
import { Told } from "./Told.ts"
import { TracedQuestion, untraced } from "./TracedQuestion.ts"

/** So many stand below each other: who tells himself for ever has no trace without end. */
const mostBelow = 256

export class Spans {
  private readonly system: System
  private readonly tracer: Tracer.Tracer
  private readonly sample: number

  constructor(system: System, sample: number) {
    this.system = system
    this.tracer = Context.get(system.context, Tracer.Tracer)
    this.sample = sample
  }

  /** Whether what the fiber asks is traced: as its span is or else, where it has none, by lot. */
  chooses({ cache: { span } }: Fiber.Fiber<any, any>): boolean {
    return span === undefined ? this.system.chance.nextDoubleUnsafe() < this.sample : span.sampled
  }

  /** Asks within a client span, where the chain is traced. */
  client(
    messages: string,
    actor: string,
    message: Message,
    ask: (span: Tracer.AnySpan) => Effect.Effect<any, any>
  ): Effect.Effect<any, any> {
    return Effect.withFiber((fiber) =>
      this.chooses(fiber) ? this.asking(messages, actor, message, ask) : ask(untraced)
    )
  }

  asking(
    messages: string,
    actor: string,
    message: Message,
    ask: (span: Tracer.AnySpan) => Effect.Effect<any, any>
  ): Effect.Effect<any, any> {
    const attributes = this.attributes(actor)
    return Effect.useSpan(nameOf(messages, message._tag), { kind: "client", attributes }, ask)
  }

  private attributes(actor: string): Record<string, unknown> {
    const node = this.system.remote?.node
    return node === undefined ? { actor } : { actor, node }
  }

  /** Of a handler. */
  begin(name: string, kind: "server" | "consumer", cell: Cell, parent: Tracer.AnySpan): Tracer.Span {
    const span = this.tracer.span({
      name,
      kind,
      parent: Option.some(parent),
      annotations: Context.empty(),
      links: [],
      startTime: this.system.clock.currentTimeNanosUnsafe(),
      root: false,
      sampled: true
    })
    for (const [key, value] of Object.entries(this.attributes(cell.path))) span.attribute(key, value)
    return span
  }

  readonly end = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
    span.end(this.system.clock.currentTimeNanosUnsafe(), exit)
  }

  /** A question of another node. */
  arrived(message: Message, actor: { readonly path: string }, trace: Trace): TracedQuestion {
    return new TracedQuestion(message, actor, spanOf(trace))
  }

  /** What was told at another node, within a span there. */
  told(message: Message, trace: Trace): unknown {
    return told(message, spanOf(trace))
  }
}

/** Of spans. What is of this library's own has a mark in its tag that nobody else writes. */
export const nameOf = (messages: string, tag: string): string => `${messages} ${tag.replace("\0", "")}`

/** Of a span of another node: how many stand above it there, and it itself. */
const Depth = Context.Reference<number>("@troupe/actor/observed/Depth", { defaultValue: () => 1 })

const spanOf = ({ depth, ...names }: Trace): Tracer.AnySpan =>
  names.traceId === "" ? untraced : Tracer.externalSpan({ ...names, annotations: Context.make(Depth, depth) })

/** What is told within a span: the message with it, where the chain is traced. */
export const told = (message: unknown, span: Tracer.AnySpan): unknown =>
  span.sampled && depthOf(span) < mostBelow ? new Told(message as Message, span) : message

/** How many stand above it, at any node, and it itself: so many as there may be are not counted on. */
const depthOf = (span: Tracer.AnySpan): number => {
  let above = span
  for (let depth = 1; depth < mostBelow; depth++) {
    if (above._tag === "ExternalSpan") return depth - 1 + Context.get(above.annotations, Depth)
    const parent = Option.getOrUndefined(above.parent)
    if (parent === undefined) return depth
    above = parent
  }
  return mostBelow
}

/** Of what is asked in that span, for another node. */
export const traceOf = (span: Tracer.AnySpan): Trace => {
  const { sampled, spanId, traceId } = span
  return sampled ? { traceId, spanId, depth: depthOf(span) } : { traceId: "", spanId: "", depth: 0 }
}

/** Of what is told here, for another node: nothing outside of a chain that is traced. */
export const traceHere = (): Trace | undefined => {
  const span = spanHere()
  return span?.sampled === true ? traceOf(span) : undefined
}

export const handOn = (question: unknown): void => {
  if (question instanceof TracedQuestion) question.isHandedOn = true
}

/** Asked on behalf of a question that was handed on. */
export const onBehalfOf = <A, E>(question: unknown, asked: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  question instanceof TracedQuestion ? within(question.span, asked) : asked

/** What is done in there has the span for a parent. */
export const within = <A, E, R>(span: Tracer.AnySpan, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(effect, (context: Context.Context<R>) => below(span, context))

export const below = <R>(span: Tracer.AnySpan, context: Context.Context<R>): Context.Context<R> =>
  span === untraced ? belowUntraced(context) : Context.add(context, Tracer.ParentSpan, span)

/** Effect looks up once in each such context what a fiber needs: so there is one of it, not one for each question. */
const belowUntraced = <R>(context: Context.Context<R>): Context.Context<R> => {
  let found = untracedContexts.get(context)
  if (found === undefined) {
    found = Context.add(context, Tracer.ParentSpan, untraced)
    untracedContexts.set(context, found)
  }
  return found
}

const untracedContexts = new WeakMap<Context.Context<any>, Context.Context<any>>()
