import { Bully } from "@troupe/election"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { idle, impatient, meek, sharingEpochs } from "./mutants.ts"
import { sizes } from "./elections.ts"
import { guarantee, guarantees, nodesOf, run, search, states, type TraceEvent } from "./system.ts"

const { card } = Bully
const sound = (given: Parameters<typeof search>[0]) =>
  Effect.map(search(given), ({ failures }) =>
    expect(failures.map(({ seed, violations }) => ({ seed, violations }))).toEqual([])
  )

describe("inside its assumptions every guarantee of the card holds (Garcia-Molina 1982, the bully algorithm)", () => {
  for (const faults of card.assumes.tolerates) {
    const seeds = faults === "crash" ? 200 : 100
    it.live(`faults ${faults}, 5 nodes, seeds 1..${seeds}`, () => sound({ nodes: 5, faults, seeds }))
    it.live.each([1, 2, 3, 4, 6, 7])(`faults ${faults}, %d nodes`, (nodes) => sound({ nodes, faults, seeds: 30 }))
  }
})

describe("at the edge of its assumptions: half a round trip each way, crashes every second, down for 0 to 2 s", () => {
  const often = { crashesPerMinute: 60, downMillisMin: 0, downMillisMax: 2000 }
  const worlds = {
    "delays up to roundTrip/2": { delayMillisMin: 0, delayMillisMax: 200 },
    "delays of exactly roundTrip/2": { delayMillisMin: 200, delayMillisMax: 200 },
    "doubled and overtaking messages": {
      ...{ delayMillisMin: 0, delayMillisMax: 200 },
      ...{ duplicationProbability: 0.1, reorderProbability: 0.5 }
    }
  }
  for (const [name, change] of Object.entries(worlds)) {
    it.live.each([2, 3, 5, 7])(`${name}, %d nodes`, (nodes) =>
      sound({ nodes, faults: "crash", seeds: 40, change: { ...often, ...change } })
    )
  }

  const delays = { delayMillisMin: 0, delayMillisMax: 200 }
  it.live.each([20, 3000])("a heartbeat every %d ms", (heartbeatEvery) =>
    sound({ nodes: 4, faults: "crash", seeds: 25, change: { ...often, ...delays }, options: { heartbeatEvery } })
  )

  it.live.each([0, 50, 400, 899, 900, 901, 1700, 5000])(
    "a leader that comes back after %d ms leads again",
    (downMillis) =>
      Effect.forEach(nodesOf(20), (_, seed) =>
        Effect.map(
          run({
            nodes: 4,
            seed,
            change: delays,
            duration: "1 hour",
            test: (simulator) =>
              Effect.gen(function* () {
                yield* Effect.sleep(5000 + seed * 17)
                const before = states(simulator)["P1"]!.leader!
                yield* simulator.crash("P4")
                yield* Effect.sleep(downMillis)
                yield* simulator.restart("P4")
                yield* Effect.sleep("10 seconds")
                const after = states(simulator)["P1"]!.leader!
                expect(after.id).toBe("P4")
                expect(after.epoch).toBeGreaterThan(before.epoch)
              })
          }),
          ({ violations }) => expect(violations).toEqual([])
        )
      )
  )
})

