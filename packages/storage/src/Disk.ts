/**
 * Storage in a directory of a file system: logs as segments of checksummed records, cells as files.
 *
 * A record costs 20 bytes and its way up to the next multiple of 8. A flush is one write that is durable when it ends
 * (`O_DSYNC`), whatever number of records it is for, into space that was filled with zeros ahead. A crash at any instant,
 * of the process or the machine, loses nothing that was flushed, as far as disk and file system keep what they say is
 * durable; it relies on sectors of 512 bytes that are written whole or not at all, and on renames that are.
 *
 * A directory belongs to one layer at a time, over all processes of the machine: a lock says so that ends with its holder,
 * however that ends. On a file system of a network it is as good as that system's locks.
 *
 * @example
 * import { Storage } from "@troupe/storage"
 * import * as Disk from "@troupe/storage/Disk"
 * import { Effect } from "effect"
 * import { mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const directory = mkdtempSync(join(tmpdir(), "orders-"))
 * const order = Effect.gen(function*() {
 *   const log = yield* (yield* Storage).log("orders")
 *   log.append(new TextEncoder().encode("one pizza"))
 *   yield* log.flushed
 *   return log.next
 * }).pipe(Effect.scoped, Effect.provide(Disk.layer({ directory })))
 *
 * await Effect.runPromise(order)
 * console.log(await Effect.runPromise(order)) // 2
 * rmSync(directory, { recursive: true })
 */
import { Effect, Layer } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as DiskStorage from "./internal/DiskStorage.ts"
import * as nodeFiles from "./internal/nodeFiles.ts"
import { Storage, StorageFailed, StorageInUse } from "./Storage.ts"

export interface Options {
  /** Made if it isn't there. */
  readonly directory: string
  /** Bytes after which a segment is followed by another, from 4,096. A log is read a segment at a time. Default: 16 MiB. */
  readonly segmentBytes?: number
  /** Bytes of zeros that a segment grows by at a time, at the most. Default: 1 MiB. */
  readonly preallocateBytes?: number
}

export const layer = (options: Options): Layer.Layer<Storage, StorageInUse | StorageFailed> => {
  const { directory, preallocateBytes = 1024 * 1024, segmentBytes = 16 * 1024 * 1024 } = options
  return Layer.effect(
    Storage,
    Effect.as(
      own(directory),
      DiskStorage.make(nodeFiles.make(directory), {
        segmentBytes: Math.max(4096, segmentBytes),
        preallocateBytes: Math.max(0, preallocateBytes)
      })
    )
  )
}

/** SQLite's lock is the operating system's, on every platform, and is gone with the process. Nothing is stored in it. */
const own = (directory: string) =>
  Effect.acquireRelease(
    Effect.suspend((): Effect.Effect<DatabaseSync, StorageFailed | StorageInUse> => {
      const holder = join(directory, "holder")
      let lock: DatabaseSync | undefined
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        lock = new DatabaseSync(join(directory, "lock"))
        lock.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE")
        writeFileSync(holder, `${process.pid}`)
        return Effect.succeed(lock)
      } catch (error) {
        lock?.close()
        const { errcode, message } = error as { readonly errcode?: number; readonly message: string }
        if (errcode !== busy) return Effect.fail(new StorageFailed({ name: directory, detail: message }))
        return Effect.fail(new StorageInUse({ name: directory, detail: `${whoHolds(holder)} has it open` }))
      }
    }),
    (lock) => Effect.sync(() => lock.close())
  )

/** SQLITE_BUSY */
const busy = 5

const whoHolds = (holder: string): string => {
  try {
    const pid = readFileSync(holder, "utf8")
    return pid === `${process.pid}` ? "this process" : `process ${pid}`
  } catch {
    return "another process"
  }
}
