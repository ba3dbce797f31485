/** Traces where nodes crash and messages are lost. Thousands of seeds: `npm run proof -- actor --only traces`. */
import { describe, expect, it } from "@effect/vitest"
import { Faults } from "@troupe/simulation"
import { run } from "./chains.ts"

describe.each(Object.entries(Faults.presets))("in a world of faults: %s", (_, faults) => {
  it("a trace is of one chain and whole, every span has its parent, and ends where its node lives", async () => {
    for (const seed of [1, 2]) {
      const { chains, traces, violations } = await run(seed, faults)
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(chains).toBeGreaterThan(100)
      expect(traces).toBeGreaterThan(50)
    }
  })
})