describe("each weakness of the card is reproduced", () => {
  it.live("split brain: two leaders under partition; the seed gives the same trace again", () =>
    Effect.gen(function* () {
      const [weakness] = card.weaknesses.filter(({ name }) => name === "split brain")
      const properties = guarantee(weakness!.breaks!)
      const found = yield* search({ nodes: 5, faults: weakness!.faults, seeds: 20, properties })
      expect(found.failed).toBeGreaterThan(0)
      expect(found.shrunk!.result.faults).toHaveLength(1)
      const trace = Effect.suspend(() => {
        const events: Array<TraceEvent> = []
        const again = { nodes: 5, faults: weakness!.faults, properties, seed: found.shrunk!.result.seed }
        return Effect.as(run({ ...again, trace: (event) => events.push(event) }), events)
      })
      const first = yield* trace
      expect(first).toContainEqual(expect.objectContaining({ text: "at most one leader", broken: true }))
      expect(yield* trace).toEqual(first)
    })
  )

  it.live("under partition there is still one leader an epoch, and the highest leads when it has healed", () =>
    sound({
      nodes: 5,
      faults: "partition",
      seeds: 60,
      properties: guarantees.filter(({ name }) => name !== "at most one leader")
    })
  )

  it.live("forgotten epochs: P1, which has heard of none, leads in an epoch that is lower than that of P2 before", () =>
    Effect.gen(function* () {
      const { value } = yield* run({
        nodes: 2,
        duration: "1 hour",
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            const before = states(simulator)["P2"]!.leader!.epoch
            yield* simulator.crash("P1")
            yield* simulator.crash("P2")
            yield* simulator.restart("P1")
            yield* Effect.sleep("5 seconds")
            return [before, states(simulator)["P1"]!.leader!.epoch] as const
          })
      })
      expect(value![1]).toBeLessThan(value![0])
    })
  )

  it("each has its test, here or in ranking.test.ts", () => {
    expect(card.weaknesses.map(({ name }) => name)).toEqual([
      "split brain",
      "forgotten epochs",
      "an unstable highest node"
    ])
  })
})

describe("a protocol that breaks a rule is found out", () => {
  it.live.each([
    ["leads without waiting", "at most one leader", "crash", impatient],
    ["has epochs that two can claim", "one leader an epoch", "crash", sharingEpochs],
    ["lets a lower one lead", "the highest leads", "crash", meek],
    ["never holds an election", "a leader is elected", "none", idle]
  ] as const)("%s", ([_rule, broken, faults, protocol]) =>
    Effect.gen(function* () {
      const found = yield* search({ nodes: 5, faults, seeds: 50, protocol, properties: guarantee(broken) })
      expect(found.shrunk?.result.violations[0]!.name).toBe(broken)
    })
  )
})

/** Messages of an election, heartbeats apart. */
const count = (trace: ReadonlyArray<TraceEvent>, after = 0): number =>
  trace
    .filter(({ atMillis }) => atMillis! >= after)
    .flatMap((event) => (event._tag === "Step" ? event.actions : []))
    .filter((action) => action._tag === "Send" && (action.message as Bully.Message)._tag !== "Heartbeat").length

describe("its cost", () => {
  it.live.each([1, ...sizes])("is N²−1 messages when all start together: N = %d", (nodes) =>
    Effect.gen(function* () {
      const events: Array<TraceEvent> = []
      const { violations } = yield* run({
        nodes,
        duration: "1 second",
        trace: (event) => events.push(event),
        properties: guarantee("at most one leader")
      })
      expect(violations).toEqual([])
      expect(count(events)).toBe(card.cost.worst.of(nodes))
      expect(card.cost.worst.of(nodes)).toBe(nodes * nodes - 1)
    })
  )

  it.live.each(sizes)("is N−2 when the second highest finds the leader dead before the others: N = %d", (nodes) =>
    Effect.gen(function* () {
      const events: Array<TraceEvent> = []
      const [top, second] = nodesOf(nodes).toReversed()
      yield* run({
        nodes,
        duration: "1 hour",
        change: { delayMillisMin: 1, delayMillisMax: 1 },
        trace: (event) => events.push(event),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            // The second misses two heartbeats that the others hear, and so suspects the leader that much earlier.
            yield* simulator.cut([top!], [second!])
            yield* Effect.sleep(2 * Bully.defaults.heartbeatEveryMillis)
            yield* simulator.crash(top!)
            yield* Effect.sleep("5 seconds")
            expect(states(simulator)[second!]!.role).toBe("leading")
          })
      })
      expect(count(events, 5000)).toBe(card.cost.best.of(nodes))
      expect(card.cost.best.of(nodes)).toBe(nodes - 2)
    })
  )
})
