/** Replication by quorums in simulated worlds; thousands of them by `npm run proof -- replication`. */
import { Quorum } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { describe, expect, it } from "vitest"
import { gone, quorum } from "../proof/quorum.proof.ts"
import { boundMillis, run, type Subject } from "../proof/worlds.ts"

const sound = async (subject: Subject, faults: Partial<Faults.Faults>, seeds: number): Promise<void> => {
  for (let seed = 1; seed <= seeds; seed++) {
    const { answered, violations, worstMillis } = await run(subject, { seed, faults })
    expect(violations).toEqual([])
    expect(worstMillis).toBeLessThan(boundMillis)
    expect(answered).toBeGreaterThan(100)
  }
}

describe.each(Quorum.card.assumes.tolerates)("quorums under %s", (preset) => {
  it("are linearizable, and lose nothing that was acknowledged", { timeout: 60_000 }, () =>
    sound(quorum, Faults.presets[preset], 2)
  )
})

describe("quorums under chaos, where keys are deleted and come back", () => {
  it("are linearizable: what was forgotten does not come back", { timeout: 60_000 }, () => sound(gone, Faults.chaos, 2))
})
