/** Telling, asking and stopping. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, isAskError, Messages } from "@troupe/actor"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { inspect, promisify } from "node:util"
import { Account, behaviors, deadLetters, Overdrawn, plain, settled, within } from "./accounts.ts"

const run = promisify(execFile)

describe.each(Object.entries(behaviors))("an actor with %s handlers", (_, behavior) => {
  it.effect("handles one message at a time, in the order of telling", () =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior)
        for (let i = 1; i <= 1_000; i++) account.tell({ _tag: "Deposit", amount: i })
        expect(yield* account.ask({ _tag: "Balance" })).toBe(500_500)
        expect(yield* account.ask({ _tag: "Withdraw", amount: 500 })).toBe(500_000)
      })
    )
  )

  it.effect("answers with its typed failure, and goes on", () =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior)
        account.tell({ _tag: "Deposit", amount: 3 })
        const failure = yield* Effect.flip(account.ask({ _tag: "Withdraw", amount: 5 }))
        expect(failure).toEqual(new Overdrawn({ short: 2 }))
        expect(yield* account.ask({ _tag: "Balance" })).toBe(3)
      })
    )
  )

  it.effect("has the question's own failure told from what can become of any question", () =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior)
        const withdraw: Effect.Effect<number, Overdrawn> = account
          .ask({ _tag: "Withdraw", amount: 5 })
          .pipe(Effect.catchIf(isAskError, Effect.die))
        expect(yield* Effect.flip(withdraw)).toEqual(new Overdrawn({ short: 5 }))
        yield* (yield* ActorSystem.ActorSystem).stop(account)
        expect(Cause.squash(yield* Effect.sandbox(withdraw).pipe(Effect.flip))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("is not asked what it is only told: who does is told so, and nothing has come of it", () =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior)
        // @ts-expect-error
        const asked = account.ask({ _tag: "Deposit", amount: 5 }) as Effect.Effect<never, unknown>
        const failure = yield* Effect.flip(asked)
        expect(failure).toMatchObject({ _tag: "Misunderstood", reason: "it is told Deposit, not asked" })
        expect(yield* account.ask({ _tag: "Balance" })).toBe(0)
      })
    )
  )

  it.effect("may be told what it is asked: it does so, and answers nobody", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const account = yield* ActorSystem.spawn(behavior)
        account.tell({ _tag: "Withdraw", amount: 1 })
        account.tell({ _tag: "Withdraw", amount: -7 })
        expect(yield* account.ask({ _tag: "Balance" })).toBe(7)
        expect(system.counters().failures).toBe(0)
      })
    )
  )

  it.effect("prints as its path, not as all that it holds", () =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior, { name: "ann" })
        expect(inspect({ account })).toBe("{ account: ActorRef(ann) }")
        expect(JSON.stringify({ account })).toBe('{"account":{"actor":"ann"}}')
      })
    )
  )

  it.effect("tells who asks that it failed at the question", () =>
    within(
      Effect.gen(function* () {
        const account = yield* ActorSystem.spawn(behavior, { name: "broken" })
        const failure = yield* Effect.flip(account.ask({ _tag: "BreakAt", why: "no paper" }))
        expect(failure).toMatchObject({ _tag: "HandlerFailed", actor: "broken", question: "BreakAt" })
        expect(failure.message).toContain("no paper")
      })
    )
  )

  it.effect("that has stopped answers nobody, and what it is told are dead letters", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const account = yield* ActorSystem.spawn(behavior)
        yield* system.stop(account)
        account.tell({ _tag: "Deposit", amount: 1 })
        expect(yield* Effect.flip(account.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "ActorStopped" })
        expect(yield* Effect.flip(account.send({ _tag: "Deposit", amount: 1 }))).toMatchObject({ _tag: "ActorStopped" })
        expect(yield* deadLetters).toBe(1)
        expect(system.counters()).toMatchObject({ spawned: 1, stopped: 1 })
      })
    )
  )

  it.effect("stops at once, or drained: after all that waits for it now", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const drained = yield* ActorSystem.spawn(behavior)
        drained.tell({ _tag: "Deposit", amount: 7 })
        drained.tell({ _tag: "Deposit", amount: 1 })
        const answer = yield* Effect.forkChild(drained.ask({ _tag: "Balance" }))
        yield* Effect.yieldNow
        yield* system.stop(drained, { drain: true })
        expect(yield* Fiber.join(answer)).toBe(8)
        expect(yield* deadLetters).toBe(0)

        const cut = yield* ActorSystem.spawn(behavior)
        cut.tell({ _tag: "Deposit", amount: 7 })
        cut.tell({ _tag: "Deposit", amount: 7 })
        yield* system.stop(cut)
        expect(yield* deadLetters).toBe(2)
      })
    )
  )
})

describe("asking", () => {
  const Slow = Messages.make("slow", {
    Ask: Messages.ask({}, { reply: Schema.String }),
    Answer: Messages.tell({ text: Schema.String }),
    Twice: Messages.ask({}, { reply: Schema.String })
  })
  const slow = Behavior.make(Slow, {
    init: (): Array<(text: string) => void> => [],
    on: {
      Ask: (open, _, self) => {
        const answer = self.defer()
        return { state: [...open, answer.reply], later: answer }
      },
      Answer: (open, { text }) => {
        for (const reply of open) reply(text)
        return []
      },
      Twice: (open, _, self) => {
        const answer = self.defer()
        answer.reply("once")
        answer.reply("twice")
        return { state: open, later: answer }
      }
    }
  })

  it.effect("an answer may come later", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(slow)
        const answers = yield* Effect.forkChild(
          Effect.all([ref.ask({ _tag: "Ask" }), ref.ask({ _tag: "Ask" })], { concurrency: 2 })
        )
        yield* settled
        ref.tell({ _tag: "Answer", text: "yes" })
        expect(yield* Fiber.join(answers)).toEqual(["yes", "yes"])
      })
    )
  )

  it.effect("ends when no answer comes in time: exactly then", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(slow)
        const short = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Ask" }, { timeout: "2 seconds" })))
        const usual = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Ask" })))
        yield* settled
        yield* TestClock.adjust("1999 millis")
        expect(short.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(short)).toMatchObject({ _tag: "AskTimeout", question: "Ask", millis: 2_000 })
        expect(usual.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust("3 seconds")
        expect(yield* Fiber.join(usual)).toMatchObject({ _tag: "AskTimeout", millis: 5_000 })
      })
    )
  )

  it.effect("with ever another patience, each ends when it should, also at once", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(slow)
        const asking = yield* Effect.forkChild(Effect.flip(ref.ask({ _tag: "Ask" }, { timeout: 10_000 })))
        yield* settled
        const account = yield* ActorSystem.spawn(plain)
        for (let millis = 1; millis <= 3_000; millis++) {
          yield* Effect.forkChild(Effect.ignore(ref.ask({ _tag: "Ask" }, { timeout: 20_000 + millis })))
          yield* account.ask({ _tag: "Balance" }, { timeout: 40_000 + millis })
        }
        yield* settled
        for (const timeout of [0, -5]) {
          const failure = yield* Effect.flip(ref.ask({ _tag: "Ask" }, { timeout }))
          expect(failure).toMatchObject({ _tag: "AskTimeout", millis: 0 })
        }
        yield* TestClock.adjust("10 seconds")
        expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "AskTimeout", millis: 10_000 })
      })
    )
  )

  it("leaves nothing behind that keeps a program from ending", async () => {
    const program = fileURLToPath(new URL("ending.ts", import.meta.url))
    const { stdout } = await run(process.execPath, ["--conditions=@troupe/source", program], { timeout: 30_000 })
    expect(stdout).toBe("hello\n")
  })

  it.effect("who does not wait any more is not answered, and nobody is the worse for it", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(slow)
        const asking = yield* Effect.forkChild(ref.ask({ _tag: "Ask" }))
        yield* settled
        yield* Fiber.interrupt(asking)
        ref.tell({ _tag: "Answer", text: "too late" })
        const again = yield* Effect.forkChild(ref.ask({ _tag: "Ask" }))
        yield* settled
        ref.tell({ _tag: "Answer", text: "now" })
        expect(yield* Fiber.join(again)).toBe("now")
      })
    )
  )

  it.effect("a second answer is a failure of the actor; the first one counts", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(slow)
        expect(yield* ref.ask({ _tag: "Twice" })).toBe("once")
        expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )

  it.effect("a message that the actor has no handler for is a dead letter, and no question waits for it", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(plain)
        ref.tell({ _tag: "Nonsense" } as never)
        const failure = yield* Effect.flip(ref.ask({ _tag: "Nonsense" } as never) as Effect.Effect<unknown, unknown>)
        expect(failure).toMatchObject({ _tag: "Misunderstood" })
        expect(yield* deadLetters).toBe(2)
        expect(yield* ref.ask({ _tag: "Balance" })).toBe(0)
      })
    )
  )
})

describe("names and paths", () => {
  const Parent = Messages.make("parent", { Path: Messages.ask({ child: Schema.String }, { reply: Schema.String }) })
  const parent = Behavior.make(Parent, {
    init: () => 0,
    on: {
      Path: (state, { child }, self) => ({ state, reply: self.spawn(plain, { name: child }).path })
    }
  })

  it.effect("a path is the names of the parents, and its own", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(parent, { name: "bank" })
        expect(yield* ref.ask({ _tag: "Path", child: "ann" })).toBe("bank/ann")
        expect((yield* ActorSystem.spawn(plain)).path).toMatch(/^\$/)
      })
    )
  )

  it.effect("a name that a sibling has is taken, until that is gone", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const first = yield* ActorSystem.spawn(plain, { name: "ann" })
        const taken = yield* Effect.exit(ActorSystem.spawn(plain, { name: "ann" }))
        expect(taken).toEqual(Exit.fail(new ActorSystem.NameTaken({ name: "ann", parent: "test" })))
        yield* system.stop(first)
        expect((yield* ActorSystem.spawn(plain, { name: "ann" })).path).toBe("ann")
      })
    )
  )
})

it.effect("a system that ends stops its actors, children first", () =>
  Effect.gen(function* () {
    const ended: Array<string> = []
    const M = Messages.make("m", { Spawn: Messages.ask({ name: Schema.String }, { reply: Schema.Void }) })
    const noting = (name: string): Behavior.Behavior<typeof M.definition> =>
      Behavior.make(M, {
        init: () => name,
        on: {
          Spawn: (state, { name: child }, self) => {
            self.spawn(noting(child), { name: child })
            return { state, reply: undefined }
          }
        },
        onStop: (state) => ended.push(state)
      })
    yield* within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(noting("parent"))
        yield* ref.ask({ _tag: "Spawn", name: "child" })
      })
    )
    expect(ended).toEqual(["child", "parent"])
    expect(Account.name).toBe("account")
  })
)
