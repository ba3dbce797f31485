import { describe, expect, it } from "@effect/vitest"
import type { Checker } from "@troupe/model-checker"
import { crossing, deaf, unmindful } from "./ringMutants.ts"
import { named, nodesOf, ringElections, rings } from "./rings.ts"
import { check, type Checked, verdicts } from "./ringSystem.ts"

const all = {
  "at most one leader": "holds",
  "one leader an epoch": "holds",
  "the highest leads": "holds",
  "a leader is elected": "holds",
  "epochs grow": "holds"
}

const holds = (report: Checker.Report, but: ReadonlyArray<string> = []) => {
  const broken = Object.entries(verdicts(report)).filter(
    ([name, verdict]) => verdict !== "holds" && !but.includes(name)
  )
  expect(broken).toEqual([])
  expect(report.complete).toBe(true)
}

describe.each(ringElections)("$name, every interleaving", (election) => {
  it.each([1, 2, 3, 4, 5])("all orders of %d nodes on the ring: every guarantee holds", async (nodes) => {
    for (const ring of rings(nodesOf(nodes))) {
      const report = await check(election, { nodes, ring })
      expect([ring, verdicts(report)]).toEqual([ring, all])
    }
  })

  it("the highest resigns at any time, and stands again: every guarantee holds", async () =>
    holds(await check(election, { nodes: 3, resign: ["P3"] })))

  it("all resign at any time, and stand again: every guarantee holds", async () =>
    holds(await check(election, { nodes: 2, resign: ["P1", "P2"] })))

  it("two begin anew at any time: every guarantee holds, as elections that are later take the place of others", async () =>
    holds(await check(election, { nodes: 3, retry: ["P1", "P3"] })))

  it.each(["P1", "P3"])("%s crashes, nobody notices, and the election starves", async (node) => {
    const report = await check(election, { nodes: 3, crash: { node }, options: { stopAtViolation: false } })
    expect(verdicts(report)).toEqual({ ...all, "the highest leads": "violated" })
  })

  it.each(["P1", "P2"])("%s crashes at any time, is suspected at any time: every guarantee holds", async (node) => {
    const suspect = ["P1", "P2", "P3"].filter((other) => other !== node)
    holds(await check(election, { nodes: 3, crash: { node }, suspect }))
  })

  it("the highest does, and is suspected while it is up: two may lead, in different epochs", async () => {
    const options = { stopAtViolation: false }
    const report = await check(election, { nodes: 3, crash: { node: "P3" }, suspect: ["P1", "P2"], options })
    holds(report, ["at most one leader"])
    expect(verdicts(report)["at most one leader"]).toBe("violated")
  })
})

// Those of Hirschberg and Sinclair, and LeLann, have too many states for this.
describe.each([named("Ring"), named("ChangRoberts"), named("DolevKlaweRodeh"), named("HighamPrzytycka")])(
  "$name, every interleaving, with a failure detector that errs",
  (election) => {
    const stopAtViolation = false

    it("the highest is suspected and trusted again at any time: it leads again", async () => {
      const crash = { node: "P3" }
      const given: Checked = { nodes: 3, crash, suspect: ["P1", "P2"], trust: true, options: { stopAtViolation } }
      holds(await check(election, given), ["at most one leader"])
    })

    it("of four, a bystander crashes: every guarantee holds", async () =>
      holds(await check(election, { nodes: 4, crash: { node: "P2" }, suspect: ["P1", "P3", "P4"] })))

    it("two resign at any time, and stand again: every guarantee holds", async () =>
      holds(await check(election, { nodes: 3, resign: ["P2", "P3"] })))
  }
)

it("Chang–Roberts: a node comes back that all have suspected, and is trusted again: the highest leads", async () => {
  const crash = { node: "P3", restart: true }
  const given: Checked = { nodes: 3, crash, suspect: ["P1", "P2"], trust: true, options: { stopAtViolation: false } }
  holds(await check(named("ChangRoberts"), given), ["at most one leader"])
})

describe("what is assumed is needed", () => {
  const network = { order: "any" } as const

  it("Dolev–Klawe–Rodeh: where a message may overtake another, it starves", async () => {
    const report = await check(named("DolevKlaweRodeh"), { nodes: 3, network })
    expect(verdicts(report)["the highest leads"]).toBe("violated")
  })

  it.each(["Ring", "ChangRoberts"] as const)("%s: every guarantee holds all the same", async (name) =>
    holds(await check(named(name), { nodes: 4, network }))
  )
})

describe("a protocol that breaks a rule is found out", () => {
  it("Chang–Roberts that leads at a lower id: two lead", async () => {
    const report = await check(named("ChangRoberts"), { nodes: 3, protocol: crossing })
    expect(verdicts(report)["at most one leader"]).toBe("violated")
  })

  it("one that does not skip the dead: starves", async () => {
    const given = { nodes: 3, crash: { node: "P2" }, suspect: ["P1", "P3"] }
    // It says whom it suspects, and does nothing about it.
    const report = await check(named("ChangRoberts"), { ...given, protocol: deaf })
    expect(verdicts(report)["the highest leads"]).toBe("violated")
  })

  it("one that begins an election with a number that others have used: starves", async () => {
    const given = { nodes: 3, crash: { node: "P3" }, suspect: ["P1", "P2"], trust: true }
    const options = { stopAtViolation: false }
    const report = await check(named("ChangRoberts"), { ...given, protocol: unmindful, options })
    expect(verdicts(report)["the highest leads"]).toBe("violated")
  })
})
