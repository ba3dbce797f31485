import { Channel, Codec, type LinkEvent, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { conformance, type TransportMaker } from "@troupe/transport/testing"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Logger, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Frames from "../src/internal/frames.ts"
import { arrivals, events, Log } from "./support.ts"
import { declare, empty, frame, hello, node, ofType, pair, pem, proxy, raw, rawPeer, tls } from "./tcpSupport.ts"

const Numbers = Channel.make("numbers", Schema.Int)
const Bytes = Channel.fromCodec("bytes", Codec.bytes)
const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)
const ignore = (): void => {}
const quiet = Effect.provide(Logger.layer([]))

const isRejected = (peer: string, reason: string) => (event: LinkEvent) =>
  event._tag === "Rejected" && event.peer === peer && event.reason.includes(reason)

const dropped = (items: ReadonlyArray<LinkEvent>, reason: string): number =>
  items.reduce((sum, event) => sum + (event._tag === "Dropped" && event.reason === reason ? event.count : 0), 0)

/** A node still serves a good peer. */
const serves = Effect.fnUntraced(function* (n1: Tcp.TcpTransport, id: string, bounds: Partial<Tcp.Options> = {}) {
  const peer = yield* node(id, [n1], bounds)
  const channel = Channel.make(`check-${id}`, Schema.String)
  const got = yield* arrivals(n1, channel)
  const send = yield* peer.open(channel, ignore)
  send("n1", "alive")
  yield* got.until((items) => items.length > 0)
}, Effect.scoped)

// -------------------------------------------------------------------------------------------------------- conformance

const maker =
  (tls?: Tcp.TlsOptions): TransportMaker =>
  ({ holdMessages, nodes }) =>
    Effect.sync(() => {
      const ports = new Map<string, string>()
      return {
        join: (self) =>
          Effect.gen(function* () {
            const others = nodes.filter((other) => other !== self)
            const made = yield* Tcp.make({
              self,
              listen: "127.0.0.1:0",
              peers: Object.fromEntries(others.map((other) => [other, ports.get(other) ?? null])),
              holdMessages,
              backoffMin: 5,
              backoffMax: 50,
              ...(tls === undefined ? {} : { tls })
            })
            ports.set(self, `127.0.0.1:${made.address.port}`)
            return made
          })
      }
    })

describe("TCP", () => {
  for (const { name, run } of conformance) it.live(name, () => quiet(run(maker())))
})

describe("TCP with TLS", () => {
  const make = maker({ ...tls("n1"), verifyIdentity: false })
  for (const { name, run } of conformance) it.live(name, () => quiet(run(make)))
})

// ------------------------------------------------------------------------------------------------------------ options

describe("the options of TCP", () => {
  const good: Tcp.Options = { self: "n1", listen: "127.0.0.1:0", peers: {} }
  const invalid = (options: object) =>
    Effect.scoped(Effect.flip(Tcp.make({ ...good, ...options }))).pipe(Effect.map((error) => error))

  for (const [option, options] of [
    ["self", { self: "not a name" }],
    ["listen", { listen: "nowhere" }],
    ["listen", { listen: "127.0.0.1:70000" }],
    ["peers.n2", { peers: { n2: "10.0.0.2" } }],
    ["peers.n1", { listen: ":7001", peers: { n1: "10.0.0.1:7002" } }],
    ["cluster", { cluster: "" }],
    ["heartbeat", { heartbeat: 0 }],
    ["drain", { drain: "soon" }],
    ["holdMessages", { holdMessages: -1 }],
    ["outboundBytes", { outboundBytes: 1024 }],
    ["tls", { tls: { cert: "no certificate", key: "no key" } }],
    ["tls", { tls: { cert: pem("n1.cert"), key: pem("n2.key") } }],
    ["retries", { retries: 3 }]
  ] as ReadonlyArray<[string, object]>) {
    it.effect(`are refused by name: ${option} in ${JSON.stringify(options).slice(0, 60)}`, () =>
      Effect.gen(function* () {
        const error = yield* invalid(options)
        expect(error._tag).toBe("TcpOptionsInvalid")
        if (error._tag === "TcpOptionsInvalid") expect(error.option).toBe(option)
        expect(error.message).toContain(`Option "${option}" of the TCP transport of node`)
      })
    )
  }

  it.effect("may name the node itself among its peers, where it listens", () =>
    Effect.gen(function* () {
      const n1 = yield* Tcp.make({ ...good, peers: { n1: "127.0.0.1:0", n2: null } })
      expect(n1.nodes).toEqual(["n1", "n2"])
    })
  )

  it.effect("say when a port is in use, and what to do", () =>
    Effect.gen(function* () {
      const n1 = yield* Tcp.make(good)
      const error = yield* invalid({ listen: `127.0.0.1:${n1.address.port}` })
      expect(error._tag).toBe("ListenFailed")
      expect(error.message).toContain("the port is in use")
    })
  )

  it.effect("say when a host is not of this machine", () =>
    Effect.gen(function* () {
      const error = yield* invalid({ listen: "192.0.2.1:0" })
      expect(error.message).toContain("not an address of this machine")
    })
  )

  it.live("make a layer", () =>
    Effect.gen(function* () {
      const transport = yield* Transport
      expect(transport.self).toBe("n1")
    }).pipe(Effect.provide(Tcp.layer(good)))
  )
})

