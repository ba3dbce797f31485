/** Migration in every kind of world that it is for: `npm run proof -- actor --only migration`. */
import { boundMillis, run, type Trouble } from "./migrationWorlds.ts"

const troubles: ReadonlyArray<Trouble> = ["loss", "crashes", "suspicions"]

export default troubles.map((preset) => ({
  algorithm: "migration",
  preset,
  run: async (seed: number) => ({ ...(await run(preset, seed)), boundMillis })
}))
