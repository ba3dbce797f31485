/** Traces of chains of questions, seed by seed: `npm run proof -- actor --only traces --seeds 2000`. */
import { Faults } from "@troupe/simulation"
import { run } from "../test/observed/chains.ts"

export default Object.entries(Faults.presets).map(([preset, faults]) => ({
  algorithm: "traces",
  preset,
  run: async (seed: number) => {
    const { violations } = await run(seed, faults)
    return { violations, worstMillis: 0, boundMillis: 0 }
  }
}))
