import { Protocol } from "@troupe/actor"
import { InvalidOptions, Invitation } from "@troupe/election"
import { Memory } from "@troupe/transport"
import type { Simulation } from "@troupe/simulation"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { nodesOf, processOf, sizes, testing, total, type TraceEvent } from "./elections.ts"

const { card, defaults, protocol } = Invitation
const { allHold, exhaust, run, search, sent, verdicts } = testing(Invitation)

const message = (from: string, given: Invitation.Message) => ({ _tag: "Message", from, message: given }) as const
const timeout = (timer: "beat" | "welcome" | "suspect") => ({ _tag: "Timeout", timer }) as const

/** The first epochs of P1 to P5 are 5 to 9. */
const process = processOf(protocol, nodesOf(5), defaults)
const start = { _tag: "Start" } as const
const invite = (from: string, epoch: number, size: number) => message(from, { _tag: "Invite", epoch, size })
const join = (from: string, epoch: number, members: ReadonlyArray<string>) =>
  message(from, { _tag: "Join", epoch, members })
const joining = { _tag: "Join", epoch: 7, members: ["P3"] } as const

describe("each process starts as the leader of a group of its own (Garcia-Molina 1982; Petrov 2019, Invitation)", () => {
  it("and invites those outside it", () => {
    const { sent, state } = process("P3", start)
    expect(state).toMatchObject({ role: "leading", leader: { id: "P3", epoch: 7 }, members: ["P3"] })
    expect(sent).toEqual(["P1", "P2", "P4", "P5"].map((node) => [node, { _tag: "Invite", epoch: 7, size: 1 }]))
  })

  it("once grown, it invites outsiders alone, and tells its members that it is there", () => {
    const { sent } = process("P3", start, join("P2", 6, ["P1", "P2"]), timeout("beat"))
    expect(sent.map(([to, { _tag }]) => [to, _tag])).toEqual([
      ["P1", "Heartbeat"],
      ["P2", "Heartbeat"],
      ["P4", "Invite"],
      ["P5", "Invite"]
    ])
  })
})

describe("groups merge", () => {
  it("under the leader of the larger, though it be lower", () => {
    const { sent, state } = process("P3", start, invite("P1", 25, 2))
    expect(state).toMatchObject({ role: "joining", leader: undefined, inviter: "P1" })
    expect(sent).toEqual([["P1", joining]])
  })

  it("of two of a size, under the higher", () => {
    expect(process("P3", start, invite("P4", 8, 1)).state.role).toBe("joining")
    expect(process("P3", start, invite("P2", 6, 1)).state.role).toBe("leading")
  })

  it("only the smaller hears of a change of leader, where the larger has the later epoch", () => {
    const { sent, state } = process("P5", start, join("P4", 8, ["P4"]), join("P2", 6, ["P1", "P2"]))
    expect(sent).toEqual(["P1", "P2"].map((node) => [node, { _tag: "Welcome", epoch: 9 }]))
    expect(state).toMatchObject({ leader: { id: "P5", epoch: 9 }, members: ["P1", "P2", "P4", "P5"] })
  })

  it("all hear, in a new epoch, where the smaller has the later one", () => {
    const { sent, state } = process("P5", start, join("P4", 8, ["P4"]), join("P2", 11, ["P2"]))
    expect(state.leader).toEqual({ id: "P5", epoch: 19 })
    expect(sent).toEqual(["P2", "P4"].map((node) => [node, { _tag: "Welcome", epoch: 19 }]))
  })

  it("who has joined another group meanwhile sends on who would join it", () => {
    const { sent, state } = process("P3", start, invite("P4", 8, 1), join("P2", 6, ["P2"]))
    expect(sent).toEqual([["P4", { _tag: "Join", epoch: 6, members: ["P2"] }]])
    expect(state.role).toBe("joining")
  })

  it("a group whose inviter does not answer goes on, in a later epoch", () => {
    const { sent, state } = process("P3", start, join("P2", 6, ["P2"]), invite("P4", 8, 2), timeout("welcome"))
    expect(state).toMatchObject({ role: "leading", leader: { id: "P3", epoch: 12 }, members: ["P2", "P3"] })
    expect(sent[0]).toEqual(["P2", { _tag: "Heartbeat", epoch: 12 }])
  })
})

