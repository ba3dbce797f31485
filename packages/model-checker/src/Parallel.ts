/**
 * The same search on several threads, for models that are large.
 *
 * It goes breadth first, layer by layer, over one table of visited states in memory that all threads share. A thread goes
 * on from the states that it was first to come to; what states are made of is interned by each thread for itself, since
 * fingerprints follow from content alone. A layer is gone through to its end before a broken property ends the search: so a
 * counterexample is as short as can be, and the same in each run, however fast the threads are.
 *
 * Functions cannot be handed to a thread. So a model is named by a module and a function that it exports, and each thread
 * builds it.
 *
 * A search of a model that stays narrow never starts a thread; what runs come to (`eventually`, `infinitely often`) is
 * looked at by one thread, afterwards.
 *
 * Source: for tables shared by threads A. Laarman, J. van de Pol, M. Weber, "Boosting Multi-Core Reachability Performance
 * with Shared Hash Tables", FMCAD 2010.
 *
 * @example
 * import { Parallel } from "@troupe/model-checker"
 * import { Effect } from "effect"
 *
 * const module = import.meta.resolve("@troupe/model-checker/examples/index")
 * const source = { module, build: "TwoPhaseCommit.model", args: [{ managers: 6 }] }
 * const report = await Effect.runPromise(Parallel.check(source, { workers: 2 }))
 * console.log(report.uniqueStates) // 50816
 */

import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { Clock, Effect, Schema } from "effect"
import * as Checker from "./Checker.ts"
import { Thrown } from "./internal/Search.ts"
import { type Answer, defaultWidth, type Given } from "./internal/parallel/Hand.ts"
import { build, type Source } from "./internal/parallel/Source.ts"
import { Team } from "./internal/parallel/Team.ts"
import type { Checkable } from "./Model.ts"

export type { Source }

export interface Options extends Checker.Options {
  /**
   * How many threads explore. Default: as many as the machine has cores for. Depth-first search, random walks and partial
   * order have one, whatever is said here.
   */
  readonly workers?: number
  /** Threads are started when so many states wait at a time. Default: 4,096. */
  readonly threadsFrom?: number
}

