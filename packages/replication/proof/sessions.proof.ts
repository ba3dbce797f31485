/** Sessions of clients that move between replicas, in every world that the layer below allows: `npm run proof -- replication`. */
import { KeyValue, LocalWrite, Naive, Passive, Quorum } from "@troupe/replication"
import { Faults } from "@troupe/simulation"
import { boundMillis, run, type Subject } from "./sessionWorlds.ts"

const tag = KeyValue.KeyValue
const { machine } = KeyValue

export const passive: Subject = {
  layer: Passive.layer(tag),
  card: Passive.card,
  actor: Passive.protocol(machine).name
}

export const localWrite: Subject = {
  layer: LocalWrite.layer(tag, { migrateAfter: 4 }),
  card: LocalWrite.card,
  actor: LocalWrite.protocol(machine).name
}

export const quorum: Subject = {
  layer: Quorum.layer(tag),
  card: Quorum.card,
  actor: Quorum.protocol(machine).name
}

export const naive: Subject = { layer: Naive.layer(tag), card: Naive.card, actor: Naive.protocol(machine).name }

export default Object.entries({ passive, "local-write": localWrite, quorum, naive }).flatMap(([algorithm, subject]) =>
  subject.card.assumes.tolerates.map((preset) => ({
    algorithm: `sessions over ${algorithm}`,
    preset,
    run: async (seed: number) => ({ ...(await run(subject, { seed, faults: Faults.presets[preset] })), boundMillis })
  }))
)
