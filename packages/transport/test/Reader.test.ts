import { Codec, Reader, Writer } from "@troupe/transport"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"

describe("what a Writer writes part by part, a Reader reads", () => {
  it("naturals from 0 to 2^53 - 1, in as few groups of seven bits as they need", () => {
    for (const [value, length] of [
      [0, 1],
      [127, 1],
      [128, 2],
      [2 ** 31 - 1, 5],
      [2 ** 31, 5],
      [2 ** 32, 5],
      [Number.MAX_SAFE_INTEGER, 8]
    ] as const) {
      const writer = new Writer(1)
      writer.natural(value)
      expect(writer.length).toBe(length)
      const reader = new Reader(writer.buffer, 0, writer.length)
      expect(reader.natural()).toBe(value)
      reader.finish()
    }
    for (const value of [-1, Number.NaN]) expect(() => new Writer(1).natural(value)).toThrow(/not a natural number/)
  })

  it("floats, texts of a byte a character, UTF-8, and messages after their length", () => {
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
    const codec = Codec.binary(Schema.Struct({ a: Schema.String }))
    const writer = new Writer(1)
    for (const value of [0.1, -Infinity, 1e300]) writer.float(value)
    writer.latin1(bytes)
    writer.latin1("\u00ff")
    writer.text("grün")
    const begun = writer.beginSized()
    codec.write({ a: "b".repeat(300) }, writer)
    writer.endSized(begun)
    const reader = new Reader(writer.buffer, 0, writer.length)
    expect([reader.float(), reader.float(), reader.float()]).toEqual([0.1, -Infinity, 1e300])
    expect(reader.latin1(256)).toBe(bytes)
    expect(reader.latin1(1)).toBe("\u00ff")
    expect(reader.text(5)).toBe("grün")
    expect(reader.sized(codec)).toEqual({ a: "b".repeat(300) })
    reader.finish()
  })

  it("and no byte behind the end", () => {
    const short = (read: (reader: Reader) => unknown) => () => read(new Reader(Uint8Array.of(200, 1, 1, 0), 0, 1))
    expect(short((reader) => reader.natural())).toThrow(/end too early/)
    expect(short((reader) => reader.float())).toThrow(/end too early/)
    expect(short((reader) => reader.latin1(2))).toThrow(/end too early/)
    expect(short((reader) => reader.copy(2))).toThrow(/end too early/)
    expect(short((reader) => reader.size())).toThrow(/end too early/)
    expect(short((reader) => reader.finish())).toThrow(/more bytes/)
    expect(() => new Reader(new Uint8Array(20).fill(255), 0, 20).natural()).toThrow(/end too early|too large/)
  })
})

describe("encode", () => {
  it("gives bytes of its own, of codecs within codecs too, and goes on after one that threw", () => {
    const inner: Codec.Codec<number> = { name: "inner", write: (n, into) => into.natural(n), read: (b, s) => b[s]! }
    const outer: Codec.Codec<ReadonlyArray<number>> = {
      name: "outer",
      write: (list, into) => {
        for (const n of list) into.bytes(Codec.encode(inner, n))
      },
      read: (bytes, start, end) => [...bytes.subarray(start, end)]
    }
    const one = Codec.encode(outer, [1, 2, 3])
    expect(() => Codec.encode(outer, [4, -1])).toThrow(/natural/)
    const other = Codec.encode(outer, [5, 6])
    expect([[...one], [...other]]).toEqual([
      [1, 2, 3],
      [5, 6]
    ])
  })
})
