/** Random and damaged bytes, from fixed seeds, against the frame decoder and against a node. */
import { Channel, Codec } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import * as Frames from "../src/internal/frames.ts"
import { arrivals, random } from "./support.ts"
import { declare, empty, frame, hello, node, raw, rawListener, refusal, welcome } from "./tcpSupport.ts"

const maxFrameBytes = 1000

/** Frames of every kind, as a good peer would send them. */
const goodStream = (next: () => number): Uint8Array => {
  const parts: Array<Uint8Array> = [declare(0, "json", "json"), declare(1, "bytes", "bytes")]
  for (let count = 5 + Math.floor(next() * 20); count > 0; count--) {
    const kind = next()
    if (kind < 0.2) parts.push(empty(next() < 0.5 ? Frames.Type.ping : Frames.Type.pong))
    else if (kind < 0.5) parts.push(frame(Frames.Type.data, [0, 0, ...Buffer.from(JSON.stringify({ n: count }))]))
    else if (kind < 0.9) parts.push(frame(Frames.Type.data, [0, 1, ...bytes(next, Math.floor(next() * 300))]))
    else parts.push(declare(Math.floor(next() * 50), `c${count}`, "bytes"))
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** Any one frame, right or wrong where it stands. */
const anyFrame = (next: () => number): Uint8Array => {
  const says = { node: "n2", target: "n1", handshake: Math.floor(next() * 3) }
  const kinds: ReadonlyArray<() => Uint8Array> = [
    () => welcome(says),
    () => welcome(says),
    () => welcome({ ...says, node: next() < 0.5 ? "n3" : "n1" }),
    () => hello(says),
    () => refusal(1 + Math.floor(next() * 3), "no"),
    () => empty(6 + Math.floor(next() * 4)),
    () => declare(0, "json", "json"),
    () => frame(Frames.Type.data, [0, 0, ...Buffer.from('{"n":1}')]),
    () => damage(next, welcome(says))
  ]
  return kinds[Math.floor(next() * kinds.length)]!()
}

const bytes = (next: () => number, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => Math.floor(next() * 256))

const damage = (next: () => number, source: Uint8Array): Uint8Array => {
  const damaged = Uint8Array.from(source)
  for (let hits = 1 + Math.floor(next() * 5); hits > 0; hits--) {
    damaged[Math.floor(next() * damaged.length)] = next() < 0.3 ? 0 : Math.floor(next() * 256)
  }
  return next() < 0.2 ? damaged.subarray(0, Math.floor(next() * damaged.length)) : damaged
}

/** A stream in pieces of any size. */
const pieces = (next: () => number, stream: Uint8Array): ReadonlyArray<Uint8Array> => {
  const cut: Array<Uint8Array> = []
  for (let at = 0; at < stream.length;) {
    const end = Math.min(stream.length, at + 1 + Math.floor(next() ** 3 * 400))
    cut.push(Uint8Array.from(stream.subarray(at, end)))
    at = end
  }
  return cut
}

interface Read {
  readonly frames: Array<string>
  readonly error: string | undefined
  readonly most: number
}

const read = (chunks: ReadonlyArray<Uint8Array>): Read => {
  const frames: Array<string> = []
  const decoder = new Frames.FrameDecoder(maxFrameBytes, (type, bytes, start, end) =>
    frames.push(`${type} ${Buffer.from(bytes.subarray(start, end)).toString("hex")}`)
  )
  let most = 0
  for (const chunk of chunks) {
    const error = decoder.push(chunk)
    // What was given may be reused at once.
    chunk.fill(0xaa)
    most = Math.max(most, decoder.capacity)
    if (error !== undefined) return { frames, error, most }
  }
  return { frames, error: undefined, most }
}

describe("the frame decoder", () => {
  it("reads the same frames however the stream is cut", () => {
    for (let seed = 0; seed < 300; seed++) {
      const next = random(seed)
      const stream = seed % 2 === 0 ? goodStream(next) : damage(next, goodStream(next))
      const whole = read([Uint8Array.from(stream)])
      const cut = read(pieces(next, stream))
      const single = read([...stream].map((byte) => Uint8Array.of(byte)))
      expect({ ...cut, most: 0 }).toEqual({ ...whole, most: 0 })
      expect({ ...single, most: 0 }).toEqual({ ...whole, most: 0 })
      expect(Math.max(cut.most, single.most)).toBeLessThanOrEqual(4 + maxFrameBytes)
    }
  })

  it("takes any bytes without a throw, and holds no more than a frame", () => {
    for (let seed = 1000; seed < 1500; seed++) {
      const next = random(seed)
      const stream = bytes(next, Math.floor(next() * 3000))
      // Random lengths are refused at once, nearly all of them: let some pass.
      if (seed % 2 === 0) for (let at = 0; at + 3 < stream.length; at += 97) stream.fill(0, at, at + 3)
      expect(read(pieces(next, stream)).most).toBeLessThanOrEqual(4 + maxFrameBytes)
    }
  })

  it("grows with what arrives, not with what a length claims", () => {
    const decoder = new Frames.FrameDecoder(1 << 24, () => {})
    expect(decoder.push(Uint8Array.from([0, 0xff, 0xff, 0xff, 5, 1, 2, 3]))).toBeUndefined()
    expect(decoder.capacity).toBeLessThanOrEqual(64)
  })

  it("says nothing more once it has been stopped, from within a frame too", () => {
    let seen = 0
    const decoder = new Frames.FrameDecoder(100, () => {
      seen++
      decoder.stop()
    })
    decoder.push(Buffer.concat([empty(Frames.Type.ping), empty(Frames.Type.ping)]))
    decoder.push(empty(Frames.Type.ping))
    expect(seen).toBe(1)
  })
})

describe("the readers of frames", () => {
  it("read or throw an error, whatever the bytes", () => {
    for (let seed = 2000; seed < 3000; seed++) {
      const next = random(seed)
      const body = seed % 2 === 0 ? bytes(next, Math.floor(next() * 80)) : damage(next, hello().subarray(5))
      for (const reader of [
        Frames.readIntroduction,
        Frames.readDeclaration,
        Frames.readRefusal,
        Frames.readNotice
      ] as const) {
        try {
          reader(body, 0, body.length)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }
    }
  })
})

describe("a node", () => {
  it.live("outlives what random peers send, and serves the good one", () =>
    Effect.gen(function* () {
      const holdBytes = 64 * 1024
      const n1 = yield* node("n1", ["n2", "n3"], { maxFrameBytes, holdBytes, maxHandshakes: 16 })
      yield* n1.open(Channel.make("json", Schema.Struct({ n: Schema.Int }), Codec.json), () => {})
      const good = yield* node("n3", [n1])
      const Echo = Channel.make("echo", Schema.Int)
      const got = yield* arrivals(n1, Echo)
      const send = yield* good.open(Echo, () => {})
      yield* n1.awaitUp("n3")
      for (let seed = 0; seed < 150; seed++) {
        const next = random(seed)
        const peer = yield* raw(n1.address.port)
        const stream =
          seed % 3 === 0
            ? bytes(next, 500)
            : seed % 3 === 1
              ? Buffer.concat([hello({ handshake: seed }), damage(next, goodStream(next))])
              : damage(next, Buffer.concat([hello({ handshake: seed }), goodStream(next)]))
        for (const piece of pieces(next, stream)) peer.write(piece)
        peer.socket.end()
        send("n1", seed)
        yield* got.until((items) => items.includes(seed))
        peer.socket.destroy()
      }
      expect(got.items).toEqual(Array.from({ length: 150 }, (_, seed) => seed))
      expect(n1.isUp("n3")).toBe(true)
      expect(n1.counters.rejected).toBeGreaterThan(50)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("outlives what is said by whom it dials, in any order, and has a link to who comes to its senses", () =>
    Effect.gen(function* () {
      let seed = 0
      const port = yield* rawListener((peer) => {
        const next = random(seed++)
        for (let left = 1 + Math.floor(next() * 6); left > 0; left--) peer.write(anyFrame(next))
        // One in three neither ends nor goes on.
        if (next() < 0.3) peer.socket.end()
        else if (next() < 0.5) setImmediate(() => peer.socket.destroy())
      })
      const tellings = { handshakeTimeout: 50, heartbeat: 20, heartbeatMisses: 1, backoffMax: 5 }
      const n1 = yield* node("n1", ["n2"], { ...tellings, maxFrameBytes })
      const got = yield* arrivals(n1, Channel.make("echo", Schema.Int))
      yield* n1.setAddress("n2", `127.0.0.1:${port}`)
      const send = yield* n1.open(Channel.make("json", Schema.Struct({ n: Schema.Int }), Codec.json), () => {})
      while (seed < 100) {
        send("n2", { n: seed })
        yield* Effect.sleep(5)
      }
      const n2 = yield* node("n2", ["n1"], { heartbeat: 20 })
      yield* n1.setAddress("n2", `127.0.0.1:${n2.address.port}`)
      const echo = yield* n2.open(Channel.make("echo", Schema.Int), () => {})
      yield* n2.awaitUp("n1")
      echo("n1", 1)
      yield* got.until((items) => items.includes(1))
      expect(n1.backlogBytes("n2")).toBe(0)
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
