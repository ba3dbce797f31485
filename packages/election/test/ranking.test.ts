/** The bully algorithm where nodes report the quality of their hosts. */
import { Bully, InvalidOptions } from "@troupe/election"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { nodesOf, processOf, sizes, testing, total, type TraceEvent } from "./elections.ts"

const { allHold, exhaust, run, search, sent, verdicts } = testing(Bully)

const ranked = (quality: number, stableForMillis: number): Bully.Options => ({
  ...Bully.defaults,
  ranking: { quality, stableForMillis }
})
/** The lower the id, the better the host. */
const reversed = (node: string): Bully.Options => ranked(10 - Number(node.slice(1)), 0)

const message = (from: string, given: Bully.Message) => ({ _tag: "Message", from, message: given }) as const
const timeout = (timer: "answer" | "claim" | "stable") => ({ _tag: "Timeout", timer }) as const

describe("a node whose host is of a higher quality outranks one of a higher id", () => {
  const process = processOf(Bully.protocol, nodesOf(3), ranked(2, 0))

  it("it asks all, for it does not know who outranks it", () => {
    expect(process("P2", { _tag: "Start" }).sent).toEqual(
      ["P1", "P3"].map((node) => [node, { _tag: "Election", seen: 0, quality: 2 }])
    )
  })

  it("it answers the lower, and is silent to the higher", () => {
    const asked = (quality: number) =>
      process("P1", { _tag: "Start" }, message("P3", { _tag: "Election", seen: 0, quality }))
    expect(asked(1).sent).toEqual([["P3", { _tag: "Ok", seen: 0 }]])
    expect(asked(2).sent).toEqual([])
    expect(asked(3).sent).toEqual([])
  })

  it("it follows the claim of a higher one alone", () => {
    const claimed = (quality: number) =>
      process("P2", { _tag: "Start" }, message("P1", { _tag: "Coordinator", epoch: 3, quality })).state.leader
    expect(claimed(3)).toEqual({ id: "P1", epoch: 3 })
    expect(claimed(1)).toBeUndefined()
  })
})

describe("a node that has not been up for `stableFor` reports no quality", () => {
  const process = processOf(Bully.protocol, nodesOf(3), ranked(2, 5000))
  const leader = message("P1", { _tag: "Heartbeat", epoch: 3, quality: 1 })

  it("it follows a lower leader, until it has been", () => {
    expect(process("P3", { _tag: "Start" }).timers).toMatchObject({ stable: 5000 })
    expect(process("P3", { _tag: "Start" }, leader).state).toMatchObject({ leader: { id: "P1" }, quality: 0 })
    const after = process("P3", { _tag: "Start" }, leader, timeout("stable"), leader)
    expect(after.state).toMatchObject({ role: "electing", quality: 2 })
  })

  it("unless there is none: a node that claims to lead has its quality at once", () => {
    const { sent, state } = process("P3", { _tag: "Start" }, timeout("answer"))
    expect(state).toMatchObject({ role: "claiming", quality: 2 })
    expect(sent).toEqual(["P1", "P2"].map((node) => [node, { _tag: "Coordinator", epoch: 5, quality: 2 }]))
  })
})

describe("every interleaving: the guarantees hold of ranks as they do of ids", () => {
  it.each([
    ["equal hosts", { nodes: 3, options: ranked(1, 0), crashes: { max: 1, restart: true } }],
    ["the worst has the highest id", { nodes: 3, options: reversed, crashes: { max: 1, restart: true } }],
    ["the worst has the highest id", { nodes: 3, options: reversed, resign: ["P1"] }],
    ["a wait of 2 s", { nodes: 3, options: ranked(1, 2000), crashes: { max: 1, restart: true } }],
    ["a wait of 2 s", { nodes: 2, options: ranked(1, 2000), crashes: { max: 2, restart: true } }],
    ["a wait of 1 s", { nodes: 3, options: ranked(1, 1000), crashes: { max: 2 } }]
  ] as const)("%s: %o", async (_name, given) => {
    const report = await exhaust(given)
    expect(verdicts(report)).toEqual(allHold)
    expect(report.complete).toBe(true)
  })

  it("a rank that is not reported is found out: a lower one leads", async () => {
    const silent: typeof Bully.protocol = {
      ...Bully.protocol,
      onMessage: (state, from, { ...given }, act) => {
        if ("quality" in given) delete (given as { quality?: number }).quality
        return Bully.protocol.onMessage(state, from, given, act)
      }
    }
    const report = await exhaust({ nodes: 2, options: reversed, protocol: silent, only: ["the highest leads"] })
    expect(verdicts(report)).toEqual({ "the highest leads": "violated" })
  })
})

describe("in simulation, under crashes", () => {
  it.live.each([
    ["the worst has the highest id", 5, reversed],
    ["a wait of 5 s", 5, ranked(1, 5000)]
  ] as const)("every guarantee holds: %s, %d nodes, seeds 1..200", ([, nodes, options]) =>
    Effect.map(search({ nodes, options, faults: "crash", seeds: 200 }), ({ broken }) => expect(broken).toEqual([]))
  )
})

/** The leaders that P1 follows in a minute in which P5 is up for three seconds of every five. */
const leaders = (options: Bully.Options) =>
  Effect.gen(function* () {
    const followed: Array<string> = []
    const { violations } = yield* run({
      nodes: 5,
      options,
      only: ["at most one leader", "one leader an epoch"],
      trace: (event) => {
        if (event._tag !== "Step" || event.node !== "P1") return
        for (const action of event.actions) {
          if (action._tag !== "Emit") continue
          const { leader } = action.event as Bully.Event
          if (leader !== undefined && leader.id !== followed.at(-1)) followed.push(leader.id)
        }
      },
      test: (simulator) =>
        Effect.forEach(nodesOf(12), () =>
          Effect.gen(function* () {
            yield* Effect.sleep("3 seconds")
            yield* simulator.crash("P5")
            yield* Effect.sleep("2 seconds")
            yield* simulator.restart("P5")
          })
        )
    })
    expect(violations).toEqual([])
    return followed
  })

describe("an unstable highest node", () => {
  it.live("makes an election each time that it comes and goes: 24 leaders in a minute", () =>
    Effect.map(leaders(Bully.defaults), (followed) => expect(followed).toEqual(nodesOf(12).flatMap(() => ["P5", "P4"])))
  )

  it.live("leads once, and never again, when it must have been up for longer than it stays", () =>
    Effect.map(leaders(ranked(1, 10_000)), (followed) => expect(followed).toEqual(["P5", "P4"]))
  )
})

describe("messages", () => {
  it.live.each(sizes)("3N(N−1)/2 + N−1 when all start together: N = %d", (nodes) =>
    Effect.gen(function* () {
      const events: Array<TraceEvent> = []
      yield* run({
        nodes,
        options: ranked(1, 0),
        trace: (event) => events.push(event),
        test: () => Effect.sleep("1 second")
      })
      expect(total(sent(events))).toBe((3 * nodes * (nodes - 1)) / 2 + nodes - 1)
    })
  )
})

describe("options", () => {
  it.effect.each([
    [{ quality: 0 }, "quality"],
    [{ quality: Number.NaN }, "quality"],
    [{ stableFor: -1 }, "stableFor"],
    [{ stableFor: "soon" as "1 second" }, "stableFor"]
  ] as const)("a ranking of %o is refused", ([ranking, at]) =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const error = yield* Effect.flip(Layer.build(Bully.layer({ ranking }).pipe(Layer.provide(transport))))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error.message).toContain(at)
    })
  )
})
