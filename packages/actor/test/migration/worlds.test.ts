/** An actor that moves about while messages are lost, nodes crash, or are taken for dead: `npm run proof -- actor` runs more. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { boundMillis, run, type Trouble } from "../../proof/migrationWorlds.ts"

const rules: ReadonlyArray<readonly [Trouble, string]> = [
  ["loss", "nothing is lost, doubled or overtaken, and each question is answered, though the network loses messages"],
  ["crashes", "never do two copies of it live, and one lives on, though either side crashes while it moves"],
  ["suspicions", "one is left, and every address leads there, though nodes that live are taken for dead"]
]

for (const [trouble, rule] of rules) {
  it.live(`${trouble}: ${rule}`, () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 3; seed++) {
        const { moves, violations, worstMillis } = yield* Effect.promise(() => run(trouble, seed))
        expect(violations).toEqual([])
        expect(moves).toBeGreaterThan(2)
        expect(worstMillis).toBeLessThan(boundMillis)
      }
    })
  )
}
