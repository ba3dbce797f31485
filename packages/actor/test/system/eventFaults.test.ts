/** Event-sourced actors whose code, schemas or disks fail: what was acknowledged is there, and nothing by halves. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, EventSourced, Messages, Supervision } from "@troupe/actor"
import { type Log, MemoryStorage, Storage, StorageFailed } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, Schema, Scope } from "effect"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { passing, settled } from "./accounts.ts"

const M = Messages.make("sum", {
  Add: Messages.ask({ amounts: Schema.Array(Schema.Number) }, { reply: Schema.Number }),
  Note: Messages.tell({ amount: Schema.Number, after: Schema.Any }),
  Sum: Messages.ask({}, { reply: Schema.Number })
})
type M = typeof M.definition
const cursed = 13

type Given = EventSourced.Given<M, number, number>

const sum = (given: Partial<Given> = {}) =>
  EventSourced.make(M, {
    log: "sum",
    event: Schema.Int,
    init: () => 0,
    apply: (before, amount) => {
      if (amount === cursed) throw new Error("cursed")
      return before + amount
    },
    on: {
      Add: (before, { amounts }) => ({ events: amounts, reply: before }),
      Note: (_, { after, amount }) => ({ events: amount === 0 ? [] : [amount], after }),
      Sum: (now) => ({ reply: now })
    },
    ...given
  })

/** The same log, but for that. */
const like = (log: Log, but: Partial<Log>): Log => ({
  ...{ name: log.name, first: log.first, append: log.append, flush: log.flush, flushed: log.flushed, read: log.read },
  ...{ snapshot: log.snapshot, compact: log.compact, truncate: log.truncate },
  get next() {
    return log.next
  },
  get bytes() {
    return log.bytes
  },
  ...but
})

/** In a life of the process. */
const life = <A, E>(
  storage: Layer.Layer<Storage, unknown>,
  effect: Effect.Effect<A, E, ActorSystem.ActorSystem | Storage>
) =>
  passing(
    Effect.scoped(Effect.provide(effect, Layer.fresh(Layer.mergeAll(ActorSystem.layer(), storage, Logger.layer([])))))
  )

const inMemory = (): Layer.Layer<Storage> => MemoryStorage.layer(MemoryStorage.make())

const add = (ref: ActorRef<M>, ...amounts: ReadonlyArray<number>) =>
  Effect.match(ref.ask({ _tag: "Add", amounts }, { timeout: 200 }), {
    onFailure: ({ _tag }) => _tag,
    onSuccess: () => "done" as const
  })

const sumOf = (ref: ActorRef<M>) => ref.ask({ _tag: "Sum" })

const End = Messages.make("end", { End: Messages.tell({ why: Schema.Any }) })

/** Why it has ended. */
const failureOf = (watched: ActorRef<any>) =>
  Effect.gen(function* () {
    let found: unknown
    const watcher = Behavior.make(End, {
      init: (self) =>
        self.watch(watched, (reason) => ({
          _tag: "End",
          why: reason._tag === "Failed" ? Cause.squash(reason.cause) : reason._tag
        })),
      on: { End: (_, { why }) => void (found = why) }
    })
    yield* ActorSystem.spawn(watcher)
    yield* settled
    return found
  })

const supervisions = [
  ["restart", Supervision.restart()],
  ["restart, state kept", Supervision.restart({ state: "kept" })],
  ["resume", Supervision.resume]
] as const

describe.each(supervisions)("%s", (_, supervision) => {
  it.effect.each([
    ["its schema refuses", [10, 1.5]],
    ["`apply` throws at", [10, cursed]],
    ["the log refuses", [10, 99]]
  ] as const)("of events of which one is none that %s, none is", ([, amounts]) =>
    Effect.gen(function* () {
      const memory = yield* Effect.provide(Storage, inMemory())
      const refusing = (log: Log): Log =>
        like(log, {
          append: (record) => {
            if (new TextDecoder().decode(record).includes("99")) throw new RangeError("too large: divide it")
            return log.append(record)
          }
        })
      const storage = Layer.succeed(Storage, {
        ...memory,
        log: (name: string) => Effect.map(memory.log(name), refusing)
      })
      yield* life(
        storage,
        Effect.gen(function* () {
          const ref = yield* ActorSystem.spawn(sum(), { supervision })
          expect(yield* add(ref, 1)).toBe("done")
          expect(yield* add(ref, ...amounts)).toBe("HandlerFailed")
          expect(yield* sumOf(ref)).toBe(1)
          expect(yield* add(ref, 2)).toBe("done")
        })
      )
      expect(yield* life(storage, Effect.flatMap(ActorSystem.spawn(sum()), sumOf))).toBe(3)
    })
  )

  it.effect("when its disk has failed it starts from what is on disk, whatever is to be kept", () =>
    Effect.gen(function* () {
      const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0 })
      const disk = disks.disk("n1")
      yield* life(
        disks.layer("n1"),
        Effect.gen(function* () {
          const ref = yield* ActorSystem.spawn(sum(), { supervision })
          expect(yield* add(ref, 1)).toBe("done")
          disk.failing = "syncs"
          const asking = yield* Effect.forkChild(add(ref, 10), { startImmediately: true })
          yield* Effect.yieldNow
          disk.failing = "nothing"
          yield* settled
          expect(asking.pollUnsafe()).toEqual(Exit.succeed("HandlerFailed"))
          // It may be on the disk, or not.
          const left = yield* sumOf(ref)
          expect([1, 11]).toContain(left)
          expect(yield* add(ref, 100)).toBe("done")
          expect(yield* sumOf(ref)).toBe(left + 100)
        })
      )
    })
  )
})

