/**
 * Messages and records as bytes, by hand: a read of a key takes four messages, and what is derived from schemas takes most of
 * the time of all else together.
 */
import { Codec, Reader, type Writer } from "@troupe/transport"
import { Schema } from "effect"
import type * as Machine from "../../Machine.ts"
import { alone, type Ballot, make } from "./ballots.ts"
import type { Ask, Message, Record, Vote } from "./messages.ts"
import { type Copy, dumpOf, type Entry, updatesOf } from "./registers.ts"

/** Raised with each change of what follows it. */
const version = 1

export interface Codecs {
  readonly message: Codec.Codec<Message>
  readonly record: Codec.Codec<Record>
}

const made = new WeakMap<Machine.Any, Codecs>()

/** One pair a machine: what is derived from its schemas is derived once. */
export const codecs = (machine: Machine.Any): Codecs => {
  const known = made.get(machine) ?? codecsOf(machine)
  made.set(machine, known)
  return known
}

const codecsOf = ({ layout, update }: Machine.Any): Codecs => {
  const updates = layout?.updates ?? (Codec.binary(Schema.Array(update)) as Codec.Codec<ReadonlyArray<unknown>>)
  const name = `quorum-${version} ${updates.name}`
  const copy = copies(updates)
  const ask = asks(copy)
  const vote = votes(copy)
  const message: Part<Message> = {
    write: (message, into) => {
      into.natural(message._tag === "Asks" ? 0 : 1)
      into.natural(message.life)
      if (message._tag === "Asks") writeAll(ask, message.asks, into)
      else writeAll(vote, message.votes, into)
    },
    read: (from) => {
      const kind = from.natural()
      const life = from.natural()
      if (kind === 0) return { _tag: "Asks", life, asks: readAll(ask, from) }
      if (kind === 1) return { _tag: "Votes", life, votes: readAll(vote, from) }
      return unknown("message", kind)
    }
  }
  const entry = entries(copy)
  const record: Part<Record> = {
    write: (record, into) => writeAll(entry, record, into),
    read: (from) => readAll(entry, from)
  }
  return { message: whole(name, message), record: whole(name, record) }
}

interface Part<A> {
  readonly write: (value: A, into: Writer) => void
  readonly read: (from: Reader) => A
}

const whole = <A>(name: string, { read, write }: Part<A>): Codec.Codec<A> => ({
  name,
  write: (value, into) => {
    const start = into.length
    try {
      into.natural(version)
      write(value, into)
    } catch (error) {
      into.length = start
      throw error
    }
  },
  read: (bytes, start, end) => {
    const from = new Reader(bytes, start, end)
    if (from.natural() !== version) throw new RangeError(`these are not bytes of ${name}`)
    const value = read(from)
    from.finish()
    return value
  }
})

const unknown = (what: string, kind: number): never => {
  throw new RangeError(`there is no ${what} of kind ${kind}`)
}

const writeAll = <A>({ write }: Part<A>, all: ReadonlyArray<A>, into: Writer): void => {
  into.natural(all.length)
  for (let i = 0; i < all.length; i++) write(all[i]!, into)
}

const nothing: ReadonlyArray<never> = []

const readAll = <A>({ read }: Part<A>, from: Reader): ReadonlyArray<A> => {
  const count = from.natural()
  // Of most copies nothing is in the past, and each would have a list of its own.
  if (count === 0) return nothing
  const all = [read(from)]
  for (let left = count - 1; left > 0; left--) all.push(read(from))
  return all
}

// ------------------------------------------------------------------------------------------------- ballots, keys, copies

const ballots: Part<Ballot> = {
  write: ({ counter, life, node }, into) => {
    into.natural(counter)
    // There is one of node -1.
    into.natural(node + 1)
    into.natural(life)
  },
  read: (from) => {
    const counter = from.natural()
    const node = from.natural() - 1
    return make(counter, node, from.natural())
  }
}

const readPast = (from: Reader): ReadonlyArray<Ballot> => {
  const past = readAll(ballots, from)
  return past.length === 1 ? alone(past[0]!) : past
}

const isLatin1 = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false
  return true
}

/** Twice the length before a key of characters of a byte each; 1 before any other. */
const keys: Part<string> = {
  write: (key, into) => {
    if (isLatin1(key)) {
      into.natural(2 * key.length)
      return into.latin1(key)
    }
    into.natural(1)
    const begun = into.beginSized()
    into.text(key)
    into.endSized(begun)
  },
  read: (from) => {
    const length = from.natural()
    if (length === 1) return from.text(from.size())
    return length % 2 === 0 ? from.latin1(length / 2) : unknown("key", length)
  }
}

