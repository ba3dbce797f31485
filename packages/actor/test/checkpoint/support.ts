/** Two purses in a checkpoint, for tests of what they come back with. */
import { type ActorRef, ActorSystem, Behavior, Checkpoint, Messages } from "@troupe/actor"
import type { Storage } from "@troupe/storage"
import { Effect, Layer, Schema } from "effect"

export const Purse = Messages.make("purse", {
  Give: Messages.tell({ amount: Schema.Int }),
  Take: Messages.tell({ amount: Schema.Int }),
  Later: Messages.tell({ millis: Schema.Int }),
  Wait: Messages.tell({}),
  Break: Messages.tell({}),
  Sum: Messages.ask({}, { reply: Schema.Int })
})
export type Purse = typeof Purse.definition

/** Gives to another one, and is given to. */
export const purse = (other?: ActorRef<Purse>, first = 100) =>
  Behavior.make(Purse, {
    init: () => first,
    on: {
      Give: (sum, { amount }) => {
        other?.tell({ _tag: "Take", amount })
        return sum - amount
      },
      Take: (sum, { amount }) => sum + amount,
      Later: (sum, { millis }, self) => {
        self.setTimer("later", millis, { _tag: "Take", amount: 1_000 })
        return sum
      },
      Wait: (sum, _, self) => {
        self.stash()
        return sum
      },
      Break: () => {
        throw new Error("torn")
      },
      Sum: (sum) => ({ state: sum, reply: sum })
    }
  })

/** Takes a second for each message. */
export const slow = Behavior.effect(Purse, {
  init: () => Effect.succeed(0),
  on: {
    Give: (sum) => Effect.succeed(sum),
    Take: (sum, { amount }) => Effect.as(Effect.sleep("1 second"), sum + amount),
    Later: (sum) => Effect.succeed(sum),
    Wait: () => Effect.never,
    Break: () => Effect.die(new Error("torn")),
    Sum: (sum) => Effect.succeed({ state: sum, reply: sum })
  }
})

export type Env = ActorSystem.ActorSystem | Checkpoint.Checkpoint

/** A life of the process. Where its scope is not closed, it has crashed. */
export const begin = (storage: Layer.Layer<Storage>, options: Checkpoint.Options = {}) =>
  Layer.build(
    Layer.fresh(
      Checkpoint.layer("bank", options).pipe(Layer.provideMerge(ActorSystem.layer()), Layer.provideMerge(storage))
    )
  )

export const life = <A, E>(storage: Layer.Layer<Storage>, effect: Effect.Effect<A, E, Env | Storage>) =>
  Effect.scoped(Effect.flatMap(begin(storage), (context) => Effect.provideContext(effect, context)))

export const member = (
  behavior: Behavior.Behavior<Purse>,
  name: string,
  options: Partial<Checkpoint.MemberOptions<Purse, number>> = {}
) => Checkpoint.spawn(behavior, { name, state: Schema.Int, ...options })

export const pair = Effect.gen(function* () {
  const checkpoint = yield* Checkpoint.Checkpoint
  const bob = yield* member(purse(), "bob")
  const ann = yield* member(purse(bob), "ann")
  return { ann, bob, checkpoint, sums: Effect.all([ann.ask({ _tag: "Sum" }), bob.ask({ _tag: "Sum" })]) }
})

export const quick = { syncMillisMin: 0, syncMillisMax: 0 }
