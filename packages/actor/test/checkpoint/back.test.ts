/** The way back to a checkpoint: told to, after a failure, after a crash. */
import { describe, expect, it } from "@effect/vitest"
import { Checkpoint, Supervision } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { settled } from "../system/accounts.ts"
import { begin, life, member, pair, purse, quick, slow } from "./support.ts"
import { run } from "./worlds.ts"

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
