/** Receptionists, topics and links in worlds where nodes and links fail: `npm run proof -- actor --only receptionist`. */
import { Faults } from "@troupe/simulation"
import * as topics from "../test/finding/topicWorld.ts"
import * as receptionists from "../test/finding/world.ts"
import * as links from "../test/simulated/links.ts"

const presets = ["lossy", "crash", "partition", "chaos"] as const

export default Object.entries({
  receptionist: receptionists.run,
  topic: topics.run,
  links: (seed: number, faults: Partial<Faults.Faults>) => links.run({ seed, faults })
}).flatMap(([algorithm, run]) =>
  presets.map((preset) => ({ algorithm, preset, run: (seed: number) => run(seed, Faults.presets[preset]) }))
)
