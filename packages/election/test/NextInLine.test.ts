import type { Card } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import { assert, describe, it } from "vitest"
import * as NextInLine from "../src/NextInLine.ts"

const nodes = ["n1", "n2", "n3"]

const program = () => Layer.build(NextInLine.layer())

const search = (faults: Card.Faults) =>
  Effect.runPromise(
    Simulation.search({
      seeds: { first: 1, last: 25 },
      nodes,
      program,
      faults: Faults.presets[faults],
      properties: Simulation.fromCard(NextInLine.card, NextInLine.protocol.name)
    })
  )

describe("Next in line", () => {
  it.each(NextInLine.card.assumes.tolerates)("keeps its guarantees under faults: %s", async (faults) => {
    const { failures } = await search(faults)
    assert.deepStrictEqual(
      failures.flatMap(({ violations }) => violations),
      []
    )
  })

  it.each(NextInLine.card.weaknesses)("has the weakness: $name", async ({ breaks, faults }) => {
    const { failures } = await search(faults)
    assert.include(
      failures.flatMap(({ violations }) => violations).map(({ name }) => name),
      breaks
    )
  })

  it("costs what its card says", async () => {
    const { counts } = await Effect.runPromise(Simulation.run({ seed: 1, nodes, program }))
    const { best, worst } = NextInLine.card.cost
    assert.isAtLeast(counts.sent, best.of(nodes.length))
    assert.isAtMost(counts.sent, worst.of(nodes.length))
  })
})