/** The model cannot be had: there is no such module, or no such function, or it throws. */
export class ModelNotBuilt extends Schema.TaggedError<ModelNotBuilt>()("ModelNotBuilt", {
  module: Schema.String,
  build: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.module}: "${this.build}" gives no model: ${reasonOf(this.cause)}`
  }
}

/** A thread died: what it found is lost, and with it the search. */
export class WorkerFailed extends Schema.TaggedError<WorkerFailed>()("WorkerFailed", {
  model: Schema.String,
  worker: Schema.Number,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const isMemory = (this.cause as { readonly code?: unknown } | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY"
    const advice = isMemory ? " Take fewer workers, or end the search earlier by maxBytes or maxStates." : ""
    return `${this.model}: thread ${this.worker + 1} died: ${reasonOf(this.cause)}.${advice}`
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export type CheckError = Checker.CheckError | WorkerFailed

/** A check that is ready to run: for who wants to see what there is when it is interrupted. */
export interface Prepared {
  readonly model: Checkable<unknown>
  /** Others get a turn meanwhile; interruption ends it, and all its threads. */
  readonly run: Effect.Effect<void, CheckError>
  readonly progress: () => Checker.Progress
  readonly report: () => Checker.Report
}

/**
 * Explores the model on several threads. A bound (`maxStates`, `maxBytes`) ends it in the middle of a layer: how many states
 * were seen then, and what was found among them, differs from run to run.
 */
export const check = (
  source: Source,
  options: Options = {}
): Effect.Effect<Checker.Report, ModelNotBuilt | CheckError> =>
  Effect.gen(function* () {
    const { report, run } = yield* prepare(source, options)
    yield* run
    return report()
  })

export const prepare = (
  source: Source,
  options: Options = {}
): Effect.Effect<Prepared, ModelNotBuilt | Checker.CheckError> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const begun = clock.monotonicTimeNanosUnsafe()
    const elapsed = () => Number(clock.monotonicTimeNanosUnsafe() - begun)
    const { onProgress, threadsFrom: width = defaultWidth, workers: asked = availableParallelism(), ...rest } = options
    const { partialOrder = false, search = "breadth-first" } = rest
    const workers = partialOrder || search !== "breadth-first" ? 1 : asked
    const model = yield* Effect.tryPromise({
      try: () => build(source),
      catch: (cause) => new ModelNotBuilt({ module: String(source.module), build: source.build ?? "default", cause })
    })
    if (!(Number.isInteger(asked) && asked >= 1)) {
      return yield* new Checker.NotCheckable({
        model: model.name,
        reason: `workers is ${asked}: give a whole number from 1 on`
      })
    }
    let team: Team<unknown> | undefined
    const made = yield* Effect.try({
      try: () =>
        new Checker.Check(
          model,
          rest,
          (space, bounds) => (team = new Team(space, model.properties, bounds, workers, width))
        ),
      catch: (error) => Checker.refusalOf(model, error)
    })
    const tell = Effect.sync(() => {
      made.elapsed(elapsed())
      onProgress?.(made.progress())
    })
    const alone: Effect.Effect<void, Checker.CheckError> = Effect.gen(function* () {
      const advance = Effect.try({ try: () => made.advance(elapsed()), catch: (error) => made.explain(error) })
      while (yield* advance) {
        yield* tell
        yield* Effect.yieldNow
      }
    })
    const watched = tell.pipe(Effect.andThen(Effect.sleep("50 millis")), Effect.forever)
    const run = Effect.gen(function* () {
      yield* alone
      if (team?.isWide !== true) return
      const ground = team.share()
      const given = { ground, source: { ...source, module: String(source.module) }, options: rest, width }
      yield* Effect.raceFirst(together(model, made, team, given), watched)
      yield* alone
    })
    return {
      model,
      run,
      progress: () => {
        made.elapsed(elapsed())
        return made.progress()
      },
      report: () => made.report(elapsed())
    }
  })

/** Runs the threads until all are done or one cannot go on. None is left behind. */
const together = (
  model: Checkable<unknown>,
  made: Checker.Check<unknown>,
  team: Team<unknown>,
  given: Omit<Given, "worker" | "states">
): Effect.Effect<void, CheckError> =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      Array.from({ length: given.ground.workers }, (_, worker) => start({ ...given, worker, states: team.before }))
    ),
    (workers) =>
      Effect.forEach(
        workers,
        (worker, number) => Effect.flatMap(answerOf(model, worker, number), (answer) => accept(model, made, answer)),
        { concurrency: "unbounded", discard: true }
      ),
    (workers) => Effect.promise(() => Promise.all(workers.map((worker) => worker.terminate())))
  )

const isSource = import.meta.url.endsWith(".ts")

const start = (workerData: Given): Worker =>
  new Worker(new URL(`./internal/parallel/worker.${isSource ? "ts" : "js"}`, import.meta.url), {
    workerData,
    // The sources find each other by a condition, which may have come from elsewhere than the arguments of this process.
    ...(isSource ? { execArgv: ["--conditions=@troupe/source"] } : {})
  })

const answerOf = (model: Checkable<unknown>, thread: Worker, worker: number): Effect.Effect<Answer, WorkerFailed> =>
  Effect.callback((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(new WorkerFailed({ model: model.name, worker, cause })))
    thread.once("message", (answer: Answer) => resume(Effect.succeed(answer)))
    thread.once("error", fail)
    thread.once("exit", (code) => fail(new Error(`it ended with code ${code}`)))
  })

const accept = (
  model: Checkable<unknown>,
  made: Checker.Check<unknown>,
  answer: Answer
): Effect.Effect<void, Checker.CheckError> => {
  switch (answer._tag) {
    case "Done":
      return Effect.void
    case "NotSerialisable":
      return Effect.fail(new Checker.NotSerialisable({ ...answer, model: model.name }))
    case "NotSymmetric":
      return Effect.fail(new Checker.NotSymmetric({ ...answer, model: model.name }))
    case "Threw":
      return Effect.fail(made.explain(new Thrown(answer.property, answer.index, answer.cause)))
  }
}
