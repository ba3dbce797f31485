/** What goes wrong on a disk, and what its user is told. */
import { type Log, Storage, type StorageError } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { bytesOf, textOf } from "./support.ts"

const segment = "logs/log/0000000000000000.segment"

const make = (options: Partial<SimulatedDisk.Options> = {}): SimulatedDisk.SimulatedDisk =>
  SimulatedDisk.make({ seed: 7, syncMillisMin: 0, syncMillisMax: 0, preallocateBytes: 0, ...options }).disk("disk")

const openLog = Effect.flatMap(Storage, (storage) => storage.log("log"))

const all = (log: Log) => Effect.map(Stream.runCollect(log.read(log.first)), (records) => records.map(textOf))

/** A life that closes what it opened. */
const life = <A, E>(disk: SimulatedDisk.SimulatedDisk, use: (log: Log) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(openLog, use)).pipe(Effect.provide(disk.layer)))

/** A life that a loss of power ends: nothing is closed. */
const lost = <A, E>(disk: SimulatedDisk.SimulatedDisk, use: (log: Log) => Effect.Effect<A, E>) =>
  Effect.runPromise(
    Effect.flatMap(Layer.buildWithScope(disk.layer, Scope.makeUnsafe()), (context) =>
      Scope.provide(Effect.flatMap(openLog, use), Scope.makeUnsafe()).pipe(Effect.provide(context))
    )
  )

const append = (log: Log, ...texts: ReadonlyArray<string>) =>
  Effect.andThen(
    Effect.sync(() => texts.forEach((text) => log.append(bytesOf(text)))),
    log.flushed
  )

const failureOf = (disk: SimulatedDisk.SimulatedDisk): Promise<StorageError> =>
  Effect.runPromise(Effect.flip(Effect.scoped(openLog)).pipe(Effect.provide(disk.layer)) as Effect.Effect<StorageError>)

