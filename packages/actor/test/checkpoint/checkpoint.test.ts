/** Checkpoints of several actors: each row of the table in the README. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Checkpoint, EventSourced, Messages } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import { Effect, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { settled } from "../system/accounts.ts"
import { begin, life, member, pair, purse, slow } from "./support.ts"

describe("a checkpoint", () => {
  it.live("is what members resume from in a later life, all from one moment; what came later is gone", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      yield* life(
        storage,
        Effect.gen(function* () {
          const { ann, checkpoint } = yield* pair
          ann.tell({ _tag: "Give", amount: 30 })
          yield* settled
          expect(yield* checkpoint.save).toBe(1)
          ann.tell({ _tag: "Give", amount: 5 })
          yield* settled
        })
      )
      yield* life(
        storage,
        Effect.gen(function* () {
          const { checkpoint, sums } = yield* pair
          expect(checkpoint.recovered).toEqual({ number: 1, passed: [] })
          expect(yield* sums).toEqual([70, 130])
          expect(yield* checkpoint.save).toBe(2)
        })
      )
    })
  )

  it.live("holds what is under way: messages in mailboxes, and those that were put aside", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      yield* life(
        storage,
        Effect.gen(function* () {
          const { ann, bob, checkpoint } = yield* pair
          const saved = yield* Effect.forkChild(checkpoint.save)
          // Not handled yet when the checkpoint is taken.
          for (let i = 0; i < 20_000; i++) ann.tell({ _tag: "Give", amount: 1 })
          bob.tell({ _tag: "Wait" })
          yield* Fiber.join(saved)
        })
      )
      yield* life(
        storage,
        Effect.gen(function* () {
          const { sums } = yield* pair
          yield* settled
          expect(yield* sums).toEqual([100 - 20_000, 100 + 20_000])
        })
      )
    })
  )

  it.effect("holds timers, which have as long to run as they had", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      yield* life(
        storage,
        Effect.gen(function* () {
          const { bob, checkpoint } = yield* pair
          bob.tell({ _tag: "Later", millis: 5_000 })
          yield* settled
          yield* TestClock.adjust(2_000)
          yield* checkpoint.save
        })
      )
      yield* TestClock.adjust(60_000)
      yield* life(
        storage,
        Effect.gen(function* () {
          const { sums } = yield* pair
          yield* TestClock.adjust(2_999)
          yield* settled
          expect(yield* sums).toEqual([100, 100])
          yield* TestClock.adjust(1)
          yield* settled
          expect(yield* sums).toEqual([100, 1_100])
        })
      )
    })
  )

  it.effect("waits for a handler that is under way, and gives up after `patience`; all go on", () =>
    Effect.gen(function* () {
      const context = yield* begin(MemoryStorage.layer(), { patience: "5 seconds" })
      const { checkpoint, tim, tom } = yield* Effect.gen(function* () {
        return {
          checkpoint: yield* Checkpoint.Checkpoint,
          tim: yield* member(slow, "tim"),
          tom: yield* member(slow, "tom")
        }
      }).pipe(Effect.provideContext(context))
      tim.tell({ _tag: "Take", amount: 1 })
      tim.tell({ _tag: "Take", amount: 2 })
      yield* settled
      const saved = yield* Effect.forkChild(checkpoint.save)
      yield* settled
      expect(saved.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 second")
      yield* settled
      expect(yield* Fiber.join(saved)).toBe(1)
      yield* TestClock.adjust("1 second")
      yield* settled
      expect(yield* tim.ask({ _tag: "Sum" })).toBe(3)
      tim.tell({ _tag: "Wait" })
      yield* settled
      const late = yield* Effect.forkChild(Effect.flip(checkpoint.save))
      yield* settled
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(late)).toMatchObject({ _tag: "NotAtRest", members: ["tim"], millis: 5_000 })
      expect(yield* tom.ask({ _tag: "Sum" })).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("whose taker waits no more leaves nobody standing still", () =>
    life(
      MemoryStorage.layer(),
      Effect.gen(function* () {
        const checkpoint = yield* Checkpoint.Checkpoint
        const [tim, tom] = [yield* member(slow, "tim"), yield* member(slow, "tom")]
        tim.tell({ _tag: "Wait" })
        tom.tell({ _tag: "Take", amount: 1 })
        yield* settled
        const saving = yield* Effect.forkChild(checkpoint.save)
        yield* settled
        yield* Fiber.interrupt(saving)
        yield* TestClock.adjust("1 second")
        yield* settled
        expect(yield* tom.ask({ _tag: "Sum" })).toBe(1)
      })
    )
  )

  it.effect("knows its members by their names, whatever these are", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      const spent = Effect.gen(function* () {
        const ref = yield* member(purse(), "__proto__")
        ref.tell({ _tag: "Give", amount: 1 })
        yield* (yield* Checkpoint.Checkpoint).save
        return yield* ref.ask({ _tag: "Sum" })
      })
      expect([yield* life(storage, spent), yield* life(storage, spent)]).toEqual([99, 98])
    })
  )

  it.effect("is taken every so often, and keeps a member that this life has not spawned yet", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      yield* life(
        storage,
        Effect.gen(function* () {
          const { ann, checkpoint } = yield* pair
          ann.tell({ _tag: "Give", amount: 30 })
          yield* settled
          yield* checkpoint.save
        })
      )
      const crashed = yield* Scope.make()
      const context = yield* Scope.provide(begin(storage, { every: "10 seconds" }), crashed)
      yield* Effect.provideContext(member(purse(), "bob"), context)
      yield* settled
      yield* TestClock.adjust("25 seconds")
      yield* settled
      yield* life(
        storage,
        Effect.gen(function* () {
          const { checkpoint, sums } = yield* pair
          expect(checkpoint.recovered.number).toBe(3)
          expect(yield* sums).toEqual([70, 130])
        })
      )
    })
  )

  it.live("tells which member cannot be written, or read", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      yield* life(
        storage,
        Effect.gen(function* () {
          const { checkpoint } = yield* pair
          const eve = yield* member(purse(undefined, 0.5), "eve")
          expect(yield* Effect.flip(checkpoint.save)).toMatchObject({ _tag: "NotWritable", member: "eve" })
          yield* (yield* ActorSystem.ActorSystem).stop(eve)
          yield* checkpoint.save
        })
      )
      yield* life(
        storage,
        Effect.gen(function* () {
          const text = { name: "ann", state: Schema.Struct({ sum: Schema.Int }) }
          const wrong = Checkpoint.spawn(purse() as never, text)
          expect(yield* Effect.flip(wrong)).toMatchObject({ _tag: "NotReadable", member: "ann", found: 1, known: 1 })
          const newer = Checkpoint.spawn(purse() as never, { ...text, version: 2 })
          expect(yield* Effect.flip(newer)).toMatchObject({ _tag: "NotReadable", known: 2 })
          const ann = yield* member(purse(), "ann", { version: 2, upcast: (sum) => (sum as number) * 10 })
          expect(yield* ann.ask({ _tag: "Sum" })).toBe(1_000)
          yield* (yield* Checkpoint.Checkpoint).save
        })
      )
      yield* life(
        storage,
        Effect.gen(function* () {
          expect(yield* Effect.flip(member(purse(), "ann"))).toMatchObject({ _tag: "NotReadable", found: 2, known: 1 })
        })
      )
    })
  )
})

describe("beside a checkpoint", () => {
  it.live("an event-sourced actor resumes from its last event: its log is ahead of every checkpoint", () =>
    Effect.gen(function* () {
      const storage = MemoryStorage.layer(MemoryStorage.make())
      const Till = Messages.make("till", { Put: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int }) })
      const till = EventSourced.make(Till, {
        log: "till",
        event: Schema.Int,
        init: () => 0,
        apply: (sum, amount) => sum + amount,
        on: { Put: (sum, { amount }) => ({ events: [amount], reply: sum + amount }) }
      })
      yield* life(
        storage,
        Effect.gen(function* () {
          const { ann, checkpoint } = yield* pair
          yield* checkpoint.save
          const kept = yield* ActorSystem.spawn(till)
          ann.tell({ _tag: "Take", amount: 5 })
          expect(yield* kept.ask({ _tag: "Put", amount: 5 })).toBe(5)
        })
      )
      yield* life(
        storage,
        Effect.gen(function* () {
          const { sums } = yield* pair
          const kept = yield* ActorSystem.spawn(till)
          expect(yield* sums).toEqual([100, 100])
          expect(yield* kept.ask({ _tag: "Put", amount: 0 })).toBe(5)
        })
      )
    })
  )

  it("processes that checkpoint independently may go back to their first states: the domino effect", () => {
    // Each checkpoints when it has heard from the other one, and answers after that: no two of their checkpoints fit.
    const a = [{}, { b: 0 }, { b: 1 }, { b: 2 }]
    const b = [{}, { a: 1 }, { a: 2 }, { a: 3 }]
    expect(Checkpoint.recoveryLine({ a, b })).toEqual({ a: 0, b: 0 })
    // One answer less, and they go back to it.
    expect(Checkpoint.recoveryLine({ a, b: [...b.slice(0, 3), { a: 2 }] })).toEqual({ a: 3, b: 3 })
    // A message from after a's checkpoint takes b back by one.
    expect(Checkpoint.recoveryLine({ a: [{}, {}], b: [{}, {}, { a: 1 }] })).toEqual({ a: 1, b: 1 })
    expect(Checkpoint.recoveryLine({ a: [{}], b: [{}, { a: 0 }] })).toEqual({ a: 0, b: 0 })
  })
})
