/**
 * Messages and records as bytes: by hand those that every update takes, and the others as their schemas say.
 *
 * The entries of a batch are encoded once. Their bytes go into a message for each backup and the record for the disk, and at
 * a backup from the message into its own record.
 */
import { Codec, Reader, type Writer } from "@troupe/transport"
import type * as Machine from "../../Machine.ts"
import { type Batch, type Entry, type Message, type Piece, type Record, schemas } from "./messages.ts"

/** Raised with each change of what follows it. */
const version = 1

/** So many of the latest that were encoded are remembered: more than there are under way at a time. */
const remembered = 16

const kinds = { other: 0, prepare: 1, ack: 2, append: 3, piece: 4 } as const

export interface Codecs {
  readonly message: Codec.Codec<Message>
  readonly record: Codec.Codec<Record>
  readonly encoded: (record: Record) => Uint8Array
}

const made = new WeakMap<Machine.Any, Codecs>()

/** One pair a machine, so that all that encode the same batches share them. */
export const codecs = (machine: Machine.Any): Codecs => {
  const known = made.get(machine) ?? make(machine)
  made.set(machine, known)
  return known
}

const make = (machine: Machine.Any): Codecs => {
  const { end, entries, message, record, updates } = schemas(machine)
  const { layout } = machine
  const batches = batchesOf(encodedOnce(layout === undefined ? Codec.binary(entries) : entriesOf(layout)))
  const pieces = piecesOf(layout === undefined ? Codec.binary(updates) : layout.updates, Codec.binary(end))
  const name = `passive-${version} ${layout === undefined ? "binary" : `${layout.updates.name} ${layout.response.name}`}`
  const records = recordsOf(name, Codec.binary(record), batches, pieces)
  return {
    message: messagesOf(name, Codec.binary(message), batches, pieces),
    record: records,
    encoded: sharing(records)
  }
}

/** Replicas in one process that take the same batches write the same record: one array of bytes for all their logs. */
const sharing = (codec: Codec.Codec<Record>): ((record: Record) => Uint8Array) => {
  const records: Array<Record | undefined> = Array.from({ length: remembered }, () => undefined)
  const encoded: Array<Uint8Array> = []
  let next = 0
  return (record) => {
    for (let i = 0; i < remembered; i++) if (isSame(records[i], record)) return encoded[i]!
    const bytes = Codec.encode(codec, record)
    records[next] = record
    encoded[next] = bytes
    next = (next + 1) % remembered
    return bytes
  }
}

const isSame = (one: Record | undefined, other: Record): boolean =>
  one?._tag === "Append" &&
  other._tag === "Append" &&
  one.batches === other.batches &&
  one.at === other.at &&
  one.commit === other.commit

// ------------------------------------------------------------------------------------------------- messages and records

interface Part<A> {
  readonly write: (value: A, into: Writer) => void
  readonly read: (from: Reader) => A
}

const messagesOf = (
  name: string,
  others: Codec.Codec<Message>,
  batches: Part<ReadonlyArray<Batch>>,
  pieces: Part<Piece>
) =>
  codecOf<Message>(name, others, {
    write: (message, into) => {
      switch (message._tag) {
        case "Prepare":
          into.natural(kinds.prepare)
          into.natural(message.view)
          into.natural(message.round)
          into.natural(message.at)
          into.natural(message.atView)
          into.natural(message.commit)
          into.natural(message.last)
          batches.write(message.batches, into)
          return true
        case "Ack":
          into.natural(kinds.ack)
          into.natural(message.view)
          into.natural(message.round)
          into.natural(message.at)
          return true
        case "Snapshot":
          into.natural(kinds.piece)
          into.natural(message.view)
          pieces.write(message.piece, into)
          return true
        default:
          return false
      }
    },
    read: (kind, from) => {
      if (kind === kinds.ack) return { _tag: "Ack", view: from.natural(), round: from.natural(), at: from.natural() }
      if (kind === kinds.piece) return { _tag: "Snapshot", view: from.natural(), piece: pieces.read(from) }
      if (kind !== kinds.prepare) return undefined
      const view = from.natural()
      const round = from.natural()
      const at = from.natural()
      const atView = from.natural()
      const commit = from.natural()
      const last = from.natural()
      return { _tag: "Prepare", view, round, at, atView, commit, last, batches: batches.read(from) }
    }
  })

const recordsOf = (
  name: string,
  others: Codec.Codec<Record>,
  batches: Part<ReadonlyArray<Batch>>,
  pieces: Part<Piece>
) =>
  codecOf<Record>(name, others, {
    write: (record, into) => {
      switch (record._tag) {
        case "Append":
          into.natural(kinds.append)
          into.natural(record.at)
          into.natural(record.commit)
          batches.write(record.batches, into)
          return true
        case "Piece":
          into.natural(kinds.piece)
          pieces.write(record.piece, into)
          return true
        default:
          return false
      }
    },
    read: (kind, from) => {
      if (kind === kinds.piece) return { _tag: "Piece", piece: pieces.read(from) }
      if (kind !== kinds.append) return undefined
      return { _tag: "Append", at: from.natural(), commit: from.natural(), batches: batches.read(from) }
    }
  })

