import { Channel, Codec, Writer } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { random } from "./support.ts"

const Order = Schema.Struct({
  id: Schema.Int,
  note: Schema.String,
  amounts: Schema.Array(Schema.Finite),
  state: Schema.Union([
    Schema.Struct({ _tag: Schema.tag("Open"), since: Schema.Date }),
    Schema.Struct({ _tag: Schema.tag("Closed") })
  ]),
  urgent: Schema.optionalKey(Schema.Boolean)
})

const next = random(11)
const letters = ["a", "Z", " ", "é", "語", "😀", '"', "\\", "\u0000", "\ufffd", "\ufeff"]
const text = (length: number): string =>
  Array.from({ length }, () => letters[Math.floor(next() * letters.length)]!).join("")

const orders = Array.from({ length: 200 }, (_, id): typeof Order.Type => ({
  id,
  note: text(Math.floor(next() * 300)),
  amounts: Array.from({ length: Math.floor(next() * 5) }, () => next() * 1e6 - 5e5),
  state: next() < 0.5 ? { _tag: "Closed" } : { _tag: "Open", since: new Date(Math.floor(next() * 1e12)) },
  ...(next() < 0.5 ? { urgent: next() < 0.5 } : {})
}))

for (const [name, codec] of [
  ["json", Codec.json(Order)],
  ["binary", Codec.binary(Order)]
] as const) {
  describe(`the ${name} codec`, () => {
    it("gives back every message as it was", () => {
      for (const order of orders) expect(Codec.decode(codec, Codec.encode(codec, order))).toEqual(order)
    })

    it("reads a message between others, of a Buffer too", () => {
      const one = Codec.encode(codec, orders[0]!)
      const around = Buffer.concat([Buffer.from("before"), one, Buffer.from("after")])
      expect(codec.read(around, 6, 6 + one.length)).toEqual(orders[0])
      expect(codec.read(new Uint8Array(around), 6, 6 + one.length)).toEqual(orders[0])
    })

    it("refuses what the schema refuses, either way, and appends nothing then", () => {
      const writer = new Writer(16)
      expect(() => codec.write({ ...orders[0]!, id: 0.5 }, writer)).toThrow("Expected an integer")
      expect(writer.length).toBe(0)
      for (const bytes of [[], [0], [255, 254, 253], [...Buffer.from('{"id":"one"}')]]) {
        expect(() => Codec.decode(codec, Uint8Array.from(bytes))).toThrow(Error)
      }
    })

    it("survives any damage: a message or an error", () => {
      for (const order of orders.slice(0, 50)) {
        const bytes = Codec.encode(codec, order)
        for (let hit = 0; hit < 20; hit++) {
          const damaged = bytes.slice(0, next() < 0.3 ? Math.floor(next() * bytes.length) : bytes.length)
          if (damaged.length > 0) damaged[Math.floor(next() * damaged.length)] = Math.floor(next() * 256)
          try {
            Codec.decode(codec, damaged)
          } catch (error) {
            expect(error).toBeInstanceOf(Error)
          }
        }
      }
    })
  })
}

describe("the json codec", () => {
  it("refuses what is not UTF-8", () => {
    const codec = Codec.json(Schema.String)
    expect(Codec.decode(codec, Uint8Array.from([34, 0xef, 0xbf, 0xbd, 34]))).toBe("\ufffd")
    expect(() => Codec.decode(codec, Uint8Array.from([34, 0xff, 34]))).toThrow("not valid")
  })
})

describe("the binary codec", () => {
  it("refuses the message of another schema", () => {
    const theirs = Codec.binary(Schema.Struct({ a: Schema.Int, b: Schema.Int }))
    const ours = Codec.binary(Schema.Struct({ a: Schema.Int, c: Schema.Int }))
    expect(() => Codec.decode(ours, Codec.encode(theirs, { a: 1, b: 2 }))).toThrow(Error)
  })
})

describe("the codecs of a schema", () => {
  const Blob = Schema.Struct({ name: Schema.String, bytes: Schema.Uint8Array, more: Schema.Array(Schema.Uint8Array) })
  const blob = { name: "é", bytes: Uint8Array.of(1, 2, 3), more: [Uint8Array.of(4), new Uint8Array(0)] }

  for (const codec of [Codec.json(Blob), Codec.binary(Blob)]) {
    it(`keep nothing of the bytes that they read, and add no key: ${codec.name}`, () => {
      const extended = { ...blob, secret: 1 }
      const wire = Buffer.from(Codec.encode(codec, extended))
      const got = codec.read(wire, 0, wire.length)
      wire.fill(0xff)
      expect(got).toEqual(blob)
    })
  }
})

describe("the bytes codec", () => {
  it("gives back bytes of their own", () => {
    for (const length of [0, 1, 64, 100, 1024, 1025, 100_000]) {
      const source = Uint8Array.from({ length }, () => Math.floor(next() * 256))
      const wire = Codec.encode(Codec.bytes, source)
      const got = Codec.decode(Codec.bytes, wire)
      expect(Buffer.compare(got, source)).toBe(0)
      wire.fill(0)
      expect(Buffer.compare(got, source)).toBe(0)
    }
  })

  it("never lets two messages share a byte", () => {
    const wire = new Uint8Array(700)
    const got = Array.from({ length: 200 }, (_, index) => Codec.decode(Codec.bytes, wire.fill(index)))
    expect(got.every((bytes, index) => bytes.every((byte) => byte === index))).toBe(true)
  })
})

describe("a writer", () => {
  it("grows, and gives away a copy", () => {
    const writer = new Writer(1)
    writer.text("é語😀")
    writer.bytes(Uint8Array.from([1, 2, 3]))
    const taken = writer.take()
    writer.buffer.fill(0)
    expect([...taken]).toEqual([...Buffer.from("é語😀"), 1, 2, 3])
    expect(taken.constructor).toBe(Uint8Array)
  })
})

describe("a channel", () => {
  it("has a name of 1 to 255 characters", () => {
    expect(() => Channel.make("", Schema.String)).toThrow(RangeError)
    expect(() => Channel.make("x".repeat(256), Schema.String)).toThrow(RangeError)
    expect(Channel.make("x".repeat(255), Schema.String).name.length).toBe(255)
    expect(() => Channel.fromCodec("x", { ...Codec.bytes, name: "x".repeat(256) })).toThrow("a codec's name")
  })
})
