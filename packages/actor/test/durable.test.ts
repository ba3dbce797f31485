import { Actor, type Protocol } from "@troupe/actor"
import { type Log, MemoryStorage, Storage, StorageFailed } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory } from "@troupe/transport"
import { Effect, Layer, Logger, Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"

interface State {
  readonly sum: number
  readonly volatile: number
}

type Command =
  | { readonly _tag: "Add"; readonly amount: number }
  | { readonly _tag: "Say" }
  | { readonly _tag: "Throw" }
  | { readonly _tag: "Ahead" }

/** Adds numbers; a sum that was told is never forgotten. */
const adder: Protocol.Protocol<State, number, Command, number, never, void, number> = {
  name: "test/adder",
  message: Schema.Int,
  durable: {
    record: Schema.Int,
    restore: (state, amount) => ({ ...state, sum: state.sum + amount }),
    compact: ({ sum }) => [sum]
  },
  init: () => ({ sum: 0, volatile: 0 }),
  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Add": {
        const sum = state.sum + command.amount
        act.persist(command.amount)
        act.emit(sum)
        return { sum, volatile: state.volatile + 1 }
      }
      case "Say":
        act.emit(state.sum)
        return state
      case "Throw":
        throw new Error("on purpose")
      case "Ahead":
        act.persist(1)
        act.send("n1", 1)
        act.sendNow("n1", 2)
        return { ...state, sum: state.sum + 1 }
    }
  },
  onMessage: (state, _from, message, act) => {
    act.emit(-message)
    return state
  }
}

/** Whatever can happen by itself has happened. */
const settled = Effect.yieldNow.pipe(Effect.repeat({ times: 20 }))

/** A log that becomes durable when it is told to. */
const slow = () => {
  const store = MemoryStorage.make()
  const waiting: Array<(failure?: StorageFailed) => void> = []
  const layer = Layer.effect(
    Storage,
    Effect.map(Storage, (storage) => ({
      ...storage,
      log: (name: string) =>
        Effect.map(storage.log(name), (log): Log =>
          Object.create(log, {
            flush: { value: (done: (failure: StorageFailed | undefined) => void) => waiting.push(done) },
            append: { value: log.append }
          })
        )
    }))
  ).pipe(Layer.provide(MemoryStorage.layer(store)))
  return { layer, store, waiting, flush: () => waiting.splice(0).forEach((done) => done(undefined)) }
}

const run = <A, E>(program: Effect.Effect<A, E, never>): Promise<A> => Effect.runPromise(program)

const on = <A, E>(
  storage: Layer.Layer<Storage>,
  body: (actor: Actor.Actor<State, Command, number>, heard: Array<number>) => Effect.Effect<A, E>,
  options = {}
) =>
  run(
    Effect.scoped(
      Effect.gen(function* () {
        const actor = yield* Actor.spawnDurable(adder, options)
        const heard: Array<number> = []
        actor.subscribe((sum) => heard.push(sum))
        return yield* body(actor, heard)
      })
    ).pipe(Effect.provide(storage), Effect.provide(Memory.layer(Memory.network({ nodes: ["n1"] }), "n1")))
  )

