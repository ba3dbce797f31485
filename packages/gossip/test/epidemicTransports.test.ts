/** Over UDP and TCP, on loopback: five nodes gossip; and one that is hostile. */
import { describe, expect, it } from "@effect/vitest"
import { Gossip, HyParView, Plumtree, PushPull, type Refused, RumorMongering } from "@troupe/gossip"
import { Channel, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import * as Udp from "@troupe/transport/Udp"
import { Context, Effect, Layer, Schema, type Scope, Stream } from "effect"
import { bytes, item, known } from "./epidemic/hand.ts"
import { nodesOf } from "./epidemic/rounds.ts"

const Words = Channel.make("words", Schema.String)

type Joined = Transport["Service"]

/** So many nodes, each of which knows where the others are. */
const networks: Readonly<
  Record<string, (count: number) => Effect.Effect<ReadonlyArray<Joined>, unknown, Scope.Scope>>
> = {
  udp: (count) =>
    Effect.gen(function* () {
      const nodes = nodesOf(count)
      const peers = Object.fromEntries(nodes.map((node) => [node, null]))
      const joined = yield* Effect.forEach(nodes, (self) => Udp.make({ self, listen: "127.0.0.1:0", peers }))
      for (const one of joined) {
        for (const other of joined) {
          if (one !== other) yield* one.introduce(other.self, `127.0.0.1:${other.address.port}`)
        }
      }
      return joined
    }),
  tcp: (count) =>
    Effect.gen(function* () {
      const joined: Array<Tcp.TcpTransport> = []
      for (const self of nodesOf(count)) {
        const known = Object.fromEntries(joined.map((other) => [other.self, `127.0.0.1:${other.address.port}`]))
        const unknown = Object.fromEntries(nodesOf(count).map((node) => [node, null]))
        joined.push(
          yield* Tcp.make({
            self,
            listen: "127.0.0.1:0",
            peers: { ...unknown, ...known },
            backoffMin: 5,
            backoffMax: 100
          })
        )
      }
      for (const one of joined) {
        for (const other of joined) if (one !== other) yield* one.awaitUp(other.self)
      }
      return joined
    })
}

const interval = "20 millis"
const layers: Readonly<Record<string, Layer.Layer<Gossip, unknown, Transport>>> = {
  "push-pull": PushPull.layer({ interval }),
  "rumour mongering": RumorMongering.layer({ interval, backup: "100 millis" }),
  "plumtree over HyParView": Plumtree.layer({ repair: "200 millis" }).pipe(
    Layer.provide(HyParView.layer({ keepAlive: "50 millis", failAfter: "5 seconds" }))
  )
}

const spawn = (transport: Joined, layer: Layer.Layer<Gossip, unknown, Transport>) =>
  Effect.map(Layer.build(Layer.provide(layer, Layer.succeed(Transport, transport))), Context.get(Gossip))

const until = (done: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (done() ? Effect.void : Effect.andThen(Effect.sleep(5), until(done))))

describe.each(Object.keys(networks))("over %s", (network) => {
  it.live.each(Object.keys(layers))(
    "five nodes hear all that each publishes, once: %s",
    (name) =>
      Effect.gen(function* () {
        const joined = yield* networks[network]!(5)
        const heard = new Map<string, Array<string>>()
        for (const transport of joined) {
          const gossip = yield* spawn(transport, layers[name]!)
          const words: Array<string> = []
          heard.set(gossip.self, words)
          const topic = yield* gossip.open(Words, ({ item }) => void words.push(item))
          for (let i = 0; i < 20; i++) yield* topic.publish(`${gossip.self} says ${i}`)
        }
        yield* until(() => [...heard.values()].every(({ length }) => length >= 100))
        const all = nodesOf(5).flatMap((node) => Array.from({ length: 20 }, (_, i) => `${node} says ${i}`))
        for (const words of heard.values()) expect(words.toSorted()).toEqual(all.toSorted())
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "what is forged, too large or no list is refused, told of, and does no harm",
    () =>
      Effect.gen(function* () {
        const [first, second] = yield* networks[network]!(2)
        const gossip = yield* spawn(first!, PushPull.layer({ interval: "1 hour" }))
        const words: Array<string> = []
        yield* gossip.open(Words, ({ item }) => void words.push(item))
        const refused: Array<Refused> = []
        yield* Effect.forkScoped(
          Stream.runForEach(gossip.refused, (each) => Effect.sync(() => void refused.push(each))),
          { startImmediately: true }
        )
        const rejected: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(first!.links, (event) =>
            Effect.sync(() => void (event._tag === "Rejected" && rejected.push(event.reason)))
          ),
          { startImmediately: true }
        )
        // The hostile one speaks on the channel itself.
        const send = yield* second!.open(Channel.make(PushPull.protocol.name, PushPull.Message), () => {})
        const items = (...all: ReadonlyArray<ReturnType<typeof item>>) =>
          send("n1", { _tag: "Items", items: all, wants: [] })
        items({ ...item("n2", 1, new Uint8Array(1_101)), topic: "words" })
        items(item("mallory", 1))
        items({ ...item("n2", 2, bytes(255, 255, 255)), topic: "words" })
        send("n1", { _tag: "Digest", mode: "push-pull", after: "", upTo: "", sources: [known("n2", [9, 1], 0)] })
        yield* until(() => refused.length >= 4)
        expect(refused.map(({ from }) => from)).toEqual(["n2", "n2", "n2", "n2"])
        expect(refused.map(({ reason }) => reason)).toEqual([
          expect.stringContaining("is above the limit of 1100"),
          expect.stringContaining("is no member"),
          expect.stringContaining("is not of the schema of topic"),
          expect.stringContaining("is no such list")
        ])
        // A list that is longer than any may be does not even leave the codec.
        const sources = Array.from({ length: 5_000 }, (_, at) => known(`n${at}`, [], 0))
        expect(() =>
          Schema.encodeSync(PushPull.Message)({ _tag: "Digest", mode: "pull", after: "", upTo: "", sources })
        ).toThrow("4096")
        expect(words).toEqual([])
      }).pipe(Effect.scoped),
    30_000
  )
})