describe("damage", () => {
  it("of any one bit is reported, and nothing that was flushed is missing where it isn't", async () => {
    const disk = make()
    const texts = Array.from({ length: 12 }, (_, i) => `record ${i} ${"x".repeat((i * 53) % 200)}`)
    await life(disk, (log) => Effect.forEach(texts, (text) => append(log, text)))
    let reported = 0
    const size = disk.sizeOf(segment)
    for (let byte = 0; byte < size; byte++) {
      const bit = byte * 8 + ((byte * 5) % 8)
      disk.flipBit(segment, bit)
      const exit = await Effect.runPromiseExit(
        Effect.scoped(Effect.flatMap(openLog, all)).pipe(Effect.provide(disk.layer))
      )
      if (Exit.isSuccess(exit)) expect(exit.value, `byte ${byte}`).toEqual(texts)
      else {
        reported++
        expect(String(exit.cause), `byte ${byte}`).toContain(segment)
      }
      disk.flipBit(segment, bit)
    }
    // Padding is no part of a record.
    expect(reported / size).toBeGreaterThan(0.9)
  })

  it("is reported with the file and the place", async () => {
    const disk = make()
    await life(disk, (log) => append(log, "one", "two"))
    disk.flipBit(segment, 8 * (32 + 20) + 1)
    const failure = await failureOf(disk)
    expect([failure._tag, failure.message]).toEqual([
      "Corrupt",
      `"log" is damaged at ${segment}, byte 32: the checksum of a record is wrong. Nothing was changed: restore it from another replica or a backup.`
    ])
  })

  it("of a length doesn't cut off what follows", async () => {
    const disk = make()
    await life(disk, (log) => append(log, ...Array.from({ length: 9 }, (_, i) => `${i}`)))
    for (let bit = 0; bit < 32; bit++) {
      disk.flipBit(segment, 8 * (32 + 3 * 24) + bit)
      expect((await failureOf(disk))._tag).toBe("Corrupt")
      disk.flipBit(segment, 8 * (32 + 3 * 24) + bit)
    }
  })

  it("by a sector of zeros before a later flush is no torn end", async () => {
    const disk = make()
    await life(disk, (log) => Effect.forEach(["a", "b", "c", "d"], (letter) => append(log, letter.repeat(700))))
    // The second sector of the file lies within the first two records.
    for (let bit = 512 * 8; bit < 1024 * 8; bit++) {
      if (((disk.byteAt(segment, bit >> 3) >> (bit & 7)) & 1) === 1) disk.flipBit(segment, bit)
    }
    const failure = await failureOf(disk)
    expect([failure._tag, failure.message.includes("a later one")]).toEqual(["Corrupt", true])
  })

  it("of a snapshot or a cell is reported", async () => {
    const disk = make()
    await life(disk, (log) =>
      Effect.andThen(append(log, "one", "two"), log.compact(1, [bytesOf("a snapshot"), bytesOf("of two chunks")]))
    )
    const cell = Effect.flatMap(Storage, (storage) => storage.cell("cell"))
    await Effect.runPromise(
      Effect.scoped(Effect.flatMap(cell, ({ set }) => set(bytesOf("value")))).pipe(Effect.provide(disk.layer))
    )
    const snapshot = disk.paths.find((path) => path.endsWith(".snapshot"))!
    for (let byte = 0; byte < disk.sizeOf(snapshot); byte++) {
      disk.flipBit(snapshot, byte * 8)
      const exit = await Effect.runPromiseExit(
        Effect.scoped(Effect.flatMap(openLog, (log) => Stream.runCollect(log.snapshot))).pipe(
          Effect.provide(disk.layer)
        )
      )
      if (Exit.isSuccess(exit)) expect(exit.value.map(textOf)).toEqual(["a snapshot", "of two chunks"])
      disk.flipBit(snapshot, byte * 8)
    }
    disk.flipBit("cells/cell/value", 8 * 54)
    const failure = await Effect.runPromise(Effect.flip(Effect.scoped(cell)).pipe(Effect.provide(disk.layer)))
    expect(failure).toMatchObject({ _tag: "Corrupt", name: "cell" })
  })

  it("by a missing file is reported", async () => {
    const disk = make({ segmentBytes: 4096 })
    await life(disk, (log) => Effect.forEach(Array.from({ length: 30 }), () => append(log, "x".repeat(500))))
    const middle = disk.paths.filter((path) => path.endsWith(".segment"))[1]!
    disk.remove(middle)
    const failure = await failureOf(disk)
    expect([failure._tag, failure.message.includes("the next begins with")]).toEqual(["Corrupt", true])
  })

  it("is told from a format of a newer version", async () => {
    const disk = make()
    await life(disk, (log) => append(log, "one"))
    // Version 1 becomes 3.
    disk.flipBit(segment, 8 * 8 + 1)
    const failure = await failureOf(disk)
    expect([
      failure._tag,
      failure.message.includes("it has format 3, and this version of the program knows 1")
    ]).toEqual(["Corrupt", true])
  })
})

describe("a full disk", () => {
  it("refuses, loses nothing that was flushed, and goes on when there is room again", async () => {
    const disk = make({ capacityBytes: 700 })
    const told: Array<string> = []
    await life(disk, (log) =>
      Effect.gen(function* () {
        for (let i = 0; ; i++) {
          const exit = yield* Effect.exit(append(log, `record ${i} ${"x".repeat(50)}`))
          if (Exit.isFailure(exit)) break
          told.push(`record ${i} ${"x".repeat(50)}`)
        }
        const again = yield* Effect.flip(append(log, "more"))
        expect([again._tag, again.message.includes("what was acknowledged is there")]).toEqual(["StorageFull", true])
      })
    )
    expect(told.length).toBeGreaterThan(5)
    disk.capacityBytes = Infinity
    await life(disk, (log) => append(log, "after"))
    expect(await lost(disk, all)).toEqual([...told, "after"])
  })

  it("fails a compaction alone, and takes nothing up for it", async () => {
    const disk = make({ capacityBytes: 3000 })
    await life(disk, (log) =>
      Effect.gen(function* () {
        yield* append(log, "one", "two")
        const failure = yield* Effect.flip(log.compact(2, [new Uint8Array(5000)]))
        expect(failure._tag).toBe("StorageFull")
        yield* append(log, "three")
        expect(yield* all(log)).toEqual(["one", "two", "three"])
      })
    )
    expect(disk.paths).toEqual([segment])
  })
})

