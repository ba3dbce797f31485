import { Bully, Election, InvalidOptions, type Leader } from "@troupe/election"
import { Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { election, guarantees, nodesOf } from "./system.ts"

/** What each node has heard about its leader, life after life. */
const watched = Effect.fnUntraced(function* <A>(test: (simulator: Simulation.Simulator) => Effect.Effect<A>) {
  const heard: Record<string, Array<Leader | undefined>> = {}
  const result = yield* Simulation.run({
    seed: 5,
    nodes: nodesOf(3),
    duration: "1 hour",
    properties: guarantees,
    program: (node) =>
      Effect.gen(function* () {
        const { changes, leader, self } = yield* election()
        expect(self).toBe(node)
        const list = (heard[node] ??= [])
        yield* Stream.runForEach(changes, (change) =>
          Effect.gen(function* () {
            list.push(Option.getOrUndefined(change))
            expect(yield* leader).toEqual(change)
          })
        )
      }),
    test
  })
  expect(result.violations).toEqual([])
  return heard
})

describe("changes", () => {
  it.live("begin with the leader of now, and tell of each one that follows, in growing epochs", () =>
    Effect.gen(function* () {
      const heard = yield* watched((simulator) =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 seconds")
          yield* simulator.crash("P3")
          yield* Effect.sleep("5 seconds")
          yield* simulator.restart("P3")
          yield* Effect.sleep("5 seconds")
        })
      )
      const leaders = heard["P1"]!.flatMap((leader) => leader ?? [])
      expect(heard["P1"]![0]).toBeUndefined()
      expect([...new Set(leaders.map(({ id }) => id))]).toEqual(["P3", "P2"])
      expect(leaders.at(-1)!.id).toBe("P3")
      leaders.forEach(({ epoch }, i) => expect(epoch).toBeGreaterThan(leaders[i - 1]?.epoch ?? 0))
      expect(heard["P2"]!.at(-1)).toEqual(heard["P3"]!.at(-1))
    })
  )
})

describe("in memory", () => {
  it.effect("three nodes agree on the highest", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: nodesOf(3), encode: "always" })
      const elections = yield* Effect.forEach(network.nodes, (node) =>
        Layer.build(Bully.layer().pipe(Layer.provide(Memory.layer(network, node))))
      )
      yield* TestClock.adjust("5 seconds")
      const leaders = yield* Effect.forEach(elections, (context) => Context.get(context, Election).leader)
      expect(leaders.map(Option.map(({ id }) => id))).toEqual(nodesOf(3).map(() => Option.some("P3")))
    })
  )

  it.effect("a node that is alone leads after a round trip", () =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const { leader } = yield* Effect.map(
        Layer.build(Bully.layer({ roundTrip: "1 second" }).pipe(Layer.provide(transport))),
        Context.get(Election)
      )
      yield* TestClock.adjust("999 millis")
      expect(yield* leader).toEqual(Option.none())
      yield* TestClock.adjust("1 millis")
      expect(yield* leader).toEqual(Option.some({ id: "P1", epoch: 1 }))
    })
  )
})

describe("options", () => {
  it.effect.each([0, -1, Number.NaN, "soon", "Infinity", "25 days"])("a round trip of %s is refused", (roundTrip) =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const layer = Bully.layer({ roundTrip: roundTrip as "1 second" }).pipe(Layer.provide(transport))
      const error = yield* Effect.flip(Layer.build(layer))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error.message).toContain("roundTrip")
    })
  )
})
