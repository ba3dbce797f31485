/** Single rules of the detectors, a node by itself. */
import { describe, expect, it } from "@effect/vitest"
import { GossipHeartbeat, Heartbeat, HeartbeatCounters, PhiAccrual, Ping } from "@troupe/failure-detection"
import { Simulation } from "@troupe/simulation"
import { Context, Effect, Layer } from "effect"
import { cleanUpAfterMillis, crash, emitted, failAfterMillis, Hand, named, sent, timers, watch } from "./detectors.ts"

describe("ping (Hayashibara et al. 2002, the pull style)", () => {
  const node = () => new Hand(Ping.protocol, { ...Ping.defaults, misses: 2 })

  it("asks all others in each interval, and answers with the round that was asked", () => {
    const hand = node()
    const actions = hand.start()
    expect(sent(actions)).toEqual(["n2 Ping", "n3 Ping"])
    expect(timers(actions)).toEqual({ round: 1_000, timeout: 500 })
    expect(hand.hear("n2", { _tag: "Ping", round: 7 })).toEqual([
      { _tag: "Send", to: "n2", message: { _tag: "Pong", round: 7 } }
    ])
  })

  it("suspects who leaves `misses` pings in a row unanswered, and nobody who leaves out one", () => {
    const hand = node()
    hand.start()
    hand.hear("n2", { _tag: "Pong", round: 1 })
    expect(emitted(hand.timeout("timeout"))).toEqual([])
    hand.timeout("round")
    expect(emitted(hand.timeout("timeout"))).toEqual(["n3 suspected"])
    hand.timeout("round")
    expect(emitted(hand.timeout("timeout"))).toEqual(["n2 suspected"])
  })

  it("takes no answer that comes after its timeout, or to an earlier ping", () => {
    const hand = node()
    hand.start()
    hand.timeout("timeout")
    hand.hear("n2", { _tag: "Pong", round: 1 })
    hand.timeout("round")
    hand.hear("n3", { _tag: "Pong", round: 1 })
    expect(emitted(hand.timeout("timeout"))).toEqual(["n2 suspected", "n3 suspected"])
  })

  it("takes the suspected for up with the first answer in time", () => {
    const hand = node()
    for (const timer of ["round", "timeout", "round", "timeout", "round"] as const) hand.timeout(timer)
    expect(emitted(hand.hear("n2", { _tag: "Pong", round: 3 }))).toEqual(["n2 up"])
    expect(emitted(hand.hear("n2", { _tag: "Pong", round: 3 }))).toEqual([])
  })

  it("answers a stranger, and does not watch it", () => {
    const hand = node()
    hand.start()
    expect(sent(hand.hear("n9", { _tag: "Ping", round: 1 }))).toEqual(["n9 Pong"])
    hand.hear("n9", { _tag: "Pong", round: 1 })
    expect(Ping.statusOf(hand.state, "n9")).toBeUndefined()
  })
})

describe("heartbeat with deadline (Chandra & Toueg 1996, fig. 10)", () => {
  const node = () => new Hand(Heartbeat.protocol, Heartbeat.defaults)

  it("tells all others that it is there, and expects each of them from the start", () => {
    const actions = node().start()
    expect(sent(actions)).toEqual(['n2 "Alive"', 'n3 "Alive"'])
    expect(timers(actions)).toEqual({ beat: 1_000, "deadline n2": 3_000, "deadline n3": 3_000 })
  })

  it("suspects who is not heard of until its deadline", () => {
    const hand = node()
    hand.start()
    expect(timers(hand.hear("n2", "Alive"))).toEqual({ "deadline n2": 3_000 })
    expect(emitted(hand.timeout("deadline n3"))).toEqual(["n3 suspected"])
  })

  it("moves the deadline out by an interval with each suspicion that proves wrong", () => {
    const hand = node()
    hand.start()
    for (const deadline of [4_000, 5_000, 6_000]) {
      hand.timeout("deadline n2")
      const actions = hand.hear("n2", "Alive")
      expect(emitted(actions)).toEqual(["n2 up"])
      expect(timers(actions)).toEqual({ "deadline n2": deadline })
    }
  })

  it("so that delays with a bound, known or not, make a finite number of mistakes", async () => {
    const delays = { delayMillisMin: 10, delayMillisMax: 9_000, reorderProbability: 1 }
    const { said } = await Effect.runPromise(watch(named("heartbeat"), { nodes: 3, seconds: 2_000, faults: delays }))
    // No silence is longer than an interval and the longest delay: seven steps of the deadline, for each of six pairs.
    const mistakes = said.filter(({ status }) => status === "suspected")
    expect(mistakes.length).toBeGreaterThan(6)
    expect(mistakes.length).toBeLessThanOrEqual(6 * 7)
    expect(said.at(-1)!.status).toBe("up")
  })
})

