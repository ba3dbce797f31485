/** The service over the seam of files: who has which name open, and cells. */
import { type Context, Effect, Semaphore } from "effect"
import { type Cell, Corrupt, type Storage, type StorageError, StorageFailed, StorageInUse } from "../Storage.ts"
import { type LogOptions, openLog } from "./DiskLog.ts"
import { type Files, type FilesError, toStorageError } from "./Files.ts"
import {
  decodeFileHeader,
  decodeRecord,
  encodeFileHeader,
  encodeRecord,
  fileHeaderBytes,
  recordSize
} from "./format.ts"
import { directoryOf, refusedName } from "./names.ts"

export const cellBytesMax = 1024 * 1024

export const make = (files: Files, options: LogOptions): Context.Service.Shape<typeof Storage> => {
  const held = new Set<string>()
  const owned = (room: "logs" | "cells", name: string) => {
    const directory = directoryOf(room, name)
    return Effect.as(
      Effect.acquireRelease(
        Effect.suspend(() => {
          const detail = refusedName(name) ?? (held.has(directory) ? "it is open already" : undefined)
          if (detail !== undefined) return Effect.fail(new StorageInUse({ name, detail }))
          return Effect.sync(() => void held.add(directory))
        }),
        () => Effect.sync(() => void held.delete(directory))
      ),
      directory
    )
  }
  return {
    log: (name) =>
      Effect.flatMap(owned("logs", name), (directory) =>
        Effect.acquireRelease(openLog(files, name, directory, options), (log) => log.close)
      ),
    cell: (name) => Effect.flatMap(owned("cells", name), (directory) => openCell(files, name, directory))
  }
}

const openCell = Effect.fnUntraced(function* (
  files: Files,
  name: string,
  directory: string
): Effect.fn.Return<Cell, StorageError> {
  const io = <A>(effect: Effect.Effect<A, FilesError>): Effect.Effect<A, StorageError> =>
    Effect.mapError(effect, (error) => toStorageError(name, error))
  const path = `${directory}/value`
  yield* io(files.makeDirectory(directory))
  const isSet = (yield* io(files.list(directory))).includes("value")
  let value = isSet ? yield* readCell(files, name, path) : undefined
  // Its name may not be durable yet, where a failure came first: it is, when anybody reads the value.
  if (isSet) yield* io(files.syncDirectory(directory))
  let doubt: StorageError | undefined
  const turns = Semaphore.makeUnsafe(1)

  const set = (next: Uint8Array): Effect.Effect<void, StorageError> =>
    Effect.gen(function* () {
      if (doubt !== undefined) return yield* doubt
      if (next.length > cellBytesMax) {
        return yield* new StorageFailed({ name, detail: `a value of ${next.length} bytes is above ${cellBytesMax}` })
      }
      const file = yield* io(files.open(`${path}.new`, true))
      yield* Effect.ensuring(io(Effect.andThen(file.write(encodeCell(next), 0), file.sync)), file.close)
      // From here on a failure leaves open which of the two values is there.
      yield* io(Effect.andThen(files.rename(`${path}.new`, path), files.syncDirectory(directory))).pipe(
        Effect.tapError((error) => Effect.sync(() => (doubt = error)))
      )
      value = next
    })
  return {
    get: Effect.suspend(() => (doubt === undefined ? Effect.succeed(value) : Effect.fail(doubt))),
    set: (next) => Effect.suspend(() => turns.withPermit(Effect.uninterruptible(set(Uint8Array.from(next)))))
  }
})

const encodeCell = (value: Uint8Array): Uint8Array => {
  const header = encodeFileHeader("cell", 0, 1)
  const decoded = decodeFileHeader("cell", header)
  const bytes = Buffer.alloc(fileHeaderBytes + recordSize(value.length))
  bytes.set(header)
  encodeRecord(bytes, fileHeaderBytes, value, fileHeaderBytes, typeof decoded === "string" ? 0 : decoded.seed, 1)
  return bytes
}

const readCell = Effect.fnUntraced(function* (
  files: Files,
  name: string,
  path: string
): Effect.fn.Return<Uint8Array, StorageError> {
  const io = <A>(effect: Effect.Effect<A, FilesError>): Effect.Effect<A, StorageError> =>
    Effect.mapError(effect, (error) => toStorageError(name, error))
  const corrupt = (at: number, detail: string) => new Corrupt({ name, at: `${path}, byte ${at}`, detail })
  const file = yield* io(files.open(path, false))
  const read = yield* Effect.ensuring(io(Effect.flatMap(file.size, (size) => file.read(0, size))), file.close)
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength)
  const header = decodeFileHeader("cell", bytes)
  if (typeof header === "string") return yield* corrupt(0, header)
  const found = decodeRecord(bytes, fileHeaderBytes, 0, header.seed)
  if (found._tag === "Record" && found.end === bytes.length) return Uint8Array.from(found.data)
  return yield* corrupt(fileHeaderBytes, found._tag === "Damaged" ? found.detail : "the value is not whole")
})