it.effect("a question's handler that gives back no answer has failed, and its events are none", () =>
  life(
    inMemory(),
    Effect.gen(function* () {
      const on: any = { ...sum().given.on, Add: (_: number, { amounts }: any) => ({ events: amounts }) }
      const ref = yield* ActorSystem.spawn(sum({ on }), { supervision: Supervision.resume })
      expect(yield* add(ref, 1)).toBe("HandlerFailed")
      expect(yield* sumOf(ref)).toBe(0)
    })
  )
)

it.effect("a disk that fails several times over, at a write and at a snapshot, is one failure", () =>
  Effect.gen(function* () {
    const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 5, syncMillisMax: 5 })
    const disk = disks.disk("n1")
    yield* life(
      disks.layer("n1"),
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(sum({ snapshot: { state: Schema.Number, above: 0 } }))
        expect(yield* add(ref, 1)).toBe("done")
        disk.failing = "syncs"
        expect(yield* Effect.all([add(ref, 2), Effect.delay(add(ref, 3), 2)], { concurrency: 2 })).toEqual([
          "HandlerFailed",
          "HandlerFailed"
        ])
        disk.failing = "nothing"
        expect(yield* add(ref, 4)).toBe("done")
        yield* Effect.sleep("30 millis")
        expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  })
)

it.effect("who waits for an answer of one that is stopped, and whose disk fails, is told that it has stopped", () =>
  Effect.gen(function* () {
    const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 20, syncMillisMax: 20 })
    yield* life(
      disks.layer("n1"),
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(sum())
        expect(yield* sumOf(ref)).toBe(0)
        const asking = yield* Effect.forkChild(add(ref, 1), { startImmediately: true })
        yield* settled
        disks.disk("n1").failing = "syncs"
        yield* system.stop(ref)
        expect(yield* Fiber.join(asking)).toBe("ActorStopped")
      })
    )
  })
)

it.effect("a snapshot that is given up where it starts again is no failure of its new life", () =>
  Effect.gen(function* () {
    const memory = yield* Effect.provide(Storage, inMemory())
    /** Of a log that is closed as it is compacted. */
    const closing = (log: Log): Effect.Effect<Log, never, Scope.Scope> =>
      Effect.gen(function* () {
        const closed = yield* Deferred.make<void, StorageFailed>()
        yield* Effect.addFinalizer(() => Deferred.fail(closed, new StorageFailed({ name: "sum", detail: "closed" })))
        return like(log, { compact: () => Deferred.await(closed) })
      })
    const log = (name: string) => Effect.flatMap(memory.log(name), closing)
    yield* life(
      Layer.succeed(Storage, { ...memory, log }),
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(sum({ snapshot: { state: Schema.Number, above: 0 } }))
        expect(yield* add(ref, 1)).toBe("done")
        expect(yield* add(ref, cursed)).toBe("HandlerFailed")
        yield* settled
        expect(yield* sumOf(ref)).toBe(1)
        expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  })
)

it.effect("of the events of a message all are there after a crash, or none, after 100 crashes at any time", () =>
  Effect.gen(function* () {
    const found = new Set<number>()
    for (let seed = 1; seed <= 100; seed++) {
      const disks = SimulatedDisk.make({ seed, syncMillisMin: 0, syncMillisMax: 0 })
      const disk = disks.disk("n1")
      // A life that is never closed: it crashes when the next one has its disk.
      const crashed = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Layer.fresh(Layer.mergeAll(ActorSystem.layer(), disks.layer("n1"), Logger.layer([]))),
        crashed
      )
      const ref = yield* Effect.provide(ActorSystem.spawn(sum()), context)
      expect(yield* sumOf(ref)).toBe(0)
      disk.crashAt = disk.operations + 1 + (seed % 8)
      for (let i = 0; i < 3; i++) {
        yield* Effect.forkChild(add(ref, ...Array.from({ length: 10 }, () => 1)), { startImmediately: true })
        yield* settled
      }
      const left = yield* life(disks.layer("n1"), Effect.flatMap(ActorSystem.spawn(sum()), sumOf))
      expect({ seed, half: left % 10 }).toEqual({ seed, half: 0 })
      found.add(left)
    }
    expect(found.size).toBeGreaterThan(1)
  })
)

