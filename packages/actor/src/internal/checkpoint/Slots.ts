/**
 * Checkpoints on disk: a log each, written in turn, so that the latest whole one is never written over.
 *
 * A checkpoint is whole when its last record is there and tells the checksum of all before it. What a crash left half
 * written, over an older one perhaps, is not; a log that is damaged is left alone, and another one takes its turn.
 */
import { type Log, Storage, type StorageError } from "@troupe/storage"
import { Cause, Effect, Exit, Option, Schema, Scope, Stream } from "effect"

/** What is in a checkpoint, by the names of its members. */
export interface Saved {
  readonly number: number
  readonly atMillis: number
  readonly members: Readonly<Record<string, { readonly version: number; readonly json: unknown }>>
}

interface Slot {
  readonly name: string
  /** Closed after a failure: opened again for the next one. */
  log: Log | undefined
  scope: Scope.Closeable
  /** Of the checkpoint in it: 0 where it is not whole. */
  number: number
}

/** Why a checkpoint is not gone back to. */
export interface Passed {
  readonly log: string
  readonly reason: string
}

/** Of the records that a checkpoint is cut into. */
const chunkBytes = 64 * 1024

/** Damaged logs that are passed over. */
const damagedMost = 16

const End = Schema.fromJsonString(
  Schema.Struct({ format: Schema.Literal(1), number: Schema.Int, bytes: Schema.Int, checksum: Schema.Int })
)
const decodeEnd = Schema.decodeUnknownSync(End)

/** FNV-1a, in 32 bits. The disk has its own checks: this one is against parts that are whole, and of different checkpoints. */
const checksumOf = (bytes: Uint8Array): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  return hash >>> 0
}

const utf8 = new TextEncoder()
const text = new TextDecoder("utf-8", { fatal: true })

export interface Slots {
  /** The latest that is whole. */
  readonly latest: Saved | undefined
  readonly passed: ReadonlyArray<Passed>
  readonly write: (saved: Saved) => Effect.Effect<void, StorageError>
}

export const open = (name: string, keep: number): Effect.Effect<Slots, StorageError, Storage | Scope.Scope> =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const outer = yield* Effect.scope
    const slots: Array<Slot> = []
    const passed: Array<Passed> = []
    let latest: Saved | undefined
    for (let at = 0; slots.length < keep; at++) {
      const slot: Slot = { name: `${name}/${at}`, log: undefined, scope: yield* Scope.fork(outer), number: 0 }
      const found = yield* Effect.exit(Effect.andThen(reopen(storage, slot), read(slot)))
      if (Exit.isFailure(found)) {
        const failure = Option.getOrUndefined(Cause.findErrorOption(found.cause))
        if (failure?._tag !== "Corrupt" || passed.length >= damagedMost) return yield* Effect.failCause(found.cause)
        passed.push({ log: slot.name, reason: failure.message })
        continue
      }
      slots.push(slot)
      if (typeof found.value === "string") passed.push({ log: slot.name, reason: found.value })
      else if (found.value !== undefined && found.value.number > (latest?.number ?? 0)) latest = found.value
    }
    return { latest, passed, write: (saved) => write(storage, outer, slots, saved) }
  })

const reopen = (storage: Storage["Service"], slot: Slot): Effect.Effect<void, StorageError> =>
  Effect.map(Scope.provide(storage.log(slot.name), slot.scope), (log) => void (slot.log = log))

/** The checkpoint in it, nothing, or why that is not whole. */
const read = (slot: Slot): Effect.Effect<Saved | string | undefined, StorageError> =>
  Effect.map(
    Effect.suspend(() => Stream.runCollect(slot.log!.read(slot.log!.first))),
    (records) => {
      if (records.length === 0) return undefined
      try {
        const saved = whole(records)
        slot.number = saved.number
        return saved
      } catch (error) {
        return `it is not whole: ${String(error)}`
      }
    }
  )

const whole = (records: ReadonlyArray<Uint8Array>): Saved => {
  const end = decodeEnd(text.decode(records.at(-1)))
  const bytes = new Uint8Array(end.bytes)
  let at = 0
  for (const record of records.slice(0, -1)) {
    bytes.set(record, at)
    at += record.length
  }
  if (at !== end.bytes || checksumOf(bytes) !== end.checksum) throw new RangeError("parts of it are of another one")
  return JSON.parse(text.decode(bytes)) as Saved
}

/** In place of the oldest. */
const write = Effect.fnUntraced(function* (
  storage: Storage["Service"],
  outer: Scope.Scope,
  slots: ReadonlyArray<Slot>,
  saved: Saved
): Effect.fn.Return<void, StorageError> {
  const slot = slots.reduce((oldest, each) => (each.number < oldest.number ? each : oldest))
  if (slot.log === undefined) yield* reopen(storage, slot)
  const log = slot.log!
  slot.number = 0
  const bytes = utf8.encode(JSON.stringify(saved))
  const { number } = saved
  log.truncate(log.first)
  for (let at = 0; at < bytes.length; at += chunkBytes) log.append(bytes.subarray(at, at + chunkBytes))
  log.append(utf8.encode(JSON.stringify({ format: 1, number, bytes: bytes.length, checksum: checksumOf(bytes) })))
  yield* Effect.tapError(log.flushed, () =>
    Effect.gen(function* () {
      slot.log = undefined
      const { scope } = slot
      slot.scope = yield* Scope.fork(outer)
      yield* Effect.ignore(Scope.close(scope, Exit.void))
    })
  )
  slot.number = number
})
