/**
 * What a replica holds: the log of batches, the state of the machine after each batch that is not known to be safe, and
 * what comes back from disk.
 */
import * as Machine from "../../Machine.ts"
import * as Log from "./log.ts"
import type { Batch, Entry, Known, Piece, Record } from "./messages.ts"
import * as Recent from "./recent.ts"
import * as Table from "./table.ts"

/** The machine after the batch at `at`. */
export interface Version {
  readonly at: number
  readonly state: unknown
  readonly table: Table.Table
  /** The latest time of day that a request was executed at. */
  readonly now: number
  /** How many requests were executed. */
  readonly requests: number
}

export interface Replica {
  readonly log: Log.Log<Batch>
  /** The latest that is known to be safe, and one for each later batch. */
  readonly versions: ReadonlyArray<Version>
  /** A snapshot that is being fetched. */
  readonly incoming: Incoming | undefined
}

interface Incoming {
  readonly at: number
  readonly state: unknown
  /** Pieces that are there. */
  readonly parts: number
}

export const init = (machine: Machine.Any, nodes: number): Replica => ({
  log: Log.empty,
  versions: [
    { at: 0, state: machine.init, table: Array.from({ length: nodes }, () => Table.unknown), now: 0, requests: 0 }
  ],
  incoming: undefined
})

export const safe = ({ versions }: Replica): Version => versions[0]!
export const latest = ({ versions }: Replica): Version => versions[versions.length - 1]!

/** About how many bytes a batch is in a message. */
export const sizeOf = (machine: Machine.Any, { entries }: Batch): number => {
  let bytes = 32
  for (const entry of entries) bytes += sizeOfEntry(machine, entry)
  return bytes
}

export const sizeOfEntry = (machine: Machine.Any, { response, updates }: Pick<Entry, "response" | "updates">): number =>
  32 + (machine.sizeOf?.(updates, response) ?? 64 * updates.length)

/** One more batch, at the end, and the version that it makes. */
export const push = (machine: Machine.Any, replica: Replica, batch: Batch, version: Version): Replica => ({
  ...replica,
  log: Log.append(replica.log, batch, (each) => sizeOf(machine, each)),
  versions: [...replica.versions, version]
})

export const apply = (machine: Machine.Any, version: Version, batch: Batch): Version => {
  const draft = new Table.Draft(version.table)
  const { entries } = batch
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!
    if (entry.client >= 0) draft.add(entry.client, entry)
  }
  return {
    at: version.at + 1,
    state: applied(machine, version.state, batch),
    table: draft.done(),
    now: batch.now,
    requests: batch.before + entries.length
  }
}

const applied = (machine: Machine.Any, before: unknown, batch: Batch): unknown => {
  const known = Recent.of(machine).find(batch, before)
  if (known !== undefined) return known
  let state = before
  for (const { updates } of batch.entries) state = Machine.applyAll(machine, state, updates)
  Recent.of(machine).note(batch, before, state)
  return state
}

/** Takes these batches as what follows `at`, in place of all that the log has there. */
export const extend = (
  machine: Machine.Any,
  replica: Replica,
  at: number,
  batches: ReadonlyArray<Batch>,
  commit: number,
  kept: number
): Replica => {
  const isCut = at < Log.last(replica.log)
  let log = isCut ? Log.upTo(replica.log, at) : replica.log
  const versions = isCut ? replica.versions.filter((version) => version.at <= at) : replica.versions.slice()
  for (const batch of batches) {
    log = Log.append(log, batch, (each) => sizeOf(machine, each))
    versions.push(apply(machine, versions[versions.length - 1]!, batch))
  }
  return settle({ ...replica, log, versions }, commit, kept)
}

/** Bytes of batches that are kept for replicas that were away, and some, however few requests they are of. */
const keptBytes = 32 * 1024 * 1024

/**
 * All up to `at` is safe. Old batches go, but those of the latest `kept` requests where these are not too large, and none
 * after `keptFrom`.
 */
export const settle = (
  replica: Replica,
  at: number,
  kept: number,
  keptFrom: number = Number.MAX_SAFE_INTEGER
): Replica => {
  const { versions } = replica
  let first = 0
  while (first + 1 < versions.length && versions[first + 1]!.at <= at) first++
  if (first === 0) return replica
  const { requests } = versions[first]!
  return {
    ...replica,
    log: Log.trim(
      replica.log,
      Math.min(versions[first]!.at, keptFrom),
      ({ before, entries }, bytes) => requests - before - entries.length >= kept || bytes > keptBytes
    ),
    versions: versions.slice(first)
  }
}

