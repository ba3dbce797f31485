/** The seam of files over Node's. The one place of the package where the real world comes in. */
import { Effect } from "effect"
import * as fs from "node:fs"
import { dirname, join } from "node:path"
import type { Files, FilesError, OpenFile } from "./Files.ts"

const full = new Set(["ENOSPC", "EDQUOT", "EFBIG"])

const toError = (error: NodeJS.ErrnoException): FilesError => ({
  full: full.has(error.code ?? ""),
  detail: error.message
})

const call = <A>(run: (done: (error: NodeJS.ErrnoException | null, value?: A) => void) => void) =>
  Effect.callback<A, FilesError>((resume) =>
    run((error, value) => resume(error === null ? Effect.succeed(value as A) : Effect.fail(toError(error))))
  )

/** With it a write is durable when it has ended: one way through the thread pool in place of two. */
const durableWrites = fs.constants.O_DSYNC as number | undefined

export const make = (root: string): Files => {
  const place = (path: string): string => join(root, path)
  const syncDirectory = (path: string): Effect.Effect<void, FilesError> =>
    // There is no such call on Windows, and no need.
    process.platform === "win32"
      ? Effect.void
      : Effect.acquireUseRelease(
          call<number>((done) => fs.open(path, "r", done)),
          (fd) => call<void>((done) => fs.fsync(fd, done)),
          (fd) => Effect.ignore(call<void>((done) => fs.close(fd, done)))
        )
  return {
    list: (directory) =>
      Effect.callback((resume) =>
        fs.readdir(place(directory), (error, names) =>
          resume(
            error === null || error.code === "ENOENT"
              ? Effect.succeed((names ?? []).toSorted())
              : Effect.fail(toError(error))
          )
        )
      ),
    makeDirectory: (directory) =>
      Effect.gen(function* () {
        const made = yield* call<string | undefined>((done) => fs.mkdir(place(directory), { recursive: true }, done))
        if (made === undefined) return
        // Each new name is made durable in its parent.
        for (let path = place(directory); path.length >= made.length; path = dirname(path)) {
          yield* syncDirectory(dirname(path))
        }
      }),
    syncDirectory: (directory) => syncDirectory(place(directory)),
    rename: (from, to) => call<void>((done) => fs.rename(place(from), place(to), done)),
    remove: (path) => call<void>((done) => fs.rm(place(path), { force: true }, done)),
    open: (path, create) => {
      const { O_CREAT, O_RDWR, O_TRUNC } = fs.constants
      const flags = O_RDWR | (create ? O_CREAT | O_TRUNC : (durableWrites ?? 0))
      return Effect.map(
        call<number>((done) => fs.open(place(path), flags, 0o600, done)),
        openFile
      )
    },
    soon: (run) => process.nextTick(run)
  }
}

const openFile = (fd: number): OpenFile => ({
  size: Effect.map(
    call<fs.Stats>((done) => fs.fstat(fd, done)),
    ({ size }) => size
  ),
  read: (at, length) => {
    const buffer = Buffer.allocUnsafe(length)
    const more = (from: number): Effect.Effect<Uint8Array, FilesError> =>
      Effect.flatMap(
        call<number>((done) => fs.read(fd, buffer, from, length - from, at + from, done)),
        (count) =>
          count === 0 || from + count === length ? Effect.succeed(buffer.subarray(0, from + count)) : more(from + count)
      )
    return length === 0 ? Effect.succeed(buffer) : more(0)
  },
  write: (bytes, at) =>
    Effect.callback((resume) =>
      writeAll(fd, bytes, 0, at, (error) => resume(error === undefined ? Effect.void : Effect.fail(error)))
    ),
  sync: call<void>((done) => fs.fsync(fd, done)),
  truncate: (size) => call<void>((done) => fs.ftruncate(fd, size, done)),
  commit: (bytes, at, done) =>
    writeAll(fd, bytes, 0, at, (error) => {
      if (error !== undefined || durableWrites !== undefined) return done(error)
      fs.fdatasync(fd, (failed) => done(failed === null ? undefined : toError(failed)))
    }),
  close: Effect.ignore(call<void>((done) => fs.close(fd, done)))
})

/** A disk that fills up takes a part, and refuses the rest. */
const writeAll = (
  fd: number,
  bytes: Uint8Array,
  from: number,
  at: number,
  done: (error: FilesError | undefined) => void
): void =>
  fs.write(fd, bytes, from, bytes.length - from, at + from, (error, count) => {
    if (error !== null) return done(toError(error))
    if (count === 0) return done({ full: true, detail: "the file takes no more bytes" })
    if (from + count === bytes.length) return done(undefined)
    writeAll(fd, bytes, from + count, at, done)
  })
