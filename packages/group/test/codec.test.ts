/** The messages of a kernel as bytes. */
import { Codec } from "@troupe/transport"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { kernelCodec } from "../src/internal/codec.ts"
import { fifo } from "../src/internal/fifo.ts"
import type { Message } from "../src/internal/wire.ts"

const stamped = { ...fifo, stamp: Schema.Array(Schema.Int), codec: Codec.binary(Schema.Array(Schema.Int)) }
const codec = kernelCodec(stamped as never, Codec.json(Schema.String), Schema.String)

const sent = { view: 3, life: 4_000_000_000, sequence: 2 ** 40 + 1, stamp: [1, 2, 3] } as const
const all: ReadonlyArray<Message<string>> = [
  { _tag: "Data", ...sent, payload: "text" },
  { _tag: "Control", ...sent },
  { _tag: "Report", view: 0, received: [0, 127, 128, 2 ** 53 - 1], asks: false },
  { _tag: "Report", view: 0, received: [], asks: true },
  { _tag: "Repair", view: 1, rank: 200, message: { _tag: "Data", ...sent, payload: "" } },
  { _tag: "Repair", view: 1, rank: 0, message: { _tag: "Control", ...sent } },
  { _tag: "Missing", view: 1, rank: 0, from: 3, to: 5 },
  { _tag: "Gone", view: 1, rank: 0, sequence: 2 },
  { _tag: "Stranger", view: 1, life: 7 },
  { _tag: "Note", view: 1, note: null },
  { _tag: "Flush", view: 1, attempt: 2, received: [3, 4], ready: true },
  { _tag: "Installed", view: 1 },
  { _tag: "Offer", view: 1, bytes: 100 },
  { _tag: "Want", view: 1, offset: 5 },
  { _tag: "Piece", view: 1, offset: 0, bytes: new Uint8Array([1, 2, 3]), isLast: true },
  { _tag: "Have", view: 1 }
]

describe("the codec of a kernel", () => {
  it.each(all)("reads what it wrote, twice: %o", (message) => {
    for (let i = 0; i < 2; i++) expect(Codec.decode(codec, Codec.encode(codec, message))).toEqual(message)
  })

  it("refuses what is cut short, what goes on, and what it does not know", () => {
    for (const message of all) {
      const bytes = Codec.encode(codec, message)
      // A report is as long as it is.
      const isList = message._tag === "Report"
      for (let length = 0; length < bytes.length; length++) {
        const read = (): unknown => Codec.decode(codec, bytes.slice(0, length))
        if (!isList) expect(read, `${message._tag} ${length}`).toThrow(/./)
      }
      if (message._tag === "Control")
        expect(() => Codec.decode(codec, new Uint8Array([...bytes, 0]))).toThrow("goes on")
    }
    expect(() => Codec.decode(codec, new Uint8Array([99]))).toThrow("unknown kind 99")
    expect(() => Codec.decode(codec, new Uint8Array([3, 0, ...Array.from({ length: 9 }, () => 255)]))).toThrow("2^53")
  })

  it("appends nothing of what it can't write", () => {
    const bytes = Codec.encode(codec, all[3]!)
    expect(() => Codec.encode(codec, { ...all[0]!, payload: 5 } as never)).toThrow("string")
    expect(Codec.encode(codec, all[3]!)).toEqual(bytes)
  })

  it("takes six bytes for a message, besides its payload and its stamp", () => {
    const plain = kernelCodec(fifo, Codec.bytes, Schema.Uint8Array)
    const message = { _tag: "Data", view: 1, life: 5, sequence: 9, stamp: null, payload: new Uint8Array(100) } as const
    expect(Codec.encode(plain, message).length).toBe(106)
  })
})
