/** Agreed views in simulated worlds, and every interleaving of what is too long for a test: `npm run proof -- group`. */
import { type Bounds, check, coordinate, join, leave, suspect, verdict } from "../test/membershipModel.ts"
import { simulate, type World } from "../test/membershipWorlds.ts"

const algorithm = "group/coordinated-membership"

const worlds: ReadonlyArray<World> = ["none", "lossy", "partition", "unrest", "crash", "chaos"]

const run = async (world: World, seed: number, minority: "block" | "partial") => {
  const { boundMillis, violations, worstMillis } = await simulate(world, seed, { minority })
  return { violations, worstMillis, boundMillis }
}

/** Messages in any order, where the tests have links that are FIFO. */
const interleavings: ReadonlyArray<readonly [string, Bounds]> = [
  [
    "two coordinators",
    { scripts: { n1: [[suspect("n2"), coordinate("n1")]], n2: [[suspect("n1"), coordinate("n2")]] } }
  ],
  [
    "takeover",
    {
      scripts: { n1: [[suspect("n3"), coordinate("n1")]], n2: [[suspect("n1"), coordinate("n2")]] },
      crashes: { max: 1, nodes: ["n1"] }
    }
  ],
  [
    "join and leave",
    {
      members: ["n1", "n2"],
      scripts: { n1: [[coordinate("n1")]], n2: [[coordinate("n2"), leave]], n3: [[coordinate("n1"), join]] }
    }
  ]
]

export default [
  ...worlds.map((world) => ({ algorithm, preset: world, run: (seed: number) => run(world, seed, "block") })),
  { algorithm, preset: "partition, partial views", run: (seed: number) => run("partition", seed, "partial") },
  ...interleavings.map(([name, bounds]) => ({
    algorithm,
    preset: `every interleaving: ${name}`,
    run: async (seed: number) => {
      // All are seen at once: it is the same for each seed.
      const { broken, complete } = seed === 1 ? verdict(await check(bounds)) : { broken: [], complete: true }
      return { violations: complete ? broken : [...broken, "not all seen"], worstMillis: 0, boundMillis: 0 }
    }
  }))
]
