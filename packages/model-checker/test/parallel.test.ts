/** Several threads find what one finds. */
import { Checker, Parallel } from "@troupe/model-checker"
import { examples } from "@troupe/model-checker/examples/index"
import { Effect, Fiber } from "effect"
import type * as WorkerThreads from "node:worker_threads"
import { describe, expect, it, vi } from "vitest"
import { counters as modelOf, type What, wrongAt } from "./parallel/counters.ts"
import * as models from "./parallel/models.ts"

const workerThreads = vi.hoisted(() => {
  // Another file of this worker may have loaded the checker already, without what is put in the place of threads here.
  vi.resetModules()
  return { alive: 0, started: 0 }
})
vi.mock("node:worker_threads", async (original) => {
  const actual = await original<typeof WorkerThreads>()
  class Worker extends actual.Worker {
    constructor(...args: ConstructorParameters<typeof actual.Worker>) {
      super(...args)
      workerThreads.alive++
      workerThreads.started++
      this.once("exit", () => workerThreads.alive--)
    }
  }
  return { ...actual, Worker }
})

const module = new URL("./parallel/models.ts", import.meta.url)

const wide = new URL("./parallel/counters.ts", import.meta.url)

const threads = (source: Parallel.Source, options: Parallel.Options = {}) =>
  Parallel.check(source, { workers: 2, threadsFrom: 32, ...options })

const counters = (what: What): Parallel.Source => ({ module: wide, build: "counters", args: [what] })

/** All that does not depend on the time that it took. */
const found = ({ complete, depth, ended, generatedStates, properties, uniqueStates }: Checker.Report) => ({
  complete,
  depth,
  ended,
  generatedStates,
  uniqueStates,
  verdicts: properties.map(({ counterexample, example, name, verdict }) => ({
    name,
    verdict,
    counterexample: counterexample?.steps.length,
    example: example?.steps.length
  }))
})

describe("several threads find what one finds", () => {
  const cases: ReadonlyArray<readonly [workers: number, build: "example" | "mutex", ...args: ReadonlyArray<any>]> = [
    ...examples.map(
      ({ flags, name }) =>
        [2, "example", name, Object.fromEntries(flags.map((flag) => [flag.name, flag.default]))] as const
    ),
    [2, "mutex", 3, 2, 0, ["always", "sometimes", "infinitely often"]],
    [3, "mutex", 3, 2, 1]
  ]
  it.each(cases)("%i threads in %s %j %j %j", async (workers, build, ...args) => {
    const all = { stopAtViolation: false }
    const one = await Effect.runPromise(Checker.check((models as any)[build](...args), all))
    const several = await Effect.runPromise(threads({ module, build, args }, { ...all, workers }))
    expect(found(several)).toEqual(found(one))
  })

  it("starts no thread where there is little to do", async () => {
    const { started } = workerThreads
    const source = { module, build: "example", args: ["two-phase-commit", { managers: 5 }] }
    expect((await Effect.runPromise(Parallel.check(source, { workers: 2 }))).uniqueStates).toBe(8_832)
    expect(workerThreads.started).toBe(started)
  })

  it("and what is broken where nothing can happen any more", async () => {
    const report = await Effect.runPromise(threads(counters("stuck")))
    expect(report.properties).toMatchObject([{}, {}, { name: "ends", verdict: "violated" }])
    expect(report.properties[2]!.counterexample!.steps).toHaveLength(1 + 21)
  })

  it("goes no deeper than it is told to", async () => {
    const report = await Effect.runPromise(threads(counters("sound"), { maxDepth: 6 }))
    const one = await Effect.runPromise(Checker.check(modelOf("sound"), { maxDepth: 6 }))
    expect(found(report)).toEqual(found(one))
    expect(report).toMatchObject({ complete: false, ended: "depth", depth: 6 })
  })
})

describe("a counterexample of several threads", () => {
  it("is as short as can be, and the same in each run", async () => {
    const one = await Effect.runPromise(Checker.check(modelOf("broken")))
    const runs = await Effect.runPromise(Effect.forEach([2, 3], (workers) => threads(counters("broken"), { workers })))
    const [first, ...others] = runs.map(({ properties }) => properties[0]!.counterexample!.steps)
    expect(first).toHaveLength(one.properties[0]!.counterexample!.steps.length)
    for (const steps of others) expect(steps).toEqual(first)
    expect(runs[0]!.ended).toBe("violation")
  })
})

describe("bounds", () => {
  it("ends soon after so many states", async () => {
    const report = await Effect.runPromise(threads(counters("sound"), { maxStates: 2_000 }))
    expect(report).toMatchObject({ complete: false, ended: "states" })
    expect(report.uniqueStates).toBeGreaterThan(2_000)
    expect(report.uniqueStates).toBeLessThan(3_000)
    expect(report.properties[0]!.verdict).toBe("unknown")
  })

  it("ends where memory does", async () => {
    const report = await Effect.runPromise(threads(counters("sound"), { maxBytes: 640_000 }))
    expect(report).toMatchObject({ complete: false, ended: "bytes" })
    expect(report.bytes).toBeLessThan(1_000_000)
  })
})

describe("what is wrong is said", () => {
  const failing = (source: Parallel.Source, options?: Parallel.Options) =>
    Effect.runPromise(Effect.flip(threads(source, options)))

  it("a property that throws: after which steps", async () => {
    const error = await failing(counters("throws"))
    expect(error).toMatchObject({ _tag: "PropertyFailed", property: "all is well" })
    expect(error.message).toContain("RangeError: out of reach")
    expect((error as Checker.PropertyFailed).steps).toHaveLength(1 + wrongAt)
  })

  it("a state that is no plain data", async () => {
    const error = await failing(counters("not plain"))
    expect(error).toMatchObject({ _tag: "NotSerialisable", model: "counters", path: "[7]" })
    expect(error.message).toContain("an instance of Date")
  })

  it("a thread that dies", async () => {
    const error = await failing(counters("dies"))
    expect(error).toMatchObject({ _tag: "WorkerFailed", model: "counters" })
    expect(error.message).toMatch(/^counters: thread [12] died: out of order/)
  })

  it.each([
    [{ module: new URL("./nowhere.ts", module) }, /nowhere\.ts/],
    [{ module, build: "nothing" }, /it exports no function "nothing"/],
    [{ module, build: "example", args: ["two-phase-commit", { managers: 99 }] }, /--managers 99 will not do/]
  ])("a model that cannot be had: %#", async (source, reason) => {
    const error = await failing(source)
    expect(error._tag).toBe("ModelNotBuilt")
    expect(error.message).toMatch(reason)
  })
})

describe("no thread is left behind", () => {
  it("by a search that is interrupted, and what it saw can be told", async () => {
    const { started } = workerThreads
    const report = await Effect.runPromise(
      Effect.gen(function* () {
        const prepared = yield* Parallel.prepare(
          { module, build: "mutex", args: [4, 2, 0] },
          { workers: 2, threadsFrom: 32 }
        )
        const fiber = yield* Effect.forkChild(prepared.run)
        while (prepared.progress().uniqueStates < 5_000) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        return prepared.report()
      })
    )
    expect(workerThreads).toEqual({ alive: 0, started: started + 2 })
    expect(report).toMatchObject({ complete: false, ended: "interrupted" })
    expect(report.uniqueStates).toBeGreaterThanOrEqual(5_000)
  })

  it("by searches that ended or failed", () => {
    expect(workerThreads.alive).toBe(0)
  })
})
