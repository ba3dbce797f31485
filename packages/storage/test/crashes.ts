/**
 * A script of everything that a log and a cell can be asked for, run on a simulated disk that crashes at a given operation,
 * and what must be there afterwards.
 */
import { type Log, Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Exit, Layer, Scope, Stream } from "effect"
import { bytesOf, textOf } from "./support.ts"

/** A record by index, in a log that begins at 0. */
type Contents = ReadonlyArray<string>

/** What the user of a log knows: every state that it asked for, and from which on they are certain. */
class Told {
  readonly states: Array<Contents> = [[]]
  /** Truncations end with these states: half of one may be done. */
  readonly truncations = new Set<number>()
  certain = 0
  /** Compactions asked for, and how many of them have ended. */
  readonly snapshots: Array<{ readonly upTo: number; readonly chunks: Contents }> = [{ upTo: 0, chunks: [] }]
  certainSnapshot = 0
  readonly values: Array<string | undefined> = [undefined]
  certainValue = 0

  get now(): Contents {
    return this.states.at(-1)!
  }
}

/** The log with a memory of what it was told. */
const watched = (log: Log, told: Told) => ({
  append: (text: string) => {
    told.states.push([...told.now, text])
    log.append(bytesOf(text))
  },
  truncate: (from: number) => {
    told.truncations.add(told.states.push(told.now.slice(0, from)) - 1)
    log.truncate(from)
  },
  flush: () => {
    const state = told.states.length - 1
    log.flush((failure) => {
      if (failure === undefined) told.certain = Math.max(told.certain, state)
    })
  },
  flushed: Effect.suspend(() => {
    const state = told.states.length - 1
    return Effect.tap(log.flushed, () => Effect.sync(() => (told.certain = Math.max(told.certain, state))))
  }),
  compact: (upTo: number, chunks: Contents) =>
    Effect.suspend(() => {
      const number = told.snapshots.push({ upTo, chunks }) - 1
      return Effect.tap(log.compact(upTo, chunks.map(bytesOf)), () =>
        Effect.sync(() => (told.certainSnapshot = number))
      )
    })
})

const script = (told: Told) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const log = watched(yield* storage.log("log"), told)
    const cell = yield* storage.cell("cell")
    const set = (value: string) =>
      Effect.suspend(() => {
        const number = told.values.push(value) - 1
        return Effect.tap(cell.set(bytesOf(value)), () => Effect.sync(() => (told.certainValue = number)))
      })
    const appendMany = (count: number) => {
      for (let i = 0; i < count; i++) log.append(`${told.states.length} ${"r".repeat((told.states.length * 97) % 700)}`)
    }
    appendMany(1)
    yield* log.flushed
    appendMany(4)
    log.flush()
    yield* Effect.yieldNow
    appendMany(3)
    yield* log.flushed
    yield* set("one")
    appendMany(20)
    yield* log.flushed
    log.truncate(12)
    appendMany(2)
    yield* log.flushed
    appendMany(25)
    yield* log.flushed
    // Into an earlier segment.
    log.truncate(9)
    appendMany(1)
    yield* log.flushed
    yield* set("two".repeat(300))
    appendMany(15)
    log.flush()
    yield* log.compact(told.now.length - 2, ["a", "b".repeat(600), ""])
    appendMany(10)
    yield* log.flushed
    yield* log.compact(told.now.length, ["c"])
    yield* log.compact(told.now.length, ["d", "e"])
    appendMany(12)
    log.append("\0".repeat(2000))
    yield* log.flushed
  })

