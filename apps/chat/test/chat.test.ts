/** The whole chat, on virtual time in worlds that fail. A thousand seeds of each: `npm run proof -- chat --seeds 1000`. */
import { describe, expect, it } from "vitest"
import { boundMillis, run, worlds } from "./world.ts"

describe("what was shown to anybody is in all histories when the faults are over, once and in one order, and /who tells the truth", () => {
  it.each([
    ["crash", 8],
    ["partition", 4],
    ["chaos", 8],
    ["disks", 2],
    ["disks and chaos", 4]
  ])("%s, %d seeds", async (preset, seeds) => {
    let posts = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = await run(seed, worlds[preset]!)
      expect({ seed, violations: outcome.violations }).toEqual({ seed, violations: [] })
      expect(outcome.worstMillis).toBeLessThan(boundMillis)
      posts += outcome.posts
    }
    expect(posts).toBeGreaterThan(50 * seeds)
  })
})
