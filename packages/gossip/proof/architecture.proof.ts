/** The gossip architecture in every world that its card allows: `npm run proof -- gossip --only architecture`. */
import { GossipArchitecture } from "@troupe/gossip"
import { Effect } from "effect"
import { simulate } from "./architecture.ts"
import type { Preset } from "./replicas.ts"

export default GossipArchitecture.card.assumes.tolerates.map((preset) => ({
  algorithm: "Gossip architecture",
  preset,
  run: async (seed: number) => {
    const { violations } = await Effect.runPromise(simulate({ seed, preset: preset as Preset }))
    return { violations: violations.map(({ name }) => name), worstMillis: 0, boundMillis: 60_000 }
  }
}))