describe("an actor that persists", () => {
  it("comes back with what it persisted, and nothing else", async () => {
    const store = MemoryStorage.make()
    await on(MemoryStorage.layer(store), (actor) =>
      Effect.sync(() => [3, 4].forEach((amount) => actor.tell({ _tag: "Add", amount })))
    )
    const state = await on(MemoryStorage.layer(store), (actor) => Effect.sync(() => actor.state()))
    expect(state).toEqual({ sum: 7, volatile: 0 })
  })

  it("tells nobody of what is not durable, nor of what came after it", async () => {
    const disk = slow()
    await on(disk.layer, (actor, heard) =>
      Effect.sync(() => {
        actor.tell({ _tag: "Say" })
        actor.tell({ _tag: "Add", amount: 1 })
        actor.tell({ _tag: "Say" })
        expect([actor.state().sum, heard]).toEqual([1, [0]])
        disk.flush()
        expect(heard).toEqual([0, 1, 1])
      })
    )
  })

  it("lets many steps share a flush, and holds those that came during it for the next", async () => {
    const disk = slow()
    await on(disk.layer, (actor, heard) =>
      Effect.sync(() => {
        for (const amount of [1, 2, 3]) actor.tell({ _tag: "Add", amount })
        expect(disk.waiting.length).toBe(1)
        disk.flush()
        expect(heard).toEqual([1])
        expect(disk.waiting.length).toBe(1)
        disk.flush()
        expect(heard).toEqual([1, 3, 6])
        expect(disk.waiting.length).toBe(0)
      })
    )
  })

  it("sends ahead of the disk only what it is asked to", async () => {
    const disk = slow()
    await on(disk.layer, (actor, heard) =>
      Effect.gen(function* () {
        actor.tell({ _tag: "Ahead" })
        yield* settled
        disk.flush()
        yield* settled
        expect(actor.counters.received).toBe(2)
        expect(heard).toEqual([-2, -1])
      })
    )
  })

  it("reads its log anew when a handler threw, and loses no input meanwhile", async () => {
    await on(MemoryStorage.layer(), (actor, heard) =>
      Effect.gen(function* () {
        actor.tell({ _tag: "Add", amount: 5 })
        actor.tell({ _tag: "Throw" })
        actor.tell({ _tag: "Add", amount: 2 })
        yield* settled
        expect([actor.state(), heard]).toEqual([{ sum: 7, volatile: 1 }, [5, 7]])
      })
    )
  })

  it("stops for good when its disk fails, and never says what may be lost", async () => {
    const disk = slow()
    await on(disk.layer, (actor, heard) =>
      Effect.gen(function* () {
        actor.tell({ _tag: "Add", amount: 1 })
        disk.waiting[0]!(new StorageFailed({ name: "test", detail: "on purpose" }))
        const failure = yield* Effect.flip(actor.failed)
        expect(failure.message).toContain("on purpose")
        expect(heard).toEqual([])
      })
    )
  })

  it("puts fewer records in the place of a log that has grown", async () => {
    const store = MemoryStorage.make()
    await on(
      MemoryStorage.layer(store),
      (actor) =>
        Effect.gen(function* () {
          for (let i = 0; i < 100; i++) actor.tell({ _tag: "Add", amount: 1 })
          yield* settled
          actor.tell({ _tag: "Add", amount: 1 })
        }),
      { compactAbove: 50 }
    )
    const log = store.logs.get(adder.name)!
    expect(log.first).toBeGreaterThan(0)
    expect(log.records.length).toBeLessThan(100)
    expect(await on(MemoryStorage.layer(store), (actor) => Effect.sync(() => actor.state().sum))).toBe(101)
  })

  it("carries out what it asked for in the order of asking, on a disk that is durable at once, too", async () => {
    await on(MemoryStorage.layer(), (actor, heard) =>
      Effect.sync(() => {
        // Steps that wait behind the one that is under way, and ask for something before its own is carried out.
        const stop = actor.subscribe(() => {
          stop()
          actor.tell({ _tag: "Add", amount: 1 })
          actor.tell({ _tag: "Add", amount: 1 })
          actor.tell({ _tag: "Say" })
        })
        actor.tell({ _tag: "Say" })
        expect(heard).toEqual([0, 1, 2, 2])
      })
    )
  })

  it("lets inputs wait when 65,536 actions wait for the disk, and refuses more than it can hold", async () => {
    const disk = slow()
    await on(disk.layer, (actor, heard) =>
      Effect.sync(() => {
        for (let i = 0; i < 65_536; i++) actor.tell({ _tag: "Add", amount: 1 })
        actor.tell({ _tag: "Add", amount: 1 })
        expect(actor.state().sum).toBe(65_536)
        expect(() => {
          for (let i = 0; i < 70_000; i++) actor.tell({ _tag: "Say" })
        }).toThrow(Actor.MailboxFull)
        disk.flush()
        disk.flush()
        expect([actor.state().sum, heard[65_536]]).toEqual([65_537, undefined])
        disk.flush()
        disk.flush()
        expect(heard[65_536]).toBe(65_537)
      })
    )
  })

  it("reads its log as a whole, before a compaction or after it", async () => {
    const store = MemoryStorage.make()
    // A compaction that ends while the log is read: between its snapshot and its records.
    const layer = Layer.effect(
      Storage,
      Effect.map(Storage, (storage) => ({
        ...storage,
        log: (name: string) =>
          Effect.map(storage.log(name), (log): Log =>
            Object.create(log, {
              append: { value: log.append },
              flush: { value: log.flush },
              snapshot: {
                get: () => Stream.tap(Stream.concat(log.snapshot, Stream.fromEffectDrain(settled)), () => settled)
              },
              compact: {
                value: (upTo: number, chunks: Iterable<Uint8Array>) =>
                  Effect.andThen(
                    settled,
                    Effect.suspend(() => log.compact(upTo, [...chunks]))
                  )
              }
            })
          )
      }))
    ).pipe(Layer.provide(MemoryStorage.layer(store)))
    await on(
      layer,
      (actor) =>
        Effect.gen(function* () {
          for (let i = 0; i < 30; i++) actor.tell({ _tag: "Add", amount: 1 })
          actor.tell({ _tag: "Throw" })
          for (let i = 0; i < 5; i++) yield* settled
          expect(actor.state().sum).toBe(30)
        }),
      { compactAbove: 50 }
    )
  })

  it("goes on when there is no room for a compaction", async () => {
    const disk = SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0, preallocateBytes: 0 }).disk("n1")
    await on(
      disk.layer,
      (actor, heard) =>
        Effect.gen(function* () {
          for (let i = 0; i < 100; i++) {
            actor.tell({ _tag: "Add", amount: 1 })
            yield* settled
            // Room for the next record, but for no snapshot.
            disk.capacityBytes = disk.paths.reduce((sum, path) => sum + disk.sizeOf(path), 0) + 60
          }
          expect(heard.length).toBe(100)
        }).pipe(Effect.provide(Logger.layer([]))),
      { compactAbove: 500 }
    )
  })

  it("is not hosted on the log of another protocol", async () => {
    const store = MemoryStorage.make()
    store.logs.set(adder.name, { first: 0, records: [new Uint8Array([1, 2, 3])], bytes: 3, snapshot: [] })
    await expect(on(MemoryStorage.layer(store), () => Effect.void)).rejects.toThrow("none of this protocol")
  })

  it("is not hosted without a disk", async () => {
    const died = Effect.scoped(Actor.spawn(adder as never)).pipe(
      Effect.provide(Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"))
    )
    await expect(Effect.runPromise(died)).rejects.toThrow("spawnDurable")
  })
})
