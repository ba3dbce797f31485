/** Reads records of a log's segments, page by page. */
import { Effect, Option } from "effect"
import { Corrupt, StorageFailed, type StorageError } from "../Storage.ts"
import { type Files, type FilesError, toStorageError } from "./Files.ts"
import { decodeRecord, recordSize } from "./format.ts"
import type { RecordIndex } from "./RecordIndex.ts"
import type { Segment } from "./recovery.ts"

const pageBytes = 256 * 1024

export interface Readable {
  readonly files: Files
  readonly name: string
  readonly index: RecordIndex
  readonly segments: ReadonlyArray<Segment>
}

type Page = readonly [records: ReadonlyArray<Uint8Array>, next: Option.Option<number>]

/** Records from `at` on, as many as a page holds and before `end`, and where the next page begins. */
export const readPage = Effect.fnUntraced(function* (
  { files, index, name, segments }: Readable,
  at: number,
  end: number
): Effect.fn.Return<Page, StorageError> {
  if (at < index.first || end > index.next) {
    return yield* new StorageFailed({ name, detail: `record ${at} was replaced or truncated while it was read` })
  }
  const number = segments.findLastIndex(({ first }) => first <= at)
  const segment = segments[number]!
  const limit = Math.min(end, segments[number + 1]?.first ?? end)
  const begin = index.positionOf(at)
  let next = at
  let stop = begin
  while (next < limit && (next === at || stop - begin < pageBytes)) {
    stop = index.positionOf(next) + recordSize(index.lengthOf(next))
    next++
  }
  const io = <A>(effect: Effect.Effect<A, FilesError>) =>
    Effect.mapError(effect, (error) => toStorageError(name, error))
  const file = yield* io(files.open(segment.path, false))
  const read = yield* Effect.ensuring(io(file.read(begin, stop - begin)), file.close)
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength)
  const records: Array<Uint8Array> = []
  for (let offset = 0; records.length < next - at;) {
    const found = decodeRecord(bytes, offset, begin, segment.seed)
    if (found._tag !== "Record") {
      const detail = found._tag === "Damaged" ? found.detail : "a record is missing that was there"
      return yield* new Corrupt({ name, at: `${segment.path}, byte ${begin + offset}`, detail })
    }
    records.push(found.data)
    offset = found.end
  }
  return [records, next < end ? Option.some(next) : Option.none()]
})
