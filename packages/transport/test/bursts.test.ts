/** What leaves of a long turn, when, and in which order. */
import { Channel, Codec } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Frames from "../src/internal/frames.ts"
import { Log } from "./support.ts"
import { declare, frame, node, ofType, pair, rawPeer, tls } from "./tcpSupport.ts"

const Bytes = Channel.fromCodec<Uint8Array>("bytes", Codec.bytes)
const ignore = (): void => {}

describe("a burst over TCP", () => {
  it.live("has left in part before its turn ends, the rest after it", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* pair({}, {})
      const got = new Log<Uint8Array>()
      yield* n2.open(Bytes, (_, message) => got.add(message))
      const send = yield* n1.open(Bytes, ignore)
      send("n2", new Uint8Array(1))
      yield* got.until((items) => items.length === 1)
      const before = n1.counters.bytesSent
      const left: Array<number> = []
      for (let i = 0; i < 100; i++) {
        send("n2", new Uint8Array(100).fill(i))
        left.push(n1.counters.bytesSent - before)
      }
      // In parts, each twice as large as the one before it, so that a long burst takes few.
      const parts = left.filter((bytes, i) => i > 0 && bytes > left[i - 1]!)
      expect(parts.length).toBe(2)
      expect(parts[1]! - parts[0]!).toBeGreaterThan(1.9 * parts[0]!)
      expect(n1.backlogBytes("n2")).toBeGreaterThan(0)
      yield* got.until((items) => items.length === 101)
      expect(got.items.slice(1).map((message) => message[0])).toEqual(left.map((_, i) => i))
      expect(n1.backlogBytes("n2")).toBe(0)
      expect(n1.counters.sent).toBe(101)
    })
  )

  it.live("what handlers send leaves when all that came with it has been handled", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* pair({}, {})
      const sent: Array<number> = []
      const back = yield* n2.open(Bytes, (from, message) => {
        back(from, message)
        sent.push(n2.counters.bytesSent)
      })
      const got = new Log<Uint8Array>()
      const send = yield* n1.open(Bytes, (_, message) => got.add(message))
      for (let i = 0; i < 10; i++) send("n2", Uint8Array.of(i))
      yield* got.until((items) => items.length === 10)
      expect(new Set(sent).size).toBe(1)
      expect(got.items.map(([i]) => i)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    })
  )

  it.live("the first answer to a message that has come alone leaves at once, others with each other", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* pair({}, {})
      const left: Array<number> = []
      const back = yield* n2.open(Bytes, (from) => {
        const before = n2.counters.bytesSent
        for (let i = 0; i < 4; i++) {
          back(from, Uint8Array.of(i))
          left.push(n2.counters.bytesSent - before)
        }
      })
      const got = new Log<Uint8Array>()
      const send = yield* n1.open(Bytes, (_, message) => got.add(message))
      send("n2", new Uint8Array(1))
      yield* got.until((items) => items.length === 4)
      // The first message comes with word of its channel.
      left.length = 0
      send("n2", new Uint8Array(1))
      yield* got.until((items) => items.length === 8)
      expect(left[0]).toBeGreaterThan(0)
      expect(left).toEqual([left[0], left[0], left[0], left[0]])
      expect(got.items.map(([i]) => i)).toEqual([0, 1, 2, 3, 0, 1, 2, 3])
    })
  )

  it.live("the first answer to a message that has come in two pieces, the second with another message, does not", () =>
    Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2"])
      const left: Array<number> = []
      const back = yield* n1.open(Bytes, (from) => {
        const before = n1.counters.bytesSent
        back(from, Uint8Array.of(1))
        left.push(n1.counters.bytesSent - before)
      })
      const n2 = yield* rawPeer(n1.address.port)
      const answers = (count: number) => n2.frames.until((frames) => ofType(frames, Frames.Type.data).length === count)
      const message = frame(Frames.Type.data, [0, 0, 1, 2, 3])
      n2.write(declare(0, "bytes", "bytes"))
      n2.write(message)
      yield* answers(1)
      n2.write(message)
      yield* answers(2)
      const received = n1.counters.bytesReceived
      n2.write(message.subarray(0, 6))
      while (n1.counters.bytesReceived === received) yield* Effect.sleep(1)
      n2.write(Buffer.concat([message.subarray(6), message]))
      yield* answers(4)
      const [, alone, inPieces, last] = left
      expect(alone).toBeGreaterThan(0)
      expect([inPieces, last]).toEqual([0, 0])
    })
  )

  for (const kind of ["in the open", "over TLS"]) {
    it.live(`of more than a socket takes at once arrives whole and in its order, ${kind}`, () =>
      Effect.gen(function* () {
        const isSecret = kind === "over TLS"
        const [n1, n2] = yield* pair(isSecret ? { tls: tls("n1") } : {}, isSecret ? { tls: tls("n2") } : {})
        const got = new Log<number>()
        yield* n2.open(Bytes, (_, message) => got.add(message.every((byte) => byte === message[0]) ? message[0]! : -1))
        const send = yield* n1.open(Bytes, ignore)
        // Each while others are on their way, too.
        for (let i = 0; i < 100; i++) {
          send("n2", new Uint8Array(i % 3 === 0 ? 300_000 : 50_000).fill(i))
          if (i % 10 === 0) yield* Effect.yieldNow
        }
        yield* got.until((items) => items.length === 100)
        expect(got.items).toEqual(Array.from({ length: 100 }, (_, i) => i))
        expect(n1.counters.sent).toBe(100)
      })
    )
  }
})
