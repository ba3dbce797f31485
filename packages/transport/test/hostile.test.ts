/** What a peer may do on purpose, or by a crash: the node lives on, others notice nothing, memory stays within bounds. */
import { Channel, Codec, type LinkEvent, type Writer } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import * as Frames from "../src/internal/frames.ts"
import { arrivals, events, Log } from "./support.ts"
import {
  bytesOf,
  declare,
  empty,
  frame,
  hello,
  introduction,
  node,
  ofType,
  proxy,
  raw,
  type Raw,
  rawListener,
  rawPeer,
  refusal,
  tls,
  welcome
} from "./tcpSupport.ts"

const Bytes = Channel.fromCodec("bytes", Codec.bytes)
const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)
const ignore = (): void => {}
const quiet = Effect.provide(Logger.layer([]))
const data = (channel: number, ...bytes: ReadonlyArray<number>): Uint8Array =>
  frame(Frames.Type.data, [channel >>> 8, channel & 0xff, ...bytes])
const another = { incarnation: "00000000000000bb" }

const isRejected = (peer: string, reason: string) => (event: LinkEvent) =>
  event._tag === "Rejected" && event.peer === peer && event.reason.includes(reason)

const dropped = (items: ReadonlyArray<LinkEvent>, reason: string): number =>
  items.reduce((sum, event) => sum + (event._tag === "Dropped" && event.reason === reason ? event.count : 0), 0)

/** A node `n1`, with a bystander `n3` that must notice nothing of what `attack` does. */
const besides = <E, R>(
  attack: (n1: Effect.Success<ReturnType<typeof node>>, links: Log<LinkEvent>) => Effect.Effect<void, E, R>,
  bounds: Parameters<typeof node>[2] = {}
) =>
  quiet(
    Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2", "n3"], bounds)
      const n3 = yield* node("n3", [n1])
      const got = yield* arrivals(n1, Channel.make("bystander", Schema.Int))
      const send = yield* n3.open(Channel.make("bystander", Schema.Int), ignore)
      yield* n1.awaitUp("n3")
      yield* n3.awaitUp("n1")
      const links = yield* events(n1)
      const theirs = yield* events(n3)
      send("n1", 1)
      yield* attack(n1, links)
      send("n1", 2)
      yield* got.until((items) => items.length >= 2)
      expect(theirs.items).toEqual([])
      expect(links.items.filter((event) => event.peer === "n3")).toEqual([])
    })
  )

const welcomed = ({ frames }: Raw): number => ofType(frames.items, Frames.Type.welcome).length