const copies = (updates: Codec.Codec<ReadonlyArray<unknown>>): Part<Copy> => ({
  write: (copy, into) => {
    ballots.write(copy.version, into)
    writeAll(ballots, copy.past, into)
    into.float(copy.now)
    const begun = into.beginSized()
    updates.write(updatesOf(copy), into)
    into.endSized(begun)
  },
  read: (from) => {
    const version = ballots.read(from)
    const past = readPast(from)
    const now = from.float()
    const { first, rest } = dumpOf(from.sized(updates))
    return { version, past, now, first, rest }
  }
})

// ------------------------------------------------------------------------------------------------- asks, votes, entries

const asks = (copies: Part<Copy>): Part<Ask> => ({
  write: (ask, into) => {
    into.natural(ask._tag === "Read" ? 0 : ask._tag === "Prepare" ? 1 : ask._tag === "Forget" ? 4 : ask.ahead ? 3 : 2)
    into.natural(ask.round)
    keys.write(ask.key, into)
    switch (ask._tag) {
      case "Read":
        return ballots.write(ask.have, into)
      case "Prepare":
        ballots.write(ask.ballot, into)
        return ballots.write(ask.have, into)
      case "Accept":
        return copies.write(ask.copy, into)
      case "Forget":
        return ballots.write(ask.version, into)
    }
  },
  read: (from) => {
    const kind = from.natural()
    const round = from.natural()
    const key = keys.read(from)
    switch (kind) {
      case 0:
        return { _tag: "Read", round, key, have: ballots.read(from) }
      case 1:
        return { _tag: "Prepare", round, key, ballot: ballots.read(from), have: ballots.read(from) }
      case 2:
        return { _tag: "Accept", round, key, copy: copies.read(from) }
      case 3:
        return { _tag: "Accept", round, key, copy: copies.read(from), ahead: true }
      case 4:
        return { _tag: "Forget", round, key, version: ballots.read(from) }
      default:
        return unknown("ask", kind)
    }
  }
})

const kindOfVote = (vote: Vote): number => {
  switch (vote._tag) {
    case "Holds":
      return vote.copy === undefined ? 0 : 1
    case "Promised":
      return vote.copy === undefined ? 2 : 3
    case "Accepted":
      return 4
    case "Refused":
      return vote.absent ? 6 : 5
    case "Forgotten":
      return 7
  }
}

const votes = (copies: Part<Copy>): Part<Vote> => ({
  write: (vote, into) => {
    into.natural(kindOfVote(vote))
    into.natural(vote.round)
    keys.write(vote.key, into)
    if (vote._tag === "Refused") ballots.write(vote.promised, into)
    else if (vote._tag === "Holds" || vote._tag === "Promised") {
      ballots.write(vote.version, into)
      if (vote.copy !== undefined) copies.write(vote.copy, into)
    }
  },
  read: (from) => {
    const kind = from.natural()
    const round = from.natural()
    const key = keys.read(from)
    switch (kind) {
      case 0:
        return { _tag: "Holds", round, key, version: ballots.read(from) }
      case 1:
        return { _tag: "Holds", round, key, version: ballots.read(from), copy: copies.read(from) }
      case 2:
        return { _tag: "Promised", round, key, version: ballots.read(from) }
      case 3:
        return { _tag: "Promised", round, key, version: ballots.read(from), copy: copies.read(from) }
      case 4:
        return { _tag: "Accepted", round, key }
      case 5:
        return { _tag: "Refused", round, key, promised: ballots.read(from) }
      case 6:
        return { _tag: "Refused", round, key, promised: ballots.read(from), absent: true }
      case 7:
        return { _tag: "Forgotten", round, key }
      default:
        return unknown("vote", kind)
    }
  }
})

const entries = (copies: Part<Copy>): Part<Entry> => ({
  write: (entry, into) => {
    switch (entry._tag) {
      case "Life":
        into.natural(0)
        return into.natural(entry.life)
      case "Promised":
        into.natural(1)
        keys.write(entry.key, into)
        return ballots.write(entry.ballot, into)
      case "Accepted":
        into.natural(entry.next === undefined ? 2 : 3)
        keys.write(entry.key, into)
        copies.write(entry.copy, into)
        return entry.next === undefined ? undefined : ballots.write(entry.next, into)
      case "Forgotten":
        into.natural(4)
        writeAll(keys, entry.keys, into)
        return ballots.write(entry.floor, into)
    }
  },
  read: (from) => {
    const kind = from.natural()
    switch (kind) {
      case 0:
        return { _tag: "Life", life: from.natural() }
      case 1:
        return { _tag: "Promised", key: keys.read(from), ballot: ballots.read(from) }
      case 2:
        return { _tag: "Accepted", key: keys.read(from), copy: copies.read(from) }
      case 3:
        return { _tag: "Accepted", key: keys.read(from), copy: copies.read(from), next: ballots.read(from) }
      case 4:
        return { _tag: "Forgotten", keys: readAll(keys, from), floor: ballots.read(from) }
      default:
        return unknown("entry", kind)
    }
  }
})
