/** Nodes over real sockets on loopback: packets, sizes, addresses, options, closing. */
import { Channel, Codec, type LinkEvent, Transport } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Exit, Logger, PubSub, Scope, Schema } from "effect"
import type { Buffer } from "node:buffer"
import { Node } from "../src/internal/udp/Node.ts"
import { PacketReports } from "../src/internal/udp/PacketReports.ts"
import type { Socket } from "../src/internal/udp/Socket.ts"
import { Window, windowPackets } from "../src/internal/udp/Window.ts"
import { arrivals, events, type Log, random } from "./support.ts"
import { at, key, node, pair, received, wire } from "./udpSupport.ts"

const Bytes = Channel.fromCodec("bytes", Codec.bytes)
const Words = Channel.make("words", Schema.String, Codec.json)
const Numbers = Channel.make("numbers", Schema.Int, Codec.json)

const ignore = (): void => {}

const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

const quiet = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.scoped(effect).pipe(Effect.provide(Logger.layer([])))

const count =
  (items: number) =>
  (all: ReadonlyArray<unknown>): boolean =>
    all.length >= items

const told = <Tag extends LinkEvent["_tag"]>(log: Log<LinkEvent>, tag: Tag) =>
  Effect.map(
    log.until((all) => all.some(({ _tag }) => _tag === tag)),
    () => log.items.find((event): event is Extract<LinkEvent, { readonly _tag: Tag }> => event._tag === tag)!
  )

describe("packets", () => {
  it.live("what is sent to a peer in one turn shares a packet, whatever the channel", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const words = yield* arrivals(n2, Words)
        const numbers = yield* arrivals(n2, Numbers)
        const sendWord = yield* n1.open(Words, ignore)
        const sendNumber = yield* n1.open(Numbers, ignore)
        for (let turn = 1; turn <= 2; turn++) {
          for (let n = 0; n < 10; n++) {
            sendWord("n2", "word")
            sendNumber("n2", n)
          }
          yield* words.until(count(10 * turn))
          yield* numbers.until(count(10 * turn))
          expect(n1.counters.packetsSent).toBe(turn)
        }
        expect(numbers.items).toEqual([...Array(10).keys(), ...Array(10).keys()])
        expect(n1.counters).toMatchObject({ sent: 40, dropped: 0, rejected: 0 })
        expect(n2.counters).toMatchObject({ received: 40, packetsReceived: 2, bytesReceived: n1.counters.bytesSent })
      })
    )
  )

  it.live("each peer has packets of its own", () =>
    quiet(
      Effect.gen(function* () {
        const n2 = yield* node("n2", ["n1"])
        const n3 = yield* node("n3", ["n1"])
        const n1 = yield* node("n1", [n2, n3])
        const at2 = yield* arrivals(n2, Words)
        const at3 = yield* arrivals(n3, Words)
        const send = yield* n1.open(Words, ignore)
        for (const word of ["a", "b"]) for (const to of ["n2", "n3"]) send(to, `${word} to ${to}`)
        yield* at2.until(count(2))
        yield* at3.until(count(2))
        expect([at2.items, at3.items]).toEqual([
          ["a to n2", "b to n2"],
          ["a to n3", "b to n3"]
        ])
        expect(n1.counters.packetsSent).toBe(2)
      })
    )
  )

  it.live("without packing, each message has a packet of its own", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair({ pack: false })
        const got = yield* arrivals(n2, Numbers)
        const send = yield* n1.open(Numbers, ignore)
        for (let n = 0; n < 10; n++) send("n2", n)
        yield* got.until(count(10))
        expect(n1.counters).toMatchObject({ sent: 10, packetsSent: 10 })
      })
    )
  )

  it.live("a packet costs 22 bytes and its sender's id, with keys 34, and a message 7", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        for (const [bounds, bytes] of [
          [{}, 22],
          [{ keys }, 34]
        ] as const) {
          const [n1, n2] = yield* pair(bounds)
          const got = yield* arrivals(n2, Bytes)
          const send = yield* n1.open(Bytes, ignore)
          send("n2", new Uint8Array(100))
          send("n2", new Uint8Array(0))
          yield* got.until(count(2))
          expect(n1.counters.bytesSent).toBe(bytes + 2 + 7 + 100 + 7)
        }
      })
    )
  )
})

