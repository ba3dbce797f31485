/**
 * A log as segments: files of records, of which the last is written to.
 *
 * Records gather in memory until a flush writes them with one commit. A segment is filled with zeros ahead of its records,
 * so that most commits change no size. What is not a commit (truncating, a new segment) comes before the next one, and
 * commits wait for it.
 */
import { type Context, Effect, Semaphore, Stream } from "effect"
import { type Log, StorageFailed, type StorageError } from "../Storage.ts"
import { type Files, type FilesError, type OpenFile, toStorageError } from "./Files.ts"
import {
  decodeFileHeader,
  encodeFileHeader,
  encodeRecord,
  fileHeaderBytes,
  recordBytesMax,
  recordSize
} from "./format.ts"
import { fileName, recover, type Recovered, type Segment } from "./recovery.ts"
import type { RecordIndex } from "./RecordIndex.ts"
import { type Readable, readPage } from "./reading.ts"
import { readSnapshot, writeSnapshot } from "./Snapshot.ts"

export interface LogOptions {
  /** Bytes after which a segment is followed by another. */
  readonly segmentBytes: number
  /** Bytes of zeros that a segment is filled with at a time, at the most. */
  readonly preallocateBytes: number
}

type Done = (failure: StorageError | undefined) => void

const stagedBytesMin = 64 * 1024
const bufferBytesKept = 8 * 1024 * 1024

export const openLog = Effect.fnUntraced(function* (
  files: Files,
  name: string,
  directory: string,
  options: LogOptions
): Effect.fn.Return<DiskLog, StorageError> {
  const recovered = yield* recover(files, name, directory)
  const log = new DiskLog(files, name, directory, options, recovered, yield* Effect.context<never>())
  if (recovered.segments.length === 0) yield* log.begin
  return log
})

export class DiskLog implements Log, Readable {
  readonly name: string
  readonly files: Files
  private readonly directory: string
  private readonly options: LogOptions
  private readonly fork: (effect: Effect.Effect<void>) => void
  readonly index: RecordIndex
  readonly segments: Array<Segment>
  private active: OpenFile | undefined
  /** Where the next commit writes, and how far the file is there. */
  private position: number
  private size: number
  private sequence: number
  /** Bytes of records in the commit under way. */
  private committed = 0
  /** Appended and in no commit yet: the records from `stagedFrom` on, without headers. */
  private staged: Array<Uint8Array> = []
  private stagedBytes = 0
  /** What commits are made of, one after another. */
  private buffer = Buffer.allocUnsafe(stagedBytesMin)
  /** What is on the disk goes back to here before the next commit. */
  private cutTo: number | undefined = undefined
  private rolls = false
  private waiters: Array<Done> = []
  private flushing = false
  private closing = false
  private closed = false
  private hasSnapshot: boolean
  private failure: StorageError | undefined = undefined
  /** Of the segments and the snapshot: not changed while they are read page by page. */
  private readonly compacting = Semaphore.makeUnsafe(1)

  constructor(
    files: Files,
    name: string,
    directory: string,
    options: LogOptions,
    recovered: Recovered,
    context: Context.Context<never>
  ) {
    this.files = files
    this.name = name
    this.directory = directory
    this.options = options
    this.fork = Effect.runForkWith(context)
    ;({
      index: this.index,
      segments: this.segments,
      hasSnapshot: this.hasSnapshot,
      active: this.active,
      position: this.position,
      size: this.size,
      sequence: this.sequence
    } = recovered)
  }

  get first(): number {
    return this.index.first
  }

  get next(): number {
    return this.index.next
  }

  get bytes(): number {
    return this.index.bytes
  }

  append(record: Uint8Array): number {
    if (record.length > recordBytesMax) {
      throw new RangeError(`a record of ${record.length} bytes is above ${recordBytesMax}: divide it`)
    }
    // Nobody is told that these are durable, for no flush succeeds any more.
    if (this.failure === undefined && !this.closed) {
      this.staged.push(record)
      this.stagedBytes += recordSize(record.length)
    }
    return this.index.push(record.length)
  }

  flush(done: Done): void {
    if (this.failure !== undefined) return done(this.failure)
    if (this.closed) return done(new StorageFailed({ name: this.name, detail: "it is closed" }))
    if (!this.flushing && !this.isDirty()) return done(undefined)
    this.waiters.push(done)
    if (this.flushing) return
    this.flushing = true
    this.files.soon(() => this.turn())
  }

