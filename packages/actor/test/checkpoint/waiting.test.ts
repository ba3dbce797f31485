/** What waits for a member of a checkpoint, and for its answers: it waits as before after a rollback. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Checkpoint, Messages, Observed } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import { Cause, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { settled } from "../system/accounts.ts"

const Pile = Messages.make("pile", {
  Put: Messages.tell({ n: Schema.Int }),
  Open: Messages.tell({}),
  Numbers: Messages.ask({}, { reply: Schema.Array(Schema.Int) }),
  Never: Messages.ask({}, { reply: Schema.Int })
})

const Piled = Schema.Struct({ isOpen: Schema.Boolean, numbers: Schema.Array(Schema.Int) })

/** What comes before it is open it puts aside; to open it takes a second. The smallest number comes first. */
const pile = Behavior.effect(Pile, {
  mailbox: { priority: (message) => (message._tag === "Put" ? message.n : 0) },
  init: () => Effect.succeed<typeof Piled.Type>({ isOpen: false, numbers: [] }),
  on: {
    Put: ({ isOpen, numbers }, { n }, self) => {
      if (!isOpen) self.stash()
      return Effect.succeed({ isOpen, numbers: isOpen ? [...numbers, n] : numbers })
    },
    Open: ({ numbers }, _, self) =>
      Effect.map(Effect.sleep("1 second"), () => {
        self.unstash()
        return { isOpen: true, numbers }
      }),
    Numbers: (state, _, self) =>
      Effect.succeed(state.isOpen ? { state, reply: state.numbers } : { state, later: self.stash() }),
    Never: (state, _, self) => Effect.succeed({ state, later: self.defer() })
  }
})

const inLife = <A, E>(effect: Effect.Effect<A, E, ActorSystem.ActorSystem | Checkpoint.Checkpoint>, sample = 0) =>
  Effect.provide(
    effect,
    Checkpoint.layer("piles").pipe(
      Layer.provideMerge(Layer.provide(ActorSystem.layer(), Observed.layer({ sample }))),
      Layer.provide(MemoryStorage.layer())
    )
  )

const spawned = Checkpoint.spawn(pile, { name: "pile", state: Piled })

const rolledBack = { _tag: "HandlerFailed", cause: { _tag: "RolledBack" } }

describe("at a rollback", () => {
  it.effect.each([0, 1])("what was put ahead comes first again, the rest by its rank; traced: %s", (sample) =>
    inLife(
      Effect.gen(function* () {
        const checkpoint = yield* Checkpoint.Checkpoint
        const ref = yield* spawned
        const put = (...numbers: ReadonlyArray<number>) =>
          Effect.withSpan(
            Effect.sync(() => {
              for (const n of numbers) ref.tell({ _tag: "Put", n })
            }),
            "putting"
          )
        yield* put(3)
        yield* settled
        const asked = yield* Effect.forkChild(ref.ask({ _tag: "Numbers" }))
        yield* settled
        yield* put(2)
        yield* settled
        ref.tell({ _tag: "Open" })
        yield* settled
        yield* put(9, 8)
        const saved = yield* Effect.forkChild(checkpoint.save)
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* settled
        expect(yield* Fiber.join(saved)).toBe(1)
        expect(yield* Fiber.join(asked)).toEqual([3])
        expect(yield* ref.ask({ _tag: "Numbers" })).toEqual([3, 2, 8, 9])
        yield* checkpoint.rollback
        yield* settled
        expect(yield* ref.ask({ _tag: "Numbers" })).toEqual([3, 2, 8, 9])
      }),
      sample
    )
  )

  it.effect("who waits for an answer that was put off is told so", () =>
    inLife(
      Effect.gen(function* () {
        const checkpoint = yield* Checkpoint.Checkpoint
        const ref = yield* spawned
        yield* checkpoint.save
        const asking = yield* Effect.forkChild(Effect.exit(ref.ask({ _tag: "Never" })), { startImmediately: true })
        yield* settled
        yield* checkpoint.rollback
        yield* settled
        const exit = asking.pollUnsafe()
        expect(
          exit && Exit.isSuccess(exit) && Exit.isFailure(exit.value) && Cause.squash(exit.value.cause)
        ).toMatchObject(rolledBack)
      })
    )
  )
})
