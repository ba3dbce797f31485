/**
 * A process that appends to a log, and prints what it was told is durable: `writer.ts <directory>`. It is killed at any
 * instant, or ends when its disk refuses, with the tag of the error as its last line.
 */
import { type Log, Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { Effect } from "effect"
import { pathToFileURL } from "node:url"
import { bytesOf } from "./support.ts"

/** What the record of an index says. */
export const record = (index: number): string => `${index} ${"r".repeat((index * 131) % 900)}`

const batches = (log: Log) =>
  Effect.gen(function* () {
    for (let batch = 0; ; batch++) {
      for (let i = 0; i <= batch % 7; i++) log.append(bytesOf(record(log.next)))
      yield* log.flushed
      process.stdout.write(`log ${log.next}\n`)
    }
  })

const compactions = (log: Log) =>
  Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep("5 millis")
      const upTo = log.next
      yield* log.compact(upTo, [bytesOf(`${upTo}`), bytesOf("x".repeat(100_000))])
      process.stdout.write(`snapshot ${upTo}\n`)
    }
  })

const write = (directory: string) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const log = yield* storage.log("log")
    const cell = yield* storage.cell("cell")
    const sets = Effect.gen(function* () {
      for (;;) {
        const value = log.next
        yield* cell.set(bytesOf(`${value}`))
        process.stdout.write(`cell ${value}\n`)
      }
    })
    process.stdout.write("open\n")
    yield* Effect.all([batches(log), compactions(log), sets], { concurrency: "unbounded" })
  }).pipe(
    Effect.scoped,
    Effect.provide(Disk.layer({ directory, segmentBytes: 100_000, preallocateBytes: 20_000 })),
    Effect.catch((error) => Effect.sync(() => console.log(`failed ${error._tag}: ${error.message}`)))
  )

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await Effect.runPromise(write(process.argv[2]!))
