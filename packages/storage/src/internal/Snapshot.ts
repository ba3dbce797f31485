/**
 * Snapshots as files: chunks as records, and at the end a record that says how many there are. A file that has its name is
 * whole: it is written under another one, and renamed when it is durable.
 */
import { Effect, Option, Stream } from "effect"
import { Corrupt, type StorageError } from "../Storage.ts"
import { type Files, type FilesError, type OpenFile, toStorageError } from "./Files.ts"
import {
  dataOffset,
  decodeFileHeader,
  decodeRecord,
  encodeFileHeader,
  encodeRecord,
  fileHeaderBytes,
  recordSize
} from "./format.ts"

/** Chunks of a snapshot are numbered from 1, as flushes are; its end has this number. */
const endSequence = 0
const pageBytes = 256 * 1024

export const writeSnapshot = Effect.fnUntraced(function* (
  files: Files,
  path: string,
  index: number,
  chunks: Iterable<Uint8Array>,
  isGivenUp: () => boolean
): Effect.fn.Return<void, FilesError> {
  const file = yield* files.open(path, true)
  yield* Effect.gen(function* () {
    const header = encodeFileHeader("snapshot", index, 1)
    const decoded = decodeFileHeader("snapshot", header)
    const seed = typeof decoded === "string" ? 0 : decoded.seed
    yield* file.write(header, 0)
    let at = fileHeaderBytes
    let count = 0
    const write = (data: Uint8Array, sequence: number) => {
      const bytes = Buffer.allocUnsafe(recordSize(data.length))
      encodeRecord(bytes, 0, data, at, seed, sequence)
      const place = at
      at += bytes.length
      return file.write(bytes, place)
    }
    for (const chunk of chunks) {
      if (isGivenUp()) return yield* Effect.fail<FilesError>({ full: false, detail: "it was closed" })
      yield* write(chunk, ++count)
    }
    const end = new Uint8Array(8)
    new DataView(end.buffer).setFloat64(0, count, true)
    yield* write(end, endSequence)
    yield* file.sync
  }).pipe(Effect.ensuring(file.close))
})

/** Goes through a snapshot, and fails where it isn't as it was written. */
export const checkSnapshot = (
  files: Files,
  name: string,
  path: string,
  index: number
): Effect.Effect<void, StorageError> => Effect.scoped(Stream.runDrain(readSnapshot(files, name, path, index)))

/** Its chunks. The file is open while they are read: it may lose its name meanwhile. */
export const readSnapshot = (
  files: Files,
  name: string,
  path: string,
  index: number
): Stream.Stream<Uint8Array, StorageError> => {
  const io = <A>(effect: Effect.Effect<A, FilesError>): Effect.Effect<A, StorageError> =>
    Effect.mapError(effect, (error) => toStorageError(name, error))
  const corrupt = (at: number, detail: string) => new Corrupt({ name, at: `${path}, byte ${at}`, detail })

  /** The records of a page from `at` on, and where the next one begins; nothing after the end. */
  const page = Effect.fnUntraced(function* (
    file: OpenFile,
    size: number,
    seed: number,
    place: { readonly at: number; readonly count: number }
  ): Effect.fn.Return<
    readonly [ReadonlyArray<Uint8Array>, Option.Option<{ readonly at: number; readonly count: number }>],
    StorageError
  > {
    const { at } = place
    let { count } = place
    let bytes = yield* read(file, at, Math.min(pageBytes, size - at))
    const least = bytes.length >= dataOffset ? recordSize(Math.max(0, bytes.readUInt32LE(0) - 1)) : 0
    if (least > bytes.length && least <= size - at) bytes = yield* read(file, at, least)
    const chunks: Array<Uint8Array> = []
    let offset = 0
    for (;;) {
      const left = bytes.length - offset
      const isRest = at + bytes.length === size
      if (
        !isRest &&
        (left < dataOffset || recordSize(Math.max(0, bytes.readUInt32LE(offset) - 1)) > left) &&
        offset > 0
      ) {
        return [chunks, Option.some({ at: at + offset, count })]
      }
      const found = decodeRecord(bytes, offset, at, seed)
      if (found._tag !== "Record") {
        return yield* corrupt(at + offset, found._tag === "Damaged" ? found.detail : "the snapshot is not whole")
      }
      if (found.sequence === endSequence) {
        const told = Buffer.from(found.data).readDoubleLE(0)
        if (told === count && at + found.end === size) return [chunks, Option.none()]
        return yield* corrupt(at + offset, `it should have ${told} chunks, and has ${count}`)
      }
      if (found.sequence !== ++count >>> 0) return yield* corrupt(at + offset, `chunk ${count} is missing`)
      chunks.push(found.data)
      offset = found.end
    }
  })
  const read = (file: OpenFile, at: number, length: number): Effect.Effect<Buffer, StorageError> =>
    Effect.map(io(file.read(at, length)), (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))

  return Stream.unwrap(
    Effect.gen(function* () {
      const file = yield* Effect.acquireRelease(io(files.open(path, false)), (open) => open.close)
      const size = yield* io(file.size)
      const header = decodeFileHeader("snapshot", yield* io(file.read(0, fileHeaderBytes)))
      if (typeof header === "string") return yield* corrupt(0, header)
      if (header.index !== index) return yield* corrupt(16, `it is the snapshot of record ${header.index}`)
      return Stream.paginate({ at: fileHeaderBytes, count: 0 }, (place) => page(file, size, header.seed, place))
    })
  )
}
