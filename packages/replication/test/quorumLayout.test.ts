import type { Machine } from "@troupe/replication"
import { Codec } from "@troupe/transport"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { none } from "../src/internal/quorum/ballots.ts"
import { bundles } from "../src/internal/quorum/bundles.ts"
import { codecs } from "../src/internal/quorum/layout.ts"
import { type Ask, type Message, type Record, schemas } from "../src/internal/quorum/messages.ts"

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

const ballot = { counter: 300, node: 2, life: 70_000 }
const copy = {
  version: ballot,
  past: [none, { counter: 2 ** 40, node: -1, life: 0 }],
  now: 1.7e12 + 0.5,
  first: "ä✓",
  rest: []
}
const gone = { version: none, past: [], now: 0, first: undefined, rest: [] }
const [key, other] = ["key\u0000\u00ff", "\u0100✓𝄞"]

const messages: ReadonlyArray<Message> = [
  { _tag: "Asks", life: 3, asks: [] },
  {
    _tag: "Asks",
    life: 3,
    asks: [
      { _tag: "Read", round: 1, key, have: none },
      { _tag: "Prepare", round: 2, key: other, ballot, have: none },
      { _tag: "Accept", round: 0, key: "", copy },
      { _tag: "Accept", round: 4, key, copy: gone, ahead: true },
      { _tag: "Forget", round: 5, key, version: ballot }
    ]
  },
  {
    _tag: "Votes",
    life: 0,
    votes: [
      { _tag: "Holds", round: 1, key, version: none },
      { _tag: "Holds", round: 1, key, version: ballot, copy },
      { _tag: "Promised", round: 2, key: other, version: none },
      { _tag: "Promised", round: 2, key, version: ballot, copy: gone },
      { _tag: "Accepted", round: 3, key },
      { _tag: "Refused", round: 3, key, promised: ballot },
      { _tag: "Refused", round: 3, key, promised: ballot, absent: true },
      { _tag: "Forgotten", round: 3, key }
    ]
  }
]

const record: Record = [
  { _tag: "Life", life: 9 },
  { _tag: "Promised", key: other, ballot },
  { _tag: "Accepted", key, copy },
  { _tag: "Accepted", key, copy: gone, next: ballot },
  { _tag: "Forgotten", keys: [], floor: none },
  { _tag: "Forgotten", keys: [key, other, ""], floor: ballot }
]

const own = codecs(texts)
const derived = schemas(texts)

describe("what quorums say and write, as bytes", () => {
  it("is read as it was written, of every kind that the schemas have", () => {
    for (const message of messages) {
      expect(Codec.decode(own.message, Codec.encode(own.message, message))).toEqual(message)
      expect(Codec.decode(Codec.binary(derived.message), Codec.encode(Codec.binary(derived.message), message))).toEqual(
        message
      )
    }
    expect(Codec.decode(own.record, Codec.encode(own.record, record))).toEqual(record)
    const seen = messages.flatMap((each) => (each._tag === "Asks" ? each.asks : each.votes).map(({ _tag }) => _tag))
    expect(new Set(seen).size).toBe(9)
  })

  it("is refused when it ends early, goes on, or is of another version or kind", () => {
    for (const [codec, value] of [
      [own.message, messages[1]!],
      [own.message, messages[2]!],
      [own.record, record]
    ] as const) {
      const bytes = Codec.encode(codec as Codec.Codec<unknown>, value)
      for (let end = 0; end < bytes.length; end++)
        expect(() => codec.read(bytes, 0, end)).toThrow(/early|not bytes|no \w+ of kind|undefined/)
      expect(() => codec.read(new Uint8Array([...bytes, 0]), 0, bytes.length + 1)).toThrow("more bytes")
      expect(() => codec.read(bytes.with(0, 2), 0, bytes.length)).toThrow("these are not bytes of quorum-1")
    }
    expect(() => Codec.decode(own.message, new Uint8Array([1, 7, 0, 0]))).toThrow("there is no message of kind 7")
    expect(() => Codec.decode(own.record, new Uint8Array([1, 1, 9]))).toThrow("there is no entry of kind 9")
    expect(() => Codec.decode(own.record, new Uint8Array([1, 1, 1, 3]))).toThrow("there is no key of kind 3")
  })

  it("ends, whatever the bytes are", () => {
    const bytes = Codec.encode(own.message, messages[2]!)
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
        try {
          Codec.decode(own.message, bytes.with(at, byte))
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }
    }
  })

  it("is made once a machine, and named after what its updates are written in", () => {
    expect(codecs(texts)).toBe(own)
    const updates: Codec.Codec<ReadonlyArray<string>> = { ...Codec.binary(Schema.Array(Schema.String)), name: "lines" }
    const response = Codec.binary(Schema.String)
    expect(codecs({ ...texts, layout: { updates, response } }).message.name).toBe("quorum-1 lines")
  })
})

describe("what goes to a node together", () => {
  const mebibyte = 1024 * 1024
  const accept = (key: string, size: number): Ask => ({
    _tag: "Accept",
    round: 1,
    key,
    copy: { ...copy, first: { text: "x".repeat(size / 2), bytes: new Uint8Array(size / 2) } }
  })

  it("is in messages of about four mebibytes, in its order, and what is larger goes alone", () => {
    const sizes = [1, 2, 2, 9, 1, 1, 1].map((each) => each * mebibyte)
    const asks = sizes.map((size, index) => accept(`${index}`, size))
    const keysOf = (all: ReadonlyArray<ReadonlyArray<Ask>>) => all.map((each) => each.map(({ key }) => key).join(""))
    expect(keysOf(bundles(asks))).toEqual(["01", "2", "3", "456"])
    expect(keysOf(bundles(asks.slice(3, 4)))).toEqual(["3"])
  })

  it("is one message where it is small, or nothing", () => {
    const reads: ReadonlyArray<Ask> = Array.from({ length: 1000 }, () => ({ _tag: "Read", round: 1, key, have: none }))
    expect(bundles(reads)).toEqual([reads])
    expect(bundles([])).toEqual([[]])
  })
})