describe("a member", () => {
  const member = (...inputs: Parameters<typeof process> extends [string, ...infer Inputs] ? Inputs : never) =>
    process("P3", start, invite("P4", 8, 1), message("P4", { _tag: "Welcome", epoch: 8 }), ...inputs)

  it("follows, and lets invitations be", () => {
    const { sent, state } = member(invite("P5", 9, 4))
    expect(state).toMatchObject({ role: "following", leader: { id: "P4", epoch: 8 } })
    expect(sent).toEqual([])
  })

  it("leads a group of its own again when its leader is silent, or resigns", () => {
    expect(member(timeout("suspect")).state).toMatchObject({ leader: { id: "P3", epoch: 12 }, members: ["P3"] })
    const resigned = member(message("P4", { _tag: "Resigned", epoch: 8 }))
    expect(resigned.state).toMatchObject({ leader: { id: "P3", epoch: 12 }, members: ["P3"] })
  })

  it("goes into groups of later epochs alone, and says so", () => {
    const { sent, state } = member(message("P1", { _tag: "Welcome", epoch: 5 }))
    expect(state.leader).toEqual({ id: "P4", epoch: 8 })
    expect(sent).toEqual([["P1", { _tag: "Left", epoch: 5 }]])
  })

  it("is forgotten by the leader that it left", () => {
    const left = message("P2", { _tag: "Left", epoch: 7 })
    expect(process("P3", start, join("P2", 6, ["P2"]), left).state.members).toEqual(["P3"])
    const leading = invite("P2", 11, 1)
    expect(process("P3", start, join("P2", 6, ["P2"]), join("P1", 5, ["P1"]), leading).state.members).toEqual([
      "P1",
      "P3"
    ])
  })

  it("that does not stand follows who invites it", () => {
    const resign = { _tag: "Command", command: { _tag: "Resign" } } as const
    const { sent, state } = process("P3", start, resign, invite("P1", 5, 1))
    expect(state.role).toBe("joining")
    expect(sent).toEqual([["P1", joining]])
  })
})

describe("every interleaving", () => {
  it.each([
    { nodes: 1 },
    { nodes: 3 },
    { nodes: 2, crashes: { max: 2, restart: true } },
    { nodes: 2, resign: ["P1", "P2"] },
    { nodes: 2, resign: ["P2"], crashes: { max: 1 } },
    { nodes: 3, crashes: { max: 1 } }
  ])("every guarantee holds, where messages arrive in time: %o", async (given) => {
    const report = await exhaust(given)
    expect(verdicts(report)).toEqual(allHold)
    expect(report.complete).toBe(true)
  })

  const only = ["one leader an epoch", "epochs grow"]

  it("through a split of the network, one leader an epoch, and epochs grow", async () => {
    const report = await exhaust({ nodes: 3, network: { splits: [[["P1"], ["P2", "P3"]]] }, only, maxDepth: 14 })
    expect(report.properties.map(({ verdict }) => verdict)).not.toContain("violated")
    expect(report.uniqueStates).toBeGreaterThan(1000)
  })

  it.each([
    { nodes: 2, maxDepth: 9, network: { duplication: true, loss: true } },
    { nodes: 3, maxDepth: 5, network: {} },
    { nodes: 2, maxDepth: 9, network: {}, crashes: { max: 1, restart: true } }
  ])("with timeouts at any time, one leader an epoch, and epochs grow: %o", async (given) => {
    const report = await exhaust({ ...given, timeouts: "any", only })
    expect(verdicts(report)).toEqual({ "one leader an epoch": "unknown", "epochs grow": "unknown" })
    expect(report.ended).toBe("depth")
    expect(report.uniqueStates).toBeGreaterThan(1000)
  })
})

