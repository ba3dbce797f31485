/** The holder of a lock, or the leader, is killed: what the others do is what the card says. */
import { Effect, References } from "effect"
import { describe, expect, it } from "vitest"
import { algorithms, named } from "../src/algorithms.ts"
import { judge } from "../src/commands/run/Crashed.ts"
import { cardSays, crashOf } from "../src/Crashes.ts"
import type { Demonstration } from "../src/Demonstration.ts"
import { Tally } from "../src/Tally.ts"
import { simulated } from "../src/worlds/simulated.ts"
import { names, type Run } from "../src/worlds/World.ts"
import { ended, jsonApart, start } from "./command.ts"

const shown = algorithms.filter(({ service }) => service === "mutex" || service === "election")

const crashed = async (demonstration: Demonstration, detector: boolean, seed = 1, nodes = 5) => {
  const plan: Run = { demonstration, nodes: names(nodes), entries: 20, seed, workMillis: 0, crash: { detector } }
  const tally = new Tally(demonstration, plan.nodes, { checks: false })
  // That a lock is not granted is logged besides.
  const quiet = Effect.provideService(References.MinimumLogLevel, "None")
  const outcome = await Effect.runPromise(quiet(simulated(plan, tally)))
  const judgement = judge({ plan, tally, outcome, transport: "sim", elapsedMillis: 0 })
  return { ...judgement, aftermath: tally.aftermath }
}

describe("what a crash leaves is said of every lock and every election", () => {
  it.each(shown)("$name, by a weakness that its card has", (demonstration) => {
    const crash = crashOf(demonstration)
    expect(crash).toBeDefined()
    const { card } = demonstration
    if (crash!.weakness !== undefined) expect(card.weaknesses.map(({ name }) => name)).toContain(crash!.weakness)
    expect(cardSays(demonstration)).not.toBe("")
  })
})

describe("the others do as the card says, in a simulated world", () => {
  const cases = shown.flatMap((demonstration) =>
    (crashOf(demonstration)?.remedy === "detector" ? [true, false] : [false]).map((detector) => ({
      name: demonstration.name,
      demonstration,
      detector
    }))
  )

  it.each(cases)("$name, with a failure detector: $detector", async ({ demonstration, detector }) => {
    for (let seed = 1; seed <= 15; seed++) {
      const { aftermath, expected, seen, violations } = await crashed(demonstration, detector, seed)
      expect({ seed, seen, violations }).toEqual({ seed, seen: expected, violations: [] })
      expect(aftermath.killed).toBeDefined()
      if (demonstration.service === "election") expect(aftermath.agreed !== undefined).toBe(expected)
      else expect(aftermath.starving).toEqual(expected ? [] : ["n1", "n2", "n3", "n4"])
    }
  })

  it("who starves says on whom it waits: where all must reply, on the dead", async () => {
    const { aftermath } = await crashed(named("mutex/ricart-agrawala")!, false)
    const delays = [...aftermath.delays.values()]
    expect(delays).toHaveLength(4)
    for (const { waitsFor } of delays) expect(waitsFor).toContain("n5")
  })

  it("a table that says otherwise is found out", async () => {
    const token = named("mutex/suzuki-kasami")!
    const hopeless = { ...token, protocol: { ...token.protocol, name: "mutex/raymond" } }
    const { violations } = await crashed(hopeless, true)
    expect(violations).toEqual([{ name: "as the card says", detail: "the others go on" }])
    const hopeful = { ...named("mutex/raymond")!, protocol: { ...token.protocol, name: "mutex/lease-lock" } }
    expect((await crashed(hopeful, false)).violations).toEqual([
      { name: "as the card says", detail: "the others do not go on" }
    ])
  })
})

describe.concurrent("kill -9 of one of five processes", () => {
  it("a token that is lost with its holder is made anew, where a failure detector tells", async () => {
    const { code, value } = await jsonApart("run", "mutex/suzuki-kasami", "--transport", "tcp", "--kill", "holder")
    expect(value.violations).toEqual([])
    expect(code).toBe(0)
    expect(value).toMatchObject({ expected: "goes on", seen: "goes on" })
    expect(value.crash).toMatchObject({ killed: "n5", role: "holder", failureDetector: true, starving: [] })
    expect(value.crash.entries).toBeGreaterThanOrEqual(50)
    expect(value.card).toMatch(/^a holder that crashes: The token is lost with it/)
  })

  it("a leader on a ring is followed by another, in a higher epoch", async () => {
    const { code, value } = await jsonApart("run", "election/chang-roberts", "--transport", "tcp", "--kill", "leader")
    expect(value.violations).toEqual([])
    expect(code).toBe(0)
    expect(value.crash).toMatchObject({ killed: "n5", role: "leader", before: { id: "n5" }, leader: { id: "n4" } })
    expect(value.crash.leader.epoch).toBeGreaterThan(value.crash.before.epoch)
  })

  it("the others starve where the card says so, and say on whom they wait", async () => {
    const { code, stdout } = await ended(
      start("run", "mutex/ricart-agrawala", "--transport", "tcp", "--kill", "holder")
    )
    expect(code).toBe(0)
    expect(stdout).toContain("n5 held the lock, and was killed. There is no failure detector.\nNo entry in 15.0 s.\n")
    expect(stdout).toMatch(/^n1 waits for (n\d, )*n5, by its own word for \d+\.\d s$/m)
    expect(stdout).toContain("card: one crash starves all: ")
    expect(stdout).toContain("✓ so the others do not go on, and they do not")
    expect(stdout).toMatch(/✗ no starvation/)
  })
})
