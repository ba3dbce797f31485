/** What the cards of all detectors but SWIM say, which has tests of its own. */
import { describe, expect, it } from "@effect/vitest"
import { Actor, type Card } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import {
  crash,
  type Detector,
  detectors,
  failAfterMillis,
  named,
  nodesOf,
  noticed,
  pause,
  watch,
  wrong
} from "./detectors.ts"
import { mutants } from "./mutants.ts"

const others = detectors.filter(({ name }) => name !== "swim")

const search = (detector: Detector, faults: Card.Faults, nodes: number, seeds: number) =>
  Simulation.search({
    ...{ seeds: { first: 1, last: seeds }, nodes: nodesOf(nodes), faults: Faults.presets[faults] },
    properties: Simulation.fromCard(detector.card, detector.protocol.name),
    // Faults are over after 70 % of the time; then this one crashes for good.
    ...{ duration: "1 minute", scheduled: [crash("n2", 43_000)], stopAtViolation: false },
    program: () => Layer.build(detector.layer())
  })

describe.each(others)("$name: inside its assumptions every guarantee of the card holds", (detector) => {
  it.live.each(detector.card.assumes.tolerates)("faults %s, and a crash for good: 2, 5 and 9 nodes", (faults) =>
    Effect.gen(function* () {
      for (const [nodes, seeds] of [
        [2, 10],
        [5, 15],
        [9, 4]
      ] as const) {
        expect((yield* search(detector, faults, nodes, seeds)).broken).toEqual([])
      }
    })
  )
})

describe("a crash is noticed by all others within the time that the layer says", () => {
  it.live.each(detectors)("$name", (detector) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 10; seed++) {
        const at = 20_000 + 137 * seed
        const { said } = yield* watch(detector, { nodes: 5, seconds: 40, seed, scheduled: [crash("n2", at)] })
        const times = [...noticed(said, "n2", at).values()]
        expect(times).toHaveLength(4)
        expect(Math.max(...times)).toBeLessThanOrEqual(detector.noticedWithinMillis)
        expect(wrong(said, ["n2"])).toBe(0)
      }
    })
  )
})

describe("who comes back is up to all others, and is not suspected again", () => {
  it.live.each(detectors)("$name", (detector) =>
    Effect.gen(function* () {
      for (const downMillis of [500, 9_000, 30_000]) {
        const { said } = yield* watch(detector, { nodes: 5, seconds: 90, scheduled: [crash("n2", 20_000, downMillis)] })
        for (const by of ["n1", "n3", "n4", "n5"]) {
          const latest = said.filter((each) => each.by === by && each.node === "n2").at(-1)
          expect(latest?.status ?? "up").toBe("up")
          expect(latest?.atMillis ?? 0).toBeLessThan(20_000 + downMillis + 20_000)
        }
      }
    })
  )
})

describe("its cost while nothing fails", () => {
  it.live.each(others)("$name: as the card's formula says", (detector) =>
    Effect.gen(function* () {
      for (const nodes of [1, 2, 5, 20]) {
        const seconds = 40
        const { counts } = yield* watch(detector, { nodes, seconds })
        const intervals = (seconds * 1_000) / detector.options.intervalMillis
        const { best } = detector.card.cost
        expect(Math.abs(counts.sent / intervals - best.of(nodes))).toBeLessThanOrEqual(0.06 * best.of(nodes))
      }
    })
  )
})