/** What a life that came after sees, and what is wrong with it. */
const look = (told: Told) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const log = yield* storage.log("log")
    const records = (yield* Stream.runCollect(log.read(log.first))).map(textOf)
    const chunks = (yield* Stream.runCollect(log.snapshot)).map(textOf)
    const value = yield* (yield* storage.cell("cell")).get
    const problems: Array<string> = []
    const { first } = log
    const isSame = (a: Contents, b: Contents): boolean => a.length === b.length && a.every((text, i) => text === b[i])
    const isOf = (state: Contents): boolean => state.length >= first && isSame(records, state.slice(first))
    const isHalfOf = (before: Contents, after: Contents): boolean =>
      first + records.length >= after.length && isOf(before.slice(0, first + records.length))
    const isThere = told.states.some(
      (state, i) =>
        i >= told.certain &&
        (isOf(state) || (i > told.certain && told.truncations.has(i) && isHalfOf(told.states[i - 1]!, state)))
    )
    if (!isThere) problems.push(`records ${first} to ${log.next} are none that were asked for since the last flush`)
    const isSnapshot = told.snapshots.some(
      (snapshot, i) => i >= told.certainSnapshot && snapshot.upTo === first && isSame(chunks, snapshot.chunks)
    )
    if (!isSnapshot)
      problems.push(`the snapshot of ${first}, ${chunks.length} chunks, is none since the last that ended`)
    const text = value === undefined ? undefined : textOf(value)
    if (!told.values.slice(told.certainValue).includes(text)) problems.push(`the cell has ${text}`)
    // The log goes on.
    log.append(bytesOf("after"))
    yield* log.flushed
    return { problems, records: [...records, "after"] }
  })

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

export const disk = (seed: number): SimulatedDisk.SimulatedDisk =>
  SimulatedDisk.make({ seed, syncMillisMin: 0, syncMillisMax: 0, segmentBytes: 4096, preallocateBytes: 1024 }).disk(
    "disk"
  )

/** How many operations of the disk the script takes. */
export const operations = async (): Promise<number> => {
  const whole = disk(0)
  await Effect.runPromise(script(new Told()).pipe(Effect.scoped, Effect.provide(whole.layer)))
  return whole.operations
}

/**
 * Crashes at that operation, looks, crashes again while the log is opened and looks again. Returns what is wrong.
 */
export const crashAt = async (
  operation: number,
  seed: number,
  failing: SimulatedDisk.SimulatedDisk["failing"] = "nothing"
): Promise<ReadonlyArray<string>> => {
  const crashing = disk(seed)
  crashing.failing = failing
  crashing.crashAt = operation
  const told = new Told()
  /** A life that ends by a crash: its scope is never closed. */
  const life = <A, E>(effect: Effect.Effect<A, E, Storage | Scope.Scope>) =>
    Effect.runPromiseExit(
      Effect.flatMap(Layer.buildWithScope(crashing.layer, Scope.makeUnsafe()), (context) =>
        Effect.provide(Scope.provide(effect, Scope.makeUnsafe()), context)
      )
    )
  let ended = false
  void life(script(told)).then(() => (ended = true))
  while (!ended && crashing.operations < operation) await turns(1)
  await turns(3)
  // The crash comes with the next life, which crashes as well, while it opens the log.
  crashing.crashAt = Infinity
  const before = crashing.operations
  let opened = false
  const reopening = life(
    Effect.andThen(
      Effect.flatMap(Storage, (storage) => storage.log("log")),
      Effect.void
    )
  )
  crashing.crashAt = before + (seed % 7)
  void reopening.then(() => (opened = true))
  for (let i = 0; i < 6 && !opened; i++) await turns(1)
  const first = await life(look(told))
  if (Exit.isFailure(first)) return [`it cannot be opened: ${JSON.stringify(first.cause)}`]
  const second = await life(
    Effect.gen(function* () {
      const log = yield* (yield* Storage).log("log")
      return (yield* Stream.runCollect(log.read(log.first))).map(textOf)
    })
  )
  if (Exit.isFailure(second)) return [`it cannot be opened again: ${JSON.stringify(second.cause)}`]
  if (JSON.stringify(second.value) !== JSON.stringify(first.value.records)) {
    return [...first.value.problems, "what was flushed after the crash is not there after another"]
  }
  return first.value.problems
}
