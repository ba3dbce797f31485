/** Packets that are damaged, forged, replayed or nonsense, and keys: nothing that was not sent is delivered. */
import { Channel, Codec, type LinkEvent } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Logger, Schema, Scope } from "effect"
import { type Head, Kind, readHead } from "../src/internal/udp/packet.ts"
import { windowPackets } from "../src/internal/udp/Window.ts"
import { arrivals, events, type Log, random } from "./support.ts"
import { at, forge, key, message, node, pair, raw, received, wire } from "./udpSupport.ts"

const Words = Channel.make("words", Schema.String, Codec.json)

const ignore = (): void => {}

const quiet = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.scoped(effect).pipe(Effect.provide(Logger.layer([])))

const count =
  (items: number) =>
  (all: ReadonlyArray<unknown>): boolean =>
    all.length >= items

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const word = (text: string): Uint8Array => message("words", "json", utf8(JSON.stringify(text)))

const reasons = (links: Log<LinkEvent>): ReadonlyArray<string> =>
  links.items.flatMap((event) => (event._tag === "Rejected" ? [event.reason] : []))

/** A node `n1` that knows `n2` (a bare socket), and all that it takes for a message. */
const besieged = Effect.fnUntraced(function* (bounds: Parameters<typeof node>[2] = {}) {
  const enemy = yield* raw
  const n1 = yield* node("n1", [], { peers: { n2: enemy.address }, ...bounds })
  const links = yield* events(n1)
  const got = yield* arrivals(n1, Words)
  const attack = Effect.fnUntraced(function* (...packets: ReadonlyArray<Uint8Array>) {
    const before = n1.counters.packetsReceived
    for (const packet of packets) yield* enemy.send(packet, n1)
    yield* received(n1, before + packets.length)
  })
  return { n1, got, links, attack }
})

describe("a packet is refused, and counted as", () => {
  const good = { body: word("hello") }
  const cases: ReadonlyArray<[string, Uint8Array, Partial<Udp.Counters>]> = [
    ["truncated: nothing", new Uint8Array(0), { packetsTruncated: 1 }],
    ["truncated: no more than a kind", Uint8Array.of(Kind.plain), { packetsTruncated: 1 }],
    ["truncated: the end of the head is missing", forge(good).slice(0, 20), { packetsTruncated: 1 }],
    ["malformed: another kind", forge({ ...good, kind: 7 }), { packetsMalformed: 1 }],
    ["malformed: no sender", Uint8Array.of(Kind.plain, 0, ...new Uint8Array(40)), { packetsMalformed: 1 }],
    ["forged: its end is missing", forge(good).slice(0, -1), { packetsForged: 1 }],
    ["forged: more behind its end", Uint8Array.of(...forge(good), 0), { packetsForged: 1 }],
    [
      "forged: a bit is wrong",
      forge(good).map((byte, index) => (index === 30 ? byte ^ 4 : byte)),
      { packetsForged: 1 }
    ],
    ["forged: of another cluster", forge({ ...good, cluster: "other" }), { packetsForged: 1 }],
    ["forged: for another node", forge({ ...good, receiver: "n3" }), { packetsForged: 1 }],
    ["forged: sealed, where there are no keys", forge({ ...good, key: key(1) }), { packetsForged: 1 }],
    ["unknown: of a stranger", forge({ ...good, sender: "n3" }), { packetsUnknown: 1 }],
    ["unknown: of the node itself", forge({ ...good, sender: "n1" }), { packetsUnknown: 1 }],
    [
      "malformed: a message longer than its packet",
      forge({ body: message("words", "json", utf8('"x"'), 4) }),
      { packetsMalformed: 1 }
    ],
    ["malformed: half a message", forge({ body: word("hello").slice(0, 5) }), { packetsMalformed: 1 }],
    ["no word, as JSON", forge({ body: message("words", "json", utf8("{")) }), { packetsMalformed: 0 }],
    ["no word, as its schema has it", forge({ body: message("words", "json", utf8("17")) }), { packetsMalformed: 0 }],
    ["of another codec", forge({ body: message("words", "binary", utf8('"x"')) }), { packetsMalformed: 0 }]
  ]
  for (const [what, packet, counters] of cases) {
    it.live(what, () =>
      quiet(
        Effect.gen(function* () {
          const { attack, got, links, n1 } = yield* besieged()
          yield* attack(packet)
          expect(n1.counters).toMatchObject({ received: 0, rejected: 1, ...counters })
          expect(reasons(links).length).toBe(1)
          yield* attack(forge({ body: word("alive"), number: 1 }))
          yield* got.until(count(1))
          expect(got.items).toEqual(["alive"])
        })
      )
    )
  }

  it.live("dropped: a message for a channel that is not open; others of its packet arrive", () =>
    quiet(
      Effect.gen(function* () {
        const { attack, got, n1 } = yield* besieged()
        const body = [word("before"), message("elsewhere", "json", utf8("1")), word("after")]
        yield* attack(forge({ body: new Uint8Array(Buffer.concat(body)) }))
        expect(got.items).toEqual(["before", "after"])
        expect(n1.counters).toMatchObject({ received: 2, dropped: 1, rejected: 0 })
      })
    )
  )

  it.live("unknown: a proven name that is none", () =>
    quiet(
      Effect.gen(function* () {
        const { attack, got, n1 } = yield* besieged({ learn: true })
        yield* attack(forge({ sender: "n 3", body: word("x") }), forge({ sender: "\u001b[2J", body: word("x") }))
        expect(n1.counters).toMatchObject({ packetsUnknown: 2, received: 0 })
        expect([n1.nodes, got.items]).toEqual([["n1", "n2"], []])
      })
    )
  )
})

