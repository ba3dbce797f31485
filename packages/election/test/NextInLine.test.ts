import { InvalidOptions, NextInLine } from "@troupe/election"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { nodesOf, processOf, sizes, testing, total, type TraceEvent } from "./elections.ts"

const { card, defaults, protocol } = NextInLine
const { allHold, exhaust, run, search, sent, verdicts } = testing(NextInLine)

type Timer = "heir" | "answer" | "claim" | "suspect"
const message = (from: string, given: NextInLine.Message) => ({ _tag: "Message", from, message: given }) as const
const timeout = (timer: Timer) => ({ _tag: "Timeout", timer }) as const

const process = processOf(protocol, nodesOf(5), defaults)
/** The first epoch of P5: 5 nodes, rank 4. */
const epoch = 9
const heirs = ["P4", "P3", "P2"]
/** P5 leads, and has published its heirs. */
const follower = (
  id: string,
  ...inputs: Parameters<typeof process> extends [string, ...infer Inputs] ? Inputs : never
) =>
  process(
    id,
    { _tag: "Start" },
    message("P5", { _tag: "Coordinator", epoch }),
    message("P5", { _tag: "Heartbeat", epoch, heirs }),
    ...inputs
  )

describe("the leader publishes its heirs (Petrov 2019, Next-In-Line Failover)", () => {
  const leader = (...followers: ReadonlyArray<string>) =>
    process(
      "P5",
      { _tag: "Start" },
      timeout("claim"),
      ...followers.map((node) => message(node, { _tag: "Follow", epoch })),
      { _tag: "Timeout", timer: "heartbeat" } as const
    )

  it("the highest of those that follow, the highest first", () => {
    expect(leader("P2", "P4", "P1", "P3", "P4").state.heirs).toEqual(heirs)
    expect(leader("P1", "P3").sent[0]).toEqual(["P1", { _tag: "Heartbeat", epoch, heirs: ["P3", "P1"] }])
  })

  it("who follows says so, once", () => {
    const first = process("P2", { _tag: "Start" }, message("P5", { _tag: "Coordinator", epoch }))
    expect(first.sent).toEqual([["P5", { _tag: "Follow", epoch }]])
    expect(follower("P2").sent).toEqual([])
    expect(follower("P2").state.heirs).toEqual(heirs)
  })
})

describe("epochs", () => {
  it("a message from a past epoch is objected to, and nobody is followed", () => {
    const before = follower("P2").state
    const { sent, state } = follower("P2", message("P4", { _tag: "Heartbeat", epoch: 8, heirs: [] }))
    expect(state).toEqual(before)
    expect(sent).toEqual([["P4", { _tag: "Stale", epoch: 8, seen: epoch }]])
  })

  it("a claimant that hears of it claims anew, above what was seen", () => {
    const { state } = follower("P4", timeout("suspect"), message("P2", { _tag: "Stale", epoch: 13, seen: 21 }))
    expect(state).toMatchObject({ role: "claiming", claimed: 28 })
  })
})

describe("when the leader is silent", () => {
  it("the first heir notifies all right away", () => {
    const { sent, state } = follower("P4", timeout("suspect"))
    expect(state).toMatchObject({ role: "claiming", claimed: 13 })
    expect(sent).toEqual(["P1", "P2", "P3", "P5"].map((node) => [node, { _tag: "Coordinator", epoch: 13 }]))
  })

  it("another asks the first heir, then the next, until it is itself the next", () => {
    const asks = follower("P2", timeout("suspect"))
    expect(asks.sent).toEqual([["P4", { _tag: "Succeed", epoch }]])
    expect(asks.timers).toEqual({ heir: defaults.roundTripMillis })
    expect(follower("P2", timeout("suspect"), timeout("heir")).sent).toEqual([["P3", { _tag: "Succeed", epoch }]])
    const last = follower("P2", timeout("suspect"), timeout("heir"), timeout("heir"))
    expect(last.state.role).toBe("claiming")
  })

  it("an heir that is asked takes over, though it has not missed the leader yet", () => {
    expect(follower("P4", message("P1", { _tag: "Succeed", epoch })).state.role).toBe("claiming")
  })

  it("an heir that has another leader by now does not", () => {
    const later = message("P5", { _tag: "Heartbeat", epoch: 14, heirs })
    expect(follower("P4", later, message("P1", { _tag: "Succeed", epoch })).state.role).toBe("following")
  })

  it("when no heir is left, an election is held as in the bully algorithm", () => {
    const timeouts = [timeout("suspect"), timeout("heir"), timeout("heir"), timeout("heir")]
    expect(follower("P1", ...timeouts).sent).toEqual(
      ["P2", "P3", "P4", "P5"].map((node) => [node, { _tag: "Election", seen: epoch }])
    )
  })

  it("a node above the heirs, which came up since, holds one too", () => {
    const below = message("P5", { _tag: "Heartbeat", epoch, heirs: ["P3"] })
    expect(follower("P4", below, timeout("suspect")).state.role).toBe("electing")
  })
})

