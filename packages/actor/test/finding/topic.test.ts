/** Topics. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Topic } from "@troupe/actor"
import { Faults } from "@troupe/simulation"
import { Effect, Schema, SchemaGetter } from "effect"
import { network, type Node, settled, start } from "./nodes.ts"
import { run } from "./topicWorld.ts"

const News = Messages.make("news", { Item: Messages.tell({ number: Schema.Int }) })

/** An actor that notes what it is told. */
const reader = (heard: Array<number>) =>
  Behavior.make(News, {
    init: () => 0,
    on: { Item: (count, { number }) => (heard.push(number), count + 1) }
  })

const subscriber = (node: Node, topic: Topic.Topic<typeof News.definition>) =>
  Effect.gen(function* () {
    const heard: Array<number> = []
    const ref: ActorRef<typeof News.definition> = yield* node.system.spawn(reader(heard))
    topic.subscribe(ref)
    return { ref, heard }
  })

const item = (number: number) => ({ _tag: "Item", number }) as const

const topicOf = ({ context }: Node, name?: string) => Effect.provide(Topic.make(News, name), context)

const three = Effect.gen(function* () {
  const net = network(["n1", "n2", "n3"])
  return yield* Effect.forEach(net.nodes, (node) => start(net, node))
})

describe("what is published", () => {
  it.effect("reaches every subscriber of every node once, in the order of its publisher", () =>
    Effect.gen(function* () {
      const nodes = yield* three
      const topics = yield* Effect.forEach(nodes, (node) => topicOf(node))
      const on = [0, 0, 1, 2, 2, 2]
      const subscribers = yield* Effect.forEach(on, (at) => subscriber(nodes[at]!, topics[at]!))
      // However often it is made or subscribed to.
      const again = yield* topicOf(nodes[0]!)
      again.subscribe(subscribers[0]!.ref)
      yield* settled
      for (let i = 0; i < 100; i++) {
        topics[0]!.publish(item(i))
        topics[1]!.publish(item(1_000 + i))
      }
      yield* settled
      for (const { heard } of subscribers) {
        expect(heard.filter((number) => number < 1_000)).toEqual(Array.from({ length: 100 }, (_, i) => i))
        expect(heard.filter((number) => number >= 1_000)).toEqual(Array.from({ length: 100 }, (_, i) => 1_000 + i))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("goes to each node with subscribers in one message, and to no other", () =>
    Effect.gen(function* () {
      const nodes = yield* three
      const topics = yield* Effect.forEach(nodes, (node) => topicOf(node))
      for (let i = 0; i < 10; i++) yield* subscriber(nodes[1]!, topics[1]!)
      yield* settled
      const before = nodes.map(({ system }) => system.counters().processed)
      for (let i = 0; i < 5; i++) topics[0]!.publish(item(i))
      yield* settled
      // There, the one that hands them on, and ten readers.
      expect(nodes.map(({ system }, at) => system.counters().processed - before[at]!)).toEqual([0, 5 * 11, 0])
    }).pipe(Effect.scoped)
  )

  it.effect("is written once, to however many nodes it goes; a reference of another system goes to none", () =>
    Effect.gen(function* () {
      let written = 0
      const Counted = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transform((text: string) => (written++, text))
        })
      )
      const Papers = Messages.make("papers", {
        Paper: Messages.tell({ text: Counted, reader: Schema.optionalKey(ActorSystem.Ref(News)) })
      })
      const texts: Array<string> = []
      const behavior = Behavior.make(Papers, { init: () => {}, on: { Paper: (_, { text }) => void texts.push(text) } })
      const nodes = yield* three
      const topics = yield* Effect.forEach(nodes, ({ context }) => Effect.provide(Topic.make(Papers), context))
      for (const [at, { system }] of nodes.entries()) topics[at]!.subscribe(yield* system.spawn(behavior))
      yield* settled
      topics[0]!.publish({ _tag: "Paper", text: "new" })
      yield* settled
      expect({ written, texts }).toEqual({ written: 1, texts: ["new", "new", "new"] })
      const other = yield* start(network(["n1", "n2"]), "n1")
      const stranger = yield* other.system.at(News, "reader", "n2")
      expect(() => topics[0]!.publish({ _tag: "Paper", text: "odd", reader: stranger })).toThrow("another system")
      yield* settled
      expect(texts.length).toBe(3)
    }).pipe(Effect.scoped)
  )

  it.effect("reaches nobody who has ended or was taken off; who subscribes then does", () =>
    Effect.gen(function* () {
      const [one, two] = yield* three
      const [here, there] = [yield* topicOf(one!), yield* topicOf(two!)]
      const [ann, bob] = [yield* subscriber(two!, there), yield* subscriber(two!, there)]
      yield* settled
      here.publish(item(1))
      yield* settled
      yield* two!.system.stop(ann.ref)
      here.publish(item(2))
      yield* settled
      there.unsubscribe(bob.ref)
      yield* settled
      here.publish(item(3))
      yield* settled
      const eve = yield* subscriber(two!, there)
      yield* settled
      here.publish(item(4))
      yield* settled
      expect([ann.heard, bob.heard, eve.heard]).toEqual([[1], [1, 2], [4]])
      expect(two!.system.counters().deadLetters).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("is of one topic, and is what its subscriber makes of it; who has no room misses it", () =>
    Effect.gen(function* () {
      const [one] = yield* three
      const [news, other] = [yield* topicOf(one!), yield* topicOf(one!, "other")]
      const Text = Messages.make("text", { Text: Messages.tell({ text: Schema.String }) })
      const texts: Array<string> = []
      const behavior = Behavior.make(Text, {
        mailbox: { capacity: 2 },
        init: () => 0,
        on: { Text: (count, { text }) => (texts.push(text), count + 1) }
      })
      const ref = yield* one!.system.spawn(behavior)
      news.subscribe(ref, ({ number }) => ({ _tag: "Text", text: `item ${number}` }))
      other.publish(item(1))
      for (let i = 2; i <= 5; i++) news.publish(item(i))
      yield* settled
      expect(texts).toEqual(["item 2", "item 3"])
      expect(one!.system.counters().deadLetters).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("to a name that is too long, nobody is subscribed; nor is an actor of another node", () =>
    Effect.gen(function* () {
      const [one] = yield* three
      const topic = yield* topicOf(one!, "x".repeat(300))
      const ref = yield* one!.system.spawn(reader([]))
      expect(() => topic.subscribe(ref)).toThrow("a name has 256 characters at the most")
      const there = yield* one!.system.at(News, "reader", "n2")
      expect(() => topic.subscribe(there)).toThrow('"n2:reader" is at another node: subscribe it there')
      expect(one!.system.counters()).toMatchObject({ spawned: 3, stopped: 1 })
    }).pipe(Effect.scoped)
  )
})

describe.each(["crash", "partition", "chaos"] as const)("in worlds of %s", (preset) => {
  it("is heard once at the most, in order; by all when all is calm", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { heard, violations } = await run(seed, Faults.presets[preset])
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(heard).toBeGreaterThan(100)
    }
  })
})
