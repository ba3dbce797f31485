import { describe, expect, it } from "@effect/vitest"
import { Actor, type Protocol } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import type { Trace } from "@troupe/trace"
import { Effect, Schema } from "effect"
import { statesOf } from "./replaySupport.ts"
import { three } from "./support.ts"

describe("the network in the hands of a test", () => {
  const heard: Protocol.Protocol<ReadonlyArray<string>, string, string> = {
    name: "test/heard",
    message: Schema.String,
    init: () => [],
    onCommand: (state, text, act) => {
      act.sendAll(act.self.nodes, text)
      return state
    },
    onMessage: (state, from, text) => [...state, `${from} ${text}`]
  }

  /** n1, n2 and n3; `say` has one of them send to all, `hands` has what is carried, `by` says who heard what. */
  const inHands = (
    test: (stage: {
      readonly simulator: Simulation.Simulator
      readonly say: (node: string, text: string) => void
      readonly hands: Array<Simulation.Carried>
      readonly by: () => Readonly<Record<string, unknown>>
    }) => Effect.Effect<void>
  ) =>
    Effect.gen(function* () {
      const actors = new Map<string, Actor.Actor<unknown, string, never>>()
      const hands: Array<Simulation.Carried> = []
      const events: Array<Trace.Event> = []
      const result = yield* Simulation.run({
        seed: 1,
        nodes: three,
        faults: { lossProbability: 1, duplicationProbability: 1 },
        program: (node) => Effect.map(Actor.spawn(heard), (actor) => actors.set(node, actor)),
        carry: (message) => hands.push(message),
        trace: (event) => events.push(event),
        test: (simulator) =>
          Effect.andThen(
            Effect.sleep(1),
            test({
              simulator,
              say: (node, text) => actors.get(node)!.tell(text),
              hands,
              by: () => statesOf(simulator.world.snapshot(heard.name))
            })
          )
      })
      expect(result.violations).toEqual([])
      return { events, counts: result.counts }
    })

  it.effect("a message arrives when, as often as and if it is let, whatever the faults of the network", () =>
    Effect.gen(function* () {
      const { counts, events } = yield* inHands(({ by, hands, say }) =>
        Effect.gen(function* () {
          say("n1", "a")
          say("n2", "b")
          yield* Effect.sleep(1000)
          expect(hands.map(({ channel, from, message, to }) => [channel, from, to, message])).toEqual([
            ...three.map((to) => [heard.name, "n1", to, "a"]),
            ...three.map((to) => [heard.name, "n2", to, "b"])
          ])
          expect(by()).toEqual({ n1: [], n2: [], n3: [] })
          hands[5]!.arrive()
          hands[2]!.arrive()
          hands[2]!.arrive()
          hands[0]!.arrive()
          hands[3]!.lose()
          expect(by()).toEqual({ n1: ["n1 a"], n2: [], n3: ["n2 b", "n1 a", "n1 a"] })
        })
      )
      expect(counts).toMatchObject({ sent: 6, delivered: 4, lost: 1, duplicated: 0 })
      expect(events.filter(({ _tag }) => _tag === "Lost")).toEqual([
        { _tag: "Lost", id: 4, reason: "lost", atMillis: 1001 }
      ])
    })
  )

  it.effect("a node that is down when it arrives loses it; one that has come back gets it", () =>
    Effect.gen(function* () {
      const { events } = yield* inHands(({ by, hands, say, simulator }) =>
        Effect.gen(function* () {
          yield* simulator.crash("n2")
          say("n1", "a")
          hands[1]!.arrive()
          yield* simulator.restart("n2")
          yield* Effect.sleep(1)
          expect(by()).toEqual({ n1: [], n2: [], n3: [] })
          hands[1]!.arrive()
          expect(by()).toEqual({ n1: [], n2: ["n1 a"], n3: [] })
        })
      )
      expect(events.filter(({ _tag }) => _tag === "Lost")).toEqual([
        { _tag: "Lost", id: 2, reason: "down", atMillis: 1 }
      ])
    })
  )

  it.effect("nothing comes from one part of a split to another, until the next split", () =>
    Effect.gen(function* () {
      const { events } = yield* inHands(({ hands, say, simulator }) =>
        Effect.gen(function* () {
          const links = (): ReadonlyArray<string> => hands.splice(0).map(({ from, to }) => from + to)
          yield* simulator.split([["n1"], ["n2", "n3"]])
          for (const node of three) say(node, "a")
          expect(links()).toEqual(["n1n1", "n2n2", "n2n3", "n3n2", "n3n3"])
          yield* simulator.split([["n1", "n2"], ["n3"]])
          for (const node of three) say(node, "b")
          expect(links()).toEqual(["n1n1", "n1n2", "n2n1", "n2n2", "n3n3"])
          yield* simulator.split([three])
          for (const node of three) say(node, "c")
          expect(links()).toHaveLength(9)
        })
      )
      const splits = events.flatMap((event) => (event._tag === "Split" ? [event.parts] : []))
      expect(splits).toEqual([[["n1"], ["n2", "n3"]], [["n1", "n2"], ["n3"]], [three]])
      expect(events.filter((event) => event._tag === "Lost" && event.reason === "cut")).toHaveLength(8)
    })
  )
})
