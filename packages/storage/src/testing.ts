/**
 * The rules of `Storage` as cases that any layer of it can be held to, with any test runner.
 *
 * A maker gives a layer over something new and empty; building the layer again opens what is there. A case is an Effect
 * that fails with `RuleBroken`.
 *
 * @example
 * import { MemoryStorage } from "@troupe/storage"
 * import { conformance } from "@troupe/storage/testing"
 * import { Effect } from "effect"
 *
 * const make = Effect.sync(() => MemoryStorage.layer(MemoryStorage.make()))
 *
 * for (const { name, run } of conformance) {
 *   await Effect.runPromise(Effect.scoped(run(make)))
 *   console.log(`kept: ${name}`)
 * }
 */
import { type Context, Effect, Exit, type Layer, Schema, type Scope, Stream } from "effect"
import { type Log, Storage, type StorageError } from "./Storage.ts"

/** Makes a layer over something new and empty. */
export type StorageMaker = Effect.Effect<Layer.Layer<Storage, StorageError>, unknown, Scope.Scope>

/** A rule of `Storage`, and how to find out whether a layer keeps it. */
export interface Case {
  readonly name: string
  readonly run: (make: StorageMaker) => Effect.Effect<void, unknown, Scope.Scope>
}

export class RuleBroken extends Schema.TaggedError<RuleBroken>()("RuleBroken", {
  rule: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The storage breaks the rule that ${this.rule}: ${this.reason}`
  }
}

type Service = Context.Service.Shape<typeof Storage>

interface Bench {
  /** Opens the storage, does something, and closes it. */
  readonly life: <A, E>(
    use: (storage: Service) => Effect.Effect<A, E, Scope.Scope>
  ) => Effect.Effect<A, E | StorageError>
  readonly same: (got: unknown, expected: unknown) => Effect.Effect<void, RuleBroken>
}

const rule = (name: string, body: (bench: Bench) => Effect.Effect<void, unknown>): Case => ({
  name,
  run: (make) =>
    Effect.flatMap(make, (layer) =>
      body({
        life: (use) => Effect.scoped(Effect.flatMap(Storage, use)).pipe(Effect.provide(layer)),
        same: (got, expected) => {
          const [has, should] = [JSON.stringify(got), JSON.stringify(expected)]
          return has === should
            ? Effect.void
            : Effect.fail(new RuleBroken({ rule: name, reason: `${shorten(has)} is not ${shorten(should)}` }))
        }
      })
    )
})

const shorten = (text: string | undefined): string => String(text).slice(0, 300)

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
const append = (log: Log, ...texts: ReadonlyArray<string>): ReadonlyArray<number> =>
  texts.map((text) => log.append(bytesOf(text)))
const texts = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<ReadonlyArray<string>, E> =>
  Effect.map(Stream.runCollect(stream), (all) => all.map(textOf))
const all = (log: Log) => texts(log.read(log.first))
const lines = (count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `record ${from + i} ${"x".repeat((i * 37) % 200)}`)

export const conformance: ReadonlyArray<Case> = [
  rule("records come back in their order, with the index that append gave them", ({ life, same }) =>
    Effect.gen(function* () {
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("a log")
          yield* same(append(log, "one", "", "three"), [0, 1, 2])
          yield* same([log.first, log.next, log.bytes], [0, 3, 8])
          yield* same(yield* all(log), ["one", "", "three"])
        })
      )
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("a log")
          yield* same(yield* all(log), ["one", "", "three"])
          yield* same([append(log, "four"), log.name, log.bytes], [[3], "a log", 12])
        })
      )
    })
  ),

  rule("a part is read from where to where it is asked for", ({ life, same }) =>
    life((storage) =>
      Effect.gen(function* () {
        const log = yield* storage.log("log")
        append(log, ...lines(50))
        yield* same(yield* texts(log.read(10, 13)), lines(50).slice(10, 13))
        yield* same(yield* texts(log.read(48, 99)), lines(50).slice(48))
        yield* same(yield* texts(log.read(50)), [])
      })
    )
  ),

  rule("flushes that share are told each, once, in the order of asking", ({ life, same }) =>
    life((storage) =>
      Effect.gen(function* () {
        const log = yield* storage.log("log")
        const told: Array<number> = []
        for (let i = 0; i < 5; i++) {
          append(log, `${i}`)
          log.flush((failure) => void told.push(failure === undefined ? i : -1))
        }
        yield* log.flushed
        yield* same(told, [0, 1, 2, 3, 4])
      })
    )
  ),

  rule("what is appended while a flush is under way is there with the next", ({ life, same }) =>
    Effect.gen(function* () {
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          append(log, "one")
          log.flush(() => {})
          yield* Effect.yieldNow
          append(log, "two")
          yield* log.flushed
        })
      )
      yield* same(yield* life((storage) => Effect.flatMap(storage.log("log"), all)), ["one", "two"])
    })
  ),

  rule("bytes come back as they are: zeros, ones, and all between", ({ life, same }) =>
    Effect.gen(function* () {
      const records = [0, 1, 165, 255].flatMap((byte) =>
        [1, 7, 8, 511, 512, 513, 5000].map((length) => new Uint8Array(length).fill(byte))
      )
      records.push(Uint8Array.from({ length: 3000 }, (_, i) => (i < 1024 ? 0 : i < 2048 ? 1 : 2)))
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          for (const record of records) log.append(record)
          yield* log.flushed
        })
      )
      const got = yield* life((storage) => Effect.flatMap(storage.log("log"), (log) => Stream.runCollect(log.read(0))))
      yield* same(
        got.map((bytes) => [...bytes]),
        records.map((bytes) => [...bytes])
      )
    })
  ),

  rule("what is truncated is gone, and others have its index", ({ life, same }) =>
    Effect.gen(function* () {
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          append(log, ...lines(900))
          yield* log.flushed
          append(log, "not flushed", "nor this")
          log.truncate(901)
          yield* same(append(log, "again"), [901])
          yield* same(yield* texts(log.read(900)), ["not flushed", "again"])
          log.truncate(300)
          yield* same([log.next, append(log, "other"), log.next], [300, [300], 301])
          yield* same(yield* all(log), [...lines(300), "other"])
          log.truncate(0)
          yield* same([log.next, log.bytes], [0, 0])
          append(log, "first")
          yield* log.flushed
        })
      )
      yield* same(yield* life((storage) => Effect.flatMap(storage.log("log"), all)), ["first"])
    })
  ),

  rule("a snapshot takes the place of the records before it", ({ life, same }) =>
    Effect.gen(function* () {
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          yield* same(yield* texts(log.snapshot), [])
          append(log, ...lines(700))
          yield* log.compact(600, lines(20).map(bytesOf))
          yield* same([log.first, log.next, yield* all(log)], [600, 700, lines(700).slice(600)])
          yield* same(log.bytes, lines(700).slice(600).join("").length)
          append(log, ...lines(700, 700))
          yield* log.compact(1400, [bytesOf("new")])
          yield* same([log.first, log.next, log.bytes, yield* all(log)], [1400, 1400, 0, []])
          yield* log.compact(1000, [bytesOf("old")])
          yield* same(append(log, "next"), [1400])
        })
      )
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          yield* same([log.first, yield* texts(log.snapshot), yield* all(log)], [1400, ["new"], ["next"]])
          yield* log.compact(1400, [bytesOf("in its place")])
          log.truncate(1400)
          append(log, "other")
        })
      )
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          yield* same([yield* texts(log.snapshot), yield* all(log)], [["in its place"], ["other"]])
        })
      )
    })
  ),

  rule("a log goes on while it is compacted", ({ life, same }) =>
    Effect.gen(function* () {
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          append(log, ...lines(100))
          const chunks = function* () {
            for (let i = 0; i < 50; i++) {
              append(log, `meanwhile ${i}`)
              yield bytesOf(`chunk ${i}`)
            }
          }
          yield* log.compact(100, chunks())
          yield* same([log.first, log.next], [100, 150])
        })
      )
      yield* life((storage) =>
        Effect.gen(function* () {
          const log = yield* storage.log("log")
          yield* same([(yield* texts(log.snapshot)).length, (yield* all(log)).at(-1)], [50, "meanwhile 49"])
        })
      )
    })
  ),

  rule("a name is open once at a time, and has 1 to 200 characters", ({ life, same }) =>
    life((storage) =>
      Effect.gen(function* () {
        const outcome = (name: string) =>
          Effect.map(Effect.exit(Effect.scoped(storage.log(name))), (exit) => Exit.isSuccess(exit))
        yield* storage.log("log")
        yield* storage.cell("log")
        const again = yield* Effect.flip(Effect.scoped(storage.log("log")))
        yield* same(again._tag, "StorageInUse")
        yield* same(
          yield* Effect.forEach(["", "x".repeat(200), "x".repeat(201), "Log", "../log", "ü/\\ \0"], outcome),
          [false, true, false, true, true, true]
        )
        yield* same([yield* outcome("other"), yield* outcome("other")], [true, true])
      })
    )
  ),

  rule("names that are alike are different logs", ({ life, same }) =>
    Effect.gen(function* () {
      const names = ["a", "A", "a/b", "a%2fb", ".", "..", "ä", "a".repeat(150), "a".repeat(151), `${"a".repeat(150)}+`]
      yield* life((storage) =>
        Effect.forEach(names, (name) => Effect.map(storage.log(name), (log) => append(log, name)), { discard: true })
      )
      const got = yield* life((storage) => Effect.forEach(names, (name) => Effect.flatMap(storage.log(name), all)))
      yield* same(
        got.map((found) => found.length),
        names.map(() => 1)
      )
    })
  ),

  rule("a cell has what was set last", ({ life, same }) =>
    Effect.gen(function* () {
      const get = life((storage) =>
        Effect.flatMap(storage.cell("cell"), (cell) =>
          Effect.map(cell.get, (value) => (value === undefined ? value : [...value]))
        )
      )
      const set = (value: Uint8Array) =>
        life((storage) => Effect.flatMap(storage.cell("cell"), (cell) => cell.set(value)))
      yield* same(yield* get, undefined)
      for (const value of [[1, 2, 3], [], [0], Array.from({ length: 3000 }, () => 0)]) {
        yield* set(Uint8Array.from(value))
        yield* same(yield* get, value)
      }
    })
  )
]
