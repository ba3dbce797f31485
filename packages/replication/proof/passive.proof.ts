/** Passive replication in every world that its card allows: `npm run proof -- replication --only passive`. */
import { Passive } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { Numbers, numbers } from "../test/machines.ts"
import { boundMillis, run, type Subject } from "./worlds.ts"

export const passive: Subject = {
  layer: Passive.layer(Numbers),
  card: Passive.card,
  actor: Passive.protocol(numbers).name
}

export default Passive.card.assumes.tolerates.map((preset) => ({
  algorithm: "passive",
  preset,
  run: async (seed: number) => ({ ...(await run(passive, { seed, faults: Faults.presets[preset] })), boundMillis })
}))
