/** The kernel under the order of sending, in a group that never changes. */
import { Actor } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { fifo } from "../src/internal/fifo.ts"
import { kernel } from "../src/internal/kernel.ts"
import { defaults } from "../src/internal/options.ts"
import { received } from "../src/internal/state.ts"

const protocol = kernel({ name: "test/kernel", order: fifo, payload: Schema.Number })

const nodes = ["n1", "n2", "n3"]

describe("nothing is lost for good", () => {
  it.each([1, 2, 3, 4, 5])("seed %i: every member delivers all of each in the order of sending", async (seed) => {
    const heard = new Map(nodes.map((node) => [node, [] as Array<string>]))
    const actors = new Map<string, Actor.Actor<any, any, any>>()
    const result = await Effect.runPromise(
      Simulation.run({
        seed,
        nodes,
        duration: "30 seconds",
        faults: {
          lossProbability: 0.2,
          duplicationProbability: 0.1,
          reorderProbability: 0.2,
          delayMillisMin: 1,
          delayMillisMax: 50
        },
        program: (node) =>
          Effect.gen(function* () {
            const actor = yield* Actor.spawn(protocol, { options: defaults })
            actors.set(node, actor)
            actor.subscribe((event) => {
              if (event._tag === "Delivered") heard.get(node)!.push(`${event.from}:${event.payload}`)
            })
            for (let i = 0; i < 20; i++) {
              actor.tell({ _tag: "Multicast", payload: i })
              yield* Effect.sleep("7 millis")
            }
          })
      })
    )
    expect(result.violations).toEqual([])
    for (const node of nodes) {
      for (const from of nodes) {
        expect(heard.get(node)!.filter((each) => each.startsWith(from))).toEqual(
          Array.from({ length: 20 }, (_, i) => `${from}:${i}`)
        )
      }
      const state = actors.get(node)!.state()
      expect(state.streams.map((s: any) => [received(s), s.stable, s.delivered, s.log.chunks.length])).toEqual(
        nodes.map(() => [20, 20, 20, 0])
      )
      expect(state.ticking).toBe(false)
    }
    expect(result.ended).toBe("quiet")
  })
})