describe("a protocol that breaks a rule is found out", () => {
  /** Goes into any group that welcomes it. */
  const credulous: typeof protocol = {
    ...protocol,
    onMessage: (state, from, given, act) => protocol.onMessage({ ...state, joined: 0 }, from, given, act)
  }
  /** Numbers its groups as if it were the first of all nodes. */
  const sharing: typeof protocol = {
    ...protocol,
    onStart: (state, act) => protocol.onStart!(state, first(act)),
    onTimeout: (state, timer, act) => protocol.onTimeout!(state, timer, first(act))
  }
  type Act = Parameters<typeof protocol.onMessage>[3]
  const first = (act: Act): Act => ({
    self: Protocol.self(act.self.id, [act.self.id, ...act.self.peers], act.self.options),
    send: (to, given) => act.send(to, given),
    sendAll: (to, given) => act.sendAll(to, given),
    setTimer: (timer, millis) => act.setTimer(timer, millis),
    clearTimer: (timer) => act.clearTimer(timer),
    emit: (event) => act.emit(event),
    now: () => act.now(),
    monotonic: () => act.monotonic(),
    random: () => act.random()
  })

  it.each([
    ["goes into any group", "epochs grow", credulous],
    ["has epochs that two can claim", "one leader an epoch", sharing]
  ] as const)("%s", async (_rule, name, machine) => {
    const network = { duplication: true }
    const report = await exhaust({ nodes: 2, network, timeouts: "any", maxDepth: 9, protocol: machine, only: [name] })
    expect(verdicts(report)).toEqual({ [name]: "violated" })
  })

  it.live("lets no group be merged", () =>
    Effect.map(
      search({
        nodes: 3,
        seeds: 1,
        only: ["one group"],
        protocol: {
          ...protocol,
          onMessage: (state, from, given, act) =>
            given._tag === "Invite" ? state : protocol.onMessage(state, from, given, act)
        }
      }),
      ({ broken }) => expect(broken).toMatchObject([{ name: "one group" }])
    )
  )
})

describe("under every fault the guarantees of the card hold, in simulation", () => {
  for (const faults of card.assumes.tolerates)
    it.live(`faults ${faults}, 5 nodes, seeds 1..150`, () =>
      Effect.map(search({ nodes: 5, faults, seeds: 150 }), ({ broken }) => expect(broken).toEqual([]))
    )

  it.live.each([2, 3, 7])("chaos, %d nodes, seeds 1..60", (nodes) =>
    Effect.map(search({ nodes, faults: "chaos", seeds: 60 }), ({ broken }) => expect(broken).toEqual([]))
  )
})

/** Nodes start when the network is split into these parts: nothing crosses. */
const startApart = (simulator: Simulation.Simulator, parts: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.gen(function* () {
    for (const node of parts.flat()) yield* simulator.crash(node)
    yield* simulator.split(parts)
    for (const node of parts.flat()) yield* simulator.restart(node)
  })

describe("messages", () => {
  it.live.each([1, ...sizes])("2(N−1) when the highest alone is heard: N = %d", (nodes) =>
    Effect.gen(function* () {
      const events: Array<TraceEvent> = []
      const below = nodesOf(nodes - 1)
      yield* run({
        nodes,
        trace: (event) => events.push(event),
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* startApart(
              simulator,
              nodesOf(nodes).map((node) => [node])
            )
            // Between two beats.
            yield* Effect.sleep("1100 millis")
            if (nodes > 1) yield* simulator.cut(below, below)
            yield* simulator.split([nodesOf(nodes)])
            yield* Effect.sleep("5 seconds")
            expect(state("P1").leader!.id).toBe(`P${nodes}`)
          })
      })
      expect(total(sent(events, 1100))).toBe(card.cost.best.of(nodes))
    })
  )

  it.live.each([1, ...sizes])("no fewer, and no more than N(N−1), when all start together: N = %d", (nodes) =>
    Effect.forEach([1, 2, 3, 4], (seed) =>
      Effect.gen(function* () {
        const events: Array<TraceEvent> = []
        yield* run({ nodes, seed, trace: (event) => events.push(event), test: () => Effect.sleep("5 seconds") })
        expect(total(sent(events))).toBeGreaterThanOrEqual(card.cost.best.of(nodes))
        expect(total(sent(events))).toBeLessThanOrEqual(card.cost.worst.of(nodes))
      })
    )
  )

  it.live("two groups that merge cost a JOIN, and a WELCOME for each node of the smaller", () =>
    Effect.gen(function* () {
      const events: Array<TraceEvent> = []
      const parts = [
        ["P3", "P4", "P5"],
        ["P1", "P2"]
      ]
      const { value } = yield* run({
        nodes: 5,
        trace: (event) => events.push(event),
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* startApart(simulator, parts)
            // Between two beats.
            yield* Effect.sleep("5100 millis")
            const before = ["P1", "P5"].map((node) => state(node).leader!)
            yield* simulator.split([nodesOf(5)])
            yield* Effect.sleep("5 seconds")
            return { before, after: state("P1").leader! }
          })
      })
      // The larger group had the later epoch, and kept it.
      expect(value!.after).toEqual(value!.before[1])
      expect(sent(events, 5100)).toEqual({ Join: 1, Welcome: 2 })
    })
  )

  it.live("the larger group's leader leads the merged one, though it is the lowest of all", () =>
    Effect.map(
      run({
        nodes: 5,
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* simulator.split([
              ["P1", "P2", "P3"],
              ["P4", "P5"]
            ])
            yield* Effect.sleep("5 seconds")
            yield* simulator.split([nodesOf(5)])
            yield* Effect.sleep("5 seconds")
            return nodesOf(5).map((node) => state(node).leader!.id)
          })
      }),
      ({ value, violations }) => {
        expect(violations).toEqual([])
        expect(value).toEqual(nodesOf(5).map(() => "P3"))
      }
    )
  )
})