describe("the largest packet", () => {
  const sizes: ReadonlyArray<[string, number, boolean]> = [
    ["1,400 bytes", 1400, false],
    ["512 bytes", 512, false],
    ["65,507 bytes, the most of IPv4", 65_507, false],
    ["1,400 bytes, sealed", 1400, true]
  ]
  for (const [name, packetBytes, sealed] of sizes) {
    it.live(`of ${name}: a message that just fits arrives, a byte more is refused and told`, () =>
      quiet(
        Effect.gen(function* () {
          const keys = yield* Udp.keyRing([key(1)])
          const [n1, n2] = yield* pair({ packetBytes, ...(sealed ? { keys } : {}) })
          const links = yield* events(n1)
          const got = yield* arrivals(n2, Bytes)
          const send = yield* n1.open(Bytes, ignore)
          const largest = Uint8Array.from({ length: n1.maxMessageBytes }, (_, index) => index % 251)
          send("n2", new Uint8Array(n1.maxMessageBytes + 1))
          send("n2", largest)
          yield* got.until(count(1))
          expect(got.items.map(plain)).toEqual([largest])
          expect(n1.counters).toMatchObject({ sent: 1, rejected: 1, packetsSent: 1, bytesSent: packetBytes })
          const { peer, reason } = yield* told(links, "Rejected")
          expect([peer, reason]).toEqual([
            "n2",
            `a message of ${largest.length + 1} bytes on channel "bytes": a packet has room for ${largest.length}`
          ])
        })
      )
    )
  }

  it.live("messages that do not fit together are sent apart, in order, and no packet is larger", () =>
    quiet(
      Effect.gen(function* () {
        const next = random(4)
        const [n1, n2] = yield* pair({ packetBytes: 600 })
        const line = yield* wire(n1, n2)
        const got = yield* arrivals(n2, Bytes)
        const send = yield* n1.open(Bytes, ignore)
        const sent = Array.from({ length: 60 }, (_, index) =>
          new Uint8Array(Math.floor(next() * n1.maxMessageBytes) + 1).fill(index)
        )
        for (const message of sent) send("n2", message)
        while (line.packets.items.length < n1.counters.packetsSent || n1.counters.sent < 60) yield* Effect.sleep(1)
        for (const packet of line.packets.items) {
          expect(packet.length).toBeLessThanOrEqual(600)
          yield* line.pass(packet)
        }
        yield* got.until(count(60))
        expect(got.items.map(plain)).toEqual(sent)
        // Two neighbours that would fit into one packet are in one.
        expect(n1.counters.packetsSent).toBeLessThan(50)
      })
    )
  )

  it.live("a message that its schema refuses costs nothing of the packet it would have been in", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const links = yield* events(n1)
        const got = yield* arrivals(n2, Words)
        const send = yield* n1.open(Words, ignore)
        send("n2", "before")
        send("n2", 7 as never)
        send("n2", "after")
        yield* got.until(count(2))
        expect(got.items).toEqual(["before", "after"])
        expect((yield* told(links, "Rejected")).reason).toContain('a message on channel "words"')
        expect(n1.counters).toMatchObject({ sent: 2, packetsSent: 1, rejected: 1 })
      })
    )
  )
})

