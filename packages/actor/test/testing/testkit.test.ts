/** What a test of actors is given: probes, virtual time, and steps of a behaviour alone. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Memory } from "@troupe/transport"
import { Cause, Clock, Context, Effect, Exit, Fiber, Layer, Random, Schema } from "effect"
import { Account, effectful, plain } from "../system/accounts.ts"

const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem>, options?: TestKit.Options) =>
  Effect.provide(effect, TestKit.layer(options))

const Note = Messages.make("note", {
  Said: Messages.tell({ text: Schema.String }),
  Heard: Messages.tell({ by: ActorSystem.Ref(Account) }),
  Question: Messages.ask({ about: Schema.String }, { reply: Schema.Int, failure: Schema.String })
})

const said = (text: string) => ({ _tag: "Said", text }) as const

describe("a probe", () => {
  it.effect("expects the next message by its tag, itself, or a function", () =>
    kit(
      Effect.gen(function* () {
        const { expectMessage, ref } = yield* TestKit.probe(Note)
        const [ann, bob] = [yield* ActorSystem.spawn(plain), yield* ActorSystem.spawn(plain)]
        for (const text of ["a", "b", "c", "d"]) ref.tell(said(text))
        ref.tell({ _tag: "Heard", by: ann })
        ref.tell({ _tag: "Heard", by: ann })
        expect(yield* expectMessage("Said")).toEqual(said("a"))
        yield* expectMessage(said("b"))
        yield* expectMessage((message) => message._tag === "Said" && message.text > "b")
        expect(yield* expectMessage()).toEqual(said("d"))
        yield* expectMessage({ _tag: "Heard", by: ann })
        expect(yield* Effect.flip(expectMessage({ _tag: "Heard", by: bob }))).toMatchObject({ _tag: "Unexpected" })
      })
    )
  )

  it.effect("says what came instead, and what waits behind it", () =>
    kit(
      Effect.gen(function* () {
        const { expectMessage, fishFor, receiveN, ref } = yield* TestKit.probe(Note, { name: "probe" })
        for (const text of ["a", "b"]) ref.tell(said(text))
        expect((yield* Effect.flip(expectMessage("Heard"))).message).toBe(
          '"probe" expected Heard within 3000 ms, and there came {"_tag":"Said","text":"a"}. ' +
            'Behind it waits {"_tag":"Said","text":"b"}'
        )
        expect((yield* Effect.flip(receiveN(2, { within: "1 second" }))).message).toBe(
          '"probe" expected 2 messages within 1000 ms, and there came {"_tag":"Said","text":"b"}'
        )
        ref.tell({ _tag: "Heard", by: ref as any })
        expect((yield* Effect.flip(fishFor("Said"))).message).toBe(
          '"probe" expected Said within 3000 ms, and there came {"_tag":"Heard","by":"actor probe"}'
        )
        expect((yield* Effect.flip(expectMessage())).message).toContain("and nothing came")
      })
    )
  )

  it.effect("waits in virtual time, and only as long as it takes", () =>
    kit(
      Effect.gen(function* () {
        const { expectMessage, expectNoMessage, fishFor, receiveN, ref } = yield* TestKit.probe(Note)
        const after = (duration: string, text: string) =>
          Effect.forkScoped(
            Effect.andThen(
              Effect.sleep(duration as "1 second"),
              Effect.sync(() => ref.tell(said(text)))
            )
          )
        yield* after("2 hours", "a")
        yield* after("3 hours", "b")
        yield* after("4 hours", "c")
        yield* after("5 hours", "d")
        yield* expectNoMessage("1 hour")
        yield* expectMessage(said("a"), { within: "1 day" })
        expect(yield* Clock.currentTimeMillis).toBe(2 * 3_600_000)
        yield* fishFor(said("c"), { within: "1 day" })
        expect(yield* Effect.flip(expectNoMessage("1 hour"))).toMatchObject({ came: ['{"_tag":"Said","text":"d"}'] })
        expect(yield* receiveN(0)).toEqual([])
        expect(yield* Effect.flip(receiveN(1, { within: "2 hours" }))).toMatchObject({ came: [] })
        expect(yield* Clock.currentTimeMillis).toBe(7 * 3_600_000)
      }).pipe(Effect.scoped)
    )
  )

  it.effect("answers questions that it was asked", () =>
    kit(
      Effect.gen(function* () {
        const { expectQuestion, ref } = yield* TestKit.probe(Note)
        const ask = (about: string) => Effect.forkScoped(Effect.exit(ref.ask({ _tag: "Question", about })))
        const [age, weight] = [yield* ask("age"), yield* ask("weight")]
        const first = yield* expectQuestion("Question")
        const second = yield* expectQuestion("Question")
        expect(second.message.about).toBe("weight")
        second.fail("none of yours")
        first.reply(42)
        expect(yield* Fiber.join(age)).toEqual(Exit.succeed(42))
        expect(yield* Fiber.join(weight)).toEqual(Exit.fail("none of yours"))
      }).pipe(Effect.scoped)
    )
  )

  it.effect("expects the end of an actor, and learns why", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const probe = yield* TestKit.probe(Note)
        const ann = yield* ActorSystem.spawn(plain, { supervision: Supervision.stop })
        const bob = yield* ActorSystem.spawn(plain)
        expect((yield* Effect.flip(probe.expectTerminated(ann))).message).toContain("and nothing came")
        ann.tell({ _tag: "Break", why: "ill" })
        expect(yield* probe.expectTerminated(ann)).toMatchObject({ _tag: "Failed" })
        yield* system.stop(bob)
        expect(yield* probe.expectTerminated(bob)).toEqual({ _tag: "Stopped" })
      })
    )
  )

  it.effect("stands for an actor of another node", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"] })
      const systemOf = (node: string) =>
        Effect.map(
          Layer.build(Layer.fresh(Layer.provide(ActorSystem.remote(), Memory.layer(network, node)))),
          Context.get(ActorSystem.ActorSystem)
        )
      const [one, two] = [yield* systemOf("n1"), yield* systemOf("n2")]
      const probe = yield* Effect.provideService(TestKit.probe(Note, { name: "notes" }), ActorSystem.ActorSystem, two)
      const there = yield* one.at(Note, "notes", "n2")
      there.tell(said("from afar"))
      yield* probe.expectMessage(said("from afar"))
    }).pipe(Effect.scoped, Effect.provide(TestKit.time()))
  )
})

describe("time", () => {
  it.effect("passes only when it is let, at each moment to its end", () =>
    kit(
      Effect.gen(function* () {
        const Clocked = Messages.make("clocked", {
          Tick: Messages.tell({}),
          Times: Messages.ask({}, { reply: Schema.Any })
        })
        const clocked = Behavior.effect(Clocked, {
          init: (self): Effect.Effect<ReadonlyArray<number>> => {
            self.setInterval("tick", "20 minutes", { _tag: "Tick" })
            return Effect.succeed([])
          },
          on: {
            Tick: (times, _, self) => Effect.as(Effect.sleep("1 minute"), [...times, self.now() / 60_000]),
            Times: (times) => Effect.succeed({ state: times, reply: times })
          }
        })
        const ref = yield* ActorSystem.spawn(clocked)
        yield* TestKit.settle
        expect(yield* ref.ask({ _tag: "Times" })).toEqual([])
        yield* TestKit.adjust("1 hour")
        expect(yield* TestKit.elapse(ref.ask({ _tag: "Times" }, { timeout: "1 hour" }))).toEqual([20, 40, 60])
        expect(yield* Clock.currentTimeMillis).toBe(61 * 60_000)
      })
    )
  )

  it.effect("passes as far as an effect takes; who cannot end is told so", () =>
    kit(
      Effect.gen(function* () {
        expect(yield* TestKit.elapse(Effect.as(Effect.sleep("3 days"), 7), { within: "4 days" })).toBe(7)
        expect(yield* Effect.flip(TestKit.elapse(Effect.never))).toMatchObject({ _tag: "Stuck" })
        const late = yield* Effect.flip(TestKit.elapse(Effect.sleep("2 days")))
        expect(late).toMatchObject({ _tag: "Stuck", atMillis: 3 * 86_400_000 })
      })
    )
  )

  it.effect("waits for promises that are kept, in what it settles", () =>
    kit(
      Effect.gen(function* () {
        const { expectMessage, ref } = yield* TestKit.probe(Note)
        yield* Effect.forkScoped(
          Effect.andThen(
            Effect.promise(async () => {
              for (let i = 0; i < 10; i++) await Promise.resolve()
            }),
            Effect.sync(() => ref.tell(said("kept")))
          )
        )
        yield* expectMessage(said("kept"), { within: 0 })
      }).pipe(Effect.scoped)
    )
  )

  it.effect("does not stand still for ever where something never rests", () =>
    kit(
      Effect.gen(function* () {
        yield* Effect.forkScoped(Effect.forever(Effect.yieldNow))
        expect(yield* Effect.flip(TestKit.settle)).toMatchObject({ _tag: "Restless", atMillis: 0 })
      }).pipe(Effect.scoped)
    )
  )

  it.effect("and chance are the same in each run of a seed", () =>
    Effect.gen(function* () {
      const drawn = (seed: number) => kit(Effect.all([Random.next, Random.nextInt]), { seed })
      expect(yield* drawn(1)).toEqual(yield* drawn(1))
      expect(yield* drawn(1)).not.toEqual(yield* drawn(2))
    })
  )
})

describe.each(Object.entries({ plain, effectful }))("a step of a behaviour alone, %s", (_, behavior) => {
  it.effect("gives the next state and the answer", () =>
    Effect.gen(function* () {
      const { run, state } = yield* TestKit.behaviorTest(behavior)
      expect(yield* run({ _tag: "Deposit", amount: 5 })).toEqual({ state: 5, answer: undefined, actions: [] })
      expect(yield* run({ _tag: "Withdraw", amount: 2 })).toEqual({
        state: 3,
        answer: { _tag: "Reply", reply: 3 },
        actions: []
      })
      const { answer } = yield* run({ _tag: "Withdraw", amount: 9 })
      expect(answer).toMatchObject({ _tag: "Failure", failure: { _tag: "Overdrawn", short: 6 } })
      const failed = yield* Effect.exit(run({ _tag: "BreakAt", why: "ill" }))
      expect(Exit.isFailure(failed) && String(Cause.squash(failed.cause))).toContain("ill")
      expect(state()).toBe(3)
    }).pipe(Effect.scoped)
  )
})

it.effect("a step of a behaviour alone records what it asked for", () =>
  Effect.gen(function* () {
    const M = Messages.make("m", {
      Family: Messages.tell({}),
      Times: Messages.tell({}),
      Late: Messages.ask({}, { reply: Schema.Int }),
      Now: Messages.tell({})
    })
    let answer: Behavior.Answer<number, never>
    let child: ActorRef<typeof Account.definition>
    const behavior = Behavior.make(M, {
      init: (self): number => {
        self.setReceiveTimeout("1 hour", { _tag: "Now" })
        return self.now()
      },
      on: {
        Family: (state, _, self) => {
          child = self.spawn(plain, { name: "ann" })
          self.watch(child, () => ({ _tag: "Now" }))
          child.tell({ _tag: "Deposit", amount: 1 })
          self.link(child)
          self.unlink(child)
          self.unwatch(child)
          self.stop(child)
          return state
        },
        Times: (state, message, self) => {
          self.setTimer("once", "1 second", message)
          self.setInterval("often", "1 minute", message)
          self.clearTimer("once")
          self.setReceiveTimeout(undefined)
          self.ref.tell(message)
          return state
        },
        Late: (state, _, self) => ({ state, later: (answer = self.defer()) }),
        Now: (state, _, self) => {
          answer.reply(1)
          self.stash()
          self.unstash()
          self.forward(self.ref)
          self.stop()
          return state
        }
      }
    })
    const { run, started } = yield* TestKit.behaviorTest(behavior)
    const tagsOf = (actions: ReadonlyArray<TestKit.Action>) => actions.map(({ _tag }) => _tag)
    expect(started).toEqual([{ _tag: "ReceiveTimeoutSet", afterMillis: 3_600_000, message: { _tag: "Now" } }])
    const family = (yield* run({ _tag: "Family" })).actions
    expect(tagsOf(family)).toEqual(["Spawned", "Watched", "Told", "Linked", "Unlinked", "Unwatched", "Stopped"])
    expect(family[2]).toEqual({ _tag: "Told", path: "tested/ann", message: { _tag: "Deposit", amount: 1 } })
    expect(tagsOf((yield* run({ _tag: "Times" })).actions)).toEqual([
      "TimerSet",
      "IntervalSet",
      "TimerCleared",
      "ReceiveTimeoutSet",
      "Told"
    ])
    expect((yield* run({ _tag: "Late" })).answer).toEqual({ _tag: "Later" })
    const { actions } = yield* run({ _tag: "Now" })
    expect(tagsOf(actions)).toEqual(["Answered", "Stashed", "Unstashed", "Forwarded", "Stopped"])
    expect(actions[0]).toEqual({ _tag: "Answered", step: 3, answer: { _tag: "Reply", reply: 1 } })
  }).pipe(Effect.scoped)
)
