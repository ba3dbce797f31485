/** Replicated CRDTs in every world that their card allows: `npm run proof -- gossip --only Replicated`. */
import { Replicated } from "@troupe/gossip"
import { Effect } from "effect"
import { type Preset, simulate } from "./replicas.ts"

/** Small ones, so that logs are cut off and states travel in parts. */
const tight = { interval: "100 millis", bufferedDeltas: 3, packetBytes: 256, messagesPerRound: 4 } as const

export default Replicated.card.assumes.tolerates.flatMap((preset) =>
  [
    { algorithm: "Replicated", replicated: {} },
    { algorithm: "Replicated, in small packets", replicated: tight }
  ].map(({ algorithm, replicated }) => ({
    algorithm,
    preset,
    run: async (seed: number) => {
      const { violations } = await Effect.runPromise(simulate({ seed, preset: preset as Preset, replicated }))
      return { violations: violations.map(({ name }) => name), worstMillis: 0, boundMillis: 30_000 }
    }
  }))
)
