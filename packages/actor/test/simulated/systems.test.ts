/** Systems of actors on nodes that crash, stand still and lose each other. Thousands of seeds: `npm run proof -- actor`. */
import { describe, expect, it } from "@effect/vitest"
import { Faults } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import * as Asks from "./asks.ts"
import * as Ledgers from "./ledgers.ts"
import { nodes } from "./nodes.ts"
import * as Trees from "./trees.ts"
import * as Watches from "./watches.ts"

const presets = Object.entries(Faults.presets)

const seedsFrom = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at)

describe.each(presets)("in a world of faults: %s", (_, faults) => {
  it("a question is taken once at the most, a reply is that of its question, and an error says what is so", async () => {
    const { answered, violations } = await Asks.run({ seed: 1, faults })
    expect(violations).toEqual([])
    expect(answered).toBeGreaterThan(100)
  })

  it("who watches is told once, of nobody who lives but those that are suspected, and in the end always", async () => {
    for (const seed of seedsFrom(1, 4)) {
      const { violations, watches } = await Watches.run({ seed, faults })
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      expect(watches).toBeGreaterThan(50)
    }
  })
})

describe("event-sourced actors over disks that crash with their nodes", () => {
  it.each([
    ["", { faults: Faults.crash }],
    [", and fail", { faults: Faults.crash, diskFailures: 0.01 }],
    [", stand still and lose each other", { faults: Faults.chaos, diskFailures: 0.01 }]
  ] as const)("forget nothing that they have acknowledged, and do nothing twice%s", async (_, world) => {
    let crashes = 0
    for (const seed of seedsFrom(1, 2)) {
      const outcome = await Ledgers.run({ ...world, seed })
      expect({ seed, violations: outcome.violations }).toEqual({ seed, violations: [] })
      expect(outcome.acknowledged).toBeGreaterThan(100)
      crashes += outcome.crashes
    }
    expect(crashes).toBeGreaterThan(1)
  })

  it("cannot keep that where disks say they have synced, and have not", async () => {
    for (const seed of seedsFrom(1, 8)) {
      const { violations } = await Ledgers.run({ seed, faults: Faults.crash, lying: true })
      if (violations.some((each) => each.includes("was acknowledged"))) return
    }
    expect.unreachable("nothing that was acknowledged is lost, under any seed")
  })
})

describe("families that spawn, fail, stop, watch and link each other at random", () => {
  it("end children before parents, each once, start again alone, and leave nothing behind", async () => {
    let members = 0
    for (const seed of seedsFrom(1, 40)) {
      const outcome = await Trees.run({ seed })
      expect({ seed, violations: outcome.violations }).toEqual({ seed, violations: [] })
      members += outcome.members
    }
    expect(members).toBeGreaterThan(400)
  })
})

it.each([
  ["questions", Asks.run],
  ["watches", Watches.run]
] as const)("the same seed is the same run, byte for byte: %s", async (_, run) => {
  const traced = async () => {
    const events: Array<Trace.Event> = []
    await run({ seed: 7, faults: Faults.chaos, trace: (event) => void events.push(event) })
    return Trace.encode({ header: Trace.header({ title: "actors", source: "simulation", nodes }), events })
  }
  const first = await traced()
  expect(first.length).toBeGreaterThan(100_000)
  expect((await traced()) === first).toBe(true)
})

it("a node that is back before it is missed: who watched an actor there is told so", async () => {
  expect((await Watches.run({ seed: 75, faults: Faults.crash })).violations).toEqual([])
})
