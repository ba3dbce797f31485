/** Checkpoints of actors whose process crashes, seed by seed: `npm run proof -- actor --only checkpoint --seeds 2000`. */
import { run } from "../test/checkpoint/worlds.ts"

export default [
  {
    algorithm: "checkpoint",
    preset: "crash",
    run: async (seed: number) => ({ violations: (await run(seed)).violations, worstMillis: 0, boundMillis: 0 })
  }
]