describe("what waits is bounded", () => {
  /** A node whose system takes packets as the test says. */
  const stalled = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const events = yield* PubSub.sliding<LinkEvent>(16)
    const reports = new PacketReports("n1", ["n2"], events, clock, Effect.runForkWith(yield* Effect.context()))
    const socket = {
      taken: 0,
      packets: [] as Array<Uint8Array>,
      waiting: [] as Array<(error: Error | null) => void>,
      start: ignore,
      placeOf: () => ({ ip: "127.0.0.1", port: 1 }),
      send(packet: Buffer, _: unknown, done: (error: Error | null) => void) {
        socket.taken += packet.length
        socket.packets.push(packet)
        socket.waiting.push(done)
      },
      close: (done: () => void) => done()
    }
    const options = {
      self: "n1",
      listen: { host: "", port: 0 },
      peers: new Map([["n2", { host: "127.0.0.1", port: 1 }]]),
      cluster: "troupe",
      keys: undefined,
      learn: false,
      maxPeers: 1,
      packetBytes: 1000,
      pack: false,
      outboundBytes: 10_000,
      receiveBufferBytes: 1,
      selfMessages: 5
    }
    const dispatcher = { scheduleTask: ignore, flush: ignore } as never
    const made = new Node(options, socket as unknown as Socket, { clock, dispatcher, reports })
    yield* Effect.addFinalizer(() => Effect.callback<void>((resume) => made.close(() => resume(Effect.void))))
    return { node: made, socket, counters: reports.packets }
  })

  it.live("what the system does not take is kept up to outboundBytes, and the newest dropped", () =>
    quiet(
      Effect.gen(function* () {
        const { counters, node, socket } = yield* stalled
        const send = node.sender(Bytes)
        for (let n = 0; n < 1000; n++) send("n2", new Uint8Array(969))
        expect(socket.taken).toBe(10_000)
        expect(counters).toMatchObject({ sent: 0, dropped: 990 })
        socket.waiting.splice(0).forEach((done) => done(null))
        expect(counters).toMatchObject({ sent: 10, packetsSent: 10, bytesSent: 10_000, dropped: 990 })
        send("n2", new Uint8Array(10))
        expect(socket.waiting.length).toBe(1)
      })
    )
  )

  it.live("a packet stays as it is until the system has taken it, however many follow", () =>
    quiet(
      Effect.gen(function* () {
        const { node, socket } = yield* stalled
        const send = node.sender(Bytes)
        const sizes = [900, 10, 500, 40, 900, 1]
        for (const [index, size] of sizes.entries()) {
          send("n2", new Uint8Array(size).fill(index))
          if (index === 2) socket.waiting.splice(0, 2).forEach((done) => done(null))
        }
        const tails = socket.packets.map((packet) => packet[packet.length - 5])
        expect(tails.slice(2)).toEqual([2, 3, 4, 5])
        expect(socket.packets.map(({ length }) => length)).toEqual(sizes.map((size) => 24 + 7 + size))
      })
    )
  )

  it.live("a packet that the system refuses is dropped, and counted", () =>
    quiet(
      Effect.gen(function* () {
        const { counters, node, socket } = yield* stalled
        node.sender(Bytes)("n2", new Uint8Array(10))
        socket.waiting[0]!(Object.assign(new Error("send EMSGSIZE"), { code: "EMSGSIZE" }))
        expect(counters).toMatchObject({ sent: 0, packetsSent: 0, bytesSent: 0, dropped: 1, rejected: 1 })
      })
    )
  )

  it.live("messages of a node to itself wait up to selfMessages", () =>
    quiet(
      Effect.gen(function* () {
        const { counters, node } = yield* stalled
        const send = node.sender(Bytes)
        for (let n = 0; n < 8; n++) send("n1", new Uint8Array(1))
        expect(counters).toMatchObject({ sent: 5, dropped: 3 })
      })
    )
  )
})