describe("each weakness of the card is reproduced", () => {
  it.live("many leaders: every node at its start, and one in each part of a split network", () =>
    Effect.map(
      run({
        nodes: 5,
        test: (simulator, state) =>
          Effect.gen(function* () {
            const leading = () => nodesOf(5).filter((node) => state(node).role === "leading").length
            yield* simulator.split(nodesOf(5).map((node) => [node]))
            yield* Effect.sleep("1 millis")
            const alone = leading()
            yield* simulator.split([nodesOf(5)])
            yield* Effect.sleep("5 seconds")
            const together = leading()
            yield* simulator.split([
              ["P1", "P2"],
              ["P3", "P4", "P5"]
            ])
            yield* Effect.sleep("5 seconds")
            return [alone, together, leading()]
          })
      }),
      ({ value }) => expect(value).toEqual([5, 1, 2])
    )
  )

  it.live("forgotten members: a crashed one stays in the list, until it is back and leads", () =>
    Effect.map(
      run({
        nodes: 3,
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            const leader = state("P1").leader!.id
            const member = nodesOf(3).find((node) => node !== leader)!
            yield* simulator.crash(member)
            yield* Effect.sleep("1 minute")
            return state(leader).members.includes(member)
          })
      }),
      ({ value }) => expect(value).toBe(true)
    )
  )

  it.live("forgotten epochs: a node that comes back leads in an epoch that it had before", () =>
    Effect.map(
      run({
        nodes: 2,
        test: (simulator, state) =>
          Effect.gen(function* () {
            yield* simulator.split([["P1"], ["P2"]])
            yield* Effect.sleep("1 second")
            const before = state("P2").leader
            yield* simulator.crash("P2")
            yield* simulator.restart("P2")
            yield* Effect.sleep("1 second")
            return [before, state("P2").leader]
          })
      }),
      ({ value }) => expect(value![1]).toEqual(value![0])
    )
  )

  it("each has its test here", () => {
    expect(card.weaknesses.map(({ name }) => name)).toEqual(["many leaders", "forgotten members", "forgotten epochs"])
  })
})

describe("options", () => {
  it.effect.each([
    [{ patience: 0 }, "patience"],
    [{ heartbeatEvery: "soon" as "1 second" }, "heartbeatEvery"]
  ] as const)("%o is refused", ([options, at]) =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const error = yield* Effect.flip(Layer.build(Invitation.layer(options).pipe(Layer.provide(transport))))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error.message).toContain(at)
    })
  )
})
