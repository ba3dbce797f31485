/** Replicas of a store in every world that the card of anti-entropy allows: `npm run proof -- gossip --only AntiEntropy`. */
import { AntiEntropy } from "@troupe/gossip"
import { Effect } from "effect"
import { boundMillis, kinds, run } from "../test/antiEntropy/worlds.ts"

export default AntiEntropy.card.assumes.tolerates.flatMap((preset) =>
  Object.keys(kinds).map((kind) => ({
    algorithm: `AntiEntropy, ${kind}`,
    preset,
    run: async (seed: number) => {
      const { violations, worstMillis } = await Effect.runPromise(run({ kind, preset, seed }))
      return { violations: violations.map(({ name }) => name), worstMillis, boundMillis }
    }
  }))
)
