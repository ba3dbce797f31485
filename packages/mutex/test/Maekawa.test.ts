import type { Card } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Context, Effect, Layer } from "effect"
import { assert, describe, it } from "vitest"
import { Mutex } from "../src/Mutex.ts"
import * as Maekawa from "../src/Maekawa.ts"

const nodes = ["n1", "n2", "n3"]
const entries = 3

/** Each node enters a few times, and goes on to answer when it is done. */
const program = () =>
  Effect.gen(function* () {
    const context = yield* Layer.build(Maekawa.layer({ resource: "test" }))
    const mutex = Context.get(context, Mutex)
    for (let entry = 0; entry < entries; entry++) yield* mutex.withLock(() => Effect.sleep("100 millis"))
  })

const search = (faults: Card.Faults) =>
  Effect.runPromise(
    Simulation.search({
      seeds: { first: 1, last: 25 },
      nodes,
      program,
      faults: Faults.presets[faults],
      properties: Simulation.fromCard(Maekawa.card, `${Maekawa.protocol.name}/test`)
    })
  )

describe("Maekawa", () => {
  it.each(Maekawa.card.assumes.tolerates)("keeps its guarantees under faults: %s", async (faults) => {
    const { failures } = await search(faults)
    assert.deepStrictEqual(
      failures.flatMap(({ violations }) => violations),
      []
    )
  })

  it.each(Maekawa.card.weaknesses)("has the weakness: $name", async ({ breaks, faults }) => {
    const { failures } = await search(faults)
    assert.include(
      failures.flatMap(({ violations }) => violations).map(({ name }) => name),
      breaks
    )
  })

  it("costs what its card says", async () => {
    const { counts } = await Effect.runPromise(Simulation.run({ seed: 1, nodes, program }))
    const { best, worst } = Maekawa.card.cost
    const messages = counts.sent / (nodes.length * entries)
    assert.isAtLeast(messages, best.of(nodes.length))
    assert.isAtMost(messages, worst.of(nodes.length))
  })
})
