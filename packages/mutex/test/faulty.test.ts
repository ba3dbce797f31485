import { Actor } from "@troupe/actor"
import { RicartAgrawala } from "@troupe/mutex"
import { Simulation } from "@troupe/simulation"
import { SpaceTime } from "@troupe/trace"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Random } from "effect"
import { counterexample, exhaust, type Machine, nodesOf, verdicts } from "./system.ts"

const { card, protocol } = RicartAgrawala

describe("every interleaving with one crash (Ricart & Agrawala 1981: a node that fails)", () => {
  it("three nodes, two entries each: exclusion and order hold, and whoever waits for the dead starves", async () => {
    const report = await exhaust({ nodes: 3, entries: 2, crashes: { max: 1 }, stopAtViolation: false })
    expect(report.complete).toBe(true)
    expect(verdicts(report)).toEqual({
      "mutual exclusion": "holds",
      "order of claims": "holds",
      "no starvation": "violated",
      "a node enters": "holds",
      "tokens increase": "holds",
      "deadlock freedom": "violated"
    })
  }, 120_000)

  it("counts the states", async () => {
    const report = await exhaust({ nodes: 3, entries: 2, crashes: { max: 1 }, only: "mutual exclusion" })
    expect(report).toMatchObject({ complete: true, uniqueStates: 207_404 })
  }, 120_000)

  it("draws the shortest way to starvation: one asks, and another is dead", async () => {
    const report = await exhaust({ nodes: 2, entries: 1, crashes: { max: 1 }, only: "deadlock freedom" })
    const { trace } = report.properties[0]!.counterexample!
    expect(counterexample(report, "deadlock freedom")).toHaveLength(3)
    const picture = SpaceTime.terminal(trace)
    expect(picture).toContain("crashes")
    expect(picture).toContain("broken: deadlock freedom")
  })

  it.each(["mutual exclusion", "order of claims"])("a node that forgets breaks: %s", async (only) => {
    const report = await exhaust({ nodes: 3, entries: 1, crashes: { max: 1, restart: true }, only })
    expect(verdicts(report)).toEqual({ [only]: "violated" })
    expect(counterexample(report, only)!.some((step) => step.includes("crashes"))).toBe(true)
  })
})

/** Compares timestamps the wrong way round: of those who wait, it gives way to the later claims. */
const wrongWayRound: Machine = {
  ...protocol,
  onMessage: (state, from, message, act) => {
    if (message._tag === "Reply" || state.phase !== "waiting") return protocol.onMessage(state, from, message, act)
    const { claim } = state
    const isEarlier = message.time < claim.time || (message.time === claim.time && from < claim.node)
    const swapped = { ...state, claim: { ...claim, time: isEarlier ? -1 : Infinity } }
    return { ...protocol.onMessage(swapped, from, message, act), claim }
  }
}

describe("a planted bug: timestamps compared the wrong way round", () => {
  it("the checker finds it by a shortest way, the simulator with a seed", async () => {
    const options = { nodes: 2, entries: 1, protocol: wrongWayRound, only: "mutual exclusion" }
    const report = await exhaust(options)
    expect(verdicts(report)).toEqual({ "mutual exclusion": "violated" })
    // Two ask, each is asked, each is told yes: with fewer steps no two nodes are inside.
    expect(counterexample(report, "mutual exclusion")).toEqual([
      "start",
      'n1: {"_tag":"Acquire"}',
      'n1 → n2: {"_tag":"Request","time":1,"view":0}',
      'n2: {"_tag":"Acquire"}',
      'n2 → n1: {"_tag":"Request","time":2,"view":0}',
      'n2 → n1: {"_tag":"Reply","time":1}',
      'n1 → n2: {"_tag":"Reply","time":2}'
    ])

    const found = await Effect.runPromise(
      Simulation.search({
        seeds: { first: 1, last: 100 },
        nodes: nodesOf(3),
        program: () => asking(wrongWayRound),
        properties: Simulation.fromCard(card, protocol.name).filter(({ name }) => name === "mutual exclusion")
      })
    )
    expect(found.failures[0]!.violations.map(({ name }) => name)).toEqual(["mutual exclusion"])
    expect(Number.isInteger(found.failures[0]!.seed)).toBe(true)
  })

  it("and neither finds anything in the protocol as it is", async () => {
    expect(verdicts(await exhaust({ nodes: 2, entries: 2, only: "mutual exclusion" }))).toEqual({
      "mutual exclusion": "holds"
    })
    const { failures } = await Effect.runPromise(
      Simulation.search({
        seeds: { first: 1, last: 100 },
        nodes: nodesOf(3),
        program: () => asking(protocol),
        properties: Simulation.fromCard(card, protocol.name)
      })
    )
    expect(failures).toEqual([])
  })
})

/** Enters ten times, for 5 ms each, with pauses between. */
const asking = (machine: Machine) =>
  Effect.gen(function* () {
    const actor = yield* Actor.spawn(machine)
    for (let i = 0; i < 10; i++) {
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
      actor.tell({ _tag: "Acquire" })
      while (actor.state().phase !== "inside") yield* Effect.sleep("1 millis")
      yield* Effect.sleep("5 millis")
      actor.tell({ _tag: "Release" })
    }
  })
