import { CandidateOrdinary, InvalidOptions } from "@troupe/election"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { nodesOf, processOf, sizes, testing, total, type TraceEvent } from "./elections.ts"

const { card, defaults, protocol } = CandidateOrdinary
const { allHold, exhaust, run, search, sent, verdicts } = testing(CandidateOrdinary)

const message = (from: string, given: CandidateOrdinary.Message) => ({ _tag: "Message", from, message: given }) as const
const timeout = (timer: "suspect" | "tiebreaker" | "answer" | "coordinator" | "claim") =>
  ({ _tag: "Timeout", timer }) as const

/** P1 and P2 are ordinary, P3, P4 and P5 candidates. */
const process = processOf(protocol, nodesOf(5), defaults)

describe("an ordinary node begins (Gholipour et al. 2009; Petrov 2019, Candidate/Ordinary Optimization)", () => {
  const asking = (...inputs: Parameters<typeof process> extends [string, ...infer Inputs] ? Inputs : never) =>
    process("P2", { _tag: "Start" }, timeout("suspect"), ...inputs)

  it("it contacts the candidates, and nobody else", () => {
    expect(asking().sent).toEqual(["P3", "P4", "P5"].map((node) => [node, { _tag: "Election", seen: 0 }]))
  })

  it("it picks the highest-ranked that is up, and that one announces itself to all", () => {
    const answers = ["P4", "P3"].map((node) => message(node, { _tag: "Alive", seen: 7 }))
    expect(asking(...answers, timeout("answer")).sent).toEqual([["P4", { _tag: "Appoint", seen: 7 }]])
    const appointed = process("P4", { _tag: "Start" }, message("P2", { _tag: "Appoint", seen: 7 }))
    expect(appointed.state).toMatchObject({ role: "claiming", claimed: 13 })
    expect(appointed.sent).toEqual(["P1", "P2", "P3", "P5"].map((node) => [node, { _tag: "Coordinator", epoch: 13 }]))
  })

  it("it asks again when the appointed does not announce itself", () => {
    const answers = [message("P4", { _tag: "Alive", seen: 7 }), timeout("answer")]
    expect(asking(...answers, timeout("coordinator")).sent).toHaveLength(3)
  })

  it("when no candidate answers, it waits for its leader anew", () => {
    const { state, timers } = asking(timeout("answer"))
    expect(state.role).toBe("following")
    expect(timers["suspect"]).toBeGreaterThan(0)
  })

  it("only candidates answer, while they stand", () => {
    const asked = message("P2", { _tag: "Election", seen: 0 })
    expect(process("P4", { _tag: "Start" }, asked).sent).toEqual([["P2", { _tag: "Alive", seen: 0 }]])
    expect(process("P1", { _tag: "Start" }, asked).sent).toEqual([])
    const resigned = { _tag: "Command", command: { _tag: "Resign" } } as const
    expect(process("P4", { _tag: "Start" }, resigned, asked).sent).toEqual([])
  })

  it("an ordinary node does not stand when it is told to", () => {
    const campaign = { _tag: "Command", command: { _tag: "Campaign" } } as const
    expect(process("P1", { _tag: "Start" }, campaign).state.standing).toBe(false)
  })
})

describe("the tiebreaker δ", () => {
  it("is 0 for the highest ordinary node, and a step longer for each that is next; candidates come last", () => {
    const delays = ["P1", "P5", "P4", "P3"].map(
      (node) => process(node, { _tag: "Start" }, timeout("suspect")).timers["tiebreaker"]
    )
    expect(delays).toEqual([1, 2, 3, 4].map((steps) => steps * defaults.tiebreakerMillis))
  })

  it("ends for a candidate that hears of an election", () => {
    const { state } = process("P5", { _tag: "Start" }, timeout("suspect"), message("P2", { _tag: "Election", seen: 0 }))
    expect(state.role).toBe("following")
  })
})

describe("epochs", () => {
  const leader = (...inputs: Parameters<typeof process> extends [string, ...infer Inputs] ? Inputs : never) =>
    process("P5", { _tag: "Start" }, message("P2", { _tag: "Appoint", seen: 0 }), ...inputs)

  it("a claimant that hears of a higher one claims anew, a leader steps down", () => {
    const stale = message("P1", { _tag: "Stale", epoch: 9, seen: 22 })
    expect(leader(stale).state).toMatchObject({ role: "claiming", claimed: 29 })
    expect(leader(timeout("claim"), stale).state).toMatchObject({ role: "following", leader: undefined })
  })

  it("a claim to an epoch that is not the latest is objected to, and not followed", () => {
    const follower = [
      message("P5", { _tag: "Coordinator", epoch: 9 }),
      message("P4", { _tag: "Coordinator", epoch: 8 })
    ]
    const { sent, state } = process("P1", { _tag: "Start" }, ...follower)
    expect(state.leader).toEqual({ id: "P5", epoch: 9 })
    expect(sent).toEqual([["P4", { _tag: "Stale", epoch: 8, seen: 9 }]])
  })

  it("nobody is bullied: a higher candidate follows the leader that there is", () => {
    const { sent, state } = process("P5", { _tag: "Start" }, message("P3", { _tag: "Heartbeat", epoch: 7 }))
    expect(state.leader).toEqual({ id: "P3", epoch: 7 })
    expect(sent).toEqual([])
  })
})

