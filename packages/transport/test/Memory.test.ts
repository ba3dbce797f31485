import { Channel, Codec, Memory, type LinkEvent } from "@troupe/transport"
import { conformance, type TransportMaker } from "@troupe/transport/testing"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Logger, Schema, Scope } from "effect"
import { arrivals, events } from "./support.ts"

const maker =
  (encode: "never" | "always"): TransportMaker =>
  ({ holdMessages, nodes }) =>
    Effect.sync(() => {
      const network = Memory.network({ nodes, holdMessages, encode })
      return { join: (node) => Memory.connect(network, node) }
    })

for (const encode of ["never", "always"] as const) {
  describe(`a memory network, encode: ${encode}`, () => {
    for (const { name, run } of conformance) it.live(name, () => Effect.provide(run(maker(encode)), Logger.layer([])))
  })
}

describe("a memory network", () => {
  it.effect("has one node of a name at a time", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1"] })
      yield* Memory.connect(network, "n1")
      const again = yield* Effect.flip(Effect.scoped(Memory.connect(network, "n1")))
      const unknown = yield* Effect.flip(Effect.scoped(Memory.connect(network, "n2")))
      expect([again.reason, unknown.reason]).toEqual(["connected", "unknown"])
    })
  )

  it.live("leaves a channel to the next life of a node, when the last one lets go of it late", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"] })
      const channel = Channel.make("numbers", Schema.Int)
      const send = yield* (yield* Memory.connect(network, "n1")).open(channel, () => {})
      const [wire, holder] = [yield* Scope.make(), yield* Scope.make()]
      const before = yield* Scope.provide(Memory.connect(network, "n2"), wire)
      yield* Scope.provide(
        before.open(channel, () => {}),
        holder
      )
      yield* Scope.close(wire, Exit.void)
      const got = yield* arrivals(yield* Memory.connect(network, "n2"), channel)
      yield* Scope.close(holder, Exit.void)
      send("n2", 1)
      yield* got.until((items) => items.length > 0)
      expect(got.items).toEqual([1])
    })
  )

  it.live("drops what is over its capacity, newest first, and tells", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"], capacityMessages: 3 })
      const n1 = yield* Memory.connect(network, "n1")
      const n2 = yield* Memory.connect(network, "n2")
      const channel = Channel.make("numbers", Schema.Int)
      const links = yield* events(n1)
      const got = yield* arrivals(n2, channel)
      const send = yield* n1.open(channel, () => {})
      for (let number = 0; number < 5; number++) send("n2", number)
      yield* got.until((items) => items.length >= 3)
      yield* links.until((items) => dropped(items) >= 2)
      expect(got.items).toEqual([0, 1, 2])
      expect(links.items.every((event) => event._tag === "Dropped" && event.reason === "outbound-full")).toBe(true)
    })
  )

  it.live("that encodes refuses what the schema refuses, and a codec that is not the receiver's", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"], encode: "always" })
      const n1 = yield* Memory.connect(network, "n1")
      const n2 = yield* Memory.connect(network, "n2")
      const links = yield* events(n1)
      const got = yield* arrivals(n2, Channel.make("numbers", Schema.Int))
      const send = yield* n1.open(Channel.make("numbers", Schema.Int), () => {})
      send("n2", 1.5)
      yield* links.until((items) => items.some((event) => event._tag === "Rejected" && event.peer === "n2"))
      yield* n2.open(Channel.make("words", Schema.String, Codec.json), () => {})
      const sendWord = yield* n1.open(Channel.make("words", Schema.String), () => {})
      sendWord("n2", "word")
      yield* links.until((items) =>
        items.some((event) => event._tag === "Rejected" && event.reason.includes('"json" there'))
      )
      send("n2", 2)
      yield* got.until((items) => items.length > 0)
      expect(got.items).toEqual([2])
    })
  )
})

const dropped = (items: ReadonlyArray<LinkEvent>): number =>
  items.reduce((sum, event) => sum + (event._tag === "Dropped" ? event.count : 0), 0)
