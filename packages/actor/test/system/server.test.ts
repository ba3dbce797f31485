/** One and the same handlers, under three dispatchers. */
import { describe, expect, it } from "@effect/vitest"
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { type ActorRef, ActorSystem, Server, Supervision } from "@troupe/actor"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Worker } from "node:worker_threads"
import { deadLetters, settled, within } from "./accounts.ts"
import { Burnt, handlers, Kitchen } from "./server/kitchen.ts"

type Kitchen = typeof Kitchen.definition
type Cooks = ActorRef<Kitchen>

const module = new URL("./server/kitchen.worker.ts", import.meta.url)
const execArgv = ["--conditions=@troupe/source"]

interface Options {
  readonly handlerTimeout?: number
  readonly supervision?: Supervision.Supervision
}

const here = (dispatcher: Server.Here, { supervision, ...options }: Options = {}) =>
  ActorSystem.spawn(Server.make(Kitchen, { on: handlers, dispatcher, ...options }), {
    name: "kitchen",
    ...(supervision === undefined ? {} : { supervision })
  })

/** Notes each thread that is started. */
const inThreads = (threads: number, options: Pick<Options, "handlerTimeout"> = {}, started: Array<Worker> = []) => {
  const spawn = (): Worker => {
    const worker = new Worker(module, { execArgv })
    started.push(worker)
    return worker
  }
  const dispatcher = Server.multiThreaded({ threads, spawn })
  return ActorSystem.spawn(Server.make(Kitchen, { dispatcher, ...options }), { name: "kitchen" }).pipe(
    Effect.provide(NodeWorker.layerPlatform)
  )
}

const dispatchers = {
  "single-threaded": (options?: Options) => here(Server.singleThreaded, options),
  "an event loop": (options?: Options) => here(Server.eventLoop({ inFlight: 4 }), options)
}

const asked = <A, E>(asking: Effect.Effect<A, E>) => Effect.forkChild(asking, { startImmediately: true })

const wait = (kitchen: Cooks, millis: number, timeout = 10_000) => kitchen.ask({ _tag: "Wait", millis }, { timeout })

const cook = (kitchen: Cooks, dish: string) => kitchen.ask({ _tag: "Cook", dish }, { timeout: Infinity })

/** The same of all three. */
const answers = (kitchen: Cooks) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    expect(yield* cook(kitchen, "rice")).toBe("rice, cooked")
    expect(yield* Effect.flip(cook(kitchen, "toast"))).toEqual(new Burnt({ dish: "toast" }))
    const failed = yield* Effect.flip(kitchen.ask({ _tag: "Break", why: "no gas" }))
    expect(failed).toMatchObject({ _tag: "HandlerFailed", actor: "kitchen", question: "Break" })
    expect(failed.message).toContain("no gas")
    kitchen.tell({ _tag: "Drop", why: "slippery" })
    expect(yield* cook(kitchen, "soup")).toBe("soup, cooked")
    expect(system.counters()).toMatchObject({ failures: 2, restarts: 2 })
  })

