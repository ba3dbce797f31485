/** Replication by quorums in every world that its card allows: `npm run proof -- replication`. */
import { Quorum } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { Numbers, numbers } from "../test/machines.ts"
import { boundMillis, run, type Subject } from "./worlds.ts"

export const quorum: Subject = {
  layer: Quorum.layer(Numbers),
  card: Quorum.card,
  actor: Quorum.protocol(numbers).name
}

export default Quorum.card.assumes.tolerates.map((preset) => ({
  algorithm: "quorum",
  preset,
  run: async (seed: number) => ({ ...(await run(quorum, { seed, faults: Faults.presets[preset] })), boundMillis })
}))