/** Of some kinds by hand, each with its number first, and of the others in another codec. */
const codecOf = <A>(
  name: string,
  others: Codec.Codec<A>,
  own: {
    readonly write: (value: A, into: Writer) => boolean
    readonly read: (kind: number, from: Reader) => A | undefined
  }
): Codec.Codec<A> => ({
  name,
  write: (value, into) => {
    const start = into.length
    into.reserve(1)
    into.buffer[into.length++] = version
    if (own.write(value, into)) return
    into.natural(kinds.other)
    try {
      others.write(value, into)
    } catch (error) {
      into.length = start
      throw error
    }
  },
  read: (bytes, start, end) => {
    const from = new Reader(bytes, start, end)
    if (from.byte() !== version) throw new RangeError(`these are not bytes of ${name}`)
    const kind = from.natural()
    if (kind === kinds.other) return others.read(bytes, from.at, end)
    const value = own.read(kind, from)
    if (value === undefined) throw new RangeError(`${name} has no kind ${kind}`)
    from.finish()
    return value
  }
})

// ------------------------------------------------------------------------------------------------------------- batches

const batchesOf = (entries: Part<ReadonlyArray<Entry>>): Part<ReadonlyArray<Batch>> => ({
  write: (batches, into) => {
    into.natural(batches.length)
    for (const batch of batches) {
      into.natural(batch.view)
      into.float(batch.now)
      into.natural(batch.before)
      entries.write(batch.entries, into)
    }
  },
  read: (from) => {
    const batches: Array<Batch> = []
    for (let left = from.natural(); left > 0; left--) {
      batches.push({ view: from.natural(), now: from.float(), before: from.natural(), entries: entries.read(from) })
    }
    return batches
  }
})

/** Values that are told apart by identity, and never changed. */
const encodedOnce = <A extends object>(codec: Codec.Codec<A>): Part<A> => {
  const values: Array<A | undefined> = Array.from({ length: remembered }, () => undefined)
  const encoded: Array<Uint8Array> = []
  let next = 0
  const remember = (value: A, bytes: Uint8Array): Uint8Array => {
    values[next] = value
    encoded[next] = bytes
    next = (next + 1) % remembered
    return bytes
  }
  return {
    write: (value, into) => {
      const at = values.indexOf(value)
      const bytes = at >= 0 ? encoded[at]! : remember(value, Codec.encode(codec, value))
      into.natural(bytes.length)
      into.bytes(bytes)
    },
    read: (from) => {
      const bytes = from.copy(from.natural())
      const value = Codec.decode(codec, bytes)
      remember(value, bytes)
      return value
    }
  }
}

const entriesOf = ({ response, updates }: Machine.Layout<unknown, unknown>): Codec.Codec<ReadonlyArray<Entry>> => ({
  name: "entries",
  write: (entries, into) => {
    into.natural(entries.length)
    for (const entry of entries) {
      // Nobody's have -1.
      into.natural(entry.client + 1)
      into.natural(entry.life)
      into.natural(entry.counter)
      into.natural(entry.floor)
      sized(updates, entry.updates, into)
      if (entry.client >= 0) sized(response, entry.response, into)
    }
  },
  read: (bytes, start, end) => {
    const from = new Reader(bytes, start, end)
    const entries: Array<Entry> = []
    for (let left = from.natural(); left > 0; left--) {
      const client = from.natural() - 1
      const life = from.natural()
      const counter = from.natural()
      const floor = from.natural()
      const made = from.sized(updates)
      entries.push({
        client,
        life,
        counter,
        floor,
        response: client < 0 ? undefined : from.sized(response),
        updates: made
      })
    }
    from.finish()
    return entries
  }
})

const piecesOf = (
  updates: Codec.Codec<ReadonlyArray<unknown>>,
  end: Codec.Codec<NonNullable<Piece["end"]>>
): Part<Piece> => ({
  write: (piece, into) => {
    into.natural(piece.at)
    into.natural(piece.atView)
    into.natural(piece.part)
    sized(updates, piece.updates, into)
    into.natural(piece.end === undefined ? 0 : 1)
    if (piece.end !== undefined) sized(end, piece.end, into)
  },
  read: (from) => {
    const piece = { at: from.natural(), atView: from.natural(), part: from.natural(), updates: from.sized(updates) }
    return from.natural() === 0 ? piece : { ...piece, end: from.sized(end) }
  }
})

const sized = <A>(codec: Codec.Codec<A>, value: A, into: Writer): void => {
  const begun = into.beginSized()
  codec.write(value, into)
  into.endSized(begun)
}
