/** What goes wrong, what one is told, and that nobody else is the worse for it. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, HandlerFailed, Router, Supervision } from "@troupe/actor"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Account, deadLetters, plain, settled } from "./accounts.ts"
import { Bad, bad, failingAt, harmless, hello } from "./troubles.ts"

/** Handlers that are none of their types. */
const giving = (result: unknown) =>
  Object.fromEntries(Object.keys(Account.definition).map((tag) => [tag, () => result])) as never

const effectful = (result: unknown) =>
  Behavior.effect(Account, { init: () => Effect.succeed(0), on: giving(result) as Record<string, never> as never })
describe("names and paths", () => {
  it.effect("a name that a sibling has is taken; one that is none is refused where it is given", () =>
    harmless(
      Effect.gen(function* () {
        expect(yield* Effect.flip(ActorSystem.spawn(plain, { name: "neighbour" }))).toMatchObject({ _tag: "NameTaken" })
        for (const name of ["", "a/b", "x".repeat(256)]) {
          const exit = yield* Effect.exit(ActorSystem.spawn(plain, { name }))
          expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
            _tag: "InvalidOption",
            option: "name"
          })
        }
        const parent = yield* ActorSystem.spawn(bad(), { supervision: Supervision.stop })
        const failure = yield* failingAt(parent, (self) => {
          for (const name of ["ann", "ann"]) self.spawn(plain, { name })
        })
        expect(failure).toMatchObject({ _tag: "NameTaken", name: "ann" })
      })
    )
  )

  it.effect("where nobody is, or somebody else, there is no such actor", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        for (const path of ["nobody", "neighbour/child", "", "a//b"]) {
          expect(yield* Effect.flip(system.at(Account, path))).toMatchObject({ _tag: "NoSuchActor", path })
        }
        expect(yield* Effect.flip(system.at(Bad, "neighbour"))).toMatchObject({ _tag: "NoSuchActor", messages: "bad" })
      })
    )
  )
})

