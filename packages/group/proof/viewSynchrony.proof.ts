/** The kernel with views that change, in a world that spares it nothing: `npm run proof -- group --only ViewSynchrony`. */
import { Schema } from "effect"
import { fifo } from "../src/internal/fifo.ts"
import { kernel } from "../src/internal/kernel.ts"
import { chaos, run, type World } from "../test/chaos.ts"

const protocol = kernel({ name: "proof/views", order: fifo, payload: Schema.String })

const lossless = { lossProbability: 0, duplicationProbability: 0, reorderProbability: 0 }

const worlds: Readonly<Record<string, World>> = {
  chaos: { ...chaos, protocol },
  "crash, leave, join": { ...chaos, protocol, faults: { ...chaos.faults, ...lossless, partitionsPerMinute: 0 } },
  "chaos, uniform": {
    ...chaos,
    protocol,
    options: { ...chaos.options, uniform: true, reportMillis: 0 },
    guarantees: [...chaos.guarantees, "uniform"]
  },
  "chaos, full load": { ...chaos, protocol, sendEveryMillis: 8, faultMillis: 3_000 }
}

/** From being told of a view to being in it: what a split, a crash that is not told of yet, and repeats at intervals cost. */
const boundMillis = 10_000

export default Object.entries(worlds).map(([preset, world]) => ({
  algorithm: "ViewSynchrony",
  preset,
  run: async (seed: number) => {
    const { broken, worstMillis } = await run(seed, world)
    return { violations: broken, worstMillis, boundMillis }
  }
}))
