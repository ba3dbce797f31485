import { describe, expect, it } from "@effect/vitest"
import { Simulation } from "@troupe/simulation"
import { Transport } from "@troupe/transport"
import { conformance, type TransportMaker } from "@troupe/transport/testing"
import { Effect } from "effect"
import { upTo } from "./support.ts"

/** What the simulator does otherwise, on purpose. */
const otherwise: Record<string, string> = {
  "links tell when a peer comes and when it goes": "a node goes by a crash, and the links say so",
  "messages wait for a node that is not up":
    "all nodes start together, and one that is down has crashed: it hears nothing",
  "a handler that throws costs its message and nothing else": "a defect ends the run, and is one of its violations"
}

/** A node joins by a restart and leaves by a crash. */
const hold = (seed: number, { name, run }: (typeof conformance)[number]) => {
  const transports = new Map<string, Transport["Service"]>()
  let world: Simulation.Simulator
  const make: TransportMaker = ({ nodes }) =>
    Effect.gen(function* () {
      for (const node of nodes) yield* world.crash(node)
      transports.clear()
      return {
        join: (node) =>
          Effect.acquireRelease(
            Effect.gen(function* () {
              yield* world.restart(node)
              while (!transports.has(node)) yield* Effect.yieldNow
              return transports.get(node)!
            }),
            () =>
              Effect.andThen(
                world.crash(node),
                Effect.sync(() => transports.delete(node))
              )
          )
      }
    })
  return Simulation.run({
    seed,
    nodes: name.startsWith("a node knows") ? ["n1", "n9", "n10"] : ["n1", "n2", "n3"],
    holdMessages: 100,
    program: (node) => Effect.map(Transport, (transport) => transports.set(node, transport)),
    test: (simulator) => {
      world = simulator
      return Effect.scoped(run(make))
    }
  })
}

describe("the simulated transport keeps the rules of transports, over ten seeds", () => {
  for (const rule of conformance.filter(({ name }) => otherwise[name] === undefined)) {
    it.effect(rule.name, () =>
      Effect.gen(function* () {
        for (const seed of upTo(10)) {
          const { ended, violations } = yield* hold(seed, rule)
          expect([ended, violations]).toEqual(["test", []])
        }
      })
    )
  }

  for (const [name, why] of Object.entries(otherwise)) {
    it.effect(`but not that ${name}: ${why}`, () =>
      Effect.gen(function* () {
        const { violations } = yield* hold(
          1,
          conformance.find((rule) => rule.name === name)!
        )
        expect(violations).not.toEqual([])
      })
    )
  }
})