describe("asking", () => {
  it.effect("one that has stopped, or that has no handler for it", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(bad())
        const nonsense = ref.ask({ _tag: "Nonsense" } as never) as Effect.Effect<never, unknown>
        expect(yield* Effect.flip(nonsense)).toMatchObject({ _tag: "Misunderstood" })
        expect(yield* hello(ref)).toBe("hello")
        yield* system.stop(ref)
        expect(yield* Effect.flip(hello(ref))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("a second answer is a failure of who gives it, and the first one counts", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad())
        expect(yield* ref.ask({ _tag: "Twice" })).toBe(1)
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("a handler that throws", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad())
        const failed = yield* Effect.flip(ref.ask({ _tag: "Throw" }))
        expect(failed).toMatchObject({ _tag: "HandlerFailed", question: "Throw", cause: { message: "no paper" } })
        expect(yield* hello(ref)).toBe("hello")
      })
    )
  )

  it.effect("a handler that throws what throws when it is looked at: its failure can be told all the same", () =>
    harmless(
      Effect.gen(function* () {
        const circular: Record<string, unknown> = Object.create(null)
        circular["self"] = circular
        const trap = () => {
          throw new Error("trapped")
        }
        for (const thrown of [circular, { toString: trap }, new Proxy({}, { get: trap, ownKeys: trap })]) {
          const throwing = () => {
            throw thrown
          }
          const ref = yield* ActorSystem.spawn(
            Behavior.make(Account, { init: () => 0, on: { ...(giving(0) as object), Balance: throwing } as never })
          )
          const failed = yield* Effect.flip(ref.ask({ _tag: "Balance" }))
          expect(failed.message).toContain("failed at Balance: ")
        }
        const long = new HandlerFailed({ actor: "it", question: "Any", cause: "x".repeat(1_000_000) })
        expect(long.message.length).toBeLessThan(1_100)
      })
    )
  )

  it.effect.each([
    ["plain", (result: unknown) => Behavior.make(Account, { init: () => 0, on: giving(result) })],
    ["Effect, done at once,", (result: unknown) => effectful(Effect.succeed(result))],
    ["Effect, done later,", (result: unknown) => effectful(Effect.as(Effect.yieldNow, result))]
  ] as const)("a %s handler that gives back no answer has failed, also where others wait", ([, behavior]) =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        for (const result of [undefined, null, 7, {}, { state: 1 }]) {
          const ref = yield* ActorSystem.spawn(behavior(result), { supervision: Supervision.resume })
          const asked = Effect.flip(ref.ask({ _tag: "Balance" }))
          const failures = yield* Effect.all([asked, asked, asked], { concurrency: 3 })
          expect(failures.map(({ _tag }) => _tag)).toEqual(["HandlerFailed", "HandlerFailed", "HandlerFailed"])
          yield* system.stop(ref)
        }
        expect(system.counters()).toMatchObject({ failures: 15, restarts: 0 })
      })
    )
  )

  it.effect("one whose question is put off, or handed on, needs to give back none", () =>
    harmless(
      Effect.gen(function* () {
        const Balance = (state: number, _: unknown, self: any) => {
          self.defer().reply(5)
          return { state }
        }
        const plain: any = { ...(giving(0) as object), Balance }
        const late: any = {
          ...plain,
          Balance: (...given: Parameters<typeof Balance>) => Effect.sync(() => Balance(...given))
        }
        for (const behavior of [
          Behavior.make(Account, { init: () => 0, on: plain }),
          Behavior.effect(Account, { init: () => Effect.succeed(0), on: late })
        ]) {
          const ref = yield* ActorSystem.spawn(behavior as Behavior.Behavior<typeof Account.definition>)
          expect(yield* ref.ask({ _tag: "Balance" })).toBe(5)
        }
        yield* settled
        expect((yield* ActorSystem.ActorSystem).counters().failures).toBe(0)
      })
    )
  )

  it.effect("an Effect handler that is none has failed", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(effectful(undefined))
        expect(yield* Effect.flip(ref.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "HandlerFailed" })
      })
    )
  )

  it.effect("one that tells itself without end: others have their turns", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(bad())
        ref.tell({ _tag: "Loop" })
        expect(yield* hello(ref)).toBe("hello")
        const neighbour = yield* system.at(Account, "neighbour")
        expect(yield* neighbour.ask({ _tag: "Balance" })).toBe(7)
        yield* settled
        expect(system.counters().processed).toBeGreaterThan(64)
        yield* system.stop(ref)
      })
    )
  )

  it.effect("a question that is never answered ends when its time has come", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad())
        const asking = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Hang" })), { startImmediately: true })
        yield* settled
        yield* TestClock.adjust("5 seconds")
        expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "AskTimeout", millis: 5_000 })
        for (const timeout of [0, -5, Number.NaN]) {
          const now = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Hang" }, { timeout })), {
            startImmediately: true
          })
          yield* settled
          yield* TestClock.adjust(0)
          expect(yield* Fiber.join(now)).toMatchObject({ _tag: "AskTimeout" })
        }
      })
    )
  )
})
describe("a function of the actor's that throws", () => {
  it.effect("priority: it is the actor that fails, not who tells it something", () =>
    harmless(
      Effect.gen(function* () {
        const priority = (message: { readonly _tag: string }): number => {
          if (message._tag === "Do") throw new Error("no rank")
          return message._tag === "Hello" ? Number.NaN : 0
        }
        const ref = yield* ActorSystem.spawn(bad({ mailbox: { priority } }))
        ref.tell({ _tag: "Do", what: () => {} })
        expect(yield* hello(ref)).toBe("hello")
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("decide: the actor stops", () =>
    harmless(
      Effect.gen(function* () {
        const supervision = Supervision.decide(() => {
          throw new Error("undecided")
        })
        const ref = yield* ActorSystem.spawn(bad(), { supervision })
        expect(yield* Effect.flip(ref.ask({ _tag: "Throw" }))).toMatchObject({ _tag: "HandlerFailed" })
        yield* settled
        expect(yield* Effect.flip(hello(ref))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("onStop: it has stopped", () =>
    harmless(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const onStop = () => {
          throw new Error("no farewell")
        }
        const behavior: Behavior.Behavior<Bad> = { ...bad(), onStop }
        const ref = yield* ActorSystem.spawn(behavior)
        yield* system.stop(ref)
        expect(yield* Effect.flip(hello(ref))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )
})

it.effect("what a router cannot pass on is a dead letter, and the router goes on", () =>
  harmless(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      const ref = yield* ActorSystem.spawn(bad({ mailbox: { capacity: 1 } }))
      const router = yield* ActorSystem.spawn(Router.make(Bad, [ref], Router.roundRobin))
      for (let i = 0; i < 4; i++) router.tell({ _tag: "Do", what: () => {} })
      yield* settled
      expect(yield* deadLetters).toBe(3)
      expect(system.counters().failures).toBe(0)
      expect(yield* hello(router)).toBe("hello")
    })
  )
)