describe("an id that is live", () => {
  it.live("goes to the node that comes back from a crash, once its old link fails to show that it lives", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"])
        const links = yield* events(n1)
        const line = yield* proxy(n1.address.port)
        const crashed = yield* node("n2", ["n1"])
        yield* crashed.setAddress("n1", `127.0.0.1:${line.port}`)
        yield* n1.awaitUp("n2")
        line.blackHole()
        const send = yield* n1.open(Bytes, ignore)
        send("n2", Uint8Array.of(1))
        const start = performance.now()
        const n2 = yield* node("n2", [n1])
        const got = yield* arrivals(n2, Bytes)
        yield* n2.awaitUp("n1")
        const millis = performance.now() - start
        send("n2", Uint8Array.of(2))
        yield* got.until((items) => items.length > 0)
        expect(millis).toBeGreaterThan(900)
        expect(millis).toBeLessThan(3000)
        expect(got.items).toEqual([Uint8Array.of(2)])
        expect(links.items.filter(({ _tag }) => _tag !== "Dropped")).toEqual([
          { _tag: "Up", peer: "n2" },
          { _tag: "Down", peer: "n2", reason: "no sign of life when the peer connected anew" },
          { _tag: "Up", peer: "n2" }
        ])
      })
    )
  )

  it.live("goes to it at once when the old link breaks meanwhile", () =>
    besides((n1) =>
      Effect.gen(function* () {
        const old = yield* rawPeer(n1.address.port)
        const start = performance.now()
        const back = yield* raw(n1.address.port)
        back.write(hello(another))
        yield* old.frames.until((frames) => ofType(frames, Frames.Type.ping).length > 0)
        old.socket.resetAndDestroy()
        yield* back.frames.until((frames) => ofType(frames, Frames.Type.welcome).length > 0)
        expect(performance.now() - start).toBeLessThan(900)
      })
    )
  )

  it.live("stays with the link that answers, and several who claim it at once are refused", () =>
    besides((n1, links) =>
      Effect.gen(function* () {
        const old = yield* rawPeer(n1.address.port)
        const thieves = yield* Effect.all(range(3).map(() => raw(n1.address.port)))
        for (const thief of thieves) thief.write(hello(another))
        yield* old.frames.until((frames) => ofType(frames, Frames.Type.ping).length > 0)
        old.write(empty(Frames.Type.pong))
        for (const thief of thieves) yield* thief.closed
        expect(thieves.map(welcomed)).toEqual([0, 0, 0])
        expect(ofType(old.frames.items, Frames.Type.ping).length).toBe(1)
        yield* links.until((items) => items.filter(isRejected("n2", "is connected already")).length >= 3)
        expect(n1.isUp("n2")).toBe(true)
      })
    )
  )

  it.live("stays with a slow reader whose stuck write goes on", () =>
    besides((n1) =>
      Effect.gen(function* () {
        const old = yield* rawPeer(n1.address.port)
        old.socket.pause()
        const send = yield* n1.open(Bytes, ignore)
        for (const _ of range(30)) send("n2", new Uint8Array(1 << 20))
        yield* Effect.sleep(100)
        expect(n1.backlogBytes("n2")).toBeGreaterThan(0)
        const thief = yield* raw(n1.address.port)
        thief.write(hello(another))
        yield* Effect.sleep(50)
        old.socket.resume()
        yield* thief.closed
        expect(welcomed(thief)).toBe(0)
        expect(n1.isUp("n2")).toBe(true)
      })
    )
  )

  it.live("is not put to the test by whose certificate names another", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"], { tls: tls("n1") })
        const line = yield* proxy(n1.address.port)
        const links = yield* events(n1)
        const n2 = yield* node("n2", ["n1"], { tls: tls("n2") })
        yield* n2.setAddress("n1", `127.0.0.1:${line.port}`)
        yield* n1.awaitUp("n2")
        line.blackHole()
        yield* node("n2", [n1], { tls: tls("n1") })
        yield* links.until((items) => items.some(isRejected("n2", 'not for "n2"')))
        yield* Effect.sleep(1200)
        expect(n1.isUp("n2")).toBe(true)
        yield* node("n2", [n1], { tls: tls("n2") })
        yield* links.until((items) => items.filter(({ _tag }) => _tag === "Up").length >= 2)
      })
    )
  )

  it.live("is refused to a contender that does not wait for the answer", () =>
    besides((n1, links) =>
      Effect.gen(function* () {
        yield* rawPeer(n1.address.port)
        const thief = yield* raw(n1.address.port)
        thief.write(hello(another))
        thief.write(hello({ ...another, handshake: 1 }))
        yield* thief.closed
        expect(welcomed(thief)).toBe(0)
        yield* links.until((items) => items.some(isRejected(`127.0.0.1:${thief.port}`, "type 1 in the handshake")))
      })
    )
  )

  it.live("does not keep a node from closing while it is contested", () =>
    quiet(
      Effect.gen(function* () {
        const start = performance.now()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const n1 = yield* node("n1", ["n2"], { drain: 50 })
            const old = yield* rawPeer(n1.address.port)
            const back = yield* raw(n1.address.port)
            back.write(hello(another))
            yield* old.frames.until((frames) => ofType(frames, Frames.Type.ping).length > 0)
            old.socket.pause()
          })
        )
        expect(performance.now() - start).toBeLessThan(900)
      })
    )
  )
})

