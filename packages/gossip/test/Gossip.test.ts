/** The service, the same for every kind of gossip. */
import { describe, expect, it } from "@effect/vitest"
import { FailureDetector, type Opinion } from "@troupe/failure-detection"
import { Gossip, HyParView, type Missed, Overlay, Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import { Simulation } from "@troupe/simulation"
import { Channel, Memory, Transport } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Queue, Schema, Stream } from "effect"
import { nodesOf } from "./epidemic/rounds.ts"

const Words = Channel.make("words", Schema.String)

const kinds = {
  "push-pull": PushPull.layer({ interval: "5 millis" }),
  rumours: RumorMongering.layer({ interval: "5 millis", backup: "20 millis" }),
  plumtree: Plumtree.layer({ repair: "20 millis" })
}

/** Nodes of one process that gossip. */
const spawn = (layer: Layer.Layer<Gossip, unknown, Transport>, count = 3) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes: nodesOf(count), encode: "always" })
    return yield* Effect.forEach(nodesOf(count), (node) =>
      Effect.map(Layer.build(Layer.provide(layer, Memory.layer(network, node))), Context.get(Gossip))
    )
  })

const until = (done: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (done() ? Effect.void : Effect.andThen(Effect.sleep(2), until(done))))

describe.each(Object.entries(kinds))("%s", (_, layer) => {
  it.live("a handler and a stream hear what is published, the publisher's too", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* spawn(layer)
      const heard: Array<string> = []
      const first = yield* n1!.open(
        Words,
        ({ item, origin, sequence }) => void heard.push(`${origin} ${sequence} ${item}`)
      )
      const second = yield* n2!.open(Words)
      const stream = yield* Effect.forkChild(Stream.runCollect(Stream.take(second.heard, 1)), {
        startImmediately: true
      })
      const id = yield* first.publish("hello")
      expect(id).toMatchObject({ origin: "n1", sequence: 1 })
      expect(heard).toEqual(["n1 1 hello"])
      expect(Array.from(yield* Fiber.join(stream))).toEqual([{ ...id, item: "hello" }])
    }).pipe(Effect.scoped)
  )

  it.live("who opens a topic late hears what is kept; a closed topic can be opened again", () =>
    Effect.gen(function* () {
      const [n1, n2] = yield* spawn(layer)
      const topic = yield* n1!.open(Words)
      yield* topic.publish("early")
      yield* Effect.sleep(60)
      for (let round = 0; round < 2; round++) {
        const heard: Array<string> = []
        yield* Effect.scoped(
          Effect.andThen(
            n2!.open(Words, ({ item }) => void heard.push(item)),
            until(() => heard.length > 0)
          )
        )
        expect(heard).toEqual(["early"])
      }
    }).pipe(Effect.scoped)
  )

  it.live("a topic is open once on a node", () =>
    Effect.gen(function* () {
      const [n1] = yield* spawn(layer, 1)
      yield* n1!.open(Words)
      const error = yield* Effect.flip(n1!.open(Words))
      expect(error).toMatchObject({ _tag: "TopicInUse", node: "n1", topic: "words" })
      expect(error.message).toContain("Give this one a name of its own")
    }).pipe(Effect.scoped)
  )

  it.live("an item above the limit is refused to its publisher", () =>
    Effect.gen(function* () {
      const [n1] = yield* spawn(layer, 1)
      const topic = yield* n1!.open(Words)
      const error = yield* Effect.flip(topic.publish("x".repeat(5_000)))
      expect(error).toMatchObject({ _tag: "ItemRefused", node: "n1", topic: "words" })
      expect(error.message).toContain("above the limit of 1100")
    }).pipe(Effect.scoped)
  )

  it.live("a listener may publish, and one that throws does no harm", () =>
    Effect.gen(function* () {
      const [n1] = yield* spawn(layer, 1)
      const heard: Array<string> = []
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const topic = yield* n1!.open(Words, ({ item }) => {
        heard.push(item)
        if (item === "question") run(topic.publish("answer"))
        throw new Error("a listener's own")
      })
      yield* topic.publish("question")
      yield* until(() => heard.length === 2)
      expect(heard).toEqual(["question", "answer"])
    }).pipe(Effect.scoped)
  )
})