describe("with keys", () => {
  it.live("what is on the wire tells nothing of the messages, and no two packets are alike", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const [n1, n2] = yield* pair({ keys })
        const line = yield* wire(n1, n2)
        const send = yield* n1.open(Words, ignore)
        for (let packet = 1; packet <= 3; packet++) {
          send("n2", "a secret of some length")
          yield* line.packets.until(count(packet))
        }
        const bodies = line.packets.items.map((packet) => Buffer.from(packet).toString("latin1"))
        for (const body of bodies) {
          expect(body).not.toContain("secret")
          expect(body).not.toContain("words")
        }
        expect(new Set(bodies.map((body) => body.slice(20))).size).toBe(3)
      })
    )
  )

  it.live("no number is used twice under one key, not even for a node that was forgotten and introduced again", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const [n1, n2] = yield* pair({ keys })
        const line = yield* wire(n1, n2)
        const send = yield* n1.open(Words, ignore)
        for (let packet = 1; packet <= 9; packet++) {
          if (packet % 3 === 0) yield* n1.forget("n2")
          yield* n1.introduce("n2", line.address)
          send("n2", `word ${packet}`)
          yield* line.packets.until(count(packet))
        }
        const heads = line.packets.items.map((packet) => readHead(Buffer.from(packet)) as Head)
        expect(new Set(heads.map(({ incarnation }) => `${incarnation.startedAt} ${incarnation.salt}`)).size).toBe(1)
        expect(new Set(heads.map(({ number }) => number)).size).toBe(9)
      })
    )
  )

  it.live("packets without a seal, or with another key's, are not heard, whoever they name", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const { attack, got, n1 } = yield* besieged({ keys })
        const body = word("x")
        yield* attack(
          forge({ body }),
          forge({ body, key: key(2) }),
          forge({ body, key: key(1), receiver: "n3" }),
          forge({ body, key: key(1), cluster: "other" }),
          forge({ body, key: key(2), sender: "n7" })
        )
        expect(n1.counters).toMatchObject({ packetsForged: 5, received: 0 })
        expect([n1.nodes, got.items]).toEqual([["n1", "n2"], []])
        yield* attack(forge({ body, key: key(1) }))
        expect(got.items).toEqual(["x"])
      })
    )
  )

  it.live("each bit of a packet is held by the seal", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const { attack, got, n1 } = yield* besieged({ keys })
        const packet = forge({ body: word("x"), key: key(1) })
        for (let wrong = 0; wrong < packet.length; wrong++) {
          const flipped = (bit: number) => packet.map((byte, index) => (index === wrong ? byte ^ (1 << bit) : byte))
          yield* attack(...[0, 1, 2, 3, 4, 5, 6, 7].map(flipped))
        }
        expect([n1.counters.received, got.items]).toEqual([0, []])
        expect(n1.counters.packetsForged).toBeGreaterThan(packet.length * 7)
        yield* attack(packet)
        expect(got.items).toEqual(["x"])
      })
    )
  )

  it.live(
    "a forged packet of a later life or a high number makes no room for a replay, nor keeps the true node out",
    () =>
      quiet(
        Effect.gen(function* () {
          const keys = yield* Udp.keyRing([key(1)])
          const { attack, got } = yield* besieged({ keys })
          const incarnation = { startedAt: 1000, salt: 5 }
          yield* attack(forge({ body: word("1"), key: key(1), incarnation }))
          yield* attack(
            forge({ body: word("x"), key: key(2), incarnation, number: 2 ** 47 }),
            forge({ body: word("x"), key: key(2), incarnation: { startedAt: 2 ** 47, salt: 0 } })
          )
          yield* attack(forge({ body: word("1"), key: key(1), incarnation }))
          yield* attack(forge({ body: word("2"), key: key(1), incarnation, number: 1 }))
          expect(got.items).toEqual(["1", "2"])
        })
      )
  )
})