// ---------------------------------------------------------------------------------------------------------- handshake

describe("the handshake", () => {
  for (const [what, change, reason] of [
    ["another protocol version", { version: 2 }, "protocol version 2, this node speaks 1"],
    ["another cluster", { cluster: "other" }, 'cluster "other", this node is of "troupe"'],
    ["an unknown id", { node: "n9" }, 'node id "n9" is not among the peers of "n1"'],
    ["the node's own id", { node: "n1" }, 'node id "n1" is this node\'s own'],
    ["a look for another node", { target: "n3" }, 'it looks for node "n3", this is "n1"']
  ] as ReadonlyArray<[string, Partial<Frames.Introduction>, string]>) {
    it.live(`refuses ${what}, and says so to both`, () =>
      quiet(
        Effect.gen(function* () {
          const n1 = yield* node("n1", ["n2", "n3"])
          const links = yield* events(n1)
          const peer = yield* raw(n1.address.port)
          peer.write(hello(change))
          yield* peer.closed
          const [refusal] = ofType(peer.frames.items, Frames.Type.refuse)
          expect(Frames.readRefusal(refusal!.body, 0, refusal!.body.length).reason).toBe(reason)
          yield* links.until((items) =>
            items.some((event) => event._tag === "Rejected" && event.reason.includes(reason))
          )
          expect(n1.counters.rejected).toBe(1)
          yield* serves(n1, "n3")
        })
      )
    )
  }

  it.live("refuses an id that is live to anybody else", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const links = yield* events(n1)
        const thief = yield* raw(n1.address.port)
        thief.write(hello({ incarnation: "00000000000000bb" }))
        yield* thief.closed
        yield* links.until((items) => items.some(isRejected("n2", "is connected already")))
        expect(ofType(thief.frames.items, Frames.Type.welcome)).toEqual([])
        expect(n1.counters.links).toBe(1)
        const got = yield* arrivals(n1, Numbers)
        const send = yield* n2.open(Numbers, ignore)
        send("n1", 1)
        yield* got.until((items) => items.length > 0)
        expect(n1.isUp("n2")).toBe(true)
      })
    )
  )

  it.live("lets a node replace its own link, and ignores a handshake that is older than it", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"])
        const links = yield* events(n1)
        const first = yield* rawPeer(n1.address.port, { handshake: 5 })
        const older = yield* raw(n1.address.port)
        older.write(hello({ handshake: 4 }))
        yield* older.closed
        expect(n1.counters.rejected).toBe(0)
        yield* rawPeer(n1.address.port, { handshake: 6 })
        yield* first.closed
        yield* links.until((items) => items.length >= 3)
        expect(links.items.map((event) => event._tag)).toEqual(["Up", "Down", "Up"])
      })
    )
  )

  for (const [what, bytes, reason] of [
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "a frame of 1195725856 bytes"],
    ["an empty frame", new Uint8Array(8), "a frame of no bytes"],
    ["data before it", frame(Frames.Type.data, [0, 0, 1]), "a frame of type 5 in the handshake"],
    ["a welcome that nobody asked for", frame(Frames.Type.welcome, []), "a frame of type 2 in the handshake"],
    ["a greeting cut short", frame(Frames.Type.hello, hello().subarray(5, 20)), "it ends too soon"],
    ["a greeting with a tail", frame(Frames.Type.hello, [...hello().subarray(5), 1]), "it goes on after its end"],
    ["another protocol", frame(Frames.Type.hello, [1, 2, 3, 4, 5, 6]), "it does not speak this protocol"],
    ["a frame of handshake that is too large", frame(Frames.Type.hello, new Uint8Array(5000)), "a frame of 5001 bytes"]
  ] as ReadonlyArray<[string, Uint8Array, string]>) {
    it.live(`closes a connection that begins with ${what}`, () =>
      quiet(
        Effect.gen(function* () {
          const n1 = yield* node("n1", ["n2"])
          const links = yield* events(n1)
          const peer = yield* raw(n1.address.port)
          peer.write(bytes)
          yield* peer.closed
          yield* links.until((items) =>
            items.some((event) => event._tag === "Rejected" && event.peer.startsWith("127.0.0.1:"))
          )
          expect(links.items).toMatchObject([{ _tag: "Rejected", reason: expect.stringContaining(reason) }])
          yield* serves(n1, "n2")
        })
      )
    )
  }

  it.live("of two nodes of different clusters fails on both", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"], { cluster: "a" })
        const links1 = yield* events(n1)
        const n2 = yield* node("n2", [n1], { cluster: "b" })
        const links2 = yield* events(n2)
        yield* links1.until((items) => items.some(isRejected("n2", 'cluster "b", this node is of "a"')))
        yield* links2.until((items) => items.some(isRejected("n1", '"n1" refuses this node: cluster "b"')))
        expect([n1.isUp("n2"), n2.isUp("n1")]).toEqual([false, false])
      })
    )
  )

  it.live("with a node under another's address fails on both", () =>
    quiet(
      Effect.gen(function* () {
        const n3 = yield* node("n3", ["n1"])
        const n1 = yield* node("n1", ["n2"])
        const links = yield* events(n1)
        yield* n1.setAddress("n2", `127.0.0.1:${n3.address.port}`)
        yield* links.until((items) => items.some(isRejected("n2", 'it looks for node "n2", this is "n3"')))
      })
    )
  )

  it.live("must come in time", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"], { handshakeTimeout: 50 })
        const links = yield* events(n1)
        const silent = yield* raw(n1.address.port)
        yield* silent.closed
        yield* links.until((items) => items.length > 0)
        expect(links.items).toMatchObject([{ _tag: "Rejected", reason: "no handshake within 50 ms" }])
        yield* serves(n1, "n2")
      })
    )
  )

  it.live("is owed by so many connections and no more: the oldest goes, who means well gets in", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"], { maxHandshakes: 2 })
        const links = yield* events(n1)
        const first = yield* raw(n1.address.port)
        const second = yield* raw(n1.address.port)
        yield* raw(n1.address.port)
        yield* first.closed
        yield* links.until((items) => items.length > 0)
        expect(links.items).toMatchObject([
          {
            peer: `127.0.0.1:${first.port}`,
            reason: "more than 2 connections without a handshake"
          }
        ])
        expect(second.socket.destroyed).toBe(false)
        yield* serves(n1, "n2")
      })
    )
  )
})