describe("strangers", () => {
  it.live("that say nothing keep nobody out", () =>
    besides(
      (n1) =>
        Effect.gen(function* () {
          yield* Effect.all(range(200).map(() => raw(n1.address.port)))
          yield* rawPeer(n1.address.port)
        }),
      { handshakeTimeout: "1 minute" }
    )
  )

  it.live("cannot forge a line of the log, nor fill it", () => {
    const lines = new Log<string>()
    const bad = "\u001b[2J\nforged\u202e"
    return Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2"])
      const links = yield* events(n1)
      for (const change of [{ node: bad }, { cluster: bad }, { target: bad }]) {
        const peer = yield* raw(n1.address.port)
        peer.write(hello(change))
        yield* peer.closed
      }
      const peer = yield* rawPeer(n1.address.port)
      peer.write(bytesOf((into) => Frames.writeNotice(into, bad)))
      peer.write(frame(Frames.Type.notice, [0xff, 0xff, ...new Uint8Array(0xffff).fill(65)]))
      yield* links.until((items) => items.filter(({ _tag }) => _tag === "Rejected").length >= 5)
      yield* lines.until((items) => items.length >= 5)
      for (const text of [...lines.items, ...links.items.map((event) => JSON.stringify(event))]) {
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}]|\\u001b|\\n/u)
        expect(text.length).toBeLessThan(700)
      }
    }).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => lines.add(String(message)))])))
  })

  it.live("may send a name of 64 KiB, and are refused", () =>
    besides((n1, links) =>
      Effect.gen(function* () {
        const peer = yield* raw(n1.address.port)
        const body = bytesOf((into) => Frames.writeIntroduction(into, Frames.Type.hello, introduction)).subarray(5, 23)
        peer.write(frame(Frames.Type.hello, [...body, 0xff, 0xff, ...new Uint8Array(0xffff).fill(65)]))
        yield* peer.closed
        yield* links.until((items) => items.some(isRejected(`127.0.0.1:${peer.port}`, "more than the 4096")))
      })
    )
  )

  it.live("may speak TLS where none is spoken, and are refused; they are told to look", () => {
    const lines = new Log<string>()
    return besides((n1, links) =>
      Effect.gen(function* () {
        yield* node("n2", [n1], { tls: tls("n2") }).pipe(
          Effect.provide(Logger.layer([Logger.make(({ message }) => lines.add(String(message)))]))
        )
        yield* links.until((items) => items.some((event) => event._tag === "Rejected"))
        yield* lines.until((items) => items.some((line) => line.includes('"n1" at 127.0.0.1')))
        expect(lines.items.find((line) => line.includes("n1"))).toContain("Does it speak TLS?")
        expect(n1.isUp("n2")).toBe(false)
      })
    )
  })
})

describe("a codec, or a handler, that throws what has no text", () => {
  it.live("loses its message, and nothing else", () =>
    besides((n1, links) =>
      Effect.gen(function* () {
        const nameless = (bad: number) => (bytes: Uint8Array) => {
          if (bytes[0] === bad) throw Object.create(null)
          return bytes
        }
        const [write, read, take] = [nameless(1), nameless(2), nameless(3)]
        const channel = Channel.fromCodec<Uint8Array>("bytes", {
          ...Codec.bytes,
          write: (message, into) => into.bytes(write(message)),
          read: (bytes, start, end) => read(bytes.slice(start, end))
        })
        const got: Array<Uint8Array> = []
        const send = yield* n1.open(channel, (_, message) => void got.push(take(message)))
        const n2 = yield* rawPeer(n1.address.port)
        for (const first of range(5)) {
          send("n2", Uint8Array.of(first))
          n2.write(Buffer.concat([declare(0, "bytes", "bytes"), data(0, first)]))
        }
        n2.write(empty(Frames.Type.ping))
        yield* n2.frames.until((frames) => ofType(frames, Frames.Type.data).length === 4)
        yield* n2.frames.until((frames) => ofType(frames, Frames.Type.pong).length > 0)
        expect(got.map(([first]) => first)).toEqual([0, 1, 4])
        expect(links.items.filter(isRejected("n2", "has no text")).length).toBe(2)
      })
    )
  )

  it.live("leaves no memory that it took for a message that came to nothing", () =>
    quiet(
      Effect.gen(function* () {
        const bounds = { outboundBytes: 1 << 16, maxFrameBytes: 1 << 16 }
        const n1 = yield* node("n1", ["n2"], bounds)
        const given: Array<Writer> = []
        const channel = Channel.fromCodec<number>("large", {
          name: "large",
          write: (size, into) => {
            given.push(into)
            into.bytes(new Uint8Array(size))
            if (size > 10) throw new Error("too large after all")
          },
          read: () => 0
        })
        const send = yield* n1.open(channel, ignore)
        for (const size of [10, 1 << 24, 10]) send("n2", size)
        expect(given.at(-1)!.buffer.length).toBeLessThanOrEqual(1 << 16)
      })
    )
  )
})

