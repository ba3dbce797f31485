/** What the cards say is weak, reproduced. */
import { describe, expect, it } from "@effect/vitest"
import { Gossip, HyParView, Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import { Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { largestPart, overlay } from "./epidemic/overlays.ts"
import { nodesOf } from "./epidemic/rounds.ts"
import { News, run, subjects } from "./epidemic/worlds.ts"

it.live("rumours are blind to loss: without the back-up, some never hear", () =>
  Effect.gen(function* () {
    const subject = {
      ...subjects.find(({ name }) => name === "rumours by push")!,
      layer: RumorMongering.layer({ keep: "10 minutes", backup: 0 })
    }
    const { violations } = yield* run({ subject, faults: { lossProbability: 0.3 }, seed: 1 })
    expect(violations.map(({ name }) => name)).toEqual(["everybody hears"])
  })
)

describe("who publishes and crashes at once tells nobody", () => {
  const kinds: ReadonlyArray<readonly [string, Layer.Layer<Gossip, unknown, Transport>]> = [
    ["push-pull", PushPull.layer()],
    ["rumours", RumorMongering.layer()],
    ["plumtree, in batches", Plumtree.layer({ batch: "50 millis" })]
  ]
  it.live.each(kinds)("%s", ([, layer]) =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const { violations } = yield* Simulation.run({
        seed: 3,
        nodes: nodesOf(4),
        duration: "1 minute",
        scheduled: [{ _tag: "Crash", node: "n1", atMillis: 5_001, forMillis: 1e9 }],
        program: Effect.fnUntraced(function* (node: string) {
          const gossip = Context.get(yield* Layer.build(layer), Gossip)
          const topic = yield* gossip.open(News, () => void heard.push(node))
          yield* Effect.sleep("5 seconds")
          if (node === "n1") yield* topic.publish({ by: node, count: 1 })
        })
      })
      expect(violations).toEqual([])
      expect(heard).toEqual(["n1"])
    })
  )
})

it("views that have closed to two parts stay apart, until nodes ask their contacts again", () => {
  const { world } = overlay({ nodes: 20, seed: 1, rounds: 0, options: { contacts: ["n1"] } })
  for (const [at, state] of world.states.entries()) {
    // In each half a ring, with links to the two on either side.
    const half = at < 10 ? 0 : 10
    const active = [1, 2, 8, 9].map((by) => ({ node: world.nodes[half + ((at + by) % 10)]!, heardMillis: 0 }))
    world.states[at] = { ...state, active, passive: [] }
  }
  expect(largestPart(world)).toBe(10)
  for (let round = 0; round < 30; round++) world.fire("keepAlive", "answer", "shuffle")
  expect(largestPart(world)).toBe(10)
  world.fire("mix")
  world.fire("keepAlive", "answer")
  expect(largestPart(world)).toBe(20)
})

it.live("slow is taken for dead: a neighbour that stands still is replaced, and comes back", () =>
  Effect.gen(function* () {
    const { value, violations } = yield* Simulation.run({
      seed: 1,
      nodes: nodesOf(8),
      duration: "2 minutes",
      properties: Simulation.fromCard(HyParView.card, HyParView.protocol.name),
      program: () => Layer.build(HyParView.layer()),
      test: ({ pause, unpause, world }) =>
        Effect.gen(function* () {
          const links = (): number =>
            world
              .snapshot(HyParView.protocol.name)
              .filter(({ state }) => (state as HyParView.State).active.some(({ node }) => node === "n1")).length
          yield* Effect.sleep("20 seconds")
          const before = links()
          yield* pause("n1")
          yield* Effect.sleep("10 seconds")
          const during = links()
          yield* unpause("n1")
          yield* Effect.sleep("20 seconds")
          return { before, during, after: links() }
        })
    })
    expect(violations).toEqual([])
    expect(value!.before).toBeGreaterThan(0)
    expect(value!.during).toBe(0)
    expect(value!.after).toBeGreaterThan(0)
  })
)
