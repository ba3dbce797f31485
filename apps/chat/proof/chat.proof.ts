/** The chat in worlds that fail: `npm run proof -- chat --seeds 1000`. */
import { Faults } from "@troupe/simulation"
import { boundMillis, run } from "../test/world.ts"

export default (["crash", "partition", "chaos"] as const).map((preset) => ({
  algorithm: "chat",
  preset,
  run: async (seed: number) => {
    const { violations, worstMillis } = await run({ seed, faults: Faults.presets[preset] })
    return { violations, worstMillis, boundMillis }
  }
}))