describe("a replayed packet is refused", () => {
  for (const sealed of [false, true]) {
    const how = sealed ? "with keys" : "without keys"
    const bounds = Effect.map(Udp.keyRing([key(1)]), (keys) => (sealed ? { keys } : {}))

    it.live(`${how}: copies are delivered once, in whatever order packets come`, () =>
      quiet(
        Effect.gen(function* () {
          const next = random(3)
          const [n1, n2] = yield* pair(yield* bounds)
          const line = yield* wire(n1, n2)
          const got = yield* arrivals(n2, Words)
          const send = yield* n1.open(Words, ignore)
          for (let n = 0; n < 200; n++) {
            send("n2", String(n))
            yield* Effect.yieldNow
          }
          yield* line.packets.until(count(200))
          const copies = line.packets.items.flatMap((packet) => [packet, packet, packet])
          copies.sort(() => next() - 0.5)
          for (const [index, packet] of copies.entries()) {
            yield* line.pass(packet)
            if (index % 50 === 49) yield* received(n2, index + 1)
          }
          yield* received(n2, 600)
          expect(got.items.toSorted((a, b) => Number(a) - Number(b))).toEqual(
            Array.from({ length: 200 }, (_, n) => `${n}`)
          )
          expect(n2.counters).toMatchObject({ packetsReplayed: 400, received: 200, packetsForged: 0 })
        })
      )
    )

    it.live(`${how}: a packet that others have overtaken by more than the window is not taken`, () =>
      quiet(
        Effect.gen(function* () {
          const { keys } = yield* bounds
          const { attack, got, n1 } = yield* besieged(keys === undefined ? {} : { keys })
          const at = (number: number) => forge({ body: word(`${number}`), number, ...(sealed ? { key: key(1) } : {}) })
          yield* attack(at(windowPackets + 1))
          yield* attack(at(1), at(2), at(windowPackets + 1))
          expect(got.items).toEqual([`${windowPackets + 1}`, "2"])
          expect(n1.counters.packetsReplayed).toBe(2)
        })
      )
    )

    it.live(`${how}: what was said in an earlier life is not heard in a later one`, () =>
      quiet(
        Effect.gen(function* () {
          const options = yield* bounds
          const n2 = yield* node("n2", ["n1"], options)
          const links = yield* events(n2)
          const got = yield* arrivals(n2, Words)
          const packets: Array<Uint8Array> = []
          for (const life of ["first", "second"]) {
            const scope = yield* Scope.make()
            const n1 = yield* Scope.provide(node("n1", [n2], options), scope)
            const line = yield* wire(n1, n2)
            const send = yield* Scope.provide(n1.open(Words, ignore), scope)
            for (const part of ["heard", "held back"]) {
              send("n2", `${life}, ${part}`)
              yield* line.packets.until(count(part === "heard" ? 1 : 2))
            }
            yield* line.pass(line.packets.items[0]!)
            packets.push(...line.packets.items)
            yield* got.until((items) => items.includes(`${life}, heard`))
            yield* Scope.close(scope, Exit.void)
          }
          const enemy = yield* raw
          for (const packet of packets) yield* enemy.send(packet, n2)
          yield* received(n2, 6)
          expect(got.items).toEqual(["first, heard", "second, heard", "second, held back"])
          expect(n2.counters).toMatchObject({ packetsReplayed: 3, rejected: 2 })
          expect(reasons(links)[0]).toContain('from before the last start of "n1"')

          // A node whose clock was set back is heard again once it is forgotten.
          yield* n2.forget("n1")
          yield* n2.introduce("n1", enemy.address)
          yield* enemy.send(packets[1]!, n2)
          yield* got.until(count(4))
        })
      )
    )
  }
})

