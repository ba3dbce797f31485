/** Handlers that are watched: counted, timed, and within spans where a chain of questions is traced. */
import { Effect, Exit, Metric, type Tracer } from "effect"
import type { System } from "../system/System.ts"
import { inSpan } from "./here.ts"
import type { ObservedCell } from "./ObservedCell.ts"
import type { Spans } from "./Spans.ts"
import { Told } from "./Told.ts"
import type { TracedCell } from "./TracedCell.ts"
import { TracedQuestion, untraced } from "./TracedQuestion.ts"

type Message = { readonly _tag: string }

export type Handle<Self extends ObservedCell = ObservedCell> = (state: any, message: Message, self: Self) => any

export const counted =
  (handle: Handle): Handle =>
  (state, message, self) => {
    self.processed++
    return handle(state, message, self)
  }

/** One that is a value already stays one, and needs no fiber. */
const after = (handling: Effect.Effect<any, any>, then: (exit: Exit.Exit<any, any>) => void) => {
  if (!isValue(handling)) return Effect.onExit(handling, (exit) => Effect.sync(() => then(exit)))
  then(handling)
  return handling
}

/** Most that are none are found out by their tag. */
const isValue = (effect: Effect.Effect<any, any> & { readonly _tag?: unknown }): effect is Exit.Exit<any, any> =>
  (effect?._tag === "Success" || effect?._tag === "Failure") && Exit.isExit(effect)

// --------------------------------------------------------------------------------------------------------------- times

/** Seconds: from 10 µs to 10 s. */
const boundaries = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10]

const recorderOf = (system: System, messages: string, message: string): ((millis: number) => void) => {
  const node = system.remote?.node
  const attributes = { system: system.name, messages, message, ...(node === undefined ? {} : { node }) }
  const description = "How long handlers took, in seconds"
  const histogram = Metric.histogram("troupe_actors_processing_seconds", { description, attributes, boundaries })
  return (millis) => histogram.updateUnsafe(millis / 1000, system.context)
}

export const timed = (
  system: System,
  kind: "plain" | "effect",
  messages: string,
  tag: string,
  handle: Handle
): Handle => {
  const record = recorderOf(system, messages, tag)
  return kind === "plain" ? timedPlain(system, record, handle) : timedEffect(system, record, handle)
}

const timedPlain =
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

// --------------------------------------------------------------------------------------------------------------- spans

export const tracedPlain =
  (spans: Spans, name: string, handle: Handle<TracedCell>): Handle<TracedCell> =>
  (state, message, self) => {
    self.processed++
    // What is no envelope was told outside of any chain.
    const handling = self.current === message ? undefined : begin(spans, name, self)
    if (handling === undefined) return handle(state, message, self)
    const { end, span } = handling
    try {
      const result = inSpan(span, () => handle(state, message, self))
      end(Exit.succeed(result))
      return result
    } catch (defect) {
      end(Exit.die(defect))
      throw defect
    }
  }

export const tracedEffect =
  (spans: Spans, name: string, handle: Handle<TracedCell>): Handle<TracedCell> =>
  (state, message, self) => {
    self.processed++
    if (self.current === message) return handle(state, message, self)
    if (isUntraced(self.current)) return untracedEffect(handle, state, message, self)
    const handling = begin(spans, name, self)
    if (handling === undefined) return handle(state, message, self)
    const { end, span } = handling
    self.span = span
    try {
      const effect = inSpan(span, () => handle(state, message, self))
      const ending = endingWith(self, effect, end)
      return isValue(ending) ? ending : self.within(span, ending)
    } catch (defect) {
      end(Exit.die(defect))
      throw defect
    } finally {
      self.span = self.begun = undefined
    }
  }

/** A server has begun something else for what it was told: that is done when the message is. */
const endingWith = (
  self: TracedCell,
  effect: Effect.Effect<any, any>,
  end: (exit: Exit.Exit<any, any>) => void
): Effect.Effect<any, any> => {
  const { begun, current } = self
  if (begun === undefined || !(current instanceof Told)) return after(effect, end)
  begun.addObserver(end)
  return effect
}

const isUntraced = (current: unknown): boolean => current instanceof TracedQuestion && !current.span.sampled

/** What it asks, and what it begins on the side, is not traced either. */
const untracedEffect = (handle: Handle<TracedCell>, state: unknown, message: Message, self: TracedCell) => {
  self.span = untraced
  try {
    const effect: Effect.Effect<any, any> = handle(state, message, self)
    return isValue(effect) ? effect : self.within(untraced, effect)
  } finally {
    self.span = self.begun = undefined
  }
}

/** The span of a handler that was begun, and how it ends. */
interface Handling {
  readonly span: Tracer.Span
  readonly end: (exit: Exit.Exit<any, any>) => void
}

/** Nothing where the chain is not traced. */
const begin = (spans: Spans, name: string, self: TracedCell): Handling | undefined => {
  const { current } = self
  if (current instanceof TracedQuestion) {
    if (!current.span.sampled) return undefined
    const parent = current.span
    const span = spans.begin(name, "server", self, parent)
    current.span = span
    return { span, end: (exit) => answered(spans, current, parent, span, exit) }
  }
  if (!(current instanceof Told)) return undefined
  const span = spans.begin(name, "consumer", self, current.span)
  return { span, end: (exit) => spans.end(span, exit) }
}

/** The span ends; where the answer comes later, with that. */
const answered = (
  spans: Spans,
  question: TracedQuestion,
  parent: Tracer.AnySpan,
  span: Tracer.Span,
  exit: Exit.Exit<any, any>
): void => {
  if (question.isHandedOn) question.isHandedOn = false
  else question.span = parent
  if (Exit.isSuccess(exit) && "later" in exit.value) return question.endLater((exit) => spans.end(span, exit))
  const isRefused = Exit.isSuccess(exit) && "failure" in exit.value
  spans.end(span, isRefused ? Exit.fail(exit.value.failure) : exit)
}
