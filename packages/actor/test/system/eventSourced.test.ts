/** Actors whose events are on disk. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, type Behavior, EventSourced, Messages, Supervision } from "@troupe/actor"
import { MemoryStorage, Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Layer, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Account, Overdrawn, settled } from "./accounts.ts"

const Deposited = Schema.Struct({ deposited: Schema.Int })

const account = (given: Partial<EventSourced.Given<typeof Account.definition, number, typeof Deposited.Type>> = {}) =>
  EventSourced.make(Account, {
    log: "account/ann",
    event: Deposited,
    init: () => 0,
    apply: (balance, { deposited }) => balance + deposited,
    on: {
      Deposit: (_, { amount }) => ({ events: [{ deposited: amount }] }),
      Balance: (balance) => ({ reply: balance }),
      Withdraw: (balance, { amount }) =>
        amount > balance
          ? { failure: new Overdrawn({ short: amount - balance }) }
          : { events: [{ deposited: -amount }], reply: balance - amount },
      Break: (_, { why }) => {
        throw new Error(why)
      },
      BreakAt: (_, { why }) => {
        throw new Error(why)
      }
    },
    ...given
  })

type Account = ReturnType<typeof account>

/** In a life of the process: with the disk of the lives before. */
const life = <A, E>(
  storage: Layer.Layer<Storage, unknown>,
  effect: Effect.Effect<A, E, ActorSystem.ActorSystem | Storage>
) => Effect.scoped(Effect.provide(effect, Layer.fresh(Layer.merge(ActorSystem.layer(), storage))))

const asked = (behavior: Account, ...amounts: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const ann = yield* ActorSystem.spawn(behavior)
    for (const amount of amounts) ann.tell({ _tag: "Deposit", amount })
    return yield* ann.ask({ _tag: "Balance" })
  })

const onDisk = <A, E>(use: (storage: Layer.Layer<Storage, unknown>) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "troupe-events-"))),
    (directory) => use(Disk.layer({ directory })),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )

const quick = { syncMillisMin: 0, syncMillisMax: 0 }