it.effect("an `after` that throws is a failure of the actor; others who wait for the disk are answered", () =>
  Effect.gen(function* () {
    const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0 })
    yield* life(
      disks.layer("n1"),
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(sum())
        expect(yield* sumOf(ref)).toBe(0)
        const after = () => {
          throw new Error("after")
        }
        ref.tell({ _tag: "Note", amount: 1, after })
        expect(yield* Effect.all([add(ref, 1), add(ref, 1)], { concurrency: 2 })).toEqual(["done", "done"])
        expect(yield* sumOf(ref)).toBe(3)
        expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  })
)

it.effect("drained, it answers all that it has decided on before it ends, however slow its disk", () =>
  Effect.gen(function* () {
    const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 20, syncMillisMax: 20 })
    yield* life(
      disks.layer("n1"),
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(sum())
        expect(yield* sumOf(ref)).toBe(0)
        const asking = yield* Effect.forkChild(Effect.all([add(ref, 1), add(ref, 1), sumOf(ref)], { concurrency: 3 }), {
          startImmediately: true
        })
        yield* system.stop(ref, { drain: true })
        yield* settled
        expect(asking.pollUnsafe()).toMatchObject({ value: ["done", "done", 2] })
      })
    )
  })
)

it.effect("a state that the schema of its snapshot refuses is not put in the place of the log; it goes on", () =>
  Effect.gen(function* () {
    const storage = inMemory()
    const snapshot = { state: Schema.Literal(0) as Schema.Codec<any>, above: 10 }
    yield* life(
      storage,
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(sum({ snapshot }))
        for (const amount of [1, 2, 3]) expect(yield* add(ref, amount)).toBe("done")
        expect((yield* ActorSystem.ActorSystem).counters().failures).toBe(0)
      })
    )
    expect(yield* life(storage, Effect.flatMap(ActorSystem.spawn(sum()), sumOf))).toBe(6)
  })
)

it.effect.each([
  ["an event that is none of its schema's", { event: Schema.String as Schema.Codec<any> }],
  [
    "an upcast that throws",
    {
      version: 2,
      upcast: () => {
        throw new Error("up")
      }
    }
  ],
  [
    "an `apply` that throws",
    {
      apply: () => {
        throw new Error("no")
      }
    }
  ]
] as const)("%s: who watches is told which record it is, and what to do", ([, given]) =>
  Effect.gen(function* () {
    const storage = inMemory()
    yield* life(
      storage,
      Effect.flatMap(ActorSystem.spawn(sum()), (ref) => add(ref, 1, 2))
    )
    const spawned = ActorSystem.spawn(sum(given as Partial<Given>), { supervision: Supervision.stop })
    const failure = yield* life(storage, Effect.flatMap(spawned, failureOf))
    expect(failure).toMatchObject({ _tag: "NotReplayed", log: "sum", at: "record 0", version: 1 })
    expect(String(failure)).toMatch(/upcast/)
    expect(yield* life(storage, Effect.flatMap(ActorSystem.spawn(sum()), sumOf))).toBe(3)
  })
)

it.effect(
  "one whose log begins with a state does not start without `snapshot`: who watches is told to give it that",
  () =>
    Effect.gen(function* () {
      const memory = inMemory()
      const written = Effect.flatMap(ActorSystem.spawn(sum({ snapshot: { state: Schema.Number, above: 0 } })), (ref) =>
        Effect.andThen(add(ref, 1), settled)
      )
      yield* life(memory, written)
      const spawned = ActorSystem.spawn(sum(), { supervision: Supervision.stop })
      const failure = yield* life(memory, Effect.flatMap(spawned, failureOf))
      expect(failure).toMatchObject({ _tag: "UnknownVersion", found: 1, known: 1 })
      expect(String(failure)).toContain("give it `snapshot`")
    })
)

it.effect("that waits for a disk with much to write goes on when that fails: it starts again", () =>
  Effect.gen(function* () {
    const memory = yield* Effect.provide(Storage, inMemory())
    const flushes: Array<(failure?: StorageFailed) => void> = []
    let isSlow = true
    const slow = (log: Log): Log =>
      like(log, {
        flush: (done) => (isSlow ? void flushes.push(done) : log.flush(done))
      })
    const storage = Layer.succeed(Storage, { ...memory, log: (name: string) => Effect.map(memory.log(name), slow) })
    yield* life(
      storage,
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(sum())
        // As much as may wait, and what comes after that.
        for (let i = 0; i < 65_536; i++) ref.tell({ _tag: "Note", amount: i === 0 ? 7 : 0, after: () => {} })
        yield* settled
        const asking = yield* Effect.forkChild(sumOf(ref), { startImmediately: true })
        while ((ref as unknown as Cell).status !== "busy") yield* settled
        isSlow = false
        for (const done of flushes) done(new StorageFailed({ name: "sum", detail: "it is broken" }))
        yield* settled
        expect(asking.pollUnsafe()).toEqual(Exit.succeed(7))
      })
    )
  })
)