/** A piece of a snapshot; `undefined` where it is not the one that is missing. */
export const take = (machine: Machine.Any, replica: Replica, piece: Piece): Replica | undefined => {
  const { at, end, part, updates } = piece
  const begun = part === 0 ? { at, state: machine.init, parts: 0 } : replica.incoming
  if (begun === undefined || begun.at !== at || begun.parts !== part) return undefined
  let { state } = begun
  state = Machine.applyAll(machine, state, updates)
  if (end === undefined) return { ...replica, incoming: { at, state, parts: part + 1 } }
  const version = { at, state, table: end.clients.map(remember), now: end.now, requests: end.requests }
  return { log: Log.after(at, piece.atView), versions: [version], incoming: undefined }
}

/** The end of a snapshot of this version. */
export const endOf = ({ now, requests, table }: Version): NonNullable<Piece["end"]> => ({
  now,
  requests,
  clients: table.map(tell)
})

const tell = ({ chunks, floor, life, top }: Table.Client): Known => ({
  life,
  floor,
  top,
  answers: chunks.flatMap(({ counters, responses }) =>
    counters.flatMap((counter, i) => (counter < floor ? [] : [{ counter, response: responses[i] }]))
  )
})

const remember = ({ answers, floor, life, top }: Known): Table.Client => ({
  life,
  floor,
  top,
  chunks:
    answers.length === 0
      ? []
      : [
          {
            top: answers.reduce((most, { counter }) => Math.max(most, counter), 0),
            counters: answers.map(({ counter }) => counter),
            responses: answers.map(({ response }) => response)
          }
        ]
})

/** So many updates of a dump go into one piece, or so many bytes and some. */
const pieceUpdates = 512
const pieceBytes = 256 * 1024

/** All that is durable of a replica, as records. A snapshot that is coming in is not: see `durable.compact`. */
export const compact = (machine: Machine.Any, replica: Replica, life: number, view: number): Iterable<Record> => {
  const version = safe(replica)
  const { at } = version
  const atView = Log.viewAt(replica.log, at)!
  const snapshot = inPieces<Record>(machine, version.state, (part, updates, isLast) => ({
    _tag: "Piece",
    piece: { at, atView, part, updates, ...(isLast ? { end: endOf(version) } : {}) }
  }))
  const tail = Log.following(replica.log, at, Number.MAX_SAFE_INTEGER, () => 1)
  return oneAfterAnother<Record>([
    [{ _tag: "Life", life, view }],
    snapshot,
    tail.map((batch, i) => ({ _tag: "Append", at: at + i, commit: at, batches: [batch] }))
  ])
}

/** Takes updates as they are asked for; the last piece may have none. */
export const inPieces = <A>(
  machine: Machine.Any,
  state: unknown,
  make: (part: number, updates: ReadonlyArray<unknown>, isLast: boolean) => A
): Iterable<A> => ({
  [Symbol.iterator]: () => {
    const source: Iterator<unknown> = machine.dump(state)[Symbol.iterator]()
    let part = 0
    let isOver = false
    return {
      next: () => {
        if (isOver) return { done: true, value: undefined }
        const taken: Array<unknown> = []
        let bytes = 0
        while (taken.length < pieceUpdates && bytes < pieceBytes) {
          const { done, value } = source.next()
          if ((isOver = done === true)) break
          taken.push(value)
          bytes += sizeOfEntry(machine, { response: undefined, updates: [value] })
        }
        return { done: false, value: make(part++, taken, isOver) }
      }
    }
  }
})

const oneAfterAnother = <A>(sources: ReadonlyArray<Iterable<A>>): Iterable<A> => ({
  [Symbol.iterator]: () => {
    const iterators = sources.map((source) => source[Symbol.iterator]())
    let at = 0
    return {
      next: () => {
        for (; at < iterators.length; at++) {
          const result = iterators[at]!.next()
          if (result.done !== true) return result
        }
        return { done: true, value: undefined }
      }
    }
  }
})
