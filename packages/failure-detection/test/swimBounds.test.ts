/** What SWIM and Lifeguard are said to cost and to be worth, in virtual time. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { nodesOf } from "./swimSupport.ts"
import { detection, falsePositives, type Measured, measure, median, plain } from "./swimWorlds.ts"

const periodMillis = 1_000

describe("the load of a node does not grow with the group (SWIM §3.2)", () => {
  it.live("10, 100 and 1,000 nodes send 2 messages a node and period, 5 % at the most above or below", () =>
    Effect.gen(function* () {
      for (const nodes of [10, 100, 1_000]) {
        const seconds = 10
        const { sent } = yield* measure({ nodes, seconds: 5 + seconds, countFromMillis: 5_000, countBytes: true })
        expect(Math.abs(sent.messages / nodes / seconds - 2)).toBeLessThan(0.1)
        // Whom chance makes answer the most pings: no more than a few a period.
        expect(sent.most / seconds).toBeLessThan(4)
        expect(sent.bytes / nodes / seconds).toBeLessThan(60)
      }
    })
  )
})

/** What passes from the crash of each of these to its first suspicion, which comes at the end of the period of a probe. */
const firstSuspicions = (given: Measured, dead: ReadonlyArray<string>, seeds: number) =>
  Effect.gen(function* () {
    const millis: Array<number> = []
    for (let seed = 1; seed <= seeds; seed++) {
      const atMillis = 5_000 + seed * 137
      const { said } = yield* measure({ ...given, seed, crash: { nodes: dead, atMillis } })
      for (const node of dead) millis.push(detection(said, node, atMillis).suspectedFirst)
    }
    return millis
  })

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** T′/(1−e^−q), where q is the share of nodes that work. */
const bound = (working: number): number => periodMillis / (1 - Math.exp(-working))

describe("a crash is probed within T′/(1−e^−q) on average, and suspected a period later (SWIM §3.2)", () => {
  it.live("one of 20 nodes crashes: 1.58 T′, and never more than 2N−1 periods", () =>
    Effect.gen(function* () {
      const nodes = 20
      const millis = yield* firstSuspicions({ nodes, seconds: 20 }, ["n2"], 40)
      expect(mean(millis) - periodMillis).toBeLessThan(bound(1))
      expect(Math.max(...millis)).toBeLessThan((2 * nodes - 1) * periodMillis)
    })
  )

  it.live("half of 40 nodes crash: 2.54 T′", () =>
    Effect.gen(function* () {
      const dead = nodesOf(40).filter((_, at) => at % 2 === 1)
      // A node of good health, as the formula has it: one whose helpers are dead too would be slower with Lifeguard.
      const options = { healthAwareProbe: false }
      const millis = yield* firstSuspicions({ nodes: 40, seconds: 60, options }, dead, 6)
      expect(mean(millis) - periodMillis).toBeLessThan(bound(0.5))
    })
  )
})

describe("news reaches everybody in O(log N) (SWIM §3.2, §4.1)", () => {
  /** From the first suspicion of a crashed member to the last. */
  const spread = (nodes: number, gossipNodes: number, seeds: number) =>
    Effect.gen(function* () {
      const millis: Array<number> = []
      for (let seed = 1; seed <= seeds; seed++) {
        const crash = { nodes: ["n2"], atMillis: 5_000 }
        const { said } = yield* measure({ nodes, seconds: 22, seed, options: { gossipNodes }, crash })
        const { suspectedBy, suspectedFirst, suspectedLast } = detection(said, "n2", crash.atMillis)
        expect(suspectedBy).toBe(nodes - 1)
        millis.push(suspectedLast - suspectedFirst)
      }
      return median(millis)
    })

  it.live.each([
    ["by probes alone", 0],
    ["with gossip between them", 3]
  ] as const)(
    "%s: within λ log₁₀(N+1) periods at 10, 100, 1,000 nodes, and by as much more for each ten times",
    ([, fanout]) =>
      Effect.gen(function* () {
        const lambda = 4
        const took: Array<number> = []
        for (const [nodes, seeds] of [
          [10, 5],
          [100, 2],
          [1_000, 1]
        ] as const) {
          const millis = yield* spread(nodes, fanout, seeds)
          expect(millis).toBeLessThan(lambda * Math.log10(nodes + 1) * periodMillis)
          took.push(millis)
        }
        // A straight line in log N: a hundred times the nodes take a few times as long, not a hundred times.
        expect(took[2]! / took[0]!).toBeLessThan(6)
      })
  )
})

describe("what Lifeguard is worth (Lifeguard, §V)", () => {
  const nodes = 60
  const ill = nodesOf(nodes).filter((_, at) => at % 20 === 7)
  const slow = { nodes: ill, blockedMillis: 16_000, freeMillis: 5_000 }

  it.live("with 5 % of the nodes slow, healthy members are taken for dead at healthy ones 20 times less often", () =>
    Effect.gen(function* () {
      const without = yield* measure({ nodes, seconds: 90, options: plain, slow })
      const within = yield* measure({ nodes, seconds: 90, slow })
      const before = falsePositives(without.said, ill).atHealthy
      expect(before).toBeGreaterThan(100)
      expect(before).toBeGreaterThanOrEqual(20 * falsePositives(within.said, ill).atHealthy)
    })
  )

  it.live("a crash is known to all as soon as without it, within a period", () =>
    Effect.gen(function* () {
      const known = (options: Partial<Measured["options"]>) =>
        Effect.gen(function* () {
          const millis: Array<number> = []
          for (let seed = 1; seed <= 12; seed++) {
            const crash = { nodes: ["n2"], atMillis: 5_000 + seed * 173 }
            const { said } = yield* measure({ nodes: 30, seconds: 40, seed, options: { ...options }, crash })
            millis.push(detection(said, "n2", crash.atMillis).downLast)
          }
          return median(millis)
        })
      expect(yield* known({})).toBeLessThan((yield* known(plain)) + periodMillis)
    })
  )
})
