/** Systems of actors in every world of faults: `npm run proof -- actor`. */
import { Faults } from "@troupe/simulation"
import * as Asks from "../test/simulated/asks.ts"
import * as Ledgers from "../test/simulated/ledgers.ts"
import type { Outcome } from "../test/simulated/nodes.ts"
import * as Trees from "../test/simulated/trees.ts"
import * as Watches from "../test/simulated/watches.ts"

type Run = (world: { readonly seed: number; readonly faults: Partial<Faults.Faults> }) => Promise<Outcome>

const worlds: Readonly<Record<string, Run>> = {
  asks: Asks.run,
  watches: Watches.run,
  ledgers: Ledgers.run,
  "ledgers, disks fail": (world) => Ledgers.run({ ...world, diskFailures: 0.01 })
}

export default [
  ...Object.entries(worlds).flatMap(([algorithm, run]) =>
    Object.entries(Faults.presets).map(([preset, faults]) => ({
      algorithm,
      preset,
      run: (seed: number) => run({ seed, faults })
    }))
  ),
  { algorithm: "families", preset: "none", run: (seed: number) => Trees.run({ seed }) }
]
