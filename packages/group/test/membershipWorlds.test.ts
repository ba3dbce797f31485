/** Groups in simulated worlds: one sequence of views, and in the end everybody is in. `npm run proof -- group` takes more seeds. */
import { describe, expect, it } from "vitest"
import { type Outcome, type Setting, simulate, type World } from "./membershipWorlds.ts"

const seeds = 20

const all = async (world: World, setting?: Setting): Promise<ReadonlyArray<Outcome>> => {
  const outcomes: Array<Outcome> = []
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await simulate(world, seed, setting)
    expect(outcome.violations, `${world}, seed ${seed}`).toEqual([])
    expect(outcome.worstMillis, `${world}, seed ${seed}`).toBeLessThanOrEqual(outcome.boundMillis)
    outcomes.push(outcome)
  }
  return outcomes
}

const sum = (outcomes: ReadonlyArray<Outcome>, of: (outcome: Outcome) => number): number =>
  outcomes.reduce((sum, outcome) => sum + of(outcome), 0)

describe(`over ${seeds} seeds, all members are told of the same views, and all are in at the end`, () => {
  it.each(["none", "lossy", "partition", "unrest", "crash"] as const)("%s", async (world) => {
    const outcomes = await all(world)
    expect(sum(outcomes, ({ views }) => views)).toBeGreaterThan(5 * seeds)
    expect(sum(outcomes, ({ partialViews }) => partialViews)).toBe(0)
    expect(sum(outcomes, ({ lost }) => lost)).toBe(0)
  })

  it("partition, where those who are cut off go on with partial views", async () => {
    const outcomes = await all("partition", { minority: "partial" })
    expect(sum(outcomes, ({ partialViews }) => partialViews)).toBeGreaterThan(seeds)
  })

  it("chaos, where groups may lose a majority", async () => {
    const lost = sum(await all("chaos"), ({ lost }) => lost)
    expect(lost).toBeGreaterThan(0)
    // Two groups a seed.
    expect(lost).toBeLessThan(seeds)
  })
})