describe("garbage", () => {
  for (const sealed of [false, true]) {
    it.live(`of 6,000 packets is not delivered and ends no node, ${sealed ? "with keys" : "without keys"}`, () =>
      quiet(
        Effect.gen(function* () {
          const next = random(sealed ? 11 : 12)
          const below = (bound: number): number => Math.floor(next() * bound)
          const keys = yield* Udp.keyRing([key(1), key(3)])
          const { attack, got, n1 } = yield* besieged(sealed ? { keys } : { learn: true })
          const secret = sealed ? { key: key(1) } : {}
          const true_ = (number: number) => forge({ body: word(`true ${number}`), number, ...secret })
          const damaged = (packet: Uint8Array): Uint8Array => {
            const copy = packet.slice()
            for (let flips = 1 + below(4); flips > 0; flips--) copy[below(copy.length)]! ^= 1 + below(255)
            return copy
          }
          const garbage = [
            () => Uint8Array.from({ length: below(1500) }, () => below(256)),
            () =>
              Uint8Array.of(sealed ? Kind.sealed : Kind.plain, ...Array.from({ length: below(100) }, () => below(256))),
            () => damaged(true_(5000 + below(100))),
            () => true_(5000).slice(0, below(40)),
            // Proven, and nonsense: only who has the keys can do that.
            () =>
              forge({
                body: Uint8Array.from({ length: below(60) }, () => below(256)),
                number: 6000 + below(1000),
                ...secret
              }),
            () => forge({ body: damaged(word("true x")).slice(0, 7), number: 7000 + below(1000), ...secret })
          ]
          for (let batch = 0; batch < 120; batch++) {
            yield* attack(...Array.from({ length: 50 }, () => garbage[below(garbage.length)]!()))
          }
          expect(got.items).toEqual([])
          const { packetsForged, packetsMalformed, packetsReplayed, packetsTruncated, packetsUnknown } = n1.counters
          for (const many of [packetsForged, packetsMalformed, packetsTruncated]) expect(many).toBeGreaterThan(300)
          const refused = packetsForged + packetsMalformed + packetsReplayed + packetsTruncated + packetsUnknown
          expect(refused).toBeLessThanOrEqual(6000)
          expect(n1.nodes).toEqual(["n1", "n2"])
          yield* attack(true_(8001))
          expect(got.items).toEqual(["true 8001"])
        })
      )
    )
  }
})

it.live("a flood of nonsense does not hide what a peer does wrong", () =>
  quiet(
    Effect.gen(function* () {
      const { attack, links, n1 } = yield* besieged({ learn: true })
      yield* attack(forge({ sender: "n3", body: word("learnt") }))
      for (let batch = 0; batch < 8; batch++) yield* attack(...Array.from({ length: 50 }, () => Uint8Array.of(1, 2)))
      yield* attack(forge({ sender: "n3", number: 1, body: message("words", "json", utf8("{")) }))
      yield* links.until((items) => items.some((event) => event._tag === "Rejected" && event.peer === "n3"))
      expect(reasons(links).length).toBe(101)
      expect(n1.counters.rejected).toBe(401)
    })
  )
)

