/**
 * What an actor persists, and what it asked for that waits for the disk: one log, and a queue of actions that are carried
 * out in the order of asking as the log becomes durable.
 */
import { Corrupt, type Log, type StorageError, StorageFull } from "@troupe/storage"
import { Codec } from "@troupe/transport"
import { Cause, Effect, Exit, Option, Semaphore, Stream } from "effect"
import type { Action, Durable, Self } from "../Protocol.ts"

interface Held {
  readonly action: Action<any, any, any, any>
  /** Durable when the log is up to here. */
  readonly at: number
}

/** Bytes of a chunk of a snapshot, and some. */
const chunkBytes = 64 * 1024

/** A record that is whole, and yet of another layout. */
const foreign = "the record is none of this protocol, or of a version with another schema"

/** Actions that wait for the disk; with more of them, inputs wait, too. */
const heldMax = 65_536

/** Of records that replace others: below it no log is worth its compaction. */
export const compactAboveDefault = 64 * 1024 * 1024

export class Journal<State, Persisted> {
  private readonly durable: Durable<State, Persisted>
  private readonly log: Log
  private readonly codec: Codec.Codec<Persisted>
  private readonly encode: (record: Persisted) => Uint8Array
  private readonly compactAbove: number
  private held: Array<Held> = []
  private heldFrom = 0
  private appended: number
  private durableUpTo: number
  private flushing = false
  private dirty = false
  private compacting = false
  /** Its log takes nothing more until it is opened again. */
  hasFailed = false
  /** One who reads the log reads all of it before or after a compaction. */
  private readonly turns = Semaphore.makeUnsafe(1)
  /** What stands for the log's past, or did not fit where it was tried: compacted again when the log is twice that. */
  private snapshotBytes = 0
  private state: State | undefined = undefined
  onDurable: () => void = () => {}
  onFailure: (failure: StorageError) => void = () => {}
  fork: (effect: Effect.Effect<void>) => void = () => {}

  constructor(durable: Durable<State, Persisted>, log: Log, compactAbove = compactAboveDefault) {
    this.durable = durable
    this.log = log
    const codec = (this.codec = durable.codec ?? Codec.binary(durable.record))
    this.encode = durable.encoded ?? ((record) => Codec.encode(codec, record))
    this.compactAbove = compactAbove
    this.appended = this.durableUpTo = log.next
  }

  /** Reads what was persisted, on top of `init`. */
  recover(init: State, self: Self<any>): Effect.Effect<State, StorageError> {
    const { durable, log } = this
    const read = Effect.gen({ self: this }, function* () {
      let state = init
      let snapshotBytes = 0
      let index = log.first
      const restore = (records: Iterable<Uint8Array>, at: () => string) =>
        Effect.suspend(() => {
          for (const record of records) {
            const decoded = this.decode(record)
            if (decoded === undefined) return Effect.fail(new Corrupt({ name: log.name, at: at(), detail: foreign }))
            state = durable.restore(state, decoded.record, self)
            index++
          }
          return Effect.void
        })
      yield* Stream.runForEach(log.snapshot, (chunk) => {
        snapshotBytes += chunk.length
        return restore(unpack(chunk), () => "its snapshot")
      })
      index = log.first
      yield* Stream.runForEachArray(log.read(index), (records) => restore(records, () => `record ${index}`))
      this.snapshotBytes = snapshotBytes
      this.state = state
      return state
    })
    return this.turns.withPermit(read)
  }

  private decode(bytes: Uint8Array): { readonly record: Persisted } | undefined {
    try {
      return { record: Codec.decode(this.codec, bytes) }
    } catch {
      return undefined
    }
  }

  /** What `recover` has read. */
  restored(): State {
    const state = this.state as State
    this.state = undefined
    return state
  }

  /** Takes a record, or what must wait for one; `false`: it is for the driver, at once. */
  holds(action: Action<any, any, any, any>): boolean {
    switch (action._tag) {
      case "Persist":
        this.log.append(this.encode(action.record))
        this.appended++
        this.dirty = true
        return true
      case "Send":
      case "Emit":
        if (action.now === true) return false
        break
      case "SetTimer":
      case "ClearTimer":
        return false
    }
    // Durable, but behind others that are, and wait for the end of this step.
    if (this.appended === this.durableUpTo && this.held.length === 0) return false
    this.held.push({ action, at: this.appended })
    return true
  }

