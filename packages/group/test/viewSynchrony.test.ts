/** Views that change under faults: whoever goes on has delivered the same. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { fifo } from "../src/internal/fifo.ts"
import { kernel } from "../src/internal/kernel.ts"
import { defaults } from "../src/internal/options.ts"
import { run, type World } from "./chaos.ts"

const protocol = kernel({ name: "test/views", order: fifo, payload: Schema.String })

const world: World = {
  protocol,
  options: { ...defaults, members: "views", transfers: true, pieceBytes: 512 },
  nodes: ["n1", "n2", "n3", "n4"],
  evictionProbability: 0.2,
  faults: {
    lossProbability: 0.05,
    duplicationProbability: 0.05,
    reorderProbability: 0.1,
    crashesPerMinute: 20,
    downMillisMin: 200,
    downMillisMax: 3000,
    partitionsPerMinute: 10,
    partitionMillisMax: 2000,
    partitionMillisMin: 200
  }
}

describe("chaos", () => {
  const seeds = Number(process.env["SEEDS"] ?? 20)
  it(`${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { broken, ...rest } = await run(seed, world)
      if (seed < 4) console.log(rest)
      expect(broken, `seed ${seed}`).toEqual([])
    }
  })
})
