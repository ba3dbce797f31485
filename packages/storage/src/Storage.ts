/**
 * What survives a crash: logs of records, each with its latest snapshot, and small cells. A disk is a layer for this
 * service, and so are memory and a simulated disk that fails as real ones do.
 *
 * What every layer promises, and the suite of `@troupe/storage/testing` checks:
 *
 * - **Durable means durable.** Once `flush` has called back, every record appended before it survives any crash of the
 *   process or the machine. What was not flushed may be there or not: always a prefix of what was appended, never a gap.
 * - **Whole or not at all.** A record that a crash tore is cut off. One that was durable and is damaged is never served:
 *   opening its log fails with `Corrupt`, which says where.
 * - **One owner.** A name is open once at a time, over processes too.
 * - **Group commit.** Flushes asked for while one is under way share the next.
 *
 * @example
 * import { MemoryStorage, Storage } from "@troupe/storage"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const storage = yield* Storage
 *   const log = yield* storage.log("orders")
 *   log.append(new TextEncoder().encode("one pizza"))
 *   yield* log.flushed
 *   return log.next
 * })
 * console.log(await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(MemoryStorage.layer())))) // 1
 */
import { Context, type Effect, Schema, type Scope, type Stream } from "effect"

export class Storage extends Context.Service<
  Storage,
  {
    /**
     * Opens the log of that name, made if there is none; it is closed with the scope, which flushes it. Names have 1 to
     * 200 characters.
     */
    readonly log: (name: string) => Effect.Effect<Log, StorageError, Scope.Scope>
    /** A small value that is replaced as a whole. */
    readonly cell: (name: string) => Effect.Effect<Cell, StorageError, Scope.Scope>
  }
>()("@troupe/storage/Storage") {}

/** Records by index, of which the oldest may have been replaced by a snapshot. */
export interface Log {
  readonly name: string
  /** The index of the oldest record that is kept: 0 until a snapshot replaces some. */
  readonly first: number
  /** The index that the next record gets. */
  readonly next: number
  /** Bytes of the records that are kept. */
  readonly bytes: number
  /**
   * Appends a record, and returns its index. Nothing is durable before a flush. The bytes are the log's from now on: don't
   * change them.
   */
  readonly append: (record: Uint8Array) => number
  /**
   * Makes durable what was appended, and truncated, so far; calls `done` when it is, or when that failed: before this returns
   * where there is nothing to wait for. After a failure
   * the log takes nothing more: what was not flushed is in doubt until it is opened again.
   */
  readonly flush: (done: (failure: StorageError | undefined) => void) => void
  /** The same, as an effect. */
  readonly flushed: Effect.Effect<void, StorageError>
  /** The records from `from` (`first` at least) to before `to` (default: all that were appended). */
  readonly read: (from: number, to?: number) => Stream.Stream<Uint8Array, StorageError>
  /** Takes back the records from this index on; durable with the next flush. */
  readonly truncate: (from: number) => void
  /** What stands for the records before `first`; none in a log that never had one. */
  readonly snapshot: Stream.Stream<Uint8Array, StorageError>
  /**
   * Puts a snapshot in the place of the records before `upTo` (`next` at the most), in one step as crashes go; with
   * `upTo` at `first`, in the place of the snapshot alone, and before it does nothing. The chunks are taken one after another,
   * while the log goes on; they should be small (64 kB) and are not kept in memory.
   */
  readonly compact: (upTo: number, chunks: Iterable<Uint8Array>) => Effect.Effect<void, StorageError>
}

export interface Cell {
  /** What was set last; nothing in a new cell. */
  readonly get: Effect.Effect<Uint8Array | undefined, StorageError>
  /** Durable when it ends; a crash meanwhile leaves the old value or the new one. At most 1 MiB. */
  readonly set: (value: Uint8Array) => Effect.Effect<void, StorageError>
}

/** The disk has no room left. What was durable stays so. */
export class StorageFull extends Schema.TaggedError<StorageFull>()("StorageFull", {
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `"${this.name}" cannot grow: ${this.detail}. Make room and open it again; what was acknowledged is there.`
  }
}

/** The disk failed. */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()("StorageFailed", {
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The storage of "${this.name}" failed: ${this.detail}`
  }
}

/** What was durable is damaged, or of a format that this version doesn't know. It is left as it is. */
export class Corrupt extends Schema.TaggedError<Corrupt>()("Corrupt", {
  name: Schema.String,
  /** The file or place, and the offset in it. */
  at: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `"${this.name}" is damaged at ${this.at}: ${this.detail}. Nothing was changed: restore it from another replica or a backup.`
  }
}

/** The name is open already, in this process or another, or cannot be a name. */
export class StorageInUse extends Schema.TaggedError<StorageInUse>()("StorageInUse", {
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `"${this.name}" cannot be opened: ${this.detail}`
  }
}

export type StorageError = StorageFull | StorageFailed | Corrupt | StorageInUse