describe.each(Object.entries(dispatchers))("a server, %s", (_, spawn) => {
  it.effect("answers with a reply or a typed failure; at what is neither it fails, and goes on", () =>
    within(Effect.flatMap(spawn(), answers))
  )

  it.effect("fails as its supervision says", () =>
    within(
      Effect.gen(function* () {
        const kitchen = yield* spawn({ supervision: Supervision.stop })
        expect(yield* Effect.flip(kitchen.ask({ _tag: "Break", why: "no gas" }))).toMatchObject({
          _tag: "HandlerFailed"
        })
        yield* settled
        expect(yield* Effect.flip(cook(kitchen, "rice"))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("interrupts a handler for whose answer nobody waits any more", () =>
    within(
      Effect.gen(function* () {
        const kitchen = yield* spawn()
        const before = yield* kitchen.ask({ _tag: "Interrupted" })
        const late = yield* asked(Effect.flip(wait(kitchen, 5_000, 1_000)))
        yield* settled
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(late)).toMatchObject({ _tag: "AskTimeout" })
        const left = yield* asked(wait(kitchen, 5_000))
        yield* settled
        yield* Fiber.interrupt(left)
        expect(yield* kitchen.ask({ _tag: "Interrupted" })).toBe(before + 2)
      })
    )
  )

  it.effect("has failed at a handler that takes longer than it may", () =>
    within(
      Effect.gen(function* () {
        const kitchen = yield* spawn({ handlerTimeout: 1_000 })
        const late = yield* asked(Effect.flip(wait(kitchen, 5_000)))
        yield* settled
        yield* TestClock.adjust("1 second")
        const failed = yield* Fiber.join(late)
        expect(failed).toMatchObject({ _tag: "HandlerFailed", cause: { _tag: "HandlerTimeout", millis: 1_000 } })
        expect(yield* cook(kitchen, "rice")).toBe("rice, cooked")
      })
    )
  )

  it.effect("that stops interrupts what is under way; drained, it waits for that", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const drained = yield* spawn()
        const answer = yield* asked(wait(drained, 1_000))
        yield* settled
        const end = yield* asked(system.stop(drained, { drain: true }))
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(end)
        expect(yield* Fiber.join(answer)).toBe(1_000)
        const cut = yield* spawn()
        const none = yield* asked(Effect.flip(wait(cut, 1_000)))
        yield* settled
        yield* system.stop(cut)
        expect(yield* Fiber.join(none)).toMatchObject({ _tag: "ActorStopped" })
        // What drains may be stopped at once.
        const hung = yield* spawn()
        yield* asked(Effect.ignore(wait(hung, 1_000)))
        yield* settled
        yield* asked(system.stop(hung, { drain: true }))
        yield* settled
        yield* system.stop(hung)
      })
    )
  )
})

describe("how many at a time", () => {
  /** When each was begun with, and when it was done. */
  const times = (dispatcher: Server.Here, count: number) =>
    Effect.gen(function* () {
      const begun: Array<number> = []
      const ended: Array<number> = []
      const noting: Server.Handlers<Kitchen> = {
        ...handlers,
        Wait: ({ millis }) =>
          Effect.map(
            Effect.andThen(
              Effect.sync(() => begun.push(millis)),
              Effect.sleep(millis)
            ),
            () => {
              ended.push(millis)
              return millis
            }
          )
      }
      const kitchen = yield* ActorSystem.spawn(Server.make(Kitchen, { on: noting, dispatcher }))
      const all = Effect.forEach(
        Array.from({ length: count }, (_, i) => count - i),
        (millis) => wait(kitchen, millis),
        { concurrency: "unbounded" }
      )
      const asking = yield* asked(all)
      yield* settled
      return { begun, ended, asking, kitchen }
    })

  it.effect("single-threaded: one, the next when it is done", () =>
    within(
      Effect.gen(function* () {
        const { asking, begun, ended } = yield* times(Server.singleThreaded, 3)
        expect(begun).toEqual([3])
        yield* TestClock.adjust("3 millis")
        yield* settled
        expect({ begun, ended }).toEqual({ begun: [3, 2], ended: [3] })
        yield* TestClock.adjust("2 millis")
        yield* settled
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(asking)
        expect({ begun, ended }).toEqual({ begun: [3, 2, 1], ended: [3, 2, 1] })
      })
    )
  )

  it.effect("event loop: many, begun with in their order and done in any; at the bound the next one waits", () =>
    within(
      Effect.gen(function* () {
        const { asking, begun, ended, kitchen } = yield* times(Server.eventLoop({ inFlight: 2 }), 3)
        expect(begun).toEqual([3, 2])
        kitchen.tell({ _tag: "Drop", why: "waits" })
        yield* settled
        yield* TestClock.adjust("2 millis")
        yield* settled
        expect({ begun, ended }).toEqual({ begun: [3, 2, 1], ended: [2] })
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(asking)
        expect(ended).toEqual([2, 3, 1])
      })
    )
  )

  it.effect.each([1, 2, 3])("%i: never more, also of clients that ask again when they are answered", (inFlight) =>
    within(
      Effect.gen(function* () {
        let [now, most, done] = [0, 0, 0]
        const counting: Server.Handlers<Kitchen> = {
          ...handlers,
          Wait: ({ millis }) =>
            Effect.gen(function* () {
              most = Math.max(most, ++now)
              yield* Effect.sleep(millis)
              now--
              done++
              return millis
            })
        }
        const dispatcher = Server.eventLoop({ inFlight })
        const kitchen = yield* ActorSystem.spawn(Server.make(Kitchen, { on: counting, dispatcher }))
        const clients = [1, 2, 3, 4, 5].map((millis) => Effect.repeat(wait(kitchen, millis, Infinity), { times: 9 }))
        // They begin when one is answered.
        const all = Effect.andThen(wait(kitchen, 1), Effect.all(clients, { concurrency: "unbounded" }))
        const asking = yield* asked(all)
        for (let i = 0; i < 170; i++) yield* Effect.andThen(TestClock.adjust("1 millis"), settled)
        yield* Fiber.join(asking)
        expect({ most, done }).toEqual({ most: inFlight, done: 51 })
      })
    )
  )

  it.effect("event loop: what is under way goes on when another one fails, and the server starts again", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const { asking, kitchen } = yield* times(Server.eventLoop({ inFlight: 4 }), 3)
        expect(yield* Effect.flip(kitchen.ask({ _tag: "Break", why: "no gas" }))).toMatchObject({
          _tag: "HandlerFailed"
        })
        yield* TestClock.adjust("3 millis")
        expect(yield* Fiber.join(asking)).toEqual([3, 2, 1])
        expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("the mailbox is bounded as any", () =>
    within(
      Effect.gen(function* () {
        const behavior = Server.make(Kitchen, { on: handlers, mailbox: { capacity: 2, onFull: "drop-newest" } })
        const kitchen = yield* ActorSystem.spawn(behavior)
        yield* asked(Effect.ignore(wait(kitchen, 1_000)))
        yield* settled
        for (let i = 0; i < 5; i++) kitchen.tell({ _tag: "Drop", why: "too much" })
        expect(yield* deadLetters).toBe(3)
      })
    )
  )
})

// ------------------------------------------------------------------------------------------------------------- threads

describe("a server, multi-threaded", () => {
  it.live("answers as the others do; what does not fit its codec is understood by nobody", () =>
    within(
      Effect.gen(function* () {
        const kitchen = yield* inThreads(1)
        yield* answers(kitchen)
        const wrong = Effect.flip(kitchen.ask({ _tag: "Cook", dish: 7 as never }))
        expect(yield* wrong).toMatchObject({ _tag: "Misunderstood", actor: "kitchen" })
        const lie = yield* Effect.flip(kitchen.ask({ _tag: "Lie" }))
        expect(lie).toMatchObject({ _tag: "HandlerFailed", question: "Lie" })
        // With one thread, it is answered when that has been interrupted.
        const left = yield* asked(wait(kitchen, 600_000))
        yield* settled
        yield* Fiber.interrupt(left)
        expect(yield* kitchen.ask({ _tag: "Interrupted" })).toBe(1)
      })
    )
  )

  it.effect("a handler that hangs: its thread is ended and replaced, others go on meanwhile", () =>
    Effect.gen(function* () {
      const started: Array<Worker> = []
      yield* within(
        Effect.gen(function* () {
          const system = yield* ActorSystem.ActorSystem
          const kitchen = yield* inThreads(2, { handlerTimeout: 1_000 }, started)
          yield* Effect.all([cook(kitchen, "rice"), cook(kitchen, "peas")], { concurrency: 2 })
          const hung = yield* asked(Effect.flip(kitchen.ask({ _tag: "Loop" }, { timeout: Infinity })))
          for (let i = 0; i < 3; i++) expect(yield* cook(kitchen, "soup")).toBe("soup, cooked")
          yield* TestClock.adjust("1 second")
          const failed = yield* Fiber.join(hung)
          expect(failed).toMatchObject({ _tag: "HandlerFailed", cause: { _tag: "HandlerTimeout", handler: "Loop" } })
          expect(started.length).toBe(3)
          // Two at a time again: one waits, the other one cooks.
          const waiting = yield* asked(wait(kitchen, 600_000))
          expect(yield* cook(kitchen, "soup")).toBe("soup, cooked")
          expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
          // The end of the system does not wait for those that hang.
          yield* asked(Effect.ignore(kitchen.ask({ _tag: "Loop" }, { timeout: Infinity })))
          expect(waiting.pollUnsafe()).toBeUndefined()
        })
      )
      // Those that have ended have no number any more.
      expect(started.map(({ threadId }) => threadId)).toEqual([-1, -1, -1])
    })
  )

  const threadsOf = (script: string, deaths: number) =>
    Effect.gen(function* () {
      const spawn = (): Worker => new Worker(script, { eval: true })
      const dispatcher = Server.multiThreaded({ threads: 1, spawn, deaths })
      return yield* ActorSystem.spawn(Server.make(Kitchen, { dispatcher }), {
        name: "kitchen",
        supervision: Supervision.resume
      })
    }).pipe(Effect.provide(NodeWorker.layerPlatform))

  it.live("a thread that dies is replaced, but not for ever: then the server has failed", () =>
    within(
      Effect.gen(function* () {
        const script = `const { parentPort } = require("node:worker_threads")
          parentPort.on("message", () => process.exit(3))
          parentPort.postMessage([0])`
        const kitchen = yield* threadsOf(script, 1)
        for (let i = 0; i < 2; i++) {
          const failed = yield* Effect.flip(cook(kitchen, "rice"))
          expect(failed).toMatchObject({ _tag: "HandlerFailed", cause: { _tag: "ThreadDied", actor: "kitchen" } })
          expect(failed.message).toContain("exited with code: 3")
        }
        expect(yield* Effect.flip(cook(kitchen, "rice"))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.live("a thread that cannot start has died", () =>
    within(
      Effect.gen(function* () {
        const kitchen = yield* threadsOf("throw new Error('no oven')", 0)
        const failed = yield* Effect.flip(cook(kitchen, "rice"))
        expect(failed).toMatchObject({ _tag: "HandlerFailed", cause: { _tag: "ThreadDied" } })
        expect(failed.message).toContain("no oven")
        expect(yield* Effect.flip(cook(kitchen, "rice"))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )
})
