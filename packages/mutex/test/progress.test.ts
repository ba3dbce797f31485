/** The first seeds of the long proof: `npm run proof -- mutex`. */
import { Mutex } from "@troupe/mutex"
import { Effect, Layer, Option, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { all } from "../proof/locks.ts"
import { run, within } from "../proof/worlds.ts"

const seeds = Array.from({ length: 25 }, (_, i) => i + 1)

describe("inside its card's assumptions every guarantee holds, and each request is granted within the bound", () => {
  it.each(
    all.flatMap(({ algorithm, subject, worlds }) =>
      worlds.map((world) => [algorithm, world.name, subject, world] as const)
    )
  )("%s: %s", async (_algorithm, _world, subject, world) => {
    for (const seed of seeds) {
      const { boundMillis, entries, violations, worstMillis } = await run(subject, world, seed)
      expect([seed, ...violations]).toEqual([seed])
      expect(worstMillis).toBeLessThanOrEqual(boundMillis)
      // Where messages take up to a second there are few.
      expect(entries).toBeGreaterThan(8)
    }
  })
})

describe("seeds that have found something", () => {
  it.each([["Suzuki–Kasami", "crash for good, detected", 1275]])("%s: %s, %i", async (name, fault, seed) => {
    const { subject, worlds } = all.find(({ algorithm }) => algorithm === name)!
    const { violations } = await run(
      subject,
      worlds.find((world) => world.name === fault)!,
      seed
    )
    expect(violations).toEqual([])
  })
})

describe("what the proof would find", () => {
  const ricart = all.find(({ algorithm }) => algorithm === "Ricart–Agrawala")!.subject
  const quiet = within(ricart.card, "none")

  it("a request that waits for longer than the bound", async () => {
    const { boundMillis, worstMillis } = await run({ ...ricart, bound: () => 20 }, quiet, 1)
    expect(worstMillis).toBeGreaterThan(boundMillis)
  })

  it("two bodies at a time, and tokens that don't grow", async () => {
    const open = Layer.succeed(Mutex, {
      withLock: (body) => body(7),
      tryLock: (_within, body) => Effect.asSome(body(7)),
      status: Effect.succeed({ holder: Option.none(), waiting: 0, waitsFor: [] }),
      delays: Stream.never
    })
    const found = await Promise.all(seeds.map((seed) => run({ ...ricart, layer: () => open }, quiet, seed)))
    const broken = new Set(found.flatMap(({ violations }) => violations))
    expect([broken.has("one body at a time"), broken.has("tokens increase")]).toEqual([true, true])
  })

  it("faults outside the card: Lamport's queue, where messages overtake", async () => {
    const queue = all.find(({ algorithm }) => algorithm === "Lamport's queue")!.subject
    const overtaking = { name: "overtaking", faults: { reorderProbability: 0.5, delayMillisMax: 100 } }
    const found = await Promise.all(seeds.map((seed) => run(queue, overtaking, seed)))
    expect(found.some(({ violations }) => violations.includes("mutual exclusion"))).toBe(true)
  })
})