// --------------------------------------------------------------------------------------------------------------- TLS

describe("TLS", () => {
  it.live("with certificates on both sides carries messages between the nodes that they name", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* pair({ tls: tls("n1") }, { tls: tls("n2") })
      const got = yield* arrivals(n2, Bytes)
      const send = yield* n1.open(Bytes, ignore)
      send("n2", new Uint8Array(100_000).fill(7))
      yield* got.until((items) => items.length > 0)
      expect(got.items[0]!.every((byte) => byte === 7)).toBe(true)
    })
  )

  it.live("without client certificates asks none", () =>
    pair({ tls: { ...tls("n1"), mutual: false } }, { tls: { ...tls("n2"), mutual: false } })
  )

  it.live("refuses a certificate of another authority, either way", () =>
    quiet(
      Effect.gen(function* () {
        const stranger = { ...tls("stranger"), ca: pem("ca") }
        const n1 = yield* node("n1", ["n2"], { tls: tls("n1") })
        const links1 = yield* events(n1)
        const dialer = yield* node("n2", [n1], { tls: stranger })
        yield* links1.until((items) => items.some((event) => event._tag === "Rejected" && event.reason.includes("TLS")))
        yield* n1.setAddress("n2", `127.0.0.1:${dialer.address.port}`)
        yield* links1.until((items) => items.some(isRejected("n2", "certificate")))
        expect([n1.isUp("n2"), dialer.isUp("n1")]).toEqual([false, false])
      })
    )
  )

  it.live("refuses a node whose certificate names another, to both", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"], { tls: tls("n1") })
        const links1 = yield* events(n1)
        const thief = yield* node("n2", [n1], { tls: tls("n1") })
        const links2 = yield* events(thief)
        yield* links1.until((items) => items.some(isRejected("n2", 'is for n1, n1, not for "n2"')))
        yield* links2.until((items) => items.some(isRejected("n1", "refuses this node")))
        yield* n1.setAddress("n2", `127.0.0.1:${thief.address.port}`)
        yield* links1.until((items) =>
          items.some(
            (event) => isRejected("n2", "certificate is for")(event) && !JSON.stringify(event).includes("from")
          )
        )
        expect(n1.isUp("n2")).toBe(false)
      })
    )
  )

  it.live("may leave identity to the authority", () =>
    pair({ tls: { ...tls("n1"), verifyIdentity: false } }, { tls: { ...tls("n1"), verifyIdentity: false } })
  )

  it.live("does not speak with who doesn't", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2", "n3"], { tls: tls("n1") })
        const links = yield* events(n1)
        const plain = yield* node("n2", [n1])
        yield* links.until((items) => items.some((event) => event._tag === "Rejected" && event.reason.includes("TLS")))
        expect(plain.isUp("n1")).toBe(false)
        yield* serves(n1, "n3", { tls: { ...tls("n2"), verifyIdentity: false } }).pipe(Effect.timeoutOption("1 millis"))
        const good = yield* node("n2", [n1], { tls: tls("n2") })
        yield* good.awaitUp("n1")
      })
    )
  )
})

