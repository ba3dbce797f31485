/** Every kind of epidemic gossip in every world that its card allows: `npm run proof -- gossip`. */
import { HyParView } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import { nodesOf } from "../test/epidemic/rounds.ts"
import { run, subjects } from "../test/epidemic/worlds.ts"

/** Of a run: faults are over after 70 % of it. */
const seconds = 90

const gossip = subjects.flatMap((subject) =>
  subject.card.assumes.tolerates.map((preset) => ({
    algorithm: subject.name,
    preset,
    run: async (seed: number) => {
      const { violations, worstMillis, wrong } = await Effect.runPromise(
        run({ subject, faults: Faults.presets[preset], seed, seconds })
      )
      return {
        violations: [...violations.map(({ name }) => name), ...wrong],
        worstMillis,
        boundMillis: seconds * 1_000
      }
    }
  }))
)

const overlays = HyParView.card.assumes.tolerates.map((preset) => ({
  algorithm: "HyParView",
  preset,
  run: async (seed: number) => {
    const { violations } = await Effect.runPromise(
      Simulation.run({
        seed,
        nodes: nodesOf(20),
        faults: Faults.presets[preset],
        duration: `${seconds} seconds`,
        properties: Simulation.fromCard(HyParView.card, HyParView.protocol.name),
        program: () => Layer.build(HyParView.layer({ mixInterval: "10 seconds" }))
      })
    )
    return { violations: violations.map(({ name }) => name), worstMillis: 0, boundMillis: 0 }
  }
}))

export default [...gossip, ...overlays]