it.effect.each([
  ["interval", PushPull.layer({ interval: 0 })],
  ["fanOut", PushPull.layer({ fanOut: 0 })],
  ["forgotten", PushPull.layer({ keep: "1 hour" })],
  ["k", RumorMongering.layer({ k: 0 })],
  ["backup", RumorMongering.layer({ backup: "a while" as never })],
  ["threshold", Plumtree.layer({ threshold: -1 })],
  ["packetBytes", Plumtree.layer({ packetBytes: 10 })],
  ["activeSize", HyParView.layer({ activeSize: 0 })],
  ["keepAlive", HyParView.layer({ keepAlive: "9 seconds" })],
  ["walk", HyParView.layer({ walkLength: 2 })]
] as const)("an option out of its range: %s", ([, layer]) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes: ["n1"] })
    const built = Layer.build(
      Layer.provide(layer as Layer.Layer<unknown, unknown, Transport>, Memory.layer(network, "n1"))
    )
    const error = yield* Effect.flip(Effect.scoped(built))
    expect(error).toMatchObject({ _tag: "InvalidOptions" })
  })
)

it.live("what nobody hands on in time is told of as missed, and what comes after it is heard", () =>
  Effect.gen(function* () {
    const missed: Array<Missed> = []
    const heard: Array<number> = []
    const Counts = Channel.make("counts", Schema.Int)
    const { value } = yield* Simulation.run({
      seed: 1,
      nodes: ["n1", "n2"],
      duration: "2 minutes",
      program: Effect.fnUntraced(function* (node: string) {
        const layer = PushPull.layer({ keep: "10 seconds" })
        const gossip = Context.get(yield* Layer.build(layer), Gossip)
        const topic = yield* gossip.open(Counts, ({ item }) => void (node === "n2" && heard.push(item)))
        yield* Effect.forkScoped(
          Stream.runForEach(gossip.missed, (each) => Effect.sync(() => void (node === "n2" && missed.push(each))))
        )
        if (node === "n2") return
        for (let count = 1; count <= 60; count++) {
          yield* topic.publish(count)
          yield* Effect.sleep("1 second")
        }
      }),
      test: (simulator) =>
        Effect.gen(function* () {
          yield* Effect.sleep("10 seconds")
          yield* simulator.split([["n1"], ["n2"]])
          yield* Effect.sleep("20 seconds")
          yield* simulator.split([["n1", "n2"]])
          yield* Effect.sleep("60 seconds")
          return { heard: heard.slice(), missed: missed.slice() }
        })
    })
    expect(value!.missed.length).toBe(1)
    const [{ from, to }] = value!.missed as [Missed]
    expect(to - from).toBeGreaterThan(5)
    expect(value!.heard).toEqual(
      Array.from({ length: 60 }, (_, at) => at + 1).filter((each) => each < from || each > to)
    )
  })
)

it.live("neighbours come from the overlay of the context, and the dead from its failure detector", () =>
  Effect.gen(function* () {
    const opinions = yield* Queue.unbounded<Opinion>()
    const neighbours = yield* Queue.unbounded<ReadonlyArray<string>>()
    const network = Memory.network({ nodes: nodesOf(4) })
    const told = new Set<string>()
    const transport = Effect.map(Memory.connect(network, "n1"), (transport): Transport["Service"] => ({
      ...transport,
      open: (channel, receive) =>
        Effect.map(transport.open(channel, receive), (send) => (to, message) => {
          told.add(to)
          send(to, message)
        })
    }))
    const context = Layer.mergeAll(
      Layer.effect(Transport, transport),
      Layer.succeed(Overlay, {
        self: "n1",
        neighbours: Effect.succeed(["n2", "n3"]),
        changes: Stream.fromQueue(neighbours)
      }),
      Layer.succeed(FailureDetector, {
        self: "n1",
        opinions: Effect.succeed(new Map()),
        opinion: () => Effect.die("not asked"),
        changes: Stream.fromQueue(opinions)
      })
    )
    yield* Layer.build(Layer.provide(PushPull.layer({ interval: "2 millis" }), context))
    yield* until(() => told.size === 2)
    expect([...told].toSorted()).toEqual(["n2", "n3"])
    yield* Queue.offer(opinions, { node: "n2", status: "down", level: 1 })
    yield* Queue.offer(neighbours, ["n2", "n4"])
    yield* until(() => told.has("n4"))
    told.clear()
    yield* Effect.sleep(40)
    expect([...told]).toEqual(["n4"])
  }).pipe(Effect.scoped)
)
