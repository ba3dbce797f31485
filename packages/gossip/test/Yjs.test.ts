import * as Yjs from "@troupe/gossip/Yjs"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, Memory, Transport } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Random, Stream } from "effect"
import * as Y from "yjs"

const nodes = ["n1", "n2", "n3"]

/** Three write into one text and one map at once, for 20 of 60 seconds; what each document says at the end. */
const write = (seed: number, faults: Partial<Faults.Faults>, options: Partial<Yjs.Options> = {}) => {
  const docs = new Map<string, Y.Doc>()
  const made = Array.from({ length: 30 }, () => new Y.Doc())
  const program = (node: string) =>
    Effect.gen(function* () {
      // Made before the run: each life of a node takes one.
      const doc = made.pop()!
      yield* Yjs.drawClientId(doc)
      docs.set(node, doc)
      yield* Yjs.replicate(doc, { name: "notes", ...options })
      const text = doc.getText("text")
      for (let i = 0; i < 12; i++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 1_700))
        const at = yield* Random.nextIntBetween(0, text.length)
        if (text.length > 8 && (yield* Random.nextBoolean)) text.delete(Math.min(at, text.length - 2), 2)
        else text.insert(at, `${node}:${i} `)
        doc.getMap("json").set(`key ${i % 5}`, { by: node, list: [i, { deep: true }] })
      }
    })
  return Effect.map(Simulation.run({ seed, nodes, faults, program, duration: "60 seconds" }), (result) => ({
    violations: result.violations,
    counts: result.counts,
    said: nodes.map((node) => ({
      text: docs.get(node)!.getText("text").toString(),
      json: docs.get(node)!.getMap("json").toJSON()
    }))
  }))
}

describe("three documents that are written to at once", () => {
  it.live.each(["none", "lossy", "partition", "crash", "chaos"] as const)(
    "say the same in the end: faults %s",
    (preset) =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= 10; seed++) {
          const { said, violations } = yield* write(seed, Faults.presets[preset])
          expect({ seed, violations }).toEqual({ seed, violations: [] })
          expect({ seed, said: said[1] }).toEqual({ seed, said: said[0] })
          expect({ seed, said: said[2] }).toEqual({ seed, said: said[0] })
          expect(Object.keys(said[0]!.json)).toHaveLength(5)
        }
      })
  )

  it.live("also where one message in five is lost, and every update goes in parts", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 5; seed++) {
        const { said } = yield* write(seed, { lossProbability: 0.2 }, { packetBytes: 256, interval: "300 millis" })
        expect({
          seed,
          same: said.every((each) => JSON.stringify(each.text) === JSON.stringify(said[0]!.text))
        }).toEqual({
          seed,
          same: true
        })
      }
    })
  )

  it.live("a run repeats: names of documents are drawn by the seed", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* write(3, Faults.chaos), yield* write(3, Faults.chaos)]
      expect(one.said).toEqual(two.said)
      expect(one.counts).toEqual(two.counts)
    })
  )
})

/** A document on n1, and what n2 says to it. */
const refusing = (messages: ReadonlyArray<Yjs.Message>, options: Partial<Yjs.Options> = {}) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes: ["n1", "n2"] })
    return yield* Effect.gen(function* () {
      const doc = new Y.Doc()
      doc.getText("text").insert(0, "before")
      const replica = yield* Yjs.replicate(doc, { name: "it", ...options })
      const refusals = yield* Effect.forkChild(Stream.runHead(replica.refusals))
      yield* Effect.sleep("5 millis")
      yield* Effect.gen(function* () {
        const transport = yield* Transport
        const send = yield* transport.open(Channel.make("gossip/yjs/it", Yjs.Message), () => {})
        for (const message of messages) send("n1", message)
        yield* Effect.sleep("20 millis")
      }).pipe(Effect.provide(Memory.layer(network, "n2")))
      const refused = yield* Fiber.join(refusals).pipe(Effect.timeoutOption("100 millis"))
      return { refused, text: doc.getText("text").toString(), pending: doc.store.pendingStructs }
    }).pipe(Effect.scoped, Effect.provide(Memory.layer(network, "n1")))
  })

const updateOf = (...words: ReadonlyArray<string>): ReadonlyArray<Uint8Array> => {
  const doc = new Y.Doc()
  const updates: Array<Uint8Array> = []
  doc.on("update", (update) => updates.push(update))
  for (const word of words) doc.getText("text").insert(0, word)
  return updates
}
const alone = (bytes: Uint8Array): Yjs.Message => ({ _tag: "Update", number: 1, part: 0, parts: 1, bytes })

describe("what is malformed is refused, and the document stays as it is", () => {
  const whole = updateOf("something longer")[0]!
  const cases: ReadonlyArray<readonly [string, Yjs.Message]> = [
    ["an update of noise", alone(Uint8Array.of(9, 8, 7, 255, 255, 255))],
    ["an update cut short", alone(whole.subarray(0, whole.length - 4))],
    ["a state vector of noise", { _tag: "Have", vector: Uint8Array.of(3, 255), answer: false }],
    ["a part that there is not", { _tag: "Update", number: 1, part: 2, parts: 2, bytes: whole }],
    ["too many parts", { _tag: "Update", number: 1, part: 0, parts: 2 ** 30, bytes: whole }],
    ["an update above the bound", alone(new Uint8Array(300))]
  ]
  it.live.each(cases)("%s", ([, message]) =>
    Effect.map(refusing([message], { updateBytes: 256 }), ({ refused, text }) => {
      expect(refused).toMatchObject({ value: { value: { _tag: "MalformedUpdate", from: "n2" } } })
      expect(text).toBe("before")
    })
  )

  it.live("updates whose predecessors are missing are kept up to a bound", () =>
    Effect.gen(function* () {
      const updates = updateOf("a", "b")
      expect((yield* refusing([alone(updates[1]!)])).pending).not.toBe(null)
      const large = updateOf("a", "b".repeat(200), "c".repeat(200)).slice(1)
      const { pending } = yield* refusing(large.map(alone), { updateBytes: 300 })
      expect(pending?.update.length ?? 0).toBeLessThanOrEqual(300)
    })
  )

  it.live("options out of range", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1"] })
      const failure = yield* Yjs.replicate(new Y.Doc(), { name: "it", packetBytes: 3 }).pipe(
        Effect.scoped,
        Effect.provide(Memory.layer(network, "n1")),
        Effect.flip
      )
      expect(failure._tag).toBe("InvalidOptions")
    })
  )
})
