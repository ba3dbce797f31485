/**
 * What a flush takes, and how many records a second become durable with group commit; beside it the floors of the same
 * minute: bare writes of Node that are durable when they end, and SQLite. The ways of writing take turns, round by round.
 *
 *     node --conditions=@troupe/source packages/storage/bench/disk.bench.ts [--json] [--rounds 5] [--directory <dir>]
 */
import { Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { Effect } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"

const {
  directory,
  json,
  rounds: given
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    directory: { type: "string", default: tmpdir() }
  }
}).values
const rounds = Number(given)
const flushesARound = 400
const recordBytes = 120
const record = new Uint8Array(recordBytes).fill(7)

type Flush = () => Promise<unknown>

/** Writes records one behind the other, into a file that is `filled` with zeros ahead or not, and makes each durable. */
const bare = (root: string, filled: boolean, way: "O_DSYNC" | "fdatasync" | "worker" | "blocking"): Flush => {
  const path = join(root, `bare-${filled}-${way}`)
  fs.writeFileSync(path, filled ? Buffer.alloc(8 * 1024 * 1024) : "")
  const fd = fs.openSync(path, fs.constants.O_RDWR | (way === "O_DSYNC" ? fs.constants.O_DSYNC : 0))
  fs.fsyncSync(fd)
  let at = 0
  const next = (): number => (at += recordBytes) - recordBytes
  const toPromise = (run: (done: (error: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => run((error) => (error === null ? resolve() : reject(error))))
  const write = (): Promise<void> => toPromise((done) => fs.write(fd, record, 0, recordBytes, next(), done))
  switch (way) {
    case "O_DSYNC":
      return write
    case "fdatasync":
      return () => write().then(() => toPromise((done) => fs.fdatasync(fd, done)))
    case "blocking":
      return async () => {
        fs.writeSync(fd, record, 0, recordBytes, next())
        fs.fdatasyncSync(fd)
      }
    case "worker": {
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads"); const fs = require("node:fs")
         parentPort.on("message", ({ at, bytes }) => {
           fs.writeSync(workerData, bytes, 0, bytes.length, at); fs.fdatasyncSync(workerData); parentPort.postMessage(0)
         })`,
        { eval: true, workerData: fd }
      )
      worker.unref()
      return () =>
        new Promise((resolve) => {
          worker.once("message", resolve)
          worker.postMessage({ bytes: record, at: next() })
        })
    }
  }
}

const sqlite = (root: string): Flush & { readonly many: (count: number) => void } => {
  const database = new DatabaseSync(join(root, "sqlite"))
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE log (id INTEGER PRIMARY KEY, data BLOB)"
  )
  const insert = database.prepare("INSERT INTO log (data) VALUES (?)")
  const many = (count: number): void => {
    database.exec("BEGIN")
    for (let i = 0; i < count; i++) insert.run(record)
    database.exec("COMMIT")
  }
  return Object.assign(async () => void insert.run(record), { many })
}

const at = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
const median = (values: ReadonlyArray<number>): number =>
  at(
    values.toSorted((a, b) => a - b),
    0.5
  )

const measure = (root: string) =>
  Effect.gen(function* () {
    const log = yield* (yield* Storage).log("log")
    const flush: Flush = () =>
      new Promise((resolve, reject) => {
        log.append(record)
        log.flush((failure) => (failure === undefined ? resolve(undefined) : reject(failure)))
      })
    const database = sqlite(root)
    const ways: Readonly<Record<string, Flush>> = {
      "this log": flush,
      "O_DSYNC, filled": bare(root, true, "O_DSYNC"),
      "O_DSYNC, growing": bare(root, false, "O_DSYNC"),
      "write + fdatasync, filled": bare(root, true, "fdatasync"),
      "write + fdatasync, growing": bare(root, false, "fdatasync"),
      "worker thread, filled": bare(root, true, "worker"),
      "blocking, filled": bare(root, true, "blocking"),
      "SQLite WAL, synchronous FULL (blocking)": database
    }
    const times = new Map(Object.keys(ways).map((way) => [way, [] as Array<number>]))
    for (let round = -1; round < rounds; round++) {
      for (const [way, run] of Object.entries(ways)) {
        for (let i = 0; i < flushesARound; i++) {
          const start = performance.now()
          yield* Effect.promise(run)
          if (round >= 0) times.get(way)!.push(1000 * (performance.now() - start))
        }
      }
    }
    // So many users, each of whom appends again when its record is durable.
    const perSecond = async (users: number): Promise<number> => {
      const count = 40_000
      let asked = 0
      const start = performance.now()
      const user = async (): Promise<void> => {
        while (asked++ < count) await flush()
      }
      await Promise.all(Array.from({ length: users }, user))
      return (1000 * count) / (performance.now() - start)
    }
    const rates = {
      "this log, 64 users": [] as Array<number>,
      "this log, 512 users": [] as Array<number>,
      "SQLite, 64 records a transaction": [] as Array<number>
    }
    for (let round = 0; round < rounds; round++) {
      rates["this log, 64 users"].push(yield* Effect.promise(() => perSecond(64)))
      rates["this log, 512 users"].push(yield* Effect.promise(() => perSecond(512)))
      const start = performance.now()
      for (let i = 0; i < 100; i++) database.many(64)
      rates["SQLite, 64 records a transaction"].push((1000 * 6400) / (performance.now() - start))
    }
    return {
      benchmark: `records of ${recordBytes} bytes, made durable`,
      flushMicros: Object.fromEntries(
        [...times].map(([way, values]) => {
          const sorted = values.toSorted((a, b) => a - b)
          return [way, { median: Math.round(at(sorted, 0.5)), p99: Math.round(at(sorted, 0.99)) }]
        })
      ),
      recordsPerSecond: Object.fromEntries(
        Object.entries(rates).map(([way, values]) => [way, Math.round(median(values))])
      )
    }
  })

const root = fs.mkdtempSync(join(directory, "troupe-bench-"))
const report = await Effect.runPromise(
  measure(root).pipe(Effect.scoped, Effect.provide(Disk.layer({ directory: join(root, "log") })))
)
fs.rmSync(root, { recursive: true })
console.log(json ? JSON.stringify(report) : report)
