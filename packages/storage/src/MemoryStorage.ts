/**
 * Storage that lives as long as its `Store`: for tests, and for nodes whose disk nobody needs. Everything is durable at
 * once, whatever happens to the programs that use it.
 */
import { type Context, Effect, Layer, Stream } from "effect"
import { type Cell, type Log, Storage, StorageInUse } from "./Storage.ts"

/** What a node's disk holds. Give the same one again to a node that comes back. */
export interface Store {
  readonly logs: Map<string, Stored>
  readonly cells: Map<string, Uint8Array>
}

interface Stored {
  first: number
  records: Array<Uint8Array>
  bytes: number
  snapshot: ReadonlyArray<Uint8Array>
}

export const make = (): Store => ({ logs: new Map(), cells: new Map() })

/** Each time that it is built it is a new life, in which nothing is open yet: the one before may have crashed. */
export const layer = (store: Store = make()): Layer.Layer<Storage> => Layer.sync(Storage, () => service(store))

const service = (store: Store): Context.Service.Shape<typeof Storage> => {
  const opened = new Set<string>()
  const owned = (name: string) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const detail =
          name.length === 0 || name.length > 200
            ? "a name has 1 to 200 characters"
            : opened.has(name)
              ? "it is open already"
              : undefined
        if (detail !== undefined) return Effect.fail(new StorageInUse({ name, detail }))
        return Effect.sync(() => void opened.add(name))
      }),
      () => Effect.sync(() => void opened.delete(name))
    )
  return {
    log: (name) =>
      Effect.map(owned(name), () => {
        let stored = store.logs.get(name)
        if (stored === undefined) store.logs.set(name, (stored = { first: 0, records: [], bytes: 0, snapshot: [] }))
        return open(name, stored)
      }),
    cell: (name) =>
      Effect.map(owned(`cell ${name}`), (): Cell => ({
        get: Effect.sync(() => store.cells.get(name)),
        set: (value) => Effect.sync(() => void store.cells.set(name, value))
      }))
  }
}

/** How often each was opened. */
const lives = new WeakMap<Stored, number>()

const open = (name: string, stored: Stored): Log => {
  const life = (lives.get(stored) ?? 0) + 1
  lives.set(stored, life)
  return {
    name,
    get first() {
      return stored.first
    },
    get next() {
      return stored.first + stored.records.length
    },
    get bytes() {
      return stored.bytes
    },
    append: (record) => {
      stored.bytes += record.length
      return stored.first + stored.records.push(record) - 1
    },
    flush: (done) => done(undefined),
    flushed: Effect.void,
    read: (from, to) =>
      Stream.suspend(() =>
        Stream.fromIterable(
          stored.records.slice(Math.max(0, from - stored.first), to === undefined ? undefined : to - stored.first)
        )
      ),
    truncate: (from) => {
      for (const record of stored.records.splice(Math.max(0, from - stored.first))) stored.bytes -= record.length
    },
    snapshot: Stream.suspend(() => Stream.fromIterable(stored.snapshot)),
    compact: (upTo, chunks) =>
      Effect.gen(function* () {
        if (upTo < stored.first) return
        const snapshot: Array<Uint8Array> = []
        for (const chunk of chunks) {
          snapshot.push(chunk)
          // Making one takes time that others need meanwhile.
          yield* Effect.yieldNow
          // Whoever has opened it since reads it as it was.
          if (lives.get(stored) !== life) return
        }
        const count = Math.min(upTo - stored.first, stored.records.length)
        if (count < 0) return
        stored.snapshot = snapshot
        for (const record of stored.records.splice(0, count)) stored.bytes -= record.length
        stored.first += count
      })
  }
}
