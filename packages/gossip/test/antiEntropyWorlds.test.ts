/** Replicas of a store in every world that the card allows; and over UDP and TCP, on loopback. */
import { describe, expect, it } from "@effect/vitest"
import { AntiEntropy } from "@troupe/gossip"
import { Channel, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import * as Udp from "@troupe/transport/Udp"
import { Effect, type Scope, Stream } from "effect"
import { storeOf } from "./antiEntropy/pair.ts"
import { boundMillis, kinds, run } from "./antiEntropy/worlds.ts"

describe.each(Object.keys(kinds))("anti-entropy %s", (kind) => {
  it.live.each(AntiEntropy.card.assumes.tolerates)(
    "keeps its guarantees: %s",
    (preset) =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= 2; seed++) {
          const { violations, worstMillis } = yield* run({ kind, preset, seed })
          expect({ seed, violations, isInTime: worstMillis <= boundMillis }).toEqual({
            seed,
            violations: [],
            isInTime: true
          })
        }
      }),
    60_000
  )
})

it.live("the same seed is the same run, byte by byte", () =>
  Effect.gen(function* () {
    const traces = [[], []] as [Array<string>, Array<string>]
    for (const trace of traces) {
      yield* run({
        kind: "as it comes",
        preset: "chaos",
        seed: 7,
        nodes: 3,
        // Trees are large: what is said tells as much.
        trace: (event) => void trace.push(JSON.stringify(event, (key, value) => (key === "state" ? undefined : value)))
      })
    }
    expect(traces[0].length).toBeGreaterThan(500)
    expect(traces[0].join("\n") === traces[1].join("\n")).toBe(true)
  })
)

type Joined = Transport["Service"]

const nodes = ["n1", "n2", "n3"]

/** Three nodes, each of which knows where the others are. */
const networks: Readonly<Record<string, Effect.Effect<ReadonlyArray<Joined>, unknown, Scope.Scope>>> = {
  udp: Effect.gen(function* () {
    const peers = Object.fromEntries(nodes.map((node) => [node, null]))
    const joined = yield* Effect.forEach(nodes, (self) => Udp.make({ self, listen: "127.0.0.1:0", peers }))
    for (const one of joined) {
      for (const other of joined) {
        if (one !== other) yield* one.introduce(other.self, `127.0.0.1:${other.address.port}`)
      }
    }
    return joined
  }),
  tcp: Effect.gen(function* () {
    const joined: Array<Tcp.TcpTransport> = []
    for (const self of nodes) {
      const known = Object.fromEntries(joined.map((other) => [other.self, `127.0.0.1:${other.address.port}`]))
      const peers = { ...Object.fromEntries(nodes.map((node) => [node, null])), ...known }
      joined.push(yield* Tcp.make({ self, listen: "127.0.0.1:0", peers, backoffMin: 5, backoffMax: 100 }))
    }
    return joined
  })
}

const until = (done: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (done() ? Effect.void : Effect.andThen(Effect.sleep(5), until(done))))

describe.each(Object.keys(networks))("over %s", (network) => {
  it.live(
    "three stores, one of them empty, become the same; what a hostile one sends is refused",
    () =>
      Effect.gen(function* () {
        const joined = yield* networks[network]!
        const of = (own: string, value: string) =>
          new Map(Array.from({ length: 2_000 }, (_, i) => [i < 50 ? `${own} ${i}` : `key ${i}`, i < 300 ? value : "1"]))
        const values = [of("a", "2"), of("b", "3"), new Map<string, string>()]
        const replicas = yield* Effect.forEach(joined, (transport, at) =>
          AntiEntropy.make(storeOf(values[at]!), { interval: "30 millis" }).pipe(
            Effect.provideService(Transport, transport)
          )
        )
        yield* until(() => values.every(({ size }) => size === 2_050))
        yield* until(() => new Set(replicas.map((replica) => replica.tree().root.lo)).size === 1)
        for (const store of values) expect(new Map([...store].toSorted())).toEqual(new Map([...values[0]!].toSorted()))
        expect(values[2]!.get("key 299")).toBe("3")
        const other = yield* AntiEntropy.make(storeOf(values[0]!), { name: "other", interval: "1 hour" }).pipe(
          Effect.provideService(Transport, joined[0]!)
        )
        const refused: Array<AntiEntropy.Refused> = []
        yield* Effect.forkScoped(
          Stream.runForEach(other.refused, (each) => Effect.sync(() => refused.push(each))),
          { startImmediately: true }
        )
        // The hostile one speaks on the channel itself.
        const hostile = Channel.make(`${AntiEntropy.protocol.name}/other`, AntiEntropy.Message)
        const send = yield* joined[1]!.open(hostile, () => {})
        send("n1", { _tag: "Nodes", level: 0, nodes: new Uint8Array(7) })
        yield* until(() => refused.length > 0)
        expect(refused).toMatchObject([{ from: "n2", failure: { _tag: "Malformed", what: "nodes" } }])
      }).pipe(Effect.scoped),
    60_000
  )
})