describe("a disk that fails", () => {
  for (const failing of ["writes", "syncs"] as const) {
    it(`in ${failing}: the log takes nothing more until it is opened again`, async () => {
      const disk = make()
      await life(disk, (log) =>
        Effect.gen(function* () {
          yield* append(log, "one")
          disk.failing = failing
          expect((yield* Effect.flip(append(log, "two")))._tag).toBe("StorageFailed")
          disk.failing = "nothing"
          expect((yield* Effect.flip(append(log, "three")))._tag).toBe("StorageFailed")
        })
      )
      expect((await lost(disk, all))[0]).toBe("one")
    })
  }

  it("and a sync that failed: what is served when the log is opened again has become durable", async () => {
    const disk = make()
    await life(disk, (log) =>
      Effect.gen(function* () {
        yield* append(log, "one")
        disk.failing = "syncs"
        yield* Effect.flip(append(log, "two"))
        disk.failing = "nothing"
      })
    )
    // The same kernel shows what it failed to write.
    const served = await lost(disk, all)
    expect(served).toEqual(["one", "two"])
    expect(await lost(disk, all)).toEqual(served)
  })

  it("and goes on: what is flushed after a failure, whichever it was, a loss of power leaves there", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = make({ seed, failureProbability: 0.04, segmentBytes: 128 })
      const told: Array<string> = []
      for (let lives = 0; lives < 6; lives++) {
        const spend = (log: Log) =>
          Effect.gen(function* () {
            for (let i = 0; i < 10; i++) {
              const text = `${lives}/${i}`
              yield* append(log, text)
              told.push(text)
              if (i % 3 === 2) yield* log.compact(log.next, yield* kept(log))
            }
          })
        await life(disk, (log) => Effect.ignore(spend(log))).catch(() => {})
      }
      expect(await opened(disk), `seed ${seed}`).toEqual(expect.arrayContaining(told))
    }
  })

  it("at the name of a cell: what is read when that is opened again is read after a loss of power", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = make({ seed, failureProbability: 0.2 })
      const cell = Effect.flatMap(Storage, (storage) => storage.cell("cell"))
      const read = Effect.flatMap(cell, ({ get }) => get)
      // Ended by a loss of power.
      const living = async <A, E>(effect: Effect.Effect<A, E, Storage | Scope.Scope>) => {
        const scope = Scope.makeUnsafe()
        const context = await Effect.runPromise(Layer.buildWithScope(disk.layer, scope))
        return Effect.runPromise(Effect.exit(Effect.provide(Scope.provide(effect, scope), context)))
      }
      const set = Effect.flatMap(cell, (opened) => opened.set(bytesOf("value")))
      const served = await living(Effect.andThen(Effect.ignore(Effect.scoped(set)), read))
      if (Exit.isFailure(served)) continue
      let again = await living(read)
      while (Exit.isFailure(again)) again = await living(read)
      expect(again.value, `seed ${seed}`).toEqual(served.value)
    }
  })
})

/** What a snapshot stands for, and what came after it. */
const kept = (log: Log) =>
  Effect.gen(function* () {
    const before = yield* Stream.runCollect(log.snapshot)
    return [...before, ...(yield* Stream.runCollect(log.read(log.first)))]
  })

/** What is there after a loss of power, as soon as the disk lets it be read. */
const opened = async (disk: SimulatedDisk.SimulatedDisk): Promise<ReadonlyArray<string>> => {
  await lost(disk, () => Effect.void).catch(() => {})
  for (;;) {
    const exit = await Effect.runPromiseExit(
      Effect.scoped(Effect.flatMap(openLog, kept)).pipe(Effect.provide(disk.layer))
    )
    if (Exit.isSuccess(exit)) return exit.value.map(textOf)
  }
}

describe("a disk that is closed before the logs on it", () => {
  it("ends what is under way, and forgets nothing of it", async () => {
    const disk = make({ syncMillisMin: 1, syncMillisMax: 1 })
    const kept = await Effect.runPromise(
      Effect.gen(function* () {
        const [below, above] = [Scope.makeUnsafe(), Scope.makeUnsafe()]
        const context = yield* Layer.buildWithScope(disk.layer, below)
        const log = yield* Scope.provide(openLog, above).pipe(Effect.provide(context))
        const appending = yield* Effect.forkChild(append(log, "one"))
        yield* Effect.yieldNow
        yield* Scope.close(below, Exit.void)
        yield* Fiber.join(appending)
        yield* Scope.close(above, Exit.void)
        return yield* Effect.scoped(Effect.flatMap(openLog, all)).pipe(Effect.provide(disk.layer))
      })
    )
    expect(kept).toEqual(["one"])
  })
})