describe("every interleaving, with the synchrony that it assumes", () => {
  it.each([
    { nodes: 1 },
    { nodes: 4 },
    { nodes: 2, crashes: { max: 2, restart: true } },
    { nodes: 3, crashes: { max: 1, restart: true } },
    { nodes: 3, crashes: { max: 2 } },
    { nodes: 3, resign: ["P2"] },
    { nodes: 2, resign: ["P1", "P2"], crashes: { max: 1 } }
  ])("every guarantee holds, and epochs grow: %o", async (given) => {
    const report = await exhaust(given)
    expect(verdicts(report)).toEqual(allHold)
    expect(report.complete).toBe(true)
  })

  it("with the leader resigning, to a depth of 18 steps", async () => {
    const only = ["at most one leader", "one leader an epoch", "epochs grow"]
    const report = await exhaust({ nodes: 3, resign: ["P3"], only, maxDepth: 18 })
    expect(report.properties.map(({ verdict }) => verdict)).toEqual(only.map(() => "unknown"))
    expect(report.ended).toBe("depth")
  })

  it("with timeouts at any time, to a depth of 6 steps: one leader an epoch", async () => {
    const report = await exhaust({ nodes: 3, timeouts: "any", only: ["one leader an epoch"], maxDepth: 6 })
    expect(verdicts(report)).toEqual({ "one leader an epoch": "unknown" })
    expect(report.ended).toBe("depth")
  })

  it("a protocol that leads without waiting for objections is found out", async () => {
    const leadAtOnce: NonNullable<typeof protocol.onStart> = (state, act) =>
      state.role === "claiming" ? protocol.onTimeout!(state, "claim", act) : state
    const impatient: typeof protocol = {
      ...protocol,
      onStart: (state, act) => leadAtOnce(protocol.onStart!(state, act), act),
      onMessage: (state, from, given, act) => leadAtOnce(protocol.onMessage(state, from, given, act), act),
      onTimeout: (state, timer, act) => leadAtOnce(protocol.onTimeout!(state, timer, act), act)
    }
    const crashes = { max: 1, restart: true }
    const report = await exhaust({ nodes: 2, crashes, protocol: impatient, only: ["at most one leader"] })
    expect(verdicts(report)).toEqual({ "at most one leader": "violated" })
  })
})

describe("inside its assumptions every guarantee of the card holds, in simulation", () => {
  const often = { crashesPerMinute: 60, downMillisMin: 0, downMillisMax: 2000, delayMillisMin: 0 }
  it.live.each([
    ["none", 5, 100, {}],
    ["crash", 3, 100, {}],
    ["crash", 5, 400, {}],
    ["crash", 7, 100, {}],
    ["crash", 5, 100, { ...often, delayMillisMin: 200, delayMillisMax: 200 }],
    ["crash", 5, 100, { ...often, delayMillisMax: 200, duplicationProbability: 0.1, reorderProbability: 0.5 }]
  ] as const)("faults %s, %d nodes, seeds 1..%d, %o", ([faults, nodes, seeds, change]) =>
    Effect.map(search({ nodes, faults, seeds, change }), ({ broken }) => expect(broken).toEqual([]))
  )
})

/** Of `nodes`, the highest crashes after those `before` it. */
const failover = (nodes: number, before: ReadonlyArray<string> = [], early?: string) =>
  Effect.gen(function* () {
    const events: Array<TraceEvent> = []
    const top = nodesOf(nodes).at(-1)!
    const result = yield* run({
      nodes,
      change: { delayMillisMin: 1, delayMillisMax: 1 },
      trace: (event) => events.push(event),
      test: (simulator, state) =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 seconds")
          for (const node of before) yield* simulator.crash(node)
          // Who misses two heartbeats that the others hear suspects the leader that much earlier.
          if (early !== undefined) yield* simulator.cut([top], [early])
          yield* Effect.sleep(2 * defaults.heartbeatEveryMillis)
          yield* simulator.crash(top)
          let millis = 0
          while (state("P1").leader === undefined || state("P1").leader!.id === top) {
            yield* Effect.sleep("1 millis")
            millis++
          }
          const successor = state("P1").leader!.id
          yield* Effect.sleep("5 seconds")
          return { millis, successor }
        })
    })
    expect(result.violations).toEqual([])
    return { ...result.value!, sent: sent(events, 5000) }
  })

