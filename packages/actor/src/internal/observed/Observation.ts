/** A system that is watched: its actors count and are timed, and questions have spans. One that is not has none of this. */
import { Context, Effect, Exit, Metric, Tracer } from "effect"
import type { Behavior, SpawnOptions, Table } from "../../Behavior.ts"
import type { Options } from "../../Observed.ts"
import type { Cell } from "../system/Cell.ts"
import type { System } from "../system/System.ts"
import { ObservedCell } from "./ObservedCell.ts"
import { Spans } from "./Spans.ts"
import { TracedQuestion } from "./TracedQuestion.ts"

type Handle = (state: any, message: { readonly _tag: string }, self: ObservedCell) => any

/** Seconds: from 10 µs to 10 s. */
const boundaries = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10]

export class Observation {
  readonly spans: Spans | undefined
  private readonly times: boolean
  private readonly behaviors = new WeakMap<Behavior<any, any>, Behavior<any, any>>()
  private readonly contexts = new WeakMap<Context.Context<never>, Context.Context<never>>()
  private readonly tables = new WeakMap<Table, Table>()
  /** What its actors understand: so many as there are in the program. */
  readonly messages = new Set<string>()
  onMessages: (name: string) => void = () => {}

  constructor(system: System, { sample = 0, times = false }: Options) {
    this.spans = sample > 0 ? new Spans(system, sample) : undefined
    this.times = times
  }

  make(system: System, parent: Cell, behavior: Behavior<any, any>, options: SpawnOptions): Cell {
    let observed = this.behaviors.get(behavior)
    if (observed === undefined) {
      const context = this.contextOf(behavior.context ?? system.context)
      observed = { ...behavior, table: this.tableOf(system, behavior), context }
      this.behaviors.set(behavior, observed)
    }
    return new ObservedCell(system, parent, observed, options, this.spans)
  }

  /** An actor outlives the span in which it was spawned: what it asks is no part of that. */
  private contextOf(given: Context.Context<never>): Context.Context<never> {
    let context = this.contexts.get(given)
    if (context === undefined) {
      context = Context.omit(Tracer.ParentSpan)(given) as Context.Context<never>
      this.contexts.set(given, context)
    }
    return context
  }

  private tableOf(system: System, behavior: Behavior<any, any>): Table {
    const known = this.tables.get(behavior.table)
    if (known !== undefined) return known
    const { name } = behavior.messages
    if (!this.messages.has(name)) {
      this.messages.add(name)
      this.onMessages(name)
    }
    const table: Record<string, Table[string]> = Object.create(null)
    for (const [tag, { handle, isAsk }] of Object.entries(behavior.table)) {
      table[tag] = { handle: this.handlerOf(system, behavior, tag, handle, isAsk), isAsk }
    }
    this.tables.set(behavior.table, table)
    return table
  }

  private handlerOf(
    system: System,
    { kind, messages }: Behavior<any, any>,
    tag: string,
    handle: Handle,
    isAsk: boolean
  ): Handle {
    const { spans } = this
    const name = `${messages.name} ${tag}`
    let observed = handle
    if (spans !== undefined && isAsk) {
      observed = kind === "plain" ? traced(spans, name, observed) : tracedEffect(spans, name, observed)
    }
    if (this.times) {
      const record = recorderOf(system, messages.name, tag)
      observed = kind === "plain" ? timed(system, record, observed) : timedEffect(system, record, observed)
    }
    return counted(observed)
  }
}

const counted =
  (handle: Handle): Handle =>
  (state, message, self) => {
    self.processed++
    return handle(state, message, self)
  }

// --------------------------------------------------------------------------------------------------------------- times

const recorderOf = (system: System, messages: string, message: string): ((millis: number) => void) => {
  const node = system.remote?.node
  const attributes = { system: system.name, messages, message, ...(node === undefined ? {} : { node }) }
  const description = "How long handlers took, in seconds"
  const histogram = Metric.histogram("troupe_actors_processing_seconds", { description, attributes, boundaries })
  return (millis) => histogram.updateUnsafe(millis / 1000, system.context)
}

const timed =
  (system: System, record: (millis: number) => void, handle: Handle): Handle =>
  (state, message, self) => {
    const began = system.monotonicMillis()
    try {
      return handle(state, message, self)
    } finally {
      record(system.monotonicMillis() - began)
    }
  }

const timedEffect =
  (system: System, record: (millis: number) => void, handle: Handle): Handle =>
  (state, message, self) => {
    const began = system.monotonicMillis()
    const handling: Effect.Effect<any, any> = handle(state, message, self)
    return after(handling, () => record(system.monotonicMillis() - began))
  }

/** One that is a value already stays one, and needs no fiber. */
const after = (handling: Effect.Effect<any, any>, then: (exit: Exit.Exit<any, any>) => void) => {
  if (!Exit.isExit(handling)) return Effect.onExit(handling, (exit) => Effect.sync(() => then(exit)))
  then(handling)
  return handling
}

// --------------------------------------------------------------------------------------------------------------- spans

const traced =
  (spans: Spans, name: string, handle: Handle): Handle =>
  (state, message, self) => {
    const { question } = self
    if (!(question instanceof TracedQuestion) || !question.span.sampled) return handle(state, message, self)
    const parent = question.span
    const span = spans.server(name, self, parent)
    question.span = span
    try {
      const result = handle(state, message, self)
      settle(spans, question, parent, span, Exit.succeed(result))
      return result
    } catch (defect) {
      settle(spans, question, parent, span, Exit.die(defect))
      throw defect
    }
  }

const tracedEffect =
  (spans: Spans, name: string, handle: Handle): Handle =>
  (state, message, self) => {
    const { question } = self
    if (!(question instanceof TracedQuestion)) return handle(state, message, self)
    const parent = question.span
    if (!parent.sampled) return below(parent, handle, state, message, self)
    const span = spans.server(name, self, parent)
    question.span = span
    try {
      const inside = below(span, handle, state, message, self)
      return after(inside, (exit) => settle(spans, question, parent, span, exit))
    } catch (defect) {
      settle(spans, question, parent, span, Exit.die(defect))
      throw defect
    }
  }

/** What it asks, and what it begins on the side, stands below the span. */
const below = (
  span: Tracer.AnySpan,
  handle: Handle,
  state: unknown,
  message: { readonly _tag: string },
  self: ObservedCell
): Effect.Effect<any, any> => {
  self.span = span
  try {
    const handling: Effect.Effect<any, any> = handle(state, message, self)
    return Exit.isExit(handling) ? handling : Effect.provideService(handling, Tracer.ParentSpan, span)
  } finally {
    self.span = undefined
  }
}

/** The span ends; where the answer comes later, with that. */
const settle = (
  spans: Spans,
  question: TracedQuestion,
  parent: Tracer.AnySpan,
  span: Tracer.Span,
  exit: Exit.Exit<any, any>
): void => {
  if (question.isHandedOn) question.isHandedOn = false
  else question.span = parent
  if (Exit.isSuccess(exit) && "later" in exit.value) return question.keep(span)
  const isRefused = Exit.isSuccess(exit) && "failure" in exit.value
  spans.end(span, isRefused ? Exit.fail(exit.value.failure) : exit)
}
