/** Reads the directory of a log as the last life, or its crash, left it. */
import { Effect } from "effect"
import { Corrupt, type StorageError } from "../Storage.ts"
import { type Files, type OpenFile, toStorageError } from "./Files.ts"
import { decodeFileHeader, decodeRecord, fileHeaderBytes, laterRecord } from "./format.ts"
import { RecordIndex } from "./RecordIndex.ts"
import { checkSnapshot } from "./Snapshot.ts"

export interface Segment {
  /** The index of its first record. */
  readonly first: number
  readonly path: string
  /** Goes into the checksums of its records. */
  readonly seed: number
}

export interface Recovered {
  readonly index: RecordIndex
  /** Of what is before the index. */
  readonly hasSnapshot: boolean
  /** In the order of their records; the last one is open. */
  readonly segments: Array<Segment>
  readonly active: OpenFile | undefined
  /** Where the last segment's next record goes, how long its file is, and the number of its latest flush. */
  readonly position: number
  readonly size: number
  readonly sequence: number
}

export const fileName = (kind: "segment" | "snapshot", index: number): string =>
  `${String(index).padStart(16, "0")}.${kind}`

const numbersOf = (names: ReadonlyArray<string>, kind: "segment" | "snapshot"): Array<number> =>
  names
    .flatMap((name) => (new RegExp(`^[0-9]{16}\\.${kind}$`).test(name) ? [Number(name.slice(0, 16))] : []))
    .sort((a, b) => a - b)

export const recover = Effect.fnUntraced(function* (
  files: Files,
  name: string,
  directory: string
): Effect.fn.Return<Recovered, StorageError> {
  const io = <A>(effect: Effect.Effect<A, Parameters<typeof toStorageError>[1]>): Effect.Effect<A, StorageError> =>
    Effect.mapError(effect, (error) => toStorageError(name, error))
  const corrupt = (path: string, at: number, detail: string) => new Corrupt({ name, at: `${path}, byte ${at}`, detail })
  yield* io(files.makeDirectory(directory))
  const names = yield* io(files.list(directory))
  const snapshots = numbersOf(names, "snapshot")
  const first = snapshots.at(-1) ?? 0
  const hasSnapshot = snapshots.length > 0
  if (hasSnapshot) yield* checkSnapshot(files, name, `${directory}/${fileName("snapshot", first)}`, first)
  const firsts = numbersOf(names, "segment")
  // What a crash left of a compaction, of a new segment, of a snapshot.
  const needless = [
    ...names.filter((other) => other.endsWith(".new")),
    ...snapshots.slice(0, -1).map((index) => fileName("snapshot", index)),
    ...firsts
      .filter((_, i) => firsts[i + 1] !== undefined && firsts[i + 1]! <= first)
      .map((i) => fileName("segment", i))
  ]
  for (const old of needless) yield* io(files.remove(`${directory}/${old}`))
  // What got its name, and was not synced before a crash or a failure, is served from now on: so the name becomes durable.
  if (names.length > 0) yield* io(files.syncDirectory(directory))
  const kept = firsts.filter((_, i) => firsts[i + 1] === undefined || firsts[i + 1]! > first)
  if (kept.length === 0) {
    if (hasSnapshot) return yield* corrupt(directory, 0, `there is a snapshot up to record ${first}, and no segment`)
    return {
      index: new RecordIndex(0),
      hasSnapshot: false,
      segments: [],
      active: undefined,
      position: 0,
      size: 0,
      sequence: 0
    }
  }
  if (kept[0]! > first) return yield* corrupt(directory, 0, `records ${first} to ${kept[0]! - 1} are missing`)
  const index = new RecordIndex(kept[0]!)

  const scan = Effect.fnUntraced(function* (
    begin: number,
    isLast: boolean
  ): Effect.fn.Return<
    Pick<Recovered, "active" | "position" | "sequence" | "size"> & { readonly segment: Segment; readonly next: number },
    StorageError
  > {
    const path = `${directory}/${fileName("segment", begin)}`
    const file = yield* io(files.open(path, false))
    const close = file.close
    const found = yield* Effect.gen(function* () {
      const size = yield* io(file.size)
      const read = yield* io(file.read(0, size))
      const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength)
      const header = decodeFileHeader("log", bytes)
      if (typeof header === "string") return yield* corrupt(path, 0, header)
      if (header.index !== begin) return yield* corrupt(path, 16, `it is the segment of record ${header.index}`)
      const { seed } = header
      let { sequence } = header
      let next = begin
      let at = fileHeaderBytes
      for (;;) {
        const record = decodeRecord(bytes, at, 0, seed)
        if (record._tag === "End") break
        if (record._tag === "Damaged") return yield* corrupt(path, at, record.detail)
        if (record._tag === "Torn") {
          if (!isLast) return yield* corrupt(path, at, "a record is not whole, and later ones are")
          const later = laterRecord(bytes, at, 0, seed, sequence + 1)
          if (later !== undefined) {
            return yield* corrupt(path, at, `a record is not whole, and a later one, at byte ${later}, is`)
          }
          yield* io(file.truncate(at))
          yield* io(file.sync)
          break
        }
        index.place(index.push(record.data.length), at)
        next++
        ;({ end: at, sequence } = record)
      }
      if (isLast) {
        // What was written without being flushed, or when a flush failed, is served from now on: so it becomes durable.
        yield* io(file.write(bytes.subarray(0, at), 0))
        yield* io(file.sync)
      }
      const segment: Segment = { first: begin, path, seed }
      return { segment, next, active: isLast ? file : undefined, position: at, size: yield* io(file.size), sequence }
    }).pipe(Effect.onError(() => close))
    if (!isLast) yield* close
    return found
  })

  const segments: Array<Segment> = []
  for (const [i, begin] of kept.entries()) {
    const found = yield* scan(begin, i === kept.length - 1)
    segments.push(found.segment)
    const after = kept[i + 1]
    if (after !== undefined) {
      if (found.next === after) continue
      return yield* corrupt(
        found.segment.path,
        found.position,
        `it ends before record ${found.next}, and the next begins with ${after}`
      )
    }
    if (found.next < first) {
      yield* found.active!.close
      return yield* corrupt(found.segment.path, found.position, `records ${found.next} to ${first - 1} are missing`)
    }
    index.drop(first)
    return { ...found, index, hasSnapshot, segments }
  }
  return yield* Effect.die("unreachable")
})