// ------------------------------------------------------------------------------------------------------ hostile peers

describe("a peer that breaks the rules", () => {
  for (const [what, bytes, reason] of [
    ["a frame of unknown type", frame(99, [1]), "a frame of unknown type 99"],
    ["a message on no channel", frame(Frames.Type.data, [0, 7, 1]), "channel that was not declared"],
    ["a message cut short", frame(Frames.Type.data, [0]), "channel that was not declared"],
    ["a channel number out of range", declare(4096, "x", "json"), "channel number 4096"],
    ["a declaration cut short", frame(Frames.Type.declare, [0, 1, 0, 200, 65]), "it ends too soon"],
    ["text that is no UTF-8", frame(Frames.Type.declare, [0, 1, 0, 1, 255, 0, 0]), "malformed frame of type 4"],
    ["a frame that is too large", Uint8Array.from([0x7f, 0, 0, 0, 5]), "a frame of 2130706432 bytes"]
  ] as ReadonlyArray<[string, Uint8Array, string]>) {
    it.live(`loses its link: ${what}`, () =>
      quiet(
        Effect.gen(function* () {
          const n1 = yield* node("n1", ["n2", "n3"])
          const links = yield* events(n1)
          const n3 = yield* node("n3", [n1])
          yield* n1.awaitUp("n3")
          const peer = yield* rawPeer(n1.address.port)
          peer.write(bytes)
          yield* peer.closed
          yield* links.until((items) => items.some((event) => event._tag === "Rejected"))
          const ofPeer = links.items.filter((event) => event.peer === "n2")
          expect(ofPeer).toMatchObject([{ _tag: "Up" }, { _tag: "Down" }, { _tag: "Rejected" }])
          expect(ofPeer.some(isRejected("n2", reason))).toBe(true)
          expect(n3.isUp("n1")).toBe(true)
          yield* rawPeer(n1.address.port, { incarnation: "00000000000000cc" })
        })
      )
    )
  }

  it.live("with a message that its schema refuses loses the message, not the link", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const links = yield* events(n2)
        const got = yield* arrivals(n2, Channel.make("c", Schema.Int, Codec.json))
        const send = yield* n1.open(Channel.make("c", Schema.Finite, Codec.json), ignore)
        for (const number of [1, 1.5, 2]) send("n2", number)
        yield* got.until((items) => items.length >= 2)
        expect(got.items).toEqual([1, 2])
        yield* links.until((items) => items.some(isRejected("n1", 'a message on channel "c"')))
        expect(n2.isUp("n1")).toBe(true)
      })
    )
  )

  it.live("with another codec is told, and its messages on that channel are dropped", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const links1 = yield* events(n1)
        const links2 = yield* events(n2)
        const got = yield* arrivals(n2, Channel.make("c", Schema.Int, Codec.json))
        const good = yield* arrivals(n2, Numbers)
        const send = yield* n1.open(Channel.make("c", Schema.Int), ignore)
        const sendGood = yield* n1.open(Numbers, ignore)
        for (const number of range(3)) send("n2", number)
        sendGood("n2", 7)
        yield* good.until((items) => items.length > 0)
        expect(got.items).toEqual([])
        expect(n2.counters.rejected).toBe(3)
        yield* links2.until((items) => items.some(isRejected("n1", 'channel "c" has codec "json" here')))
        yield* links1.until((items) => items.some(isRejected("n2", '"n2" says: channel "c" has codec "json" here')))
      })
    )
  )

  it.live("that never reads costs no more than the bound, and others nothing", () =>
    quiet(
      Effect.gen(function* () {
        const outboundBytes = 1 << 20
        const bounds = { maxFrameBytes: 1 << 18, outboundBytes }
        const n1 = yield* node("n1", ["n2", "n3"], bounds)
        const links = yield* events(n1)
        const n3 = yield* node("n3", [n1], bounds)
        const got = yield* arrivals(n3, Bytes)
        const peer = yield* rawPeer(n1.address.port)
        yield* n1.awaitUp("n3")
        peer.socket.pause()
        const send = yield* n1.open(Bytes, ignore)
        const message = new Uint8Array(64 * 1024)
        let most = 0
        for (const _ of range(1000)) {
          send("n2", message)
          most = Math.max(most, n1.backlogBytes("n2"))
          if (_ % 100 === 0) {
            send("n3", message)
            yield* Effect.yieldNow
          }
        }
        yield* got.until((items) => items.length >= 10)
        yield* links.until((items) => dropped(items, "outbound-full") > 0)
        expect(most).toBeLessThanOrEqual(outboundBytes)
        expect(most).toBeGreaterThan(outboundBytes / 2)
        expect(links.items.every((event) => event._tag !== "Dropped" || event.peer === "n2")).toBe(true)
        peer.socket.destroy()
        yield* links.until((items) => dropped(items, "link-lost") > 0)
      })
    )
  )

  it.live("that asks for signs of life without reading them costs nothing", () =>
    Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2"])
      const peer = yield* rawPeer(n1.address.port)
      peer.socket.pause()
      const pings = Buffer.concat(range(10_000).map(() => empty(Frames.Type.ping)))
      for (const _ of range(20)) peer.write(pings)
      const got = yield* arrivals(n1, Bytes)
      peer.write(declare(0, "bytes", "bytes"))
      peer.write(frame(Frames.Type.data, [0, 0, 1]))
      yield* got.until((items) => items.length > 0)
      expect(n1.backlogBytes("n2")).toBeLessThan(1000)
    })
  )

  it.live("cannot flood the log, nor the links", () =>
    Effect.gen(function* () {
      const lines = new Log<unknown>()
      const logger = Logger.make(({ message }) => lines.add(message))
      yield* Effect.gen(function* () {
        const n1 = yield* node("n1", ["n2"])
        const links = yield* events(n1)
        const peer = yield* rawPeer(n1.address.port)
        const done = yield* arrivals(n1, Bytes)
        yield* n1.open(Channel.make("c", Schema.Int, Codec.json), ignore)
        peer.write(declare(0, "c", "json"))
        peer.write(declare(1, "bytes", "bytes"))
        for (const _ of range(1000)) peer.write(frame(Frames.Type.data, [0, 0, 34]))
        peer.write(frame(Frames.Type.data, [0, 1, 1]))
        yield* done.until((items) => items.length > 0)
        expect(n1.counters.rejected).toBe(1000)
        yield* Effect.yieldNow
        expect(links.items.length).toBeLessThanOrEqual(101)
        expect(lines.items.length).toBeLessThan(10)
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  )
})

// -------------------------------------------------------------------------------------------------------------- bounds

describe("a node", () => {
  it.live("refuses to send a message that is larger than a frame, and sends the next", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair({ maxFrameBytes: 1000 })
        const links = yield* events(n1)
        const got = yield* arrivals(n2, Bytes)
        const send = yield* n1.open(Bytes, ignore)
        send("n2", new Uint8Array(2000))
        send("n2", new Uint8Array(900))
        yield* got.until((items) => items.length > 0)
        expect(got.items.map((bytes) => bytes.length)).toEqual([900])
        expect(links.items.some(isRejected("n2", "more than maxFrameBytes (1000)"))).toBe(true)
      })
    )
  )

  it.live("refuses to send a message that its schema refuses, and sends the next", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const links = yield* events(n1)
        const got = yield* arrivals(n2, Numbers)
        const send = yield* n1.open(Numbers, ignore)
        for (const number of [1, Number.NaN, 2]) send("n2", number)
        yield* got.until((items) => items.length >= 2)
        expect(got.items).toEqual([1, 2])
        expect(links.items.some(isRejected("n2", 'a message on channel "numbers"'))).toBe(true)
      })
    )
  )

  it.live("keeps what waits for a peer that is not up within the bound: the first of it, in order", () =>
    Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2"], { maxFrameBytes: 64, outboundBytes: 1070 })
      const links = yield* events(n1)
      const send = yield* n1.open(Bytes, ignore)
      for (const number of range(200)) send("n2", Uint8Array.from([number, 0, 0]))
      yield* links.until((items) => dropped(items, "outbound-full") === 93)
      const n2 = yield* node("n2", [n1])
      const got = yield* arrivals(n2, Bytes)
      yield* got.until((items) => items.length >= 107)
      expect(got.items.map(([number]) => number)).toEqual(range(107))
    })
  )

  it.live("holds so many bytes for a channel that is not open", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* pair({}, { holdBytes: 10_000 })
      const links = yield* events(n2)
      const send = yield* n1.open(Bytes, ignore)
      for (const _ of range(20)) send("n2", new Uint8Array(936))
      yield* links.until((items) => dropped(items, "channel-not-open") === 10)
      const got = yield* arrivals(n2, Bytes)
      yield* got.until((items) => items.length >= 10)
      send("n2", new Uint8Array(1))
      yield* got.until((items) => items.length >= 11)
    })
  )

  it.live("may have more channels one after another than a connection has numbers", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* pair()
      const got = yield* arrivals(n2, Numbers)
      let arrived = 0
      for (const index of range(5000)) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const channel = Channel.make(`channel-${index}`, Schema.Int)
            const there = yield* n1.open(channel, ignore)
            there("n2", index)
            if (index % 500 !== 0) return
            const log = yield* arrivals(n2, channel)
            yield* log.until((items) => items.length > 0)
            expect(log.items).toEqual([index])
            arrived++
          })
        )
      }
      expect(arrived).toBe(10)
      const send = yield* n1.open(Numbers, ignore)
      send("n2", 1)
      yield* got.until((items) => items.length > 0)
    })
  )
})

