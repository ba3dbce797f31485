/**
 * What a disk is to the code that keeps logs on it: a few operations on files and directories, which a real file system
 * and a simulated one that fails provide. Paths are made of names with `/` between them, below the root of the seam.
 */
import type { Effect } from "effect"
import { StorageFailed, StorageFull, type StorageError } from "../Storage.ts"

export interface Files {
  /** The names in a directory; none in one that isn't there. */
  readonly list: (directory: string) => Effect.Effect<ReadonlyArray<string>, FilesError>
  /** Makes a directory and its parents; durable when it ends. */
  readonly makeDirectory: (directory: string) => Effect.Effect<void, FilesError>
  /** Makes durable which names a directory has. */
  readonly syncDirectory: (directory: string) => Effect.Effect<void, FilesError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, FilesError>
  readonly remove: (path: string) => Effect.Effect<void, FilesError>
  /** A file that is there, or with `create` a new empty one in place of what was there. */
  readonly open: (path: string, create: boolean) => Effect.Effect<OpenFile, FilesError>
  /** Runs something soon, after what runs now: what asks for a flush meanwhile shares it. */
  readonly soon: (run: () => void) => void
}

export interface OpenFile {
  readonly size: Effect.Effect<number, FilesError>
  /** Fewer bytes at the end of the file. */
  readonly read: (at: number, length: number) => Effect.Effect<Uint8Array, FilesError>
  readonly write: (bytes: Uint8Array, at: number) => Effect.Effect<void, FilesError>
  readonly sync: Effect.Effect<void, FilesError>
  readonly truncate: (size: number) => Effect.Effect<void, FilesError>
  /** Writes, and calls back when that is durable. The bytes are the file's until then. */
  readonly commit: (bytes: Uint8Array, at: number, done: (error: FilesError | undefined) => void) => void
  readonly close: Effect.Effect<void>
}

export interface FilesError {
  readonly full: boolean
  readonly detail: string
}

export const toStorageError = (name: string, { detail, full }: FilesError): StorageError =>
  full ? new StorageFull({ name, detail }) : new StorageFailed({ name, detail })