describe("addresses", () => {
  it.live("a node is introduced at run time, and again when it moves", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1")
        const links = yield* events(n1)
        const send = yield* n1.open(Words, ignore)
        expect(n1.nodes).toEqual(["n1"])
        send("n2", "to nobody")
        expect(yield* told(links, "Dropped")).toMatchObject({ peer: "n2", reason: "unknown-node" })
        for (const word of ["here", "there"]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const n2 = yield* node("n2", ["n1"])
              const got = yield* arrivals(n2, Words)
              yield* n1.introduce("n2", at(n2))
              expect([n1.nodes, n1.addressOf("n2")]).toEqual([["n1", "n2"], at(n2)])
              send("n2", word)
              yield* got.until(count(1))
              expect(got.items).toEqual([word])
            })
          )
        }
        yield* n1.forget("n2")
        expect([n1.nodes, n1.addressOf("n2")]).toEqual([["n1"], undefined])
      })
    )
  )

  it.live("a host is looked up", () =>
    quiet(
      Effect.gen(function* () {
        const n2 = yield* node("n2", ["n1"])
        const n1 = yield* node("n1", [], { peers: { n2: `localhost:${n2.address.port}` } })
        const got = yield* arrivals(n2, Words)
        const send = yield* n1.open(Words, ignore)
        while (n1.addressOf("n2") !== at(n2)) yield* Effect.sleep(1)
        send("n2", "found")
        yield* got.until(count(1))
      })
    )
  )

  it.live("a host without an address is told, and its messages are dropped", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1")
        const links = yield* events(n1)
        yield* n1.introduce("n2", "no-such-host.invalid:7000")
        const send = yield* n1.open(Words, ignore)
        send("n2", "to nobody")
        expect((yield* told(links, "Rejected")).reason).toBe('its host "no-such-host.invalid" has no address')
        expect(n1.counters).toMatchObject({ sent: 0, dropped: 1 })
      })
    )
  )

  it.live("a peer that cannot be reached from here is told, and costs the others nothing", () =>
    quiet(
      Effect.gen(function* () {
        const n2 = yield* node("n2", ["n1"])
        const got = yield* arrivals(n2, Words)
        // The socket is one of IPv4.
        const n1 = yield* node("n1", [], { peers: { n2: at(n2), n3: "[::1]:9" } })
        const links = yield* events(n1)
        const send = yield* n1.open(Words, ignore)
        for (const to of ["n3", "n2"]) send(to, `to ${to}`)
        yield* got.until(count(1))
        expect((yield* told(links, "Rejected")).reason).toContain("a packet could not be sent: send EINVAL")
        expect(yield* told(links, "Dropped")).toMatchObject({ peer: "n3", count: 1, reason: "link-lost" })
        expect(n1.counters).toMatchObject({ sent: 1, dropped: 1, packetsSent: 1 })
      })
    )
  )

  it.live("a node of every interface speaks with IPv4 and IPv6", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const all = yield* node("all", [], { listen: ":0", keys })
        const got = yield* arrivals(all, Words)
        const send = yield* all.open(Numbers, ignore)
        const { port } = all.address
        for (const [self, listen, address] of [
          ["n4", "127.0.0.1:0", `127.0.0.1:${port}`],
          ["n6", "[::1]:0", `[::1]:${port}`]
        ] as const) {
          const one = yield* node(self, [], { listen, keys, peers: { all: address } })
          const back = yield* arrivals(one, Numbers)
          const sendWord = yield* one.open(Words, ignore)
          sendWord("all", self)
          yield* got.until((items) => items.includes(self))
          expect(all.addressOf(self)).toBe(at(one))
          send(self, 1)
          yield* back.until(count(1))
        }
      })
    )
  )

  it.live("with keys, a node is learnt from its first packet, and followed where it moves to", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const n1 = yield* node("n1", [], { keys })
        const n2 = yield* node("n2", [n1], { keys })
        const got = yield* arrivals(n1, Words)
        const send = yield* n2.open(Words, ignore)
        send("n1", "from home")
        yield* got.until(count(1))
        expect([n1.nodes, n1.addressOf("n2")]).toEqual([["n1", "n2"], at(n2)])

        const line = yield* wire(n2, n1)
        send("n1", "from abroad")
        yield* line.packets.until(count(1))
        yield* line.pass(line.packets.items[0]!)
        yield* got.until(count(2))
        expect(n1.addressOf("n2")).toBe(line.address)
      })
    )
  )

  it.live("an older packet does not move a node back", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const n1 = yield* node("n1", [], { keys })
        const n2 = yield* node("n2", [], { keys })
        const line = yield* wire(n2, n1)
        const got = yield* arrivals(n1, Words)
        const send = yield* n2.open(Words, ignore)
        send("n1", "old")
        yield* line.packets.until(count(1))
        yield* n2.introduce("n1", at(n1))
        send("n1", "new")
        yield* got.until(count(1))
        yield* line.pass(line.packets.items[0]!)
        yield* got.until(count(2))
        expect([got.items, n1.addressOf("n2")]).toEqual([["new", "old"], at(n2)])
      })
    )
  )

  it.live(
    "without keys, a peer is heard from anywhere, stays where it was told to be, and a stranger is not heard",
    () =>
      quiet(
        Effect.gen(function* () {
          const [n1, n2] = yield* pair()
          const got = yield* arrivals(n1, Words)
          const line = yield* wire(n2, n1)
          const send = yield* n2.open(Words, ignore)
          send("n1", "from elsewhere")
          yield* line.packets.until(count(1))
          yield* line.pass(line.packets.items[0]!)
          yield* got.until(count(1))
          expect(n1.addressOf("n2")).toBe(at(n2))

          const stranger = yield* node("n3", [n1])
          const sendStrange = yield* stranger.open(Words, ignore)
          sendStrange("n1", "who is it")
          yield* received(n1, 2)
          expect(n1.counters).toMatchObject({ packetsUnknown: 1, received: 1 })
          expect(n1.nodes).toEqual(["n1", "n2"])
        })
      )
  )

  it.live("without keys, nodes are learnt when that is asked for, up to maxPeers", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1", [], { learn: true, maxPeers: 2 })
        const got = yield* arrivals(n1, Words)
        for (const self of ["n2", "n3", "n4"]) {
          const peer = yield* node(self, [n1])
          const send = yield* peer.open(Words, ignore)
          send("n1", self)
        }
        yield* received(n1, 3)
        expect(n1.counters).toMatchObject({ packetsUnknown: 1, received: 2 })
        expect(n1.nodes).toEqual(["n1", ...got.items])
      })
    )
  )
})