describe("heartbeat counters (Aguilera, Chen, Toueg 1997)", () => {
  const node = () => new Hand(HeartbeatCounters.protocol, { ...HeartbeatCounters.defaults, patience: 3 })

  it("the counter of each grows by one with each of its heartbeats (HB-accuracy)", () => {
    const hand = node()
    hand.start()
    for (let beat = 1; beat <= 5; beat++) {
      hand.hear("n2", "Heartbeat")
      expect(HeartbeatCounters.countOf(hand.state, "n2")).toBe(beat)
    }
    expect(HeartbeatCounters.countOf(hand.state, "n3")).toBe(0)
  })

  it("suspects whose counter stands still while the own one grows by more than `patience`", () => {
    const hand = node()
    hand.start()
    hand.hear("n2", "Heartbeat")
    for (let beat = 2; beat <= 4; beat++) hand.timeout("beat")
    hand.timeout("beat")
    expect(HeartbeatCounters.statusOf(hand.state, "n2")).toBe("suspected")
    expect(emitted(hand.hear("n2", "Heartbeat"))).toEqual(["n2 up"])
    for (let beat = 1; beat <= 3; beat++) expect(emitted(hand.timeout("beat"))).toEqual([])
    expect(emitted(hand.timeout("beat"))).toEqual(["n2 suspected"])
  })

  it("decides without any clock, deadline or chance", () => {
    const hand = node()
    Object.defineProperties(hand, {
      millis: { get: () => expect.fail("it looks at a clock") },
      random: { get: () => expect.fail("it draws") }
    })
    expect(timers(hand.start())).toEqual({ beat: 1_000 })
    for (let beat = 0; beat < 9; beat++) expect(timers(hand.timeout("beat"))).toEqual({ beat: 1_000 })
    expect(timers(hand.hear("n2", "Heartbeat"))).toEqual({})
  })

  it.live("a counter of who has crashed stops, of who is up grows without end (HB-completeness, HB-accuracy)", () =>
    Effect.gen(function* () {
      let counters: ReadonlyArray<ReadonlyMap<string, number>> = []
      yield* Simulation.run({
        ...{ seed: 1, nodes: ["n1", "n2", "n3"], duration: "5 minutes", scheduled: [crash("n3", 30_000)] },
        program: (node) =>
          Effect.gen(function* () {
            const context = yield* Layer.build(HeartbeatCounters.layer())
            if (node !== "n1") return
            const heartbeats = Context.get(context, HeartbeatCounters.Heartbeats)
            for (let look = 0; look < 4; look++) {
              yield* Effect.sleep("1 minute")
              counters = [...counters, yield* heartbeats.counters]
            }
            expect(yield* heartbeats.own).toBe(241)
          })
      })
      expect(counters.map((each) => each.get("n3"))).toEqual([30, 30, 30, 30])
      expect(counters.map((each) => each.get("n2"))).toEqual([60, 120, 180, 240])
    })
  )
})

describe("φ-accrual (Hayashibara et al. 2004)", () => {
  const node = () => new Hand(PhiAccrual.protocol, PhiAccrual.defaults, 2)

  it("monitors by the monotonic clock, and acts when φ comes to the threshold", () => {
    const hand = node()
    hand.start()
    for (hand.millis = 5; hand.millis < 60_000; hand.millis += 1_000) hand.hear("n2", "Heartbeat")
    const [patience] = Object.values(timers(hand.hear("n2", "Heartbeat")))
    const { arrivals } = hand.state.peers.rows.chunks[0]![0]!
    expect(PhiAccrual.Arrivals.phi(arrivals, hand.millis + patience!)).toBeCloseTo(8, 6)
    expect(emitted(hand.timeout("threshold n2"))).toEqual(["n2 suspected"])
    expect(emitted(hand.hear("n2", "Heartbeat"))).toEqual(["n2 up"])
  })

  it("expects each from the start", () => {
    expect(Object.keys(timers(node().start()))).toEqual(["threshold n2", "beat"])
  })

  it("grows more patient with a node whose heartbeats become irregular, and less when they are regular again", () => {
    const hand = new Hand(PhiAccrual.protocol, { ...PhiAccrual.defaults, window: 50 }, 2)
    hand.start()
    const patienceAfter = (interval: (beat: number) => number): number => {
      let patience = 0
      for (let beat = 0; beat < 60; beat++) {
        hand.millis += interval(beat)
        patience = timers(hand.hear("n2", "Heartbeat"))["threshold n2"]!
      }
      return patience
    }
    const regular = patienceAfter(() => 1_000)
    const irregular = patienceAfter((beat) => (beat % 2 === 0 ? 400 : 1_600))
    expect(irregular).toBeGreaterThan(regular + 2_000)
    expect(patienceAfter(() => 1_000)).toBeCloseTo(regular, 6)
  })

  it("a pause of a minute makes it hardly more patient", () => {
    const hand = node()
    hand.start()
    let patience = 0
    const beat = (interval: number): void => {
      hand.millis += interval
      patience = timers(hand.hear("n2", "Heartbeat"))["threshold n2"]!
    }
    for (let beats = 0; beats < 100; beats++) beat(1_000)
    const before = patience
    beat(60_000)
    expect(patience - before).toBeLessThan(100)
  })
})

