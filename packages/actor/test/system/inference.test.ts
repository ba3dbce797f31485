/** What is inferred of a behaviour: it is enough that this compiles. */
import { expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, type AskError, Behavior, Messages } from "@troupe/actor"
import { Context, Effect, Schema } from "effect"

const Counter = Messages.make("counter", {
  Add: Messages.tell({ amount: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int })
})

class Step extends Context.Service<Step, number>()("test/Step") {}

const plain = Behavior.make(Counter, {
  init: (self) => Math.floor(self.random()),
  on: {
    Add: (sum, { amount }) => sum + amount,
    Sum: (sum) => ({ state: sum, reply: sum })
  }
})

const effectful = Behavior.effect(Counter, {
  init: (self) => Effect.succeed(Math.floor(self.random())),
  on: {
    Add: (sum, { amount }) => Effect.map(Step, (step) => sum + step * amount),
    Sum: (sum) => Effect.succeed({ state: sum, reply: sum })
  }
})

const stateless = Behavior.make(Counter, {
  init: () => undefined,
  on: {
    Add: () => {},
    Sum: (state) => ({ state, reply: 0 })
  }
})

/** Handlers of what is no message, and a failure that the question has not. */
export const mistaken = [
  Behavior.make(Counter, {
    init: () => 0,
    // @ts-expect-error
    on: { Add: (sum) => sum, Sum: (sum) => ({ state: sum, reply: sum }), Sub: (sum: number) => sum }
  }),
  Behavior.effect(Counter, {
    init: () => Effect.succeed(0),
    on: {
      Add: (sum) => Effect.succeed(sum),
      Sum: (sum) => Effect.succeed({ state: sum, reply: sum }),
      // @ts-expect-error
      Sub: (sum: number) => Effect.succeed(sum)
    }
  }),
  Behavior.effect(Counter, {
    init: () => Effect.succeed(0),
    on: {
      Add: (sum) => Effect.succeed(sum),
      // @ts-expect-error
      Sum: () => Effect.fail("a failure that nobody agreed on")
    }
  })
]

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** A question without a failure of its own fails only as any question can. */
export const failures: [Same<Messages.FailureOf<typeof Counter.definition, "Sum">, never>, Same<Failing, AskError>] = [
  true,
  true
]
type Failing = Effect.Error<ReturnType<ActorRef<typeof Counter.definition>["ask"]>>

const sumOf = <R>(behavior: Behavior.Behavior<typeof Counter.definition, R>) =>
  Effect.gen(function* () {
    const ref = yield* ActorSystem.spawn(behavior)
    ref.tell({ _tag: "Add", amount: 3 })
    return yield* ref.ask({ _tag: "Sum" })
  })

it.effect("the state from `init`, also where that takes `self`; and what handlers need", () =>
  Effect.gen(function* () {
    expect(yield* sumOf(plain)).toBe(3)
    expect(yield* Effect.provideService(sumOf(effectful), Step, 2)).toBe(6)
    expect(yield* sumOf(stateless)).toBe(0)
  }).pipe(Effect.provide(ActorSystem.layer()))
)
