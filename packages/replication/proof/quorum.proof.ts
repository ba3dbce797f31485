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

/** Keys that are gone, and come back. */
export const gone: Subject = { ...quorum, zeros: true }

/** Copies are compared, too. */
export const compared: Subject = { ...gone, layer: Quorum.layer(Numbers, { compareEvery: "300 millis" }) }

/** Each key at two of the nodes. */
export const few: Subject = { ...gone, layer: Quorum.layer(Numbers, { copies: 2 }) }

export default Object.entries({
  quorum,
  "quorum, keys that are gone": gone,
  "quorum, compared": compared,
  "quorum, two copies": few
}).flatMap(([algorithm, subject]) =>
  Quorum.card.assumes.tolerates.map((preset) => ({
    algorithm,
    preset,
    run: async (seed: number) => ({ ...(await run(subject, { seed, faults: Faults.presets[preset] })), boundMillis })
  }))
)