describe("every interleaving, with the synchrony that it assumes", () => {
  const crowded = { ...defaults, tiebreakerMillis: 1 }
  it.each([
    { nodes: 1 },
    { nodes: 4 },
    { nodes: 3, crashes: { max: 2, restart: true } },
    { nodes: 4, crashes: { max: 1, restart: true } },
    { nodes: 3, resign: ["P2", "P3"] },
    { nodes: 3, options: crowded, crashes: { max: 1, restart: true } },
    { nodes: 4, options: crowded, crashes: { max: 1 } },
    { nodes: 2, options: { ...defaults, candidates: ["P1"] }, crashes: { max: 1, restart: true } }
  ])("every guarantee holds, and epochs grow: %o", async (given) => {
    const report = await exhaust(given)
    expect(verdicts(report)).toEqual(allHold)
    expect(report.complete).toBe(true)
  })

  it("with timeouts at any time, to a depth of 7 steps: one leader an epoch", async () => {
    const report = await exhaust({
      nodes: 3,
      timeouts: "any",
      only: ["one leader an epoch", "epochs grow"],
      maxDepth: 7
    })
    expect(verdicts(report)).toEqual({ "one leader an epoch": "unknown", "epochs grow": "unknown" })
    expect(report.ended).toBe("depth")
  })
})

describe("a protocol that breaks a rule is found out", () => {
  const leadAtOnce: NonNullable<typeof protocol.onStart> = (state, act) =>
    state.role === "claiming" ? protocol.onTimeout!(state, "claim", act) : state
  const impatient: typeof protocol = {
    ...protocol,
    onMessage: (state, from, given, act) => leadAtOnce(protocol.onMessage(state, from, given, act), act),
    onTimeout: (state, timer, act) => leadAtOnce(protocol.onTimeout!(state, timer, act), act)
  }
  const world = { crashesPerMinute: 60, downMillisMin: 0, downMillisMax: 2000, delayMillisMin: 0, delayMillisMax: 200 }

  it.live("leads without waiting for objections, where all begin", () =>
    Effect.map(
      search({
        ...{ nodes: 7, faults: "crash", seeds: 30, change: world, only: ["at most one leader"], protocol: impatient },
        options: { ...defaults, tiebreakerMillis: 1 }
      }),
      ({ broken }) => expect(broken).toMatchObject([{ name: "at most one leader" }])
    )
  )
})

describe("inside its assumptions every guarantee of the card holds, in simulation", () => {
  const often = { crashesPerMinute: 60, downMillisMin: 0, downMillisMax: 2000, delayMillisMin: 0 }
  it.live.each([
    ["none", 5, 100, {}],
    ["crash", 3, 100, {}],
    ["crash", 5, 300, {}],
    ["crash", 7, 100, {}],
    ["crash", 5, 100, { ...often, delayMillisMin: 200, delayMillisMax: 200 }],
    ["crash", 5, 100, { ...often, delayMillisMax: 200, duplicationProbability: 0.1, reorderProbability: 0.5 }]
  ] as const)("faults %s, %d nodes, seeds 1..%d, %o", ([faults, nodes, seeds, change]) =>
    Effect.map(search({ nodes, faults, seeds, change }), ({ broken }) => expect(broken).toEqual([]))
  )
})

/** What is sent from a moment on, when `down` crash at that moment, until a leader is there that is up. */
const election = (given: {
  readonly nodes: number
  readonly atMillis: number
  readonly down: ReadonlyArray<string>
  readonly options?: CandidateOrdinary.Options
}) =>
  Effect.gen(function* () {
    const { atMillis, down, nodes } = given
    const events: Array<TraceEvent> = []
    const { value, violations } = yield* run({
      nodes,
      ...(given.options === undefined ? {} : { options: given.options }),
      trace: (event) => events.push(event),
      test: (simulator, state) =>
        Effect.gen(function* () {
          yield* Effect.sleep(atMillis)
          for (const node of down) yield* simulator.crash(node)
          yield* Effect.sleep(5000 + nodes * defaults.tiebreakerMillis)
          return state(nodesOf(nodes).find((node) => !down.includes(node))!).leader?.id
        })
    })
    expect(violations).toEqual([])
    return { leader: value, sent: sent(events, atMillis) }
  })