  /** The next action whose records are durable by now. */
  take(): Action<any, any, any, any> | undefined {
    const next = this.held[this.heldFrom]
    if (next === undefined || next.at > this.durableUpTo) return undefined
    this.heldFrom++
    // Under load it is never empty: what was taken goes when it is the half.
    if (this.heldFrom === this.held.length || (this.heldFrom >= 1024 && this.heldFrom * 2 >= this.held.length)) {
      this.held = this.held.slice(this.heldFrom)
      this.heldFrom = 0
    }
    return next.action
  }

  /** What waits for a disk that writes nothing more, and is not done. */
  abandon(): ReadonlyArray<Action<any, any, any, any>> {
    const abandoned = this.held.slice(this.heldFrom)
    this.held = []
    this.heldFrom = 0
    return abandoned.map(({ action }) => action)
  }

  /** So much waits for the disk that no more should be asked for. */
  get isFull(): boolean {
    return this.held.length - this.heldFrom >= heldMax
  }

  /** A step is done, and `state` is what it came to. */
  commit(state: State): void {
    if (!this.dirty) return
    this.flush()
    const { bytes } = this.log
    if (bytes > this.compactAbove && bytes > 2 * this.snapshotBytes && !this.compacting) this.compact(state)
  }

  /** One at a time: what is persisted meanwhile shares the next. */
  private flush(): void {
    if (this.flushing) return
    this.flushing = true
    this.dirty = false
    const upTo = this.appended
    this.log.flush((failure) => {
      this.flushing = false
      if (failure !== undefined) return this.fails(failure)
      this.durableUpTo = upTo
      if (this.dirty) this.flush()
      this.onDurable()
    })
  }

  private fails(failure: StorageError): void {
    this.hasFailed = true
    this.onFailure(failure)
  }

  private compact(state: State): void {
    const { log } = this
    const logBytes = log.bytes
    let records: Iterable<Persisted> | undefined
    try {
      records = this.durable.compact?.(state)
    } catch (defect) {
      this.snapshotBytes = logBytes
      return this.fork(this.notCompacted(Cause.die(defect)))
    }
    if (records === undefined) return
    this.compacting = true
    let bytes = 0
    const chunks = this.pack(records, (chunk) => (bytes += chunk.length))
    this.fork(
      Effect.flatMap(Effect.exit(this.turns.withPermit(log.compact(log.next, chunks))), (exit) => {
        this.compacting = false
        this.snapshotBytes = bytes
        if (Exit.isSuccess(exit)) return Effect.void
        this.snapshotBytes = logBytes
        const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
        // The log may have room still, when a snapshot beside it has none.
        if (failure !== undefined && !(failure instanceof StorageFull)) this.fails(failure)
        return this.notCompacted(exit.cause)
      })
    )
  }

  private notCompacted(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Effect.logWarning(
      `"${this.log.name}" was not compacted, which is tried again when it is twice as long`,
      cause
    )
  }

  /** Records as chunks, each of as many as fill it: their lengths before them. */
  private *pack(records: Iterable<Persisted>, made: (chunk: Uint8Array) => void): Iterable<Uint8Array> {
    let parts: Array<Uint8Array> = []
    let size = 0
    const chunk = (): Uint8Array => {
      const whole = new Uint8Array(size)
      const view = new DataView(whole.buffer)
      let at = 0
      for (const part of parts) {
        view.setUint32(at, part.length, true)
        whole.set(part, at + 4)
        at += 4 + part.length
      }
      parts = []
      size = 0
      made(whole)
      return whole
    }
    for (const record of records) {
      const part = Codec.encode(this.codec, record)
      parts.push(part)
      size += 4 + part.length
      if (size >= chunkBytes) yield chunk()
    }
    if (size > 0) yield chunk()
  }
}

const unpack = function* (chunk: Uint8Array): Iterable<Uint8Array> {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  for (let at = 0; at < chunk.length;) {
    const length = view.getUint32(at, true)
    yield chunk.subarray(at + 4, at + 4 + length)
    at += 4 + length
  }
}