describe("each weakness of the card is reproduced", () => {
  const slow = (detector: Detector) =>
    Effect.gen(function* () {
      const { said } = yield* watch(detector, { nodes: 4, seconds: 70, scheduled: [pause("n3", 20_000, 15_000)] })
      const about = said.filter(({ by, node }) => node === "n3" && by === "n1")
      expect(about[0]!.status).toBe("suspected")
      expect(about.at(-1)!.status).toBe("up")
      expect(about.at(-1)!.atMillis).toBeLessThan(36_000)
    })

  const quadratic = (detector: Detector) =>
    Effect.gen(function* () {
      const sent = (nodes: number) => Effect.map(watch(detector, { nodes, seconds: 20 }), ({ counts }) => counts.sent)
      expect((yield* sent(20)) / (yield* sent(10))).toBeGreaterThan(4)
    })

  const shows: Record<string, Effect.Effect<unknown, unknown>> = {
    // Its answers take 600 ms, there and back, and the timeout is 500.
    "ping: slow is taken for dead": Effect.gen(function* () {
      const delays = { delayMillisMin: 300, delayMillisMax: 300 }
      const { said } = yield* watch(named("ping"), { nodes: 3, seconds: 60, faults: delays })
      expect(said.map(({ status }) => status)).toEqual(Array(6).fill("suspected"))
    }),
    "heartbeat-counters: a node that beats slowly is suspected": Effect.gen(function* () {
      const optionsOf = (node: string) => ({ intervalMillis: node === "n2" ? 5_000 : 1_000 })
      const { said } = yield* watch(named("heartbeat-counters"), { nodes: 3, seconds: 60, optionsOf })
      const about = said.filter(({ by }) => by === "n1")
      expect(about.every(({ node }) => node === "n2")).toBe(true)
      expect(about.filter(({ status }) => status === "suspected").length).toBeGreaterThan(5)
    }),
    "phi-accrual: what is rare is not learnt": Effect.gen(function* () {
      const scheduled = [30, 60, 90].map((second) => pause("n2", second * 1_000, 4_000))
      const { said } = yield* watch(named("phi-accrual"), { nodes: 2, seconds: 110, scheduled })
      expect(said.filter(({ node, status }) => node === "n2" && status === "suspected")).toHaveLength(3)
    }),
    "gossip-heartbeat: it takes its time": Effect.gen(function* () {
      const { said } = yield* watch(named("gossip-heartbeat"), {
        ...{ nodes: 30, seconds: 50, scheduled: [crash("n2", 20_000)] }
      })
      const soonest = Math.min(...noticed(said, "n2", 20_000).values())
      expect(soonest).toBeGreaterThan(failAfterMillis(named("gossip-heartbeat").options, 30) - 200)
    }),
    "gossip-heartbeat: messages grow with the nodes": Effect.sync(() => {
      const length = (nodes: number) => {
        const { options, protocol } = named("gossip-heartbeat")
        return protocol.init({ id: "n1", nodes: nodesOf(nodes), peers: nodesOf(nodes).slice(1), options }).counters
          .length
      }
      expect([length(10), length(100)]).toEqual([10, 100])
    })
  }

  const weaknesses = others.flatMap((detector) => detector.card.weaknesses.map(({ name }) => ({ detector, name })))
  it.live.each(weaknesses.map((each) => ({ ...each, title: `${each.detector.name}: ${each.name}` })))(
    "$title",
    ({ detector, name, title }) =>
      name === "load grows with the square of the nodes" ? quadratic(detector) : (shows[title] ?? slow(detector))
  )
})

describe("a protocol that breaks a rule is found out by the card", () => {
  it.live.each(mutants)("$detector, which $does: $breaks", ({ breaks, detector, protocol }) =>
    Effect.gen(function* () {
      const { card, options } = named(detector)
      const { broken } = yield* Simulation.search({
        ...{ seeds: { first: 1, last: 10 }, nodes: nodesOf(4), faults: Faults.presets.crash, duration: "1 minute" },
        ...{ scheduled: [crash("n2", 43_000)], stopAtViolation: false },
        properties: Simulation.fromCard(card, protocol.name),
        program: () => Actor.spawn(protocol, { options })
      })
      expect(broken.map(({ name }) => name)).toContain(breaks)
    })
  )
})

describe("false positives", () => {
  /** With its defaults, among 10 nodes in 5 minutes: how often a node that is well may be taken for dead. */
  const most: Record<string, readonly [number, number, number]> = {
    ping: [2, 50, 1_200],
    heartbeat: [5, 70, 300],
    "heartbeat-counters": [1, 10, 300],
    "phi-accrual": [0, 10, 40],
    "gossip-heartbeat": [0, 0, 0],
    swim: [0, 0, 0]
  }

  it.live.each(detectors)("$name: at a loss of 1, 5 and 20 %", (detector) =>
    Effect.gen(function* () {
      const counted: Array<number> = []
      for (const lossProbability of [0.01, 0.05, 0.2]) {
        const { said } = yield* watch(detector, { nodes: 10, seconds: 300, faults: { lossProbability } })
        counted.push(wrong(said, [], detector.condemns))
      }
      for (const [at, count] of counted.entries()) expect(count).toBeLessThanOrEqual(most[detector.name]![at]!)
    })
  )

  it.live.each(detectors)(
    "$name: pauses of 30 s have nobody suspected but the paused, who are up soon after",
    (detector) =>
      Effect.gen(function* () {
        const paused = ["n1", "n4", "n8"]
        const scheduled = paused.map((node, at) => pause(node, 10_000 + 35_000 * at, 30_000))
        const { said } = yield* watch(detector, { nodes: 10, seconds: 150, scheduled })
        expect(wrong(said, paused)).toBe(0)
        for (const { atMillis, forMillis, node } of scheduled) {
          const about = said.filter((each) => each.node === node && !paused.includes(each.by))
          expect(new Set(about.filter(({ status }) => status === "suspected").map(({ by }) => by)).size).toBe(7)
          const back = about.filter(({ status }) => status === "up").map((each) => each.atMillis)
          expect(Math.max(...back)).toBeLessThan(atMillis + forMillis + 5_000)
        }
      })
  )
})
