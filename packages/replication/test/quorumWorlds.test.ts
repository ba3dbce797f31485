/** Replication by quorums in simulated worlds; thousands of them by `npm run proof -- replication`. */
import { Quorum } from "@troupe/replication"
import { Faults, Simulation } from "@troupe/simulation"
import { MemoryStorage } from "@troupe/storage"
import { Clock, Context, Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { gone, quorum } from "../proof/quorum.proof.ts"
import { boundMillis, run, type Subject } from "../proof/worlds.ts"
import { add, Numbers } from "./machines.ts"

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

describe("a key that all nodes update all the time", () => {
  /** The longest wait and the number of updates, in two seconds of a network like one machine's own. */
  const contend = async (seed: number, nodes: ReadonlyArray<string>) => {
    let [longestMillis, count] = [0, 0]
    await Effect.runPromise(
      Simulation.run({
        seed,
        nodes,
        duration: "2 seconds",
        delays: () => ({ minMillis: 0.1, maxMillis: 0.5 }),
        program: () =>
          Effect.gen(function* () {
            const disk = MemoryStorage.layer()
            const numbers = Context.get(yield* Layer.build(Layer.provide(Quorum.layer(Numbers), disk)), Numbers)
            for (;;) {
              const begun = yield* Clock.currentTimeMillis
              yield* numbers.invoke(add("hot", 1))
              longestMillis = Math.max(longestMillis, (yield* Clock.currentTimeMillis) - begun)
              count++
            }
          })
      })
    )
    return { longestMillis, count }
  }

  it("keeps none of them waiting for long", { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { count, longestMillis } = await contend(seed, ["n1", "n2", "n3"])
      expect(count).toBeGreaterThan(500)
      expect(longestMillis).toBeLessThan(60)
    }
  })
})