describe("the key ring", () => {
  it.live("changes its key on three nodes, one after the other, while packets flow, and none is lost", () =>
    quiet(
      Effect.gen(function* () {
        const names = ["n1", "n2", "n3"]
        const rings = new Map<string, Udp.KeyRing>()
        const nodes: Array<Udp.UdpTransport> = []
        const got = new Map<string, Set<string>>()
        const sends: Array<(text: string) => void> = []
        for (const name of names) {
          const keys = yield* Udp.keyRing([key(1)])
          rings.set(name, keys)
          const one = yield* node(name, nodes, { keys })
          for (const other of nodes) yield* other.introduce(name, at(one))
          const heard = new Set<string>()
          got.set(name, heard)
          const send = yield* one.open(Words, (from, text) => void heard.add(`${from} ${text}`))
          sends.push((text) => names.forEach((to) => to !== name && send(to, text)))
          nodes.push(one)
        }
        let rounds = 0
        const talk = Effect.gen(function* () {
          for (let round = 0; round < 5; round++) {
            rounds++
            sends.forEach((send) => send(String(rounds)))
            for (const one of nodes) yield* received(one, 2 * rounds)
          }
        })
        yield* talk
        for (const step of ["install", "use"] as const) {
          for (const ring of rings.values()) {
            yield* ring[step](key(2))
            yield* talk
          }
        }
        for (const ring of rings.values()) {
          yield* ring.remove(key(1))
          yield* talk
        }
        for (const one of nodes) {
          expect(got.get(one.self)!.size).toBe(2 * rounds)
          expect(one.counters).toMatchObject({ packetsForged: 0, packetsReplayed: 0, dropped: 0 })
        }
      })
    )
  )

  it.live("opens with a key as long as it has it", () =>
    quiet(
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const { attack, got, n1 } = yield* besieged({ keys })
        const sealedWith = (seed: number, number: number) => forge({ key: key(seed), number, body: word(`${number}`) })
        yield* attack(sealedWith(1, 1), sealedWith(2, 2))
        yield* keys.install(key(2))
        yield* attack(sealedWith(1, 3), sealedWith(2, 4))
        yield* keys.use(key(2))
        yield* attack(sealedWith(2, 5), sealedWith(1, 6))
        yield* keys.remove(key(1))
        yield* attack(sealedWith(1, 7), sealedWith(2, 8))
        expect(got.items).toEqual(["1", "3", "4", "5", "6", "8"])
        expect(n1.counters.packetsForged).toBe(2)
      })
    )
  )

  it.live("refuses what would make it useless, and says what to do", () =>
    quiet(
      Effect.gen(function* () {
        const refused = (effect: Effect.Effect<unknown, Udp.KeyRefused>) =>
          Effect.map(Effect.flip(effect), (error) => {
            expect(error).toBeInstanceOf(Udp.KeyRefused)
            return error.reason
          })
        expect(yield* refused(Udp.keyRing([]))).toContain("at least one")
        expect(yield* refused(Udp.keyRing([key(1), new Uint8Array(16)]))).toBe("a key has 32 bytes, this one 16")
        expect(yield* refused(Udp.keyRing(["secret" as never]))).toContain("no Uint8Array")
        const ring = yield* Udp.keyRing([key(1)])
        expect(yield* refused(ring.use(key(2)))).toContain("not installed")
        expect(yield* refused(ring.remove(key(2)))).toContain("not installed")
        expect(yield* refused(ring.remove(key(1)))).toContain("in use")
        for (let seed = 1; seed <= 16; seed++) yield* ring.install(key(seed))
        expect(yield* refused(ring.install(key(17)))).toContain("16 keys")
        expect(ring.size).toBe(16)
      })
    )
  )
})
