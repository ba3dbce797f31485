/**
 * What a thread of a server runs: see `Server.multiThreaded`.
 *
 * A message arrives as its codec has it, and is handled as it would be without threads; what comes of it goes back the same
 * way. References to actors don't: a thread has no system of actors. Spans that a handler begins stand below the one of its
 * message, and are exported by the `Tracer` that `run` is provided with, in the thread.
 */

import { Codec } from "@troupe/transport"
import { Cause, Effect, Exit, type Fiber, Option, Tracer } from "effect"
import { type WorkerError, WorkerRunner } from "effect/workers"
import { textOf } from "./internal/defects.ts"
import { type Answer, defects, type Outcome, type Parent, type Request } from "./internal/server/frames.ts"
import { answersOf, messageOf } from "./internal/system/codecs.ts"
import { type Ask, type Definition, isAsk, type Messages } from "./Messages.ts"
import type { Handlers } from "./Server.ts"

/** Handles messages until the server ends the thread. */
export const run = <D extends Definition, R = never>(
  messages: Messages<D>,
  handlers: Handlers<D, R>
): Effect.Effect<void, WorkerError.WorkerError, WorkerRunner.WorkerRunnerPlatform | R> =>
  Effect.gen(function* () {
    const platform = yield* WorkerRunner.WorkerRunnerPlatform
    const runner = yield* platform.start<Answer, Request>()
    const runFork = Effect.runForkWith(yield* Effect.context<R>())
    // One at a time: the server sees to that.
    let current: { readonly id: number; readonly fiber: Fiber.Fiber<unknown, unknown> } | undefined
    return yield* runner.run<void, never, never>((port, [id, bytes, parent]) => {
      if (bytes === undefined) {
        if (current?.id === id) current.fiber.interruptUnsafe()
        return
      }
      let tag: string | undefined
      const handled = Effect.suspend(() => {
        const message = Codec.decode(messageOf(messages), bytes) as { readonly _tag: string }
        tag = message._tag
        return (handlers[tag] as (message: unknown) => Effect.Effect<unknown, unknown, R>)(message)
      })
      const fiber = runFork(parent === undefined ? handled : below(parent, handled))
      current = { id, fiber }
      fiber.addObserver((exit) => {
        const [outcome, answer] = answerOf(messages, tag, exit)
        runner.sendUnsafe(port, [id, outcome, answer])
      })
    })
  })

/** Spans are of the thread's own tracer, and only say who their parent is. */
const below = <A, E, R>([traceId, spanId, sampled]: Parent, handled: Effect.Effect<A, E, R>) =>
  Effect.provideService(handled, Tracer.ParentSpan, Tracer.externalSpan({ traceId, spanId, sampled }))

const answerOf = (
  messages: Messages<any>,
  tag: string | undefined,
  exit: Exit.Exit<unknown, unknown>
): readonly [Outcome, Uint8Array | undefined] => {
  try {
    const isQuestion = tag !== undefined && isAsk(messages.definition[tag] as Ask)
    if (Exit.isSuccess(exit)) {
      return isQuestion ? ["reply", Codec.encode(answersOf(messages, tag).reply, exit.value)] : ["told", undefined]
    }
    const failure = Cause.findErrorOption(exit.cause)
    if (isQuestion && Option.isSome(failure)) {
      return ["failure", Codec.encode(answersOf(messages, tag).failure, failure.value)]
    }
    if (Cause.hasInterruptsOnly(exit.cause)) return ["interrupted", undefined]
    return ["defect", defectOf(Cause.squash(exit.cause))]
  } catch (error) {
    return ["defect", defectOf(error)]
  }
}

/** What is no error may be nothing that can be written. */
const defectOf = (defect: unknown): Uint8Array => {
  try {
    return Codec.encode(defects, defect)
  } catch {
    return Codec.encode(defects, new Error(textOf(defect)))
  }
}