describe("messages", () => {
  it.live.each(sizes)("2⌈N/2⌉+N when all start together: N = %d", (nodes) =>
    Effect.gen(function* () {
      const candidates = Math.ceil(nodes / 2)
      const { leader, sent } = yield* election({ nodes, atMillis: 0, down: [] })
      expect(leader).toBe(`P${nodes}`)
      expect(sent).toEqual({ Election: candidates, Alive: candidates, Appoint: 1, Coordinator: nodes - 1 })
      expect(total(sent)).toBe(card.cost.worst.of(nodes))
    })
  )

  it.live.each(sizes)("one less when the leader has crashed: N = %d", (nodes) =>
    Effect.gen(function* () {
      if (nodes < 3) return
      const { leader, sent } = yield* election({ nodes, atMillis: 10_000, down: [`P${nodes}`] })
      expect(leader).toBe(`P${nodes - 1}`)
      expect(total(sent)).toBe(card.cost.worst.of(nodes) - 1)
    })
  )

  it.live.each([1, ...sizes])("2⌈N/2⌉+N−3 when a candidate begins: N = %d", (nodes) =>
    Effect.gen(function* () {
      const down = nodesOf(nodes).slice(0, Math.floor(nodes / 2))
      const { sent } = yield* election({ nodes, atMillis: 0, down })
      expect(total(sent)).toBe(card.cost.best.of(nodes))
    })
  )

  it.live("with a δ of nothing all begin: it costs messages, and no more", () =>
    Effect.gen(function* () {
      const options = { ...defaults, tiebreakerMillis: 0.001 }
      const { leader, sent } = yield* election({ nodes: 7, atMillis: 0, down: [], options })
      expect(leader).toBe("P7")
      expect(total(sent)).toBeGreaterThan(card.cost.worst.of(7))
    })
  )
})

describe("each weakness of the card is reproduced", () => {
  it.live("split brain: two leaders under partition; still one an epoch, and one in the end", () =>
    Effect.gen(function* () {
      const split = yield* search({ nodes: 5, faults: "partition", seeds: 20, only: ["at most one leader"] })
      expect(split.broken.map(({ name }) => name)).toEqual(["at most one leader"])
      const others = card.guarantees.map(({ name }) => name).filter((name) => name !== "at most one leader")
      expect((yield* search({ nodes: 5, faults: "partition", seeds: 100, only: others })).broken).toEqual([])
    })
  )

  it.live("no candidate is up: there is no leader, until one comes back", () =>
    Effect.map(
      run({
        nodes: 5,
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* Effect.sleep("10 seconds")
            for (const node of ["P3", "P4", "P5"]) yield* simulator.crash(node)
            yield* Effect.sleep("1 minute")
            const without = state("P2").leader
            yield* simulator.restart("P3")
            yield* Effect.sleep("10 seconds")
            return [without, state("P2").leader?.id]
          })
      }),
      ({ value }) => expect(value).toEqual([undefined, "P3"])
    )
  )

  it.live("forgotten epochs: when none that knows it is up, the next is lower", () =>
    Effect.map(
      run({
        nodes: 3,
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* Effect.sleep("10 seconds")
            yield* simulator.crash("P3")
            yield* Effect.sleep("10 seconds")
            const before = state("P2").leader!.epoch
            yield* simulator.crash("P1")
            yield* simulator.crash("P2")
            yield* simulator.restart("P3")
            yield* Effect.sleep("10 seconds")
            return state("P3").leader!.epoch - before
          })
      }),
      ({ value }) => expect(value).toBeLessThan(0)
    )
  )

  it("each has its test here", () => {
    expect(card.weaknesses.map(({ name }) => name)).toEqual(["split brain", "no candidate is up", "forgotten epochs"])
  })
})

describe("options", () => {
  it.effect.each([
    [{ candidates: [] }, "no candidates"],
    [{ candidates: ["P1", "P1"] }, `"P1" is named twice`],
    [{ candidates: ["P1", "P9"] }, `"P9" is no node`],
    [{ tiebreaker: 0 }, "tiebreaker"],
    [{ roundTrip: "soon" as "1 second" }, "roundTrip"]
  ] as const)("%o is refused", ([options, at]) =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const error = yield* Effect.flip(Layer.build(CandidateOrdinary.layer(options).pipe(Layer.provide(transport))))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error.message).toContain(at)
    })
  )
})
