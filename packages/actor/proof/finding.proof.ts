/** Receptionists in worlds where nodes and links fail: `npm run proof -- actor --only receptionist`. */
import { Faults } from "@troupe/simulation"
import { run } from "../test/finding/world.ts"

export default (["lossy", "crash", "partition", "chaos"] as const).map((preset) => ({
  algorithm: "receptionist",
  preset,
  run: (seed: number) => run(seed, Faults.presets[preset])
}))