describe("a peer that is dialed", () => {
  it.live("may refuse the link that it has welcomed, for any reason: it is down, and dialed again", () =>
    quiet(
      Effect.gen(function* () {
        for (const code of [Frames.RefusalCode.refused, Frames.RefusalCode.duplicate, 7]) {
          let dialed = 0
          const port = yield* rawListener((peer) => {
            peer.write(welcome())
            if (++dialed === 1) peer.write(refusal(code, "no more"))
          })
          const n1 = yield* node("n1", ["n2"])
          const links = yield* events(n1)
          yield* n1.setAddress("n2", `127.0.0.1:${port}`)
          yield* links.until((items) => items.filter(({ _tag }) => _tag === "Up").length === 2)
          const down = '"n2" refuses this node: no more'
          expect(links.items.find(({ _tag }) => _tag === "Down")).toEqual({ _tag: "Down", peer: "n2", reason: down })
        }
      })
    )
  )
})

describe("a peer", () => {
  it.live("is understood when every byte comes alone", () =>
    besides((n1) =>
      Effect.gen(function* () {
        const got = yield* arrivals(n1, Bytes)
        const peer = yield* raw(n1.address.port)
        const stream = Buffer.concat([hello(), declare(0, "bytes", "bytes"), data(0, 7, 8, 9), empty(Frames.Type.ping)])
        for (const byte of stream)
          yield* Effect.callback<void>((resume) => {
            peer.socket.write(Uint8Array.of(byte), () => resume(Effect.void))
          })
        yield* peer.frames.until((frames) => ofType(frames, Frames.Type.pong).length > 0)
        expect(got.items).toEqual([Uint8Array.of(7, 8, 9)])
      })
    )
  )

  it.live("may give a channel number again: what follows is of the new channel", () =>
    besides((n1) =>
      Effect.gen(function* () {
        const one = yield* arrivals(n1, Channel.fromCodec("one", Codec.bytes))
        const two = yield* arrivals(n1, Channel.fromCodec("two", Codec.bytes))
        const peer = yield* rawPeer(n1.address.port)
        const [first, second] = [declare(0, "one", "bytes"), declare(0, "two", "bytes")]
        for (const bytes of [first, first, data(0, 1), second, data(0, 2), first, data(0, 3)]) peer.write(bytes)
        yield* one.until((items) => items.length >= 2)
        expect([...one.items, ...two.items]).toEqual([Uint8Array.of(1), Uint8Array.of(3), Uint8Array.of(2)])
      })
    )
  )

  for (const [what, name, codec] of [
    ["a channel without a name", "", "bytes"],
    ["a channel of a long name", "x".repeat(256), "bytes"],
    ["a codec of a long name", "x", "x".repeat(256)]
  ] as const) {
    it.live(`loses its link when it declares ${what}`, () =>
      besides((n1, links) =>
        Effect.gen(function* () {
          const peer = yield* rawPeer(n1.address.port)
          peer.write(declare(0, name, codec))
          yield* peer.closed
          yield* links.until((items) =>
            items.some(
              isRejected("n2", `a name of ${Math.max(name.length, codec.length) === 256 ? 256 : 0} characters`)
            )
          )
        })
      )
    )
  }

  it.live("can make messages wait for as many channels as a connection has, and no more", () =>
    besides((n1, links) =>
      Effect.gen(function* () {
        const peer = yield* rawPeer(n1.address.port)
        for (const index of range(4106)) peer.write(Buffer.concat([declare(0, `never-${index}`, "bytes"), data(0, 1)]))
        yield* links.until((items) => dropped(items, "channel-not-open") === 10)
        // Opening one makes room for one.
        const got = yield* arrivals(n1, Channel.fromCodec("never-7", Codec.bytes))
        yield* got.until((items) => items.length > 0)
        const late = yield* Effect.andThen(
          Effect.sync(() =>
            peer.write(Buffer.concat([declare(0, "late", "bytes"), data(0, 1), empty(Frames.Type.ping)]))
          ),
          peer.frames.until((frames) => ofType(frames, Frames.Type.pong).length > 0)
        ).pipe(Effect.andThen(arrivals(n1, Channel.fromCodec("late", Codec.bytes))))
        yield* late.until((items) => items.length > 0)
      })
    )
  )

  it.live("that breaks in the middle of a frame is down, and its bytes are gone", () =>
    besides((n1, links) =>
      Effect.gen(function* () {
        const got = yield* arrivals(n1, Bytes)
        const peer = yield* rawPeer(n1.address.port)
        peer.write(
          Buffer.concat([declare(0, "bytes", "bytes"), data(0, 1), data(0, ...new Uint8Array(100)).subarray(0, 50)])
        )
        yield* got.until((items) => items.length > 0)
        peer.socket.resetAndDestroy()
        yield* links.until((items) => items.some(({ _tag }) => _tag === "Down"))
        const next = yield* rawPeer(n1.address.port, another)
        next.write(Buffer.concat([declare(0, "bytes", "bytes"), data(0, 2)]))
        yield* got.until((items) => items.length > 1)
        expect(got.items).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
      })
    )
  )

  it.live("that does not read for a while gets all that was within the bound, in order", () =>
    besides((n1) =>
      Effect.gen(function* () {
        const peer = yield* rawPeer(n1.address.port)
        peer.socket.pause()
        const send = yield* n1.open(Bytes, ignore)
        for (const index of range(200)) {
          send("n2", new Uint8Array(100_000).fill(index))
          if (index % 20 === 0) yield* Effect.sleep(5)
        }
        peer.socket.resume()
        yield* peer.frames.until((frames) => ofType(frames, Frames.Type.data).length >= 200)
        expect(ofType(peer.frames.items, Frames.Type.data).map(({ body }) => body[2])).toEqual(range(200))
        expect(n1.backlogBytes("n2")).toBe(0)
      })
    )
  )

  it.live("that does not read costs no more than the bound, however many channels are opened for it", () =>
    besides(
      (n1, links) =>
        Effect.gen(function* () {
          const peer = yield* rawPeer(n1.address.port)
          peer.socket.pause()
          const fill = yield* n1.open(Bytes, ignore)
          for (const _ of range(200)) {
            fill("n2", new Uint8Array(60_000))
            if (_ % 10 === 0) yield* Effect.sleep(2)
          }
          for (const index of range(2000)) {
            yield* Effect.scoped(
              Effect.flatMap(n1.open(Channel.fromCodec(`${index}`.padEnd(200), Codec.bytes), ignore), (send) =>
                Effect.sync(() => send("n2", new Uint8Array(10)))
              )
            )
          }
          expect(n1.backlogBytes("n2")).toBeLessThanOrEqual((1 << 20) + 1000)
          yield* links.until((items) => dropped(items, "outbound-full") > 0)
        }),
      { outboundBytes: 1 << 20, maxFrameBytes: 1 << 16 }
    )
  )
})
