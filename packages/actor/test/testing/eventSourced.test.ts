/** Event-sourced behaviours in tests: commands, events, states, answers, restarts, and whether all that survives its codec. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, EventSourced, Messages } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { MemoryStorage } from "@troupe/storage"
import { Cause, Effect, Exit, References, Schema, SchemaTransformation, type Scope } from "effect"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { short: Schema.Int }) {}

const Told = Messages.make("told", { Balance: Messages.tell({ balance: Schema.Int }) })

const Account = Messages.make("account", {
  Deposit: Messages.tell({ amounts: Schema.Array(Schema.Int) }),
  Withdraw: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int, failure: Overdrawn }),
  Report: Messages.tell({ to: ActorSystem.Ref(Told) }),
  Save: Messages.tell({ amount: Schema.Int }),
  WhenRich: Messages.ask({}, { reply: Schema.Int }),
  Break: Messages.tell({}),
  BreakAt: Messages.ask({}, { reply: Schema.Int }),
  Close: Messages.ask({}, { reply: Schema.Int })
})

const Changed = Schema.Struct({ by: Schema.Int })

type Given = EventSourced.Given<typeof Account.definition, number, typeof Changed.Type>

const account = (given: Partial<Given> = {}) =>
  EventSourced.make(Account, {
    log: "account/ann",
    event: Changed,
    init: () => 0,
    apply: (balance, { by }) => balance + by,
    on: {
      Deposit: (_, { amounts }, self) => {
        self.unstash()
        return { events: amounts.map((by) => ({ by })) }
      },
      Withdraw: (balance, { amount }) =>
        amount > balance
          ? { failure: new Overdrawn({ short: amount - balance }) }
          : { events: [{ by: -amount }], reply: balance - amount },
      Report: (balance, { to }) => ({ after: () => to.tell({ _tag: "Balance", balance }) }),
      Save: (_, { amount }, self) => {
        self.setTimer("save", "1 hour", { _tag: "Deposit", amounts: [amount] })
        return {}
      },
      WhenRich: (balance, _, self) => (balance > 100 ? { reply: balance } : { later: self.stash() }),
      Break: () => {
        throw new Error("ill")
      },
      BreakAt: () => {
        throw new Error("ill")
      },
      Close: (balance, _, self) => {
        self.stop()
        return { reply: balance }
      }
    },
    ...given
  })

const test = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(TestKit.layer()), Effect.provideService(References.MinimumLogLevel, "None"))

const deposit = (...amounts: ReadonlyArray<number>) => ({ _tag: "Deposit", amounts }) as const

describe("a command", () => {
  it.effect("gives its events, the state after them, and its answer", () =>
    test(
      Effect.gen(function* () {
        const { events, run, state } = yield* TestKit.eventSourcedTest(account())
        expect(yield* run(deposit(5, 7))).toEqual({ events: [{ by: 5 }, { by: 7 }], state: 12, answer: undefined })
        const withdrawn = yield* run({ _tag: "Withdraw", amount: 2 })
        expect(withdrawn).toEqual({ events: [{ by: -2 }], state: 10, answer: { _tag: "Reply", reply: 10 } })
        const refused = yield* run({ _tag: "Withdraw", amount: 11 })
        const failure = new Overdrawn({ short: 1 })
        expect(refused).toEqual({ events: [], state: 10, answer: { _tag: "Failure", failure } })
        expect([state(), events()]).toEqual([10, [{ by: 5 }, { by: 7 }, { by: -2 }]])
      })
    )
  )

  it.effect("may be answered by a later one", () =>
    test(
      Effect.gen(function* () {
        const { run } = yield* TestKit.eventSourcedTest(account())
        const { answer } = yield* run({ _tag: "WhenRich" })
        if (answer._tag !== "Later") return expect(answer._tag).toBe("Later")
        yield* run(deposit(200))
        expect(yield* answer.answer).toBe(200)
      })
    )
  )

  it.effect("may tell others, and set timers: what comes of them is seen when their time has come", () =>
    test(
      Effect.gen(function* () {
        const { events, run, state } = yield* TestKit.eventSourcedTest(account())
        const probe = yield* TestKit.probe(Told)
        expect(yield* run({ _tag: "Save", amount: 9 })).toEqual({ events: [], state: 0, answer: undefined })
        yield* TestKit.adjust("1 hour")
        expect([state(), events()]).toEqual([9, [{ by: 9 }]])
        yield* run({ _tag: "Report", to: probe.ref })
        yield* probe.expectMessage({ _tag: "Balance", balance: 9 })
      })
    )
  )

  it.effect.each(["Break", "BreakAt"] as const)(
    "at which the handler fails is a defect, and changes nothing: %s",
    (_tag) =>
      test(
        Effect.gen(function* () {
          const { run, state } = yield* TestKit.eventSourcedTest(account())
          yield* run(deposit(5))
          const exit = yield* Effect.exit(run({ _tag }))
          expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ message: "ill" })
          expect(state()).toBe(5)
          expect((yield* run(deposit(1))).state).toBe(6)
        })
      )
  )

  it.effect("makes all of its events happen, or none", () =>
    test(
      Effect.gen(function* () {
        const apply: Given["apply"] = (balance, { by }) => {
          if (by < 0) throw new Error("below none")
          return balance + by
        }
        const { events, restart, run, state } = yield* TestKit.eventSourcedTest(account({ apply }), { local: true })
        for (const second of [0.5, -1]) expect(Exit.isFailure(yield* Effect.exit(run(deposit(1, second))))).toBe(true)
        expect([state(), events(), yield* restart]).toEqual([0, [], 0])
      })
    )
  )

  it.effect("that stops the actor is answered, and followed by none", () =>
    test(
      Effect.gen(function* () {
        const { restart, run } = yield* TestKit.eventSourcedTest(account(), { events: [{ by: 3 }] })
        expect((yield* run({ _tag: "Close" })).answer).toEqual({ _tag: "Reply", reply: 3 })
        expect(yield* Effect.flip(run({ _tag: "Close" }))).toMatchObject({ _tag: "ActorStopped" })
        expect(yield* restart).toBe(3)
      })
    )
  )
})

describe("a restart", () => {
  it.effect("makes the state again, of what has happened before and since the test began", () =>
    test(
      Effect.gen(function* () {
        const { events, ref, restart, run } = yield* TestKit.eventSourcedTest(account(), {
          events: [{ by: 5 }, { by: 7 }]
        })
        const before = ref()
        expect(events()).toEqual([])
        yield* run(deposit(1))
        expect(yield* restart).toBe(13)
        expect(ref()).not.toBe(before)
        expect((yield* run({ _tag: "Withdraw", amount: 3 })).answer).toEqual({ _tag: "Reply", reply: 10 })
        expect(events()).toEqual([{ by: 1 }, { by: -3 }])
      })
    )
  )

  it.effect("goes on from a snapshot", () =>
    test(
      Effect.gen(function* () {
        const store = MemoryStorage.make()
        const snapshot = { state: Schema.Int, above: 0 }
        const { restart, run } = yield* TestKit.eventSourcedTest(account({ snapshot }), { store })
        for (let i = 0; i < 5; i++) yield* run(deposit(1))
        expect(store.logs.get("account/ann")!.records.length).toBeLessThan(5)
        expect(yield* restart).toBe(5)
        expect((yield* run(deposit(1))).state).toBe(6)
      })
    )
  )

  it.effect("that makes another state says which: `apply` knows something that is in no event", () =>
    test(
      Effect.gen(function* () {
        let bonus = 0
        const apply: Given["apply"] = (balance, { by }) => balance + by + bonus
        const { restart, run } = yield* TestKit.eventSourcedTest(account({ apply }))
        yield* run(deposit(5))
        bonus = 1
        const altered = yield* Effect.flip(restart)
        expect(altered).toMatchObject({ _tag: "Altered", what: "state", by: "a restart" })
        expect(altered.message).toBe('"account/ann": the state 5 does not survive a restart: it comes back as 6')
      })
    )
  )

  it.effect("of a later version reads what an earlier one has written, or says that it cannot", () =>
    test(
      Effect.gen(function* () {
        const store = MemoryStorage.make()
        const first = Effect.flatMap(TestKit.eventSourcedTest(account(), { store }), ({ run }) =>
          Effect.andThen(run(deposit(5)), run(deposit(6, 7)))
        )
        yield* Effect.scoped(first)
        const unread = yield* Effect.flip(TestKit.eventSourcedTest(account({ version: 2 }), { store }))
        expect(unread).toMatchObject({ _tag: "UnknownVersion", found: 1, known: 2 })
        const upcast = (event: unknown) => ({ by: (event as { readonly by: number }).by * 100 })
        const { state } = yield* TestKit.eventSourcedTest(account({ version: 2, upcast }), { store })
        expect(state()).toBe(1_800)
      })
    )
  )
})

describe("what does not survive its codec is named", () => {
  /** Rounds what it writes. */
  const Rounded = Schema.Int.pipe(
    Schema.decodeTo(Schema.Number, SchemaTransformation.transform({ decode: (n) => n, encode: Math.round }))
  )
  const Loose = Messages.make("loose", {
    Add: Messages.ask({ amount: Rounded }, { reply: Rounded, failure: Rounded })
  })
  const loose = (
    event: Schema.Codec<number, any>,
    options: { readonly factor?: number; readonly fails?: boolean; readonly state?: Schema.Codec<number, any> } = {}
  ) =>
    EventSourced.make(Loose, {
      log: "loose",
      event,
      init: () => 0,
      apply: (sum, amount) => sum + amount,
      ...(options.state === undefined ? {} : { snapshot: { state: options.state } }),
      on: {
        Add: (_, { amount }) => {
          const given = amount * (options.factor ?? 1)
          return options.fails ? { failure: given } : { events: [given], reply: given }
        }
      }
    })
  const added = (behavior: ReturnType<typeof loose>, amount: number, options?: TestKit.EventSourcedOptions<number>) =>
    test(
      Effect.gen(function* () {
        const { run } = yield* TestKit.eventSourcedTest(behavior, options)
        return yield* Effect.flip(run({ _tag: "Add", amount }))
      })
    )

  it.effect.each([
    ["command", loose(Schema.Number), 1.4],
    ["reply", loose(Schema.Number, { factor: 0.7 }), 2],
    ["failure", loose(Schema.Number, { factor: 0.7, fails: true }), 2],
    ["event", loose(Rounded), 1.4],
    ["state", loose(Schema.Number, { state: Rounded }), 1.4]
  ] as const)("a %s", ([what, behavior, amount]) =>
    Effect.gen(function* () {
      const local = what === "event" || what === "state"
      const altered = yield* added(behavior, amount, { local })
      expect(altered).toMatchObject({ _tag: "Altered", log: "loose", what, by: "its schema" })
      const [value, found] =
        what === "command" ? ['{"_tag":"Add","amount":1.4}', '{"_tag":"Add","amount":1}'] : ["1.4", "1"]
      expect(altered.message).toContain(`the ${what} ${value} does not survive its schema: it comes back as ${found}`)
    })
  )

  it.effect("and what is none of its schema's", () =>
    Effect.gen(function* () {
      const altered = yield* added(loose(Schema.Number), "one" as never)
      expect(altered).toMatchObject({ _tag: "Altered", what: "command" })
      expect(altered.message).toContain("Expected number")
    })
  )

  it.effect("unless its messages are local: those need no codec", () =>
    test(
      Effect.gen(function* () {
        const { run } = yield* TestKit.eventSourcedTest(loose(Schema.Number), { local: true })
        expect((yield* run({ _tag: "Add", amount: 1.4 })).state).toBe(1.4)
      })
    )
  )
})
