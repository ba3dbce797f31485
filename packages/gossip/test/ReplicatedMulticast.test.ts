import { GCounter, OrSet, Replicated } from "@troupe/gossip"
import { Flooding, NakReliable } from "@troupe/group"
import { Faults, Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Random, Schema } from "effect"
import { nodesOf } from "../proof/replicas.ts"
import { kinds } from "./crdtHistories.ts"

const carriers = { flooding: Flooding.layer(), "negative acknowledgements": NakReliable.layer() }

describe("a replica over any reliable multicast", () => {
  it.live.each([
    ["flooding", "none"],
    ["negative acknowledgements", "none"],
    ["negative acknowledgements", "lossy"]
  ] as const)("by %s, faults %s: all come to the same, and nothing is lost", ([carrier, preset]) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 20; seed++) {
        const kind = kinds[seed % kinds.length]!
        const Key = Replicated.key<any, unknown>("it")
        const replicas = new Map<string, Context.Service.Shape<typeof Key>>()
        const deltas: Array<unknown> = []
        const { value, violations } = yield* Simulation.run({
          seed,
          nodes: nodesOf(3),
          faults: Faults.presets[preset],
          duration: "1 minute",
          program: (node) =>
            Effect.gen(function* () {
              const layer = Replicated.multicastLayer(Key, kind.crdt, { name: "it" })
              const replica = Context.get(yield* Layer.build(Layer.provide(layer, carriers[carrier])), Key)
              replicas.set(node, replica)
              for (let i = 0; i < 10; i++) {
                yield* Effect.sleep(yield* Random.nextIntBetween(0, 1_000))
                const what = kind.operations[yield* Random.nextIntBetween(0, kind.operations.length - 1)]!
                yield* replica.update((state, name, nowMillis) => {
                  const delta = kind.apply(state, name, what, nowMillis)
                  if (delta !== undefined) deltas.push(delta)
                  return delta ?? kind.crdt.empty
                })
              }
            }),
          test: () =>
            Effect.gen(function* () {
              yield* Effect.sleep("50 seconds")
              return yield* Effect.forEach(replicas.values(), ({ state }) => state)
            })
        })
        expect({ seed, violations }).toEqual({ seed, violations: [] })
        expect(value).toHaveLength(3)
        const expected = deltas.reduce(kind.crdt.merge, kind.crdt.empty)
        expect({ seed, same: value!.map((state) => kind.crdt.equals(state, expected)) }).toEqual({
          seed,
          same: [true, true, true]
        })
      }
    })
  )

  it.live("a name that two nodes use is refused at both", () =>
    Effect.gen(function* () {
      const Key = Replicated.key<GCounter.GCounter, number>("it")
      const tags: Array<unknown> = []
      yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(2),
        program: () =>
          Effect.gen(function* () {
            const layer = Replicated.multicastLayer(Key, GCounter.crdt, { name: "it", replica: "one" })
            const counter = Context.get(yield* Layer.build(Layer.provide(layer, Flooding.layer())), Key)
            yield* Effect.sleep("1 second")
            yield* counter.update(GCounter.increment)
            yield* Effect.sleep("1 second")
            tags.push((yield* Effect.flip(counter.update(GCounter.increment)))._tag)
          })
      })
      expect(tags).toEqual(["ReplicaReused", "ReplicaReused"])
    })
  )

  it.live("a state that was kept is sent to the group that its node enters", () =>
    Effect.gen(function* () {
      const names = OrSet.crdt(Schema.String)
      const Key = Replicated.key<OrSet.OrSet<string>, ReadonlySet<string>>("it")
      const values: Array<unknown> = []
      yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(2),
        program: (node) =>
          Effect.gen(function* () {
            const kept = node === "n1" ? { replica: "one", restore: OrSet.add(names.empty, "one", "kept") } : {}
            const layer = Replicated.multicastLayer(Key, names, { name: "it", ...kept })
            const replica = Context.get(yield* Layer.build(Layer.provide(layer, Flooding.layer())), Key)
            yield* Effect.sleep("5 seconds")
            values.push(yield* replica.value)
          })
      })
      expect(values).toEqual([new Set(["kept"]), new Set(["kept"])])
    })
  )
})
