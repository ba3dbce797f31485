/** Checkpoints of several actors, and the way back: each row of the table in the README. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Checkpoint, EventSourced, Messages, Supervision } from "@troupe/actor"
import { MemoryStorage, type Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { settled } from "../system/accounts.ts"
import { run } from "./worlds.ts"

const Purse = Messages.make("purse", {
  Give: Messages.tell({ amount: Schema.Int }),
  Take: Messages.tell({ amount: Schema.Int }),
  Later: Messages.tell({ millis: Schema.Int }),
  Wait: Messages.tell({}),
  Break: Messages.tell({}),
  Sum: Messages.ask({}, { reply: Schema.Int })
})
type Purse = typeof Purse.definition

/** Gives to another one, and is given to. */
const purse = (other?: ActorRef<Purse>, first = 100) =>
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
const slow = Behavior.effect(Purse, {
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

type Env = ActorSystem.ActorSystem | Checkpoint.Checkpoint

/** A life of the process. Where its scope is not closed, it has crashed. */
const begin = (storage: Layer.Layer<Storage>, options: Checkpoint.Options = {}) =>
  Layer.build(
    Layer.fresh(
      Checkpoint.layer("bank", options).pipe(Layer.provideMerge(ActorSystem.layer()), Layer.provideMerge(storage))
    )
  )

const life = <A, E>(storage: Layer.Layer<Storage>, effect: Effect.Effect<A, E, Env | Storage>) =>
  Effect.scoped(Effect.flatMap(begin(storage), (context) => Effect.provideContext(effect, context)))

const member = (
  behavior: Behavior.Behavior<Purse>,
  name: string,
  options: Partial<Checkpoint.MemberOptions<Purse, number>> = {}
) => Checkpoint.spawn(behavior, { name, state: Schema.Int, ...options })

const pair = Effect.gen(function* () {
  const checkpoint = yield* Checkpoint.Checkpoint
  const bob = yield* member(purse(), "bob")
  const ann = yield* member(purse(bob), "ann")
  return { ann, bob, checkpoint, sums: Effect.all([ann.ask({ _tag: "Sum" }), bob.ask({ _tag: "Sum" })]) }
})

const quick = { syncMillisMin: 0, syncMillisMax: 0 }

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

describe("the way back", () => {
  it.live("takes all members to the last checkpoint, with what was under way; who asks is told", () =>
    life(
      MemoryStorage.layer(),
      Effect.gen(function* () {
        const { ann, bob, checkpoint, sums } = yield* pair
        expect(yield* Effect.flip(checkpoint.rollback)).toMatchObject({ _tag: "NoCheckpoint" })
        ann.tell({ _tag: "Give", amount: 1 })
        yield* settled
        yield* checkpoint.save
        const young = yield* member(purse(undefined, 7), "young")
        ann.tell({ _tag: "Give", amount: 10 })
        yield* settled
        bob.tell({ _tag: "Later", millis: 60_000 })
        const back = yield* Effect.forkChild(checkpoint.rollback)
        expect(yield* Fiber.join(back)).toBe(1)
        expect(yield* sums).toEqual([99, 101])
        expect(yield* young.ask({ _tag: "Sum" })).toBe(7)
      })
    )
  )

  it.live("is taken by all when one of them fails and starts again", () =>
    life(
      MemoryStorage.layer(),
      Effect.gen(function* () {
        const { ann, bob, checkpoint, sums } = yield* pair
        const tim = yield* member(slow, "tim")
        ann.tell({ _tag: "Give", amount: 1 })
        yield* settled
        yield* checkpoint.save
        ann.tell({ _tag: "Give", amount: 10 })
        yield* settled
        bob.tell({ _tag: "Break" })
        bob.tell({ _tag: "Take", amount: 5 })
        yield* settled
        expect(yield* sums).toEqual([99, 101])
        tim.tell({ _tag: "Break" })
        ann.tell({ _tag: "Give", amount: 10 })
        yield* settled
        expect(yield* sums).toEqual([99, 101])
        // Not where it is to go on with what it knew.
        const calm = yield* member(purse(), "calm", { supervision: Supervision.resume })
        yield* checkpoint.save
        ann.tell({ _tag: "Give", amount: 10 })
        calm.tell({ _tag: "Break" })
        yield* settled
        expect(yield* sums).toEqual([89, 111])
      })
    )
  )

  it.effect("is taken before a checkpoint that was under way when a member failed", () =>
    Effect.gen(function* () {
      const context = yield* begin(MemoryStorage.layer())
      const { ann, bob, checkpoint, sums } = yield* Effect.provideContext(pair, context)
      const tim = yield* Effect.provideContext(member(slow, "tim"), context)
      ann.tell({ _tag: "Give", amount: 1 })
      yield* settled
      yield* checkpoint.save
      tim.tell({ _tag: "Take", amount: 1 })
      yield* settled
      const saved = yield* Effect.forkChild(checkpoint.save)
      yield* settled
      bob.tell({ _tag: "Break" })
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* settled
      expect(yield* Fiber.join(saved)).toBe(2)
      expect(yield* sums).toEqual([99, 101])
    }).pipe(Effect.scoped)
  )

  it.live("leads past a checkpoint that is damaged to the one before, and tells of it", () =>
    Effect.gen(function* () {
      const disk = SimulatedDisk.make({ seed: 1, ...quick }).disk("n1")
      yield* life(
        disk.layer,
        Effect.gen(function* () {
          const { ann, checkpoint } = yield* pair
          for (let i = 0; i < 4; i++) {
            ann.tell({ _tag: "Give", amount: 10 })
            yield* settled
            yield* checkpoint.save
          }
        })
      )
      const latest = yield* life(
        disk.layer,
        Effect.map(Checkpoint.Checkpoint, ({ recovered }) => recovered.number)
      )
      expect(latest).toBe(4)
      // The fourth stands where the first one stood.
      const path = disk.paths.find((each) => /bank.*0.*\.log|bank.*0/.test(each))!
      for (let at = 200; at < 260; at++) disk.flipBit(path, at * 8)
      yield* life(
        disk.layer,
        Effect.gen(function* () {
          const { checkpoint, sums } = yield* pair
          expect(checkpoint.recovered.number).toBe(3)
          expect(checkpoint.recovered.passed).toMatchObject([{ log: "bank/0" }])
          expect(yield* sums).toEqual([70, 130])
          expect(yield* checkpoint.save).toBe(4)
        })
      )
      expect(
        yield* life(
          disk.layer,
          Effect.map(pair, ({ checkpoint }) => checkpoint.recovered.number)
        )
      ).toBe(4)
    })
  )

  it.live("leads past a checkpoint that was not written to its end, or over another one in part", () =>
    Effect.gen(function* () {
      const store = MemoryStorage.make()
      const storage = MemoryStorage.layer(store)
      yield* life(
        storage,
        Effect.gen(function* () {
          const { checkpoint } = yield* pair
          for (let number = 1; number <= 3; number++) yield* checkpoint.save
        })
      )
      const recordsOf = (slot: number) => store.logs.get(`bank/${slot}`)!.records
      recordsOf(2).pop()
      recordsOf(1)[0] = recordsOf(0)[0]!
      const { number, passed } = yield* life(
        storage,
        Effect.map(Checkpoint.Checkpoint, ({ recovered }) => recovered)
      )
      expect(number).toBe(1)
      expect(passed.map(({ log }) => log)).toEqual(["bank/1", "bank/2"])
    })
  )

  it.live("leads to a checkpoint that is whole from a crash at any operation of the disk", () =>
    Effect.gen(function* () {
      const numbers = new Set<number>()
      for (let at = 0; at < 60; at++) {
        const disk = SimulatedDisk.make({ seed: at, ...quick }).disk("n1")
        let acknowledged = 0
        const crashed = yield* Scope.make()
        const context = yield* Scope.provide(begin(disk.layer, { keep: 2 }), crashed)
        const crashAt = (disk.crashAt = disk.operations + at)
        const saving = yield* Effect.gen(function* () {
          const { ann, checkpoint } = yield* pair
          for (let number = 1; number <= 6; number++) {
            for (let i = 0; i < 40; i++) ann.tell({ _tag: "Give", amount: number })
            acknowledged = yield* checkpoint.save
          }
        }).pipe(Effect.provideContext(context), Effect.forkChild)
        while (saving.pollUnsafe() === undefined && disk.operations < crashAt) yield* settled
        yield* life(
          disk.layer,
          Effect.gen(function* () {
            const { checkpoint, sums } = yield* pair
            yield* settled
            const { number } = checkpoint.recovered
            expect(number, `crash at ${at}`).toBeGreaterThanOrEqual(acknowledged)
            numbers.add(number)
            const [ann = 0, bob = 0] = yield* sums
            expect(ann + bob, `crash at ${at}`).toBe(200)
          })
        )
      }
      expect(numbers.size).toBeGreaterThan(4)
    })
  )

  it.live("goes on with a disk that was full", () =>
    Effect.gen(function* () {
      const disk = SimulatedDisk.make({ seed: 1, ...quick }).disk("n1")
      yield* life(
        disk.layer,
        Effect.gen(function* () {
          const { checkpoint } = yield* pair
          yield* checkpoint.save
          disk.failing = "writes"
          expect((yield* Effect.flip(checkpoint.save))._tag).toBe("StorageFailed")
          disk.failing = "nothing"
          expect(yield* checkpoint.save).toBe(2)
        })
      )
    })
  )
})

describe("in simulated worlds", () => {
  it("no crash of a process, whenever it comes, makes or loses what members give to each other", async () => {
    let lives = 0
    for (let seed = 1; seed <= 8; seed++) {
      const { seen, violations } = await run(seed)
      expect(violations, `seed ${seed}`).toEqual([])
      lives += seen.lives
    }
    expect(lives).toBeGreaterThan(20)
  })

  it("processes that save their actors one by one come back with sums that never were", async () => {
    const broken = new Set<string>()
    for (let seed = 1; seed <= 3; seed++) for (const rule of (await run(seed, "apart")).violations) broken.add(rule)
    expect(broken).toContain("what was given is lost or doubled")
  })
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
