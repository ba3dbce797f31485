import { Checker, System } from "@troupe/model-checker"
import { Bully } from "@troupe/election"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { idle, impatient, sharingEpochs } from "./mutants.ts"
import { nodesOf } from "./system.ts"

const { card, protocol } = Bully

interface Exhausted {
  readonly nodes: number
  readonly protocol?: typeof protocol
  readonly crashes?: System.Crashes
  readonly network?: System.Network
  /** Default: as the card assumes. */
  readonly timeouts?: "any" | "synchronous"
  readonly maxDepth?: number
  /** Default: all guarantees. */
  readonly only?: string
  /** Who may resign once, at any time, and then stand again. */
  readonly resign?: ReadonlyArray<string>
}

/** `memo`: how often the user has changed its mind. */
const user = (who: ReadonlyArray<string>): System.User<Bully.State, Bully.Command, number> => ({
  memo: 0,
  moves: ({ memo, node }) =>
    who.includes(node) && memo < 2
      ? [{ _tag: "Command", command: { _tag: memo === 0 ? "Resign" : "Campaign" }, memo: memo + 1 }]
      : []
})

const exhaust = async ({ maxDepth, nodes, only, resign = [], timeouts = "synchronous", ...given }: Exhausted) => {
  const system = System.make({
    name: "bully",
    user: user(resign),
    members: System.members(given.protocol ?? protocol, nodesOf(nodes), Bully.defaults),
    ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
    ...(given.network === undefined ? {} : { network: given.network }),
    timeouts,
    properties: System.guarantees(card).filter(({ name }) => only === undefined || only === name)
  })
  return await Effect.runPromise(Checker.check(system, maxDepth === undefined ? {} : { maxDepth }))
}

const verdicts = ({ properties }: Checker.Report): Readonly<Record<string, string>> =>
  Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))

const sound = {
  "at most one leader": "holds",
  "one leader an epoch": "holds",
  "the highest leads": "holds",
  "a leader is elected": "holds"
}

describe("every interleaving, with the synchrony that it assumes (Garcia-Molina 1982)", () => {
  it.each([
    [{ nodes: 1 }, 2],
    [{ nodes: 4 }, 12_951],
    [{ nodes: 3, crashes: { max: 1, restart: true } }, 10_094],
    [{ nodes: 4, crashes: { max: 1 } }, 35_572],
    [{ nodes: 3, resign: ["P3"] }, 8_753],
    [{ nodes: 3, resign: ["P2", "P3"] }, 89_068],
    [{ nodes: 3, resign: ["P3"], crashes: { max: 1 } }, 18_536]
  ] as ReadonlyArray<[Exhausted, number]>)("every guarantee holds: %o", async (options, uniqueStates) => {
    const report = await exhaust(options)
    expect(verdicts(report)).toEqual(sound)
    expect(report).toMatchObject({ complete: true, uniqueStates })
  })

  it.each([
    ["leads as soon as it claims", "at most one leader", impatient],
    ["never holds an election", "the highest leads", idle]
  ] as const)("a protocol that %s breaks: %s", async (_rule, broken, machine) => {
    const report = await exhaust({ nodes: 2, crashes: { max: 1, restart: true }, protocol: machine, only: broken })
    expect(verdicts(report)).toEqual({ [broken]: "violated" })
  })
})

describe("every interleaving, where the network splits", () => {
  const splits = [[["P1"], ["P2", "P3"]]]

  it("finds the split brain that the card names, by a shortest way", async () => {
    const report = await exhaust({ nodes: 3, network: { splits }, only: "at most one leader" })
    const { steps, trace } = report.properties[0]!.counterexample!
    expect(steps.filter((step) => step.includes("claim runs out"))).toHaveLength(2)
    expect(trace.events.some(({ _tag }) => _tag === "Split")).toBe(true)
    // The first line is the start. Nothing shorter breaks it.
    const maxDepth = steps.length - 2
    const shorter = await exhaust({ nodes: 3, network: { splits }, only: "at most one leader", maxDepth })
    expect(shorter).toMatchObject({ ended: "depth", properties: [{ verdict: "unknown" }] })
  })
})

describe("every interleaving, with timeouts at any time: one leader an epoch", () => {
  const only = "one leader an epoch"

  it.each([
    [2, 10],
    [3, 6]
  ] as const)("%o (nodes, steps)", async (nodes, maxDepth) => {
    const report = await exhaust({ nodes, maxDepth, timeouts: "any", only })
    expect(report.properties[0]).toMatchObject({ verdict: "unknown" })
    expect(report.ended).toBe("depth")
    expect(report.uniqueStates).toBeGreaterThan(1000)
  })

  it("finds two leaders of an epoch where epochs are not told apart by rank", async () => {
    const report = await exhaust({ nodes: 2, maxDepth: 10, timeouts: "any", only, protocol: sharingEpochs })
    expect(report.properties[0]).toMatchObject({ verdict: "violated" })
  })
})