describe("options", () => {
  const wrong: ReadonlyArray<[string, string, Partial<Udp.Options>]> = [
    ["an id with a space", "self", { self: "n 1" }],
    ["an id too long for a packet", "self", { self: "ü".repeat(200) }],
    ["no address", "listen", { listen: "somewhere" }],
    ["a peer's address that is none", "peers.n2", { peers: { n2: "10.0.0.1" } }],
    ["a peer with port 0", "peers.n2", { peers: { n2: "10.0.0.1:0" } }],
    ["packets larger than UDP carries", "packetBytes", { packetBytes: 65_508 }],
    ["packets that hold nothing", "packetBytes", { packetBytes: 100 }],
    ["no room for a packet", "outboundBytes", { outboundBytes: 1000 }],
    ["no cluster", "cluster", { cluster: "" }],
    ["keys that are no ring", "keys", { keys: [key(1)] as never }],
    ["an option that there is not", "mtu", { mtu: 1400 } as never]
  ]
  for (const [what, option, bounds] of wrong) {
    it.live(`${what} is an error that names ${option}`, () =>
      quiet(
        Effect.gen(function* () {
          const error = yield* Effect.flip(Udp.make({ self: "n1", listen: "127.0.0.1:0", ...bounds }))
          expect(error).toBeInstanceOf(Udp.UdpOptionsInvalid)
          expect(error).toMatchObject({ option })
          expect(error.message).toContain(`Option "${option}" of the UDP transport of node`)
        })
      )
    )
  }

  it.live("a port in use, and a host of another machine, are errors that say what to do", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1")
        const inUse = yield* Effect.flip(Udp.make({ self: "n2", listen: at(n1) }))
        expect(inUse).toBeInstanceOf(Udp.ListenFailed)
        expect(inUse).toMatchObject({ code: "EADDRINUSE", node: "n2", address: at(n1) })
        expect(inUse.message).toContain("choose another port")
        const elsewhere = yield* Effect.flip(Udp.make({ self: "n2", listen: "192.0.2.1:0" }))
        expect(elsewhere).toMatchObject({ code: "EADDRNOTAVAIL" })
      })
    )
  )

  it.live("an introduction to no address dies", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1")
        for (const address of ["nowhere", "10.0.0.1:0"]) {
          expect(Exit.isFailure(yield* Effect.exit(n1.introduce("n2", address)))).toBe(true)
        }
        expect(n1.nodes).toEqual(["n1"])
      })
    )
  )

  it.live("two channels of one number are told apart when they are opened", () =>
    quiet(
      Effect.gen(function* () {
        const n1 = yield* node("n1")
        // Their CRC-32 is the same.
        yield* n1.open(Channel.make("plumless", Schema.Int), ignore)
        const exit = yield* Effect.exit(n1.open(Channel.make("buckeroo", Schema.Int), ignore))
        expect(String(Exit.isFailure(exit) && exit.cause)).toContain('"buckeroo" and "plumless" have one number')
      })
    )
  )
})

