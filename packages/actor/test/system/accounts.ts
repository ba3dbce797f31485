/** Actors that tests know well. */
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { short: Schema.Int }) {}

export const Account = Messages.make("account", {
  Deposit: Messages.tell({ amount: Schema.Int }),
  Balance: Messages.ask({}, { reply: Schema.Int }),
  Withdraw: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int, failure: Overdrawn }),
  Break: Messages.tell({ why: Schema.String }),
  BreakAt: Messages.ask({ why: Schema.String }, { reply: Schema.Int })
})

/** The same handlers, plainly and as Effects: what holds of one holds of the other. */
export const plain = Behavior.make(Account, {
  init: () => 0,
  on: {
    Deposit: (balance, { amount }) => balance + amount,
    Balance: (balance) => ({ state: balance, reply: balance }),
    Withdraw: (balance, { amount }) =>
      amount > balance
        ? { state: balance, failure: new Overdrawn({ short: amount - balance }) }
        : { state: balance - amount, reply: balance - amount },
    Break: (_, { why }) => {
      throw new Error(why)
    },
    BreakAt: (_, { why }) => {
      throw new Error(why)
    }
  }
})

export const effectful = Behavior.effect(Account, {
  init: () => Effect.succeed(0),
  on: {
    Deposit: (balance, { amount }) => Effect.as(Effect.yieldNow, balance + amount),
    Balance: (balance) => Effect.sync(() => ({ state: balance, reply: balance })),
    Withdraw: (balance, { amount }) =>
      amount > balance
        ? Effect.fail(new Overdrawn({ short: amount - balance }))
        : Effect.succeed({ state: balance - amount, reply: balance - amount }),
    Break: (_, { why }) => Effect.fail(why),
    BreakAt: (_, { why }) => Effect.die(new Error(why))
  }
})

export const behaviors = { plain, effectful } as const

/** Runs with a system that ends with it. */
export const within = <A, E>(effect: Effect.Effect<A, E, ActorSystem.ActorSystem>): Effect.Effect<A, E> =>
  Effect.provide(effect, ActorSystem.layer({ name: "test" }))

/** Until everybody has had its turns. */
export const settled: Effect.Effect<void> = Effect.promise(
  () => new Promise((resume) => setImmediate(() => setImmediate(resume)))
)

/** Time passes, a millisecond at a time, until it is done. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.forever(Effect.andThen(settled, TestClock.adjust(1))))

/** The dead letters so far. */
export const deadLetters = Effect.map(ActorSystem.ActorSystem, (system) => system.counters().deadLetters)
