/** Systems of actors in every world of faults: `npm run proof -- actor`. */
import { Faults } from "@troupe/simulation"
import * as Asks from "../test/simulated/asks.ts"
import * as Watches from "../test/simulated/watches.ts"

export default Object.entries({ asks: Asks.run, watches: Watches.run }).flatMap(([algorithm, run]) =>
  Object.entries(Faults.presets).map(([preset, faults]) => ({
    algorithm,
    preset,
    run: (seed: number) => run({ seed, faults })
  }))
)