describe("a node that closes", () => {
  it.live("sends what the turn has packed, and gives its port back", () =>
    quiet(
      Effect.gen(function* () {
        const n2 = yield* node("n2", ["n1"])
        const got = yield* arrivals(n2, Words)
        const scope = yield* Scope.make()
        const n1 = yield* Scope.provide(node("n1", [n2]), scope)
        const send = yield* Scope.provide(n1.open(Words, ignore), scope)
        const address = at(n1)
        send("n2", "goodbye")
        yield* Scope.close(scope, Exit.void)
        send("n2", "too late")
        yield* got.until(count(1))
        const again = yield* node("n1", [], { listen: address })
        expect([at(again), got.items]).toEqual([address, ["goodbye"]])
      })
    )
  )

  it.live("may be closed by one of its handlers, in the middle of a packet", () =>
    quiet(
      Effect.gen(function* () {
        const [n1, n2] = yield* pair()
        const scope = yield* Scope.make()
        const got: Array<string> = []
        yield* Scope.provide(
          n2.open(Words, (_, word) => {
            got.push(word)
            Effect.runSync(Scope.close(scope, Exit.void))
          }),
          scope
        )
        const send = yield* n1.open(Words, ignore)
        for (const word of ["first", "second"]) send("n2", word)
        yield* received(n2, 1)
        expect(got).toEqual(["first"])
        expect(n2.counters).toMatchObject({ received: 1, dropped: 1 })
      })
    )
  )
})

describe("as layers", () => {
  it.live("a program gets the transport, and what only UDP has", () =>
    quiet(
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const { self } = yield* Transport
          const udp = yield* Udp.Udp
          yield* udp.introduce("n2", "127.0.0.1:9")
          return [self, udp.nodes]
        })
        const seen = yield* Effect.provide(program, Udp.layer({ self: "n1", listen: "127.0.0.1:0" }))
        expect(seen).toEqual(["n1", ["n1", "n2"]])
      })
    )
  )
})

describe("the window of a sender", () => {
  it("takes each number once, in any order, as a set of the last 1,024 would", () => {
    const next = random(7)
    const window = new Window()
    const taken = new Set<number>()
    let highest = -1
    const wrong: Array<number> = []
    for (let step = 0; step < 50_000; step++) {
      const leap = next() < 0.01 ? Math.floor(next() * 5000) : Math.floor(next() * 8)
      const back = Math.floor(next() * 6) + (next() < 0.05 ? Math.floor(next() * 1500) : 0)
      const number = Math.max(0, highest + leap - back)
      const expected = number <= highest - windowPackets || taken.has(number)
      if (window.isTaken(number) !== expected) wrong.push(number)
      if (expected) continue
      if (window.take(number) !== number > highest) wrong.push(number)
      taken.add(number)
      highest = Math.max(highest, number)
    }
    expect(wrong).toEqual([])
  })

  it("takes the highest numbers that a packet has room for", () => {
    const window = new Window()
    const last = 2 ** 48 - 1
    for (const number of [last - 1, last]) {
      expect(window.isTaken(number)).toBe(false)
      window.take(number)
      expect(window.isTaken(number)).toBe(true)
    }
    expect(window.isTaken(last - 2)).toBe(false)
    expect(window.isTaken(last - windowPackets)).toBe(true)
  })
})
