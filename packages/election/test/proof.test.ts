import { describe, expect, it } from "vitest"
import { all } from "../proof/elections.ts"
import { run } from "../proof/worlds.ts"

const seeds = Array.from({ length: 20 }, (_, at) => at + 1)

/** `npm run proof -- election` runs thousands of each. */
describe.each(all)("$algorithm, seeds 1..20 of each world inside its assumptions", ({ subject, worlds }) => {
  it.each(worlds)("$name: every guarantee holds, and all agree again within the bound", async (world) => {
    let longest = 0
    for (const seed of seeds) {
      const { boundMillis, violations, worstMillis } = await run(subject, world, seed)
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(worstMillis).toBeLessThanOrEqual(boundMillis)
      longest = Math.max(longest, worstMillis)
    }
    // Somebody did wait: the bound is held against something.
    if (world.name === "none" || world.dies === true) expect(longest).toBeGreaterThan(0)
  })
})
