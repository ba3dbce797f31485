/** A store over the layers that keep it linearizable, in every world that they allow: `npm run proof -- replication`. */
import { KeyValue, LocalWrite, Passive, Quorum } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { run } from "./storeWorlds.ts"

const layers = {
  passive: Passive.layer(KeyValue.KeyValue),
  "local-write": LocalWrite.layer(KeyValue.KeyValue, { migrateAfter: 4 }),
  quorum: Quorum.layer(KeyValue.KeyValue)
}

export default Object.entries(layers).flatMap(([algorithm, layer]) =>
  Passive.card.assumes.tolerates.map((preset) => ({
    algorithm: `store over ${algorithm}`,
    preset,
    run: async (seed: number) => {
      const { violations } = await run(layer, { seed, faults: Faults.presets[preset] })
      return { violations, worstMillis: 0, boundMillis: 0 }
    }
  }))
)
