import { Berkeley, NodeClock } from "@troupe/clocks"
import { Bully, Election } from "@troupe/election"
import { Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"

const nodes = ["n1", "n2", "n3", "n4", "n5"]

/** Clocks that an elected master keeps together. */
const clocks = Berkeley.layer({
  leader: Effect.map(Election, ({ changes }) => changes),
  interval: "1 second",
  timeout: "200 millis",
  tolerance: "1 second"
}).pipe(Layer.provide(Bully.layer()), Layer.provideMerge(NodeClock.layer({ slewPpmMax: 400_000 })))

describe("Berkeley's algorithm, its master elected by the bully", () => {
  it.live("goes on under the next master when one crashes, and under the first again when that is back", () =>
    Effect.gen(function* () {
      const running = new Map<string, NodeClock.NodeClock["Service"]>()
      const masters: Array<ReadonlyArray<string>> = []
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes,
        faults: { clockSkewMillisMax: 300, clockDriftPpmMax: 200 },
        program: (node) =>
          Effect.map(Layer.build(clocks), (context) => running.set(node, Context.get(context, NodeClock.NodeClock))),
        test: ({ crash, restart, world }) =>
          Effect.gen(function* () {
            const look = Effect.gen(function* () {
              yield* Effect.sleep("8 seconds")
              const up = nodes.filter(world.isAlive)
              const readings = up.map((node) => running.get(node)!.nowUnsafe())
              // Two readings within RTT/2 of delays of 1 to 10 ms, and a second's drift.
              expect(Math.max(...readings) - Math.min(...readings)).toBeLessThan(20)
              masters.push(
                world
                  .snapshot(Berkeley.protocol.name)
                  .flatMap(({ alive, node, state: { latest } }) =>
                    alive && latest?.counted.length === up.length ? [node] : []
                  )
              )
            })
            yield* look
            yield* crash("n5")
            yield* look
            yield* restart("n5")
            yield* look
          })
      })
      expect(violations).toEqual([])
      expect(masters).toEqual([["n5"], ["n4"], ["n5"]])
    })
  )
})
