/** Passive and local-write replication in every world that its card allows: `npm run proof -- replication`. */
import { LocalWrite, Passive } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { Numbers, numbers } from "../test/machines.ts"
import { boundMillis, run, type Subject } from "./worlds.ts"

const actor = Passive.protocol(numbers).name

export const passive: Subject = {
  layer: Passive.layer(Numbers),
  card: Passive.card,
  actor,
  properties: [
    [
      // Those that came while the oldest open one was: for five seconds at most, by two clients on each node.
      "few responses are kept",
      (world) =>
        world
          .snapshot(actor)
          .every(({ state }) =>
            (state as Passive.State).replica.versions.every(({ table }) =>
              table.every(({ chunks }) => chunks.reduce((sum, { counters }) => sum + counters.length, 0) <= 128)
            )
          )
    ]
  ]
}

/** Short logs, so that who was away fetches snapshots. */
export const forgetful: Subject = { ...passive, layer: Passive.layer(Numbers, { kept: 1 }) }

export const localWrite: Subject = {
  layer: LocalWrite.layer(Numbers),
  card: LocalWrite.card,
  actor: LocalWrite.protocol(numbers).name
}

export default Object.entries({ passive, "passive, short logs": forgetful, "local-write": localWrite }).flatMap(
  ([algorithm, subject]) =>
    Passive.card.assumes.tolerates.map((preset) => ({
      algorithm,
      preset,
      run: async (seed: number) => ({ ...(await run(subject, { seed, faults: Faults.presets[preset] })), boundMillis })
    }))
)