describe("gossip-style heartbeat (van Renesse, Minsky, Hayden 1998)", () => {
  const options = { intervalMillis: 100, failAfterMillis: 1_000, cleanUpAfterMillis: 2_000 }
  const node = () => new Hand(GossipHeartbeat.protocol, options, 3)
  const table = (...counters: ReadonlyArray<number>): GossipHeartbeat.Message => ({ counters })
  const tick = (hand: ReturnType<typeof node>, millis: number) => {
    hand.millis = millis
    return hand.timeout("gossip")
  }

  it("sends its table to one other at a time, at random, with its own counter grown", () => {
    const hand = node()
    hand.start()
    const first = hand.timeout("gossip")
    expect(first).toContainEqual({ _tag: "Send", to: "n2", message: table(1, 0, 0) })
    hand.random = 0.999
    expect(hand.timeout("gossip")).toContainEqual({ _tag: "Send", to: "n3", message: table(2, 0, 0) })
  })

  it("takes over each counter that is higher", () => {
    const hand = node()
    hand.start()
    hand.hear("n2", table(0, 5, 3))
    hand.hear("n2", table(0, 6, 2))
    expect(hand.state.counters).toEqual([0, 6, 3])
  })

  it("suspects whose counter has not grown for failAfter, and forgets it after cleanUpAfter", () => {
    const hand = node()
    hand.start()
    hand.hear("n2", table(0, 5, 3))
    expect(emitted(tick(hand, 999))).toEqual([])
    hand.hear("n3", table(0, 5, 4))
    expect(emitted(tick(hand, 1_000))).toEqual(["n2 suspected"])
    // One that is suspected is not vouched for.
    expect(sent(tick(hand, 1_100))).toEqual(['n2 {"counters":[3,0,4]}'])
    expect(emitted(tick(hand, 1_999))).toEqual(["n3 suspected"])
    expect(emitted(tick(hand, 2_000))).toEqual(["n2 down"])
    expect(hand.state.counters[1]).toBe(0)
  })

  it("an old counter of one who is suspected does not bring it back", () => {
    const hand = node()
    hand.start()
    hand.hear("n3", table(0, 5, 3))
    hand.millis = 900
    hand.hear("n3", table(0, 5, 4))
    tick(hand, 1_000)
    expect(emitted(hand.hear("n3", table(0, 5, 5)))).toEqual([])
    expect(emitted(hand.hear("n3", table(0, 6, 6)))).toEqual(["n2 up"])
  })

  it("tells one who has come back how far its counter was, and it goes on from there", () => {
    const hand = node()
    hand.start()
    hand.hear("n2", table(0, 500, 3))
    expect(hand.hear("n2", table(0, 1, 0))).toEqual([{ _tag: "Send", to: "n2", message: table(0, 500, 3) }])
    const back = new Hand(GossipHeartbeat.protocol, options, 3, "n2")
    back.start()
    back.hear("n1", table(0, 500, 3))
    expect(back.timeout("gossip")).toContainEqual({ _tag: "Send", to: "n1", message: table(0, 501, 3) })
  })

  it("ignores a table of another group", () => {
    const hand = node()
    hand.start()
    const before = hand.state
    expect(hand.hear("n2", table(9, 9))).toEqual([])
    expect(hand.hear("n2", table(9, 9, 9, 9))).toEqual([])
    expect(hand.state).toBe(before)
  })

  it("takes messages of whole counters alone", () => {
    const codec = (counters: unknown) => () => GossipHeartbeat.Message.make({ counters } as never)
    for (const counters of [[-1], [0.5], [NaN], ["1"]]) expect(codec(counters)).toThrow("Schema validation failed")
  })

  it.live(
    "the dead do not come back: after a crash each of 30 nodes suspects once, forgets once, and says no more",
    () =>
      Effect.gen(function* () {
        const { options } = named("gossip-heartbeat")
        for (let seed = 1; seed <= 4; seed++) {
          const faults = { lossProbability: 0.05, reorderProbability: 0.2 }
          const { said } = yield* watch(named("gossip-heartbeat"), {
            ...{ nodes: 30, seconds: 60, seed, faults, scheduled: [crash("n7", 10_000)] }
          })
          const statuses = said.filter(({ node }) => node === "n7").map(({ by, status }) => `${by} ${status}`)
          expect(statuses).toHaveLength(2 * 29)
          expect(new Set(statuses).size).toBe(2 * 29)
          const last = Math.max(...said.map(({ atMillis }) => atMillis))
          expect(last - 10_000).toBeLessThan(cleanUpAfterMillis(options, 30) + 4_000)
        }
        expect(cleanUpAfterMillis(options, 30)).toBe(2 * failAfterMillis(options, 30))
      })
  )
})
