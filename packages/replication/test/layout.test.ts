import type { Machine } from "@troupe/replication"
import { Codec } from "@troupe/transport"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { codecs } from "../src/internal/passive/layout.ts"
import type { Batch, Message, Record } from "../src/internal/passive/messages.ts"
import * as Replica from "../src/internal/passive/replica.ts"

const texts: Machine.Machine<string, string, string, string> = {
  name: "texts",
  init: "",
  request: Schema.String,
  update: Schema.String,
  response: Schema.String,
  isRead: () => false,
  execute: (_state, text) => ({ response: text, updates: [text] }),
  apply: (_state, text) => text,
  dump: (state) => [state]
}

const lines: Codec.Codec<string> = {
  name: "line",
  write: (line, into) => into.text(line),
  read: (bytes, start, end) => new TextDecoder().decode(bytes.subarray(start, end))
}
const counting = { written: 0 }
const list: Codec.Codec<ReadonlyArray<string>> = {
  name: "lines",
  write: (all, into) => {
    counting.written++
    into.text(all.join("\n"))
  },
  read: (bytes, start, end) => (start === end ? [] : lines.read(bytes, start, end).split("\n"))
}
const byHand = { ...texts, layout: { updates: list, response: lines } }

const entry = (text: string) => ({
  client: 2,
  life: 3,
  counter: 70_000,
  floor: 69_000,
  response: text,
  updates: [text]
})
const housekeeping = { client: -1, life: 0, counter: 0, floor: 0, response: undefined, updates: ["a", "b"] }
const batch: Batch = { view: 7, now: 1.7e12 + 0.25, before: 2 ** 40, entries: [entry("one"), housekeeping] }
const prepare: Message = {
  _tag: "Prepare",
  view: 7,
  round: 9,
  at: 300,
  atView: 6,
  commit: 299,
  last: 302,
  batches: [batch]
}

const messages: ReadonlyArray<Message> = [
  prepare,
  { ...prepare, batches: [] },
  { ...prepare, batches: [batch, { ...batch, entries: [] }] },
  { _tag: "Ack", view: 1, round: 2 ** 33, at: 3 },
  { _tag: "Requests", view: 3, life: 1, sending: 4, floor: 2, asked: [{ counter: 2, request: "x" }] },
  { _tag: "Snapshot", view: 3, piece: { at: 3, atView: 2, part: 1, updates: [] } },
  { _tag: "Vote", view: 2, at: 3, atView: 1 }
]
const records: ReadonlyArray<Record> = [
  { _tag: "Append", at: 12, commit: 11, batches: [batch] },
  { _tag: "Life", life: 3, view: 4 },
  { _tag: "Piece", piece: { at: 3, atView: 2, part: 0, updates: ["u"] } },
  {
    _tag: "Piece",
    piece: {
      ...{ at: 3, atView: 2, part: 1, updates: ["v", "w"] },
      end: { now: 0.5, requests: 9, clients: [{ life: 1, floor: 2, top: 3, answers: [{ counter: 2, response: "r" }] }] }
    }
  }
]

describe.each([
  ["as the schemas say", texts],
  ["by hand", byHand]
])("messages and records, with updates and responses %s", (_, machine) => {
  const { message, record } = codecs(machine)

  it("are read as they were written", () => {
    for (const each of messages) expect(Codec.decode(message, Codec.encode(message, each))).toEqual(each)
    for (const each of records) expect(Codec.decode(record, Codec.encode(record, each))).toEqual(each)
  })

  it("are refused when they are cut, continued, or of another version", () => {
    const refused = (bytes: Uint8Array) => expect(() => Codec.decode(message, bytes)).toThrow(Error)
    const bytes = Codec.encode(message, prepare)
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length))
    refused(Uint8Array.of(...bytes, 0))
    refused(Uint8Array.of(bytes[0]! + 1, ...bytes.subarray(1)))
    refused(Uint8Array.of(bytes[0]!, 77))
  })
})

describe("entries", () => {
  it("are encoded once, by the primary, for all its backups and its disk; by a backup, which has their bytes, never", () => {
    const { message, record } = codecs(byHand)
    const fresh = { ...batch, entries: [entry("fresh")] }
    counting.written = 0
    const sent = Codec.encode(message, { ...prepare, batches: [fresh] })
    Codec.encode(message, { ...prepare, batches: [fresh] })
    const own = Codec.encode(record, { _tag: "Append", at: 1, commit: 0, batches: [fresh] })
    expect(counting.written).toBe(1)
    const { batches } = Codec.decode(message, sent) as typeof prepare
    expect(Codec.encode(record, { _tag: "Append", at: 1, commit: 0, batches })).toEqual(own)
    expect(counting.written).toBe(1)
  })
})

describe("a record", () => {
  it("is one array of bytes for all replicas of a process that append the same, and another for those that do not", () => {
    const { encoded, record } = codecs(byHand)
    const batches = [batch]
    const append = { _tag: "Append", at: 5, commit: 4, batches } as const
    const bytes = encoded(append)
    expect(encoded({ ...append })).toBe(bytes)
    expect(bytes).toEqual(Codec.encode(record, append))
    for (const other of [
      { ...append, commit: 3 },
      { ...append, at: 6 },
      { ...append, batches: [batch, batch] },
      { _tag: "Life", life: 1, view: 1 } as const
    ]) {
      expect(Codec.decode(record, encoded(other))).toEqual(other)
    }
  })
})

describe("what a batch makes of a state", () => {
  const version = Replica.latest(Replica.init(byHand, 3))

  it("is computed once by replicas of one process that hold the same state, and shared", () => {
    let applied = 0
    const machine = { ...byHand, apply: (_state: string, text: string) => (applied++, `${text}!`) }
    const one = Replica.apply(machine, version, batch)
    const other = Replica.apply(machine, version, batch)
    expect([one.state, other, applied]).toEqual(["b!", one, 3])
  })

  it("is computed anew of another state, of another machine, and of a batch that came over a network", () => {
    let applied = 0
    const machine = { ...byHand, apply: (_state: string, text: string) => (applied++, text) }
    Replica.apply(machine, version, batch)
    Replica.apply(machine, { ...version, state: "another" }, batch)
    Replica.apply({ ...machine }, version, batch)
    Replica.apply(machine, version, { ...batch })
    expect(applied).toBe(4 * 3)
  })
})
