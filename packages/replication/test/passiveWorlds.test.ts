/** Passive replication in simulated worlds; thousands of them by `npm run proof -- replication`. */
import { Passive } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { describe, expect, it } from "vitest"
import { forgetful, localWrite, passive } from "../proof/passive.proof.ts"
import { boundMillis, run } from "../proof/worlds.ts"

describe.each(Passive.card.assumes.tolerates)("passive replication under %s", (preset) => {
  it("is linearizable, loses nothing that was acknowledged, and converges", { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { answered, violations, worstMillis } = await run(passive, { seed, faults: Faults.presets[preset] })
      expect(violations).toEqual([])
      expect(worstMillis).toBeLessThan(boundMillis)
      expect(answered).toBeGreaterThan(100)
    }
  })
})

describe("local-write replication under chaos", () => {
  it("is linearizable while the primary migrates, loses nothing that was acknowledged, and converges", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { answered, violations, worstMillis } = await run(localWrite, { seed, faults: Faults.chaos })
      expect(violations).toEqual([])
      expect(worstMillis).toBeLessThan(boundMillis)
      expect(answered).toBeGreaterThan(100)
    }
  }, 60_000)
})

describe("passive replication in worlds that once broke it", () => {
  it.each([
    ["a request that the network doubled was refused once, and then executed", passive, 144],
    ["a primary that heard nobody went on refusing, and its backup went on asking it", forgetful, 1537]
  ])("%s", { timeout: 60_000 }, async (_what, subject, seed) => {
    const { violations, worstMillis } = await run(subject, { seed, faults: Faults.chaos })
    expect(violations).toEqual([])
    expect(worstMillis).toBeLessThan(boundMillis)
  })
})
