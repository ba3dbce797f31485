/** Actors that count, plainly and by Effects, and how they are told and asked: the same for each bench. */
import { type ActorRef, Behavior, Messages } from "@troupe/actor"
import { Effect, Schema } from "effect"

const Counter = Messages.make("counter", {
  Add: Messages.tell({ amount: Schema.Int }),
  Sum: Messages.ask({}, { reply: Schema.Int })
})
export type Counting = ActorRef<typeof Counter.definition>

export const plain = Behavior.make(Counter, {
  init: () => 0,
  on: { Add: (sum, { amount }) => sum + amount, Sum: (sum) => ({ state: sum, reply: sum }) }
})
export const effectful = Behavior.effect(Counter, {
  init: () => Effect.succeed(0),
  on: {
    Add: (sum, { amount }) => Effect.sync(() => sum + amount),
    Sum: (sum) => Effect.sync(() => ({ state: sum, reply: sum }))
  }
})

/** Told in one go. */
export const burst = 50_000

/** So many messages, and those that were taken. */
export const telling = (ref: Counting, tells: number): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    const before = yield* ref.ask({ _tag: "Sum" })
    for (let told = 0; told < tells; told += burst) {
      for (let i = 0; i < burst; i++) ref.tell({ _tag: "Add", amount: 1 })
      yield* ref.ask({ _tag: "Sum" })
    }
    return (yield* ref.ask({ _tag: "Sum" })) - before
  })

/** So many questions, one after the other. */
export const asking = (ref: Counting, asks: number): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    let answered = 0
    for (; answered < asks; answered++) yield* ref.ask({ _tag: "Sum" })
    return answered
  })
