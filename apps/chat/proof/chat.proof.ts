/** The chat in worlds that fail: `npm run proof -- chat --seeds 1000`. */
import { boundMillis, run, worlds } from "../test/world.ts"

export default Object.entries(worlds).map(([preset, world]) => ({
  algorithm: "chat",
  preset,
  run: async (seed: number) => {
    const { violations, worstMillis } = await run(seed, world)
    return { violations, worstMillis, boundMillis }
  }
}))
