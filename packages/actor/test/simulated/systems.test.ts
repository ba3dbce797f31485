/** Systems of actors on nodes that crash, stand still and lose each other. Thousands of seeds: `npm run proof -- actor`. */
import { describe, expect, it } from "@effect/vitest"
import { Faults } from "@troupe/simulation"
import * as Asks from "./asks.ts"
import * as Watches from "./watches.ts"

const presets = Object.entries(Faults.presets)

const seedsFrom = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at)

describe.each(presets)("in a world of faults: %s", (_, faults) => {
  it("a question is taken once at the most, a reply is that of its question, and an error says what is so", async () => {
    for (const seed of seedsFrom(1, 2)) {
      const { answered, violations } = await Asks.run({ seed, faults })
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(answered).toBeGreaterThan(100)
    }
  })

  it("who watches is told once, of nobody who lives but those that are suspected, and in the end always", async () => {
    for (const seed of seedsFrom(1, 6)) {
      const { violations, watches } = await Watches.run({ seed, faults })
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(watches).toBeGreaterThan(50)
    }
  })
})

describe("seeds that have shown something", () => {
  it("a node that is back before it is missed: who watched an actor there is told so", async () => {
    for (const seed of [75]) expect((await Watches.run({ seed, faults: Faults.crash })).violations).toEqual([])
  })
})