// --------------------------------------------------------------------------------------------------------------- links

describe("a link", () => {
  it.live("is one, whoever dials first, and loses nothing", () =>
    Effect.gen(function* () {
      for (const round of range(50)) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const n1 = yield* node("n1", ["n2"])
            const n2 = yield* node("n2", ["n1"])
            const got1 = yield* arrivals(n1, Numbers)
            const got2 = yield* arrivals(n2, Channel.make("back", Schema.Int))
            const send1 = yield* n1.open(Channel.make("back", Schema.Int), ignore)
            const send2 = yield* n2.open(Numbers, ignore)
            for (const number of range(50)) {
              send1("n2", number)
              send2("n1", number)
            }
            // Both in one turn, and in either order.
            const [a, b] = round % 2 === 0 ? ([n1, n2] as const) : ([n2, n1] as const)
            yield* Effect.all([
              a.setAddress(b.self, `127.0.0.1:${b.address.port}`),
              b.setAddress(a.self, `127.0.0.1:${a.address.port}`)
            ])
            yield* got1.until((items) => items.length >= 50)
            for (const number of range(50)) send1("n2", 50 + number)
            yield* got2.until((items) => items.length >= 100)
            expect(got1.items).toEqual(range(50))
            expect(got2.items).toEqual(range(100))
            expect([n1.counters.links, n2.counters.links]).toEqual([1, 1])
            expect([n1.counters.rejected, n2.counters.rejected]).toEqual([0, 0])
          })
        )
      }
    })
  )

  it.live("comes back after the peer restarts, with what was sent meanwhile", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const old = yield* Scope.provide(node("n2", ["n1"]), first)
      const n1 = yield* node("n1", [old])
      const links = yield* events(n1)
      const send = yield* n1.open(Numbers, ignore)
      yield* n1.awaitUp("n2")
      yield* Scope.close(first, Exit.void)
      yield* links.until((items) => items.some((event) => event._tag === "Down"))
      for (const number of range(10)) send("n2", number)
      const n2 = yield* node("n2", ["n1"], { listen: `127.0.0.1:${old.address.port}` })
      const got = yield* arrivals(n2, Numbers)
      yield* got.until((items) => items.length >= 10)
      expect(got.items).toEqual(range(10))
    })
  )

  it.live("carries everything that was sent before a node closes", () =>
    Effect.gen(function* () {
      const n2 = yield* node("n2", ["n1"])
      const links = yield* events(n2)
      const got = yield* arrivals(n2, Numbers)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const n1 = yield* node("n1", [n2])
          const send = yield* n1.open(Numbers, ignore)
          yield* n1.awaitUp("n2")
          for (const number of range(50_000)) send("n2", number)
        })
      )
      yield* links.until((items) => items.some((event) => event._tag === "Down"))
      expect(got.items.length).toBe(50_000)
      expect(links.items).toEqual([
        { _tag: "Up", peer: "n1" },
        { _tag: "Down", peer: "n1", reason: "closed" }
      ])
    })
  )

  it.live("that is being made is waited for when a node closes with something to say", () =>
    Effect.gen(function* () {
      const n2 = yield* node("n2", ["n1"])
      const got = yield* arrivals(n2, Numbers)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const n1 = yield* node("n1", [n2])
          const send = yield* n1.open(Numbers, ignore)
          send("n2", 1)
        })
      )
      yield* got.until((items) => items.length > 0)
    })
  )

  it.live("to a peer that doesn't read holds up closing for so long and no longer", () =>
    quiet(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const n1 = yield* node("n1", ["n2"], { drain: 50 })
            const peer = yield* rawPeer(n1.address.port)
            peer.socket.pause()
            const send = yield* n1.open(Bytes, ignore)
            for (const _ of range(100)) send("n2", new Uint8Array(200_000))
          })
        ).pipe(Effect.timeout("10 seconds"))
      })
    )
  )

  it.live("that has gone silent is found dead", () =>
    Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2"], { heartbeat: 20, heartbeatMisses: 2 })
      const line = yield* proxy(n1.address.port)
      const links = yield* events(n1)
      const n2 = yield* node("n2", ["n1"])
      yield* n2.setAddress("n1", `127.0.0.1:${line.port}`)
      yield* n1.awaitUp("n2")
      line.blackHole()
      yield* links.until((items) => items.length >= 2)
      expect(links.items[1]).toEqual({ _tag: "Down", peer: "n2", reason: "no sign of life for 3 heartbeats" })
    })
  )

  it.live("that is idle is kept alive by signs of life", () =>
    Effect.gen(function* () {
      const n1 = yield* node("n1", ["n2"], { heartbeat: 20, heartbeatMisses: 20 })
      const peer = yield* rawPeer(n1.address.port)
      let answered = 0
      for (let pings = 1; pings <= 5; pings++) {
        yield* peer.frames.until((frames) => ofType(frames, Frames.Type.ping).length >= pings)
        peer.write(empty(Frames.Type.pong))
        answered++
      }
      expect(answered).toBe(5)
      expect(n1.isUp("n2")).toBe(true)
      peer.write(empty(Frames.Type.ping))
      yield* peer.frames.until((frames) => ofType(frames, Frames.Type.pong).length > 0)
    })
  )

  it.effect("is dialed again by the clock, at random intervals", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const gone = yield* Scope.provide(node("n2", ["n1"]), first)
      yield* Scope.close(first, Exit.void)
      const n1 = yield* node("n1", [gone], { backoffMin: "1 minute", backoffMax: "1 hour" })
      const n2 = yield* node("n2", ["n1"], { listen: `127.0.0.1:${gone.address.port}` })
      const up = new Log<void>()
      yield* Effect.forkScoped(
        Effect.andThen(
          n1.awaitUp("n2"),
          Effect.sync(() => up.add())
        )
      )
      // The first dialing may find the new node or none.
      while (up.items.length === 0) {
        yield* TestClock.adjust("1 minute")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      expect(n2.isUp("n1")).toBe(true)
    })
  )
})