describe("messages", () => {
  it.live.each(sizes.slice(1))("2N−3 when the first heir misses the leader before the others: N = %d", (nodes) =>
    Effect.map(failover(nodes, [], `P${nodes - 1}`), ({ sent, successor }) => {
      expect(successor).toBe(`P${nodes - 1}`)
      expect(sent).toEqual({ Coordinator: nodes - 1, Follow: nodes - 2 })
      expect(total(sent)).toBe(card.cost.best.of(nodes))
    })
  )

  it.live.each(sizes.slice(1))("at most 3N−5 when all miss it at once, and no election: N = %d", (nodes) =>
    Effect.map(failover(nodes), ({ sent }) => {
      expect(sent["Election"]).toBeUndefined()
      expect(total(sent)).toBeLessThanOrEqual(3 * nodes - 5)
    })
  )

  it.live.each([1, ...sizes])("N²+N−2 when all start together: N = %d", (nodes) =>
    Effect.gen(function* () {
      const events: Array<TraceEvent> = []
      yield* run({ nodes, trace: (event) => events.push(event), test: () => Effect.sleep("1 second") })
      expect(total(sent(events))).toBe(card.cost.worst.of(nodes))
      expect(card.cost.worst.of(nodes)).toBe(nodes * nodes + nodes - 2)
    })
  )
})

describe("each weakness of the card is reproduced", () => {
  it.live("split brain: two leaders under partition, and still one an epoch", () =>
    Effect.gen(function* () {
      const split = yield* search({ nodes: 5, faults: "partition", seeds: 20, only: ["at most one leader"] })
      expect(split.broken.map(({ name }) => name)).toEqual(["at most one leader"])
      const others = card.guarantees.map(({ name }) => name).filter((name) => name !== "at most one leader")
      expect((yield* search({ nodes: 5, faults: "partition", seeds: 100, only: others })).broken).toEqual([])
    })
  )

  it.live("dead heirs: each that is down costs a round trip, until an election is needed", () =>
    Effect.gen(function* () {
      const { roundTripMillis } = defaults
      const quick = yield* failover(6)
      expect(quick).toMatchObject({ successor: "P5" })
      const second = yield* failover(6, ["P5"])
      expect(second).toMatchObject({ successor: "P4" })
      const elected = yield* failover(6, ["P5", "P4", "P3"])
      expect(elected).toMatchObject({ successor: "P2" })
      expect(quick.sent["Election"] ?? second.sent["Election"]).toBeUndefined()
      expect(elected.sent["Election"]).toBeGreaterThan(0)
      expect(second.millis - quick.millis).toBeGreaterThan(roundTripMillis - 10)
      expect(second.millis - quick.millis).toBeLessThan(roundTripMillis + 10)
    })
  )

  it.live("forgotten epochs: P1, which has heard of none, leads in an epoch that is lower than that of P2 before", () =>
    Effect.map(
      run({
        nodes: 2,
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            const before = state("P2").leader!.epoch
            yield* simulator.crash("P1")
            yield* simulator.crash("P2")
            yield* simulator.restart("P1")
            yield* Effect.sleep("5 seconds")
            return state("P1").leader!.epoch - before
          })
      }),
      ({ value }) => expect(value).toBeLessThan(0)
    )
  )

  it("each has its test here", () => {
    expect(card.weaknesses.map(({ name }) => name)).toEqual(["split brain", "dead heirs", "forgotten epochs"])
  })
})

describe("options", () => {
  it.effect.each([
    [{ heirs: -1 }, "heirs"],
    [{ heirs: 1.5 }, "heirs"],
    [{ roundTrip: 0 }, "roundTrip"],
    [{ heartbeatEvery: "soon" as "1 second" }, "heartbeatEvery"]
  ] as const)("%o is refused", ([options, at]) =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const error = yield* Effect.flip(Layer.build(NextInLine.layer(options).pipe(Layer.provide(transport))))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error.message).toContain(at)
    })
  )
})