describe("an event-sourced actor", () => {
  it.live("knows after a restart, and in a later life, all that it has answered", () =>
    onDisk((storage) =>
      Effect.gen(function* () {
        expect(yield* life(storage, asked(account(), 5, 7))).toBe(12)
        const balance = yield* life(
          storage,
          Effect.gen(function* () {
            const ann = yield* ActorSystem.spawn(account())
            expect(yield* ann.ask({ _tag: "Withdraw", amount: 2 })).toBe(10)
            expect(yield* Effect.flip(ann.ask({ _tag: "Withdraw", amount: 11 }))).toEqual(new Overdrawn({ short: 1 }))
            ann.tell({ _tag: "Break", why: "ill" })
            return yield* ann.ask({ _tag: "Balance" })
          })
        )
        expect(balance).toBe(10)
      })
    )
  )

  it.live("answers nothing that a crash can undo: what it answered is there, after 100 crashes at any time", () =>
    Effect.gen(function* () {
      let partly = 0
      for (let seed = 1; seed <= 100; seed++) {
        const disks = SimulatedDisk.make({ seed, ...quick })
        let acknowledged = 0
        // A life that is never closed: it crashes when the next one has its disk.
        const crashed = yield* Scope.make()
        const found = yield* Effect.gen(function* () {
          const both = Layer.fresh(Layer.merge(ActorSystem.layer(), disks.layer("n1")))
          const ann = yield* Effect.provide(ActorSystem.spawn(account()), yield* Layer.buildWithScope(both, crashed))
          yield* ann.ask({ _tag: "Balance" })
          disks.disk("n1").crashAt = disks.disk("n1").operations + (seed % 30)
          for (let i = 1; i <= 20; i++) {
            const asking = Effect.map(ann.ask({ _tag: "Withdraw", amount: -1 }), () => acknowledged++)
            yield* Effect.forkChild(asking, { startImmediately: true })
            if (i % (1 + (seed % 7)) === 0) yield* settled
          }
          yield* settled
          const told = acknowledged
          return { told, balance: yield* life(disks.layer("n1"), asked(account())) }
        })
        expect({ seed, isThere: found.balance >= found.told }).toEqual({ seed, isThere: true })
        expect(found.balance).toBeLessThanOrEqual(20)
        partly += found.told > 0 && found.told < 20 ? 1 : 0
      }
      expect(partly).toBeGreaterThan(10)
    })
  )

  it.live("reads events of earlier versions as its own; those of a later one it refuses", () =>
    Effect.gen(function* () {
      const memory = yield* Layer.build(MemoryStorage.layer())
      const storage = Layer.succeedContext(memory)
      expect(yield* life(storage, asked(account(), 5))).toBe(5)
      const cents = {
        version: 3,
        upcast: (event: unknown, version: number) => {
          const { deposited } = event as { readonly deposited: number }
          return version === 1 ? { deposited: deposited * 10 } : { deposited: deposited * 10 }
        }
      }
      expect(yield* life(storage, asked(account(cents), 3))).toBe(503)
      const refused = yield* life(
        storage,
        Effect.gen(function* () {
          const ann = yield* ActorSystem.spawn(account(), { supervision: Supervision.stop })
          yield* settled
          return yield* Effect.flip(ann.ask({ _tag: "Balance" }))
        })
      )
      expect(refused).toMatchObject({ _tag: "ActorStopped" })
      expect(yield* life(storage, asked(account(cents)))).toBe(503)
    }).pipe(Effect.scoped)
  )

  it.live("puts its state in the place of a log that has grown, and goes on from it", () =>
    Effect.gen(function* () {
      const memory = yield* Layer.build(MemoryStorage.layer())
      const storage = Layer.succeedContext(memory)
      const snapshot = { state: Schema.Int, above: 4_096 }
      const balance = yield* life(
        storage,
        Effect.gen(function* () {
          const ann = yield* ActorSystem.spawn(account({ snapshot }))
          for (let i = 1; i <= 500; i++) {
            ann.tell({ _tag: "Deposit", amount: 1 })
            if (i % 50 === 0) yield* settled
          }
          return yield* ann.ask({ _tag: "Balance" })
        })
      )
      expect(balance).toBe(500)
      const bytes = yield* life(
        storage,
        Effect.scoped(Effect.flatMap(Storage, (each) => Effect.map(each.log("account/ann"), (log) => log.bytes)))
      )
      expect(bytes).toBeLessThan(8_192)
      expect(yield* life(storage, asked(account({ snapshot }), 1))).toBe(501)
    }).pipe(Effect.scoped)
  )

  it.live("reads a snapshot of an earlier version as its own, and the events that came after it", () =>
    Effect.gen(function* () {
      const memory = yield* Layer.build(MemoryStorage.layer())
      const storage = Layer.succeedContext(memory)
      const first = account({ snapshot: { state: Schema.Int, above: 0 } })
      expect(
        yield* life(
          storage,
          Effect.tap(asked(first, 5), () => settled)
        )
      ).toBe(5)
      expect(yield* life(storage, asked(account({ snapshot: { state: Schema.Int } }), 2))).toBe(7)
      const upcast = (event: unknown) => {
        const { deposited } = event as { readonly deposited: number }
        return { deposited: deposited * 10 }
      }
      const snapshot = { state: Schema.Int, above: 0, upcast: (state: unknown) => (state as number) * 10 }
      const third = account({ version: 3, upcast, snapshot })
      expect(
        yield* life(
          storage,
          Effect.tap(asked(third, 1), () => settled)
        )
      ).toBe(701)
      expect(yield* life(storage, asked(third))).toBe(701)
    }).pipe(Effect.scoped)
  )

  it.effect("fails when its disk does, and has what was on it when it starts again", () =>
    Effect.gen(function* () {
      const disks = SimulatedDisk.make({ seed: 1, ...quick })
      const disk = disks.disk("n1")
      yield* life(
        disks.layer("n1"),
        Effect.gen(function* () {
          const system = yield* ActorSystem.ActorSystem
          const supervision = Supervision.restart({ backoff: Schedule.spaced("1 second") })
          const ann = yield* ActorSystem.spawn(account(), { supervision })
          expect(yield* ann.ask({ _tag: "Withdraw", amount: -5 })).toBe(5)
          disk.failing = "syncs"
          const withdrawing = Effect.flip(ann.ask({ _tag: "Withdraw", amount: -5 }))
          const asking = yield* Effect.forkChild(withdrawing, { startImmediately: true })
          yield* settled
          disk.failing = "nothing"
          yield* TestClock.adjust("1 second")
          yield* settled
          const balance = yield* ann.ask({ _tag: "Balance" })
          // The second may be on the disk, or not.
          expect([5, 10]).toContain(balance)
          expect(asking.pollUnsafe()).toMatchObject({
            value: { _tag: "HandlerFailed", cause: { _tag: "StorageFailed" } }
          })
          expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
          expect(yield* ann.ask({ _tag: "Withdraw", amount: -1 })).toBe(balance + 1)
        })
      )
    })
  )

  it.live("is one for each log: a second one cannot start", () =>
    life(
      MemoryStorage.layer(),
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(account())
        expect(yield* ann.ask({ _tag: "Balance" })).toBe(0)
        const second = yield* ActorSystem.spawn(account(), { supervision: Supervision.stop })
        expect(yield* Effect.flip(second.ask({ _tag: "Balance" }))).toMatchObject({ _tag: "ActorStopped" })
        expect(yield* ann.ask({ _tag: "Balance" })).toBe(0)
      })
    )
  )

  it.live("does `after` when its events are on disk, in order", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const M = Messages.make("m", {
        Say: Messages.tell({ text: Schema.String }),
        Said: Messages.ask({}, { reply: Schema.Int })
      })
      const saying: Behavior.Behavior<typeof M.definition, Storage> = EventSourced.make(M, {
        log: "said",
        event: Schema.String,
        init: () => 0,
        apply: (count) => count + 1,
        on: {
          Say: (_, { text }) => ({ events: [text], after: () => told.push(text) }),
          Said: (count) => ({ reply: count })
        }
      })
      const disks = SimulatedDisk.make({ seed: 1, ...quick })
      yield* life(
        disks.layer("n1"),
        Effect.gen(function* () {
          const ref = yield* ActorSystem.spawn(saying)
          for (const text of ["a", "b", "c"]) ref.tell({ _tag: "Say", text })
          expect(yield* ref.ask({ _tag: "Said" })).toBe(3)
          expect(told).toEqual(["a", "b", "c"])
        })
      )
    })
  )
})
