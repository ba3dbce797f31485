import { Codec } from "@troupe/transport"
import { describe, expect, it } from "vitest"
import type { Update } from "../src/Facts.ts"
import { layout } from "../src/Layout.ts"
import * as Reply from "../src/Reply.ts"

const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))

const updates: ReadonlyArray<Update> = [
  { _tag: "Put", key: "", value: "", expires: 0, version: 0 },
  { _tag: "Put", key: every, value: every.repeat(300), expires: 1.7e12, version: 2 ** 48 },
  { _tag: "Put", key: "k", value: "v", expires: -5, version: 1 },
  { _tag: "Remove", keys: [every, "b"] },
  { _tag: "Flush" },
  { _tag: "Lock", key: "l", token: 3, expires: 9 },
  { _tag: "Expired", keys: ["a"], locks: [], by: 4 }
]

const replies: ReadonlyArray<Reply.Reply> = [
  Reply.ok,
  Reply.none,
  Reply.noArray,
  Reply.simple("PONG"),
  Reply.failure("ERR grün"),
  Reply.integer(0),
  Reply.integer(2 ** 50),
  Reply.integer(-7),
  { _tag: "Long", digits: "9223372036854775807" },
  Reply.bulk(every),
  Reply.multiple([Reply.bulk("a"), Reply.none, Reply.multiple([])]),
  Reply.mapping([Reply.bulk("k"), Reply.one])
]

describe("updates and responses as bytes", () => {
  it("are read as they were written, each alone and all together", () => {
    for (const list of [[], ...updates.map((each) => [each]), updates]) {
      expect(Codec.decode(layout.updates, Codec.encode(layout.updates, list))).toEqual(list)
    }
    for (const list of [[], ...replies.map((each) => [each]), replies]) {
      expect(Codec.decode(layout.response, Codec.encode(layout.response, list))).toEqual(list)
    }
  })

  it("are refused when they are cut, continued, or of a kind that is not known", () => {
    const bytes = Codec.encode(layout.updates, updates.slice(0, 1))
    for (let length = 0; length < bytes.length; length++) {
      expect(() => Codec.decode(layout.updates, bytes.subarray(0, length))).toThrow(RangeError)
    }
    expect(() => Codec.decode(layout.updates, Uint8Array.of(...bytes, 0))).toThrow(RangeError)
    expect(() => Codec.decode(layout.updates, Uint8Array.of(1, 9))).toThrow(/kind 9/)
    expect(() => Codec.decode(layout.response, Uint8Array.of(1, 9))).toThrow(/kind 9/)
  })
})