  get flushed(): Effect.Effect<void, StorageError> {
    return Effect.callback<void, StorageError>((resume) =>
      this.flush((failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure)))
    )
  }

  truncate(from: number): void {
    const { index } = this
    const to = Math.max(from, index.first)
    if (to >= index.next) return
    const stagedFrom = index.next - this.staged.length
    index.truncate(to)
    for (const record of this.staged.splice(Math.max(0, to - stagedFrom))) this.stagedBytes -= recordSize(record.length)
    if (to < stagedFrom) this.cutTo = Math.min(to, this.cutTo ?? to)
  }

  read(from: number, to?: number): Stream.Stream<Uint8Array, StorageError> {
    return Stream.unwrap(
      Effect.sync(() => {
        const end = Math.min(to ?? this.index.next, this.index.next)
        const begin = Math.max(from, this.index.first)
        if (begin >= end) return Stream.empty
        return Stream.fromEffectDrain(this.isDirty() || this.flushing ? this.flushed : Effect.void).pipe(
          Stream.concat(Stream.paginate(begin, (at) => readPage(this, at, end)))
        )
      })
    )
  }

  get snapshot(): Stream.Stream<Uint8Array, StorageError> {
    return Stream.suspend(() =>
      this.hasSnapshot
        ? readSnapshot(this.files, this.name, this.path("snapshot", this.index.first), this.index.first)
        : Stream.empty
    )
  }

  compact(upTo: number, chunks: Iterable<Uint8Array>): Effect.Effect<void, StorageError> {
    return this.compacting.withPermit(Effect.suspend(() => this.replace(Math.min(upTo, this.index.next), chunks)))
  }

  /** Makes the first segment. */
  get begin(): Effect.Effect<void, StorageError> {
    return Effect.mapError(this.roll(0), (error) => toStorageError(this.name, error))
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.ignore(this.failure === undefined && (this.flushing || this.isDirty()) ? this.flushed : Effect.void).pipe(
        Effect.andThen(
          Effect.suspend(() => {
            this.closing = true
            return this.compacting.withPermit(
              Effect.suspend(() => {
                this.closed = true
                return this.active === undefined ? Effect.void : this.active.close
              })
            )
          })
        )
      )
    )
  }

  private isDirty(): boolean {
    return this.staged.length > 0 || this.cutTo !== undefined
  }

  private path(kind: "segment" | "snapshot", index: number): string {
    return `${this.directory}/${fileName(kind, index)}`
  }

  /** After a failure nothing is known of what the disk holds: the log is to be opened again. */
  private fail(error: StorageError): void {
    this.failure ??= error
    const waiters = this.waiters
    this.waiters = []
    this.staged = []
    this.stagedBytes = 0
    this.flushing = false
    for (const done of waiters) done(this.failure)
  }

  /** One commit, for all who wait. */
  private turn(): void {
    if (this.failure !== undefined) return this.fail(this.failure)
    if (this.cutTo !== undefined) return this.before(this.cut(this.cutTo))
    if (this.rolls || this.position >= this.options.segmentBytes) {
      return this.before(this.roll(this.index.next - this.staged.length))
    }
    const waiters = this.waiters
    this.waiters = []
    const ended = (error: FilesError | undefined): void => {
      if (error !== undefined) {
        this.waiters = [...waiters, ...this.waiters]
        return this.fail(toStorageError(this.name, error))
      }
      this.flushing = this.waiters.length > 0
      if (this.flushing) this.files.soon(() => this.turn())
      for (const done of waiters) done(undefined)
    }
    if (this.staged.length === 0) return ended(undefined)
    const bytes = this.encode()
    const at = this.position
    this.position += this.committed
    this.size = Math.max(this.size, at + bytes.length)
    this.active!.commit(bytes, at, ended)
  }

  /** What is staged as bytes, with zeros for the records to come when the file's are used up. */
  private encode(): Buffer {
    const { index, position, staged } = this
    const { seed } = this.segments.at(-1)!
    const ahead =
      position + this.stagedBytes <= this.size
        ? 0
        : Math.min(this.options.preallocateBytes, Math.max(stagedBytesMin, this.size))
    const length = this.stagedBytes + ahead
    // The last commit has ended: its buffer is free. One that was large is let go.
    if (this.buffer.length < length || (this.buffer.length > bufferBytesKept && length <= bufferBytesKept)) {
      this.buffer = Buffer.allocUnsafe(Math.max(stagedBytesMin, 2 ** Math.ceil(Math.log2(length))))
    }
    this.sequence = (this.sequence + 1) >>> 0
    let offset = 0
    let at = index.next - staged.length
    for (const record of staged) {
      encodeRecord(this.buffer, offset, record, position + offset, seed, this.sequence)
      index.place(at++, position + offset)
      offset += recordSize(record.length)
    }
    if (ahead > 0) this.buffer.fill(0, offset, length)
    this.committed = offset
    this.staged = []
    this.stagedBytes = 0
    return this.buffer.subarray(0, length)
  }

  /** Does what comes before a commit, and goes on with the turn. */
  private before(effect: Effect.Effect<void, FilesError>): void {
    this.fork(
      Effect.matchCause(effect, {
        onSuccess: () => this.turn(),
        onFailure: (cause) => {
          const error = cause.reasons.find((reason) => reason._tag === "Fail")?.error
          this.fail(toStorageError(this.name, error ?? { full: false, detail: String(cause) }))
        }
      })
    )
  }

  /** Goes on in a new segment, whose first record has this index. Its file has its name when its header is durable. */
  private roll(first: number): Effect.Effect<void, FilesError> {
    return Effect.gen({ self: this }, function* () {
      const { directory, files } = this
      const path = this.path("segment", first)
      // Two segments cannot begin with one record: the empty one stays.
      if (this.segments.at(-1)?.first === first) {
        this.rolls = false
        return
      }
      const header = encodeFileHeader("log", first, this.sequence)
      const decoded = decodeFileHeader("log", header)
      const temporary = `${path}.new`
      const file = yield* files.open(temporary, true)
      yield* Effect.gen({ self: this }, function* () {
        yield* file.write(header, 0)
        yield* file.sync
      }).pipe(Effect.ensuring(file.close))
      yield* files.rename(temporary, path)
      yield* files.syncDirectory(directory)
      const opened = yield* files.open(path, false)
      if (this.active !== undefined) yield* this.active.close
      this.active = opened
      this.position = this.size = fileHeaderBytes
      this.segments.push({ first, path, seed: typeof decoded === "string" ? 0 : decoded.seed })
      this.rolls = false
      yield* this.removeSegments
    })
  }

  /** Cuts off the records from `from` on: later segments first, so that what is left is always a beginning. */
  private cut(from: number): Effect.Effect<void, FilesError> {
    return Effect.gen({ self: this }, function* () {
      this.cutTo = undefined
      const { directory, files, segments } = this
      if (segments.length > 1 && segments.at(-1)!.first > from) {
        yield* this.active!.close
        while (segments.length > 1 && segments.at(-1)!.first > from) {
          yield* files.remove(segments.pop()!.path)
          yield* files.syncDirectory(directory)
        }
        this.active = yield* files.open(segments.at(-1)!.path, false)
      }
      const segment = segments.at(-1)!
      this.position = yield* this.placeOf(segment, from)
      yield* this.active!.truncate(this.position)
      yield* this.active!.sync
      this.size = this.position
    })
  }

  /** Where a record of a segment begins, that may be gone from the index. */
  private placeOf(segment: Segment, index: number): Effect.Effect<number, FilesError> {
    return index === segment.first
      ? Effect.succeed(fileHeaderBytes)
      : Effect.sync(() => this.index.positionOf(index - 1) + recordSize(this.index.lengthOf(index - 1)))
  }

  private replace(upTo: number, chunks: Iterable<Uint8Array>): Effect.Effect<void, StorageError> {
    const { directory, files, index } = this
    const path = this.path("snapshot", upTo)
    const io = <A>(effect: Effect.Effect<A, FilesError>): Effect.Effect<A, StorageError> =>
      Effect.mapError(effect, (error) => toStorageError(this.name, error))
    const trusted = Effect.tapError(
      io(Effect.andThen(files.rename(`${path}.new`, path), files.syncDirectory(directory))),
      (error) => Effect.sync(() => this.fail(error))
    )
    return Effect.gen({ self: this }, function* () {
      if (upTo < index.first) return
      yield* io(writeSnapshot(files, `${path}.new`, upTo, chunks, () => this.closing)).pipe(
        // Half of it is of no use, and takes room.
        Effect.onError(() => Effect.ignore(files.remove(`${path}.new`)))
      )
      // The records that it stands for come first, or there would be none between it and the next ones.
      yield* this.flushed
      if (upTo > index.next) {
        yield* Effect.ignore(files.remove(`${path}.new`))
        return yield* new StorageFailed({
          name: this.name,
          detail: `record ${index.next} was truncated while it was compacted`
        })
      }
      const old = index.first
      const hadSnapshot = this.hasSnapshot
      yield* trusted
      index.drop(upTo)
      this.hasSnapshot = true
      this.rolls = this.segments.at(-1)!.first < upTo
      yield* io(
        Effect.gen({ self: this }, function* () {
          if (hadSnapshot && old < upTo) yield* files.remove(this.path("snapshot", old))
          yield* this.removeSegments
        })
      )
    })
  }

  /** Those of which a snapshot has taken the place. */
  private get removeSegments(): Effect.Effect<void, FilesError> {
    return Effect.gen({ self: this }, function* () {
      const { directory, files, index, segments } = this
      let removed = false
      while (segments.length > 1 && segments[1]!.first <= index.first) {
        yield* files.remove(segments.shift()!.path)
        removed = true
      }
      if (removed) yield* files.syncDirectory(directory)
    })
  }
}
