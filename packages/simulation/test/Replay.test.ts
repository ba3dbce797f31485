import { describe, expect, it } from "@effect/vitest"
import { LamportClock } from "@troupe/clocks"
import type { Bully } from "@troupe/election"
import { Property, System } from "@troupe/model-checker"
import { RicartAgrawala } from "@troupe/mutex"
import { Replay } from "@troupe/simulation"
import { SpaceTime, type Trace } from "@troupe/trace"
import { Effect } from "effect"
import {
  type Lock,
  type Setting,
  locks,
  elections,
  counterexample,
  filed,
  replayLocks,
  replayElection,
  finalStates,
  statesOf,
  told,
  tags,
  agree,
  untyped
} from "./replaySupport.ts"
import { three } from "./support.ts"

/** Whether n3 does not lead, or has not been away. */
const isNoReturn = ({ history, nodes }: System.View<Bully.State, boolean>): boolean =>
  !history || nodes[2]!.state.role !== "leading"

describe("a counterexample is replayed: the same steps, the same states, the same broken property", () => {
  /** Compares timestamps the wrong way round: of those who wait, it gives way to the later claims. */
  const wrongWayRound: Lock = {
    ...RicartAgrawala.protocol,
    onMessage: (state, from, message, act) => {
      const { onMessage } = RicartAgrawala.protocol
      if (message._tag === "Reply" || state.phase !== "waiting") return onMessage(state, from, message, act)
      const { claim } = state
      const isEarlier = message.time < claim.time || (message.time === claim.time && from < claim.node)
      const swapped = { ...state, claim: { ...claim, time: isEarlier ? -1 : Infinity } }
      return { ...onMessage(swapped, from, message, act), claim }
    }
  }

  it.effect("a planted bug of Ricart–Agrawala: two are inside", () =>
    Effect.gen(function* () {
      const only = System.guarantees(RicartAgrawala.card).filter(({ name }) => name === "mutual exclusion")
      const original = yield* counterexample(locks({ properties: only }, wrongWayRound))
      const { broken, claimed, snapshot, trace } = yield* agree(original, (trace) => replayLocks(trace, wrongWayRound))
      // Those claims that come later go first: that breaks the order of claims too.
      expect(claimed).toEqual(["mutual exclusion"])
      expect(broken).toContain("mutual exclusion")
      expect(snapshot.filter(({ state }) => state.phase === "inside")).toHaveLength(2)
      expect(SpaceTime.terminal(trace)).toContain("✗ mutual exclusion")
      // The last step broke it, and none before.
      const note = trace.events.find((event) => event._tag === "Note" && event.text === "mutual exclusion")
      expect(note).toMatchObject({ broken: true, atMillis: original.events.length - 1 })
    })
  )

  it.effect("starvation by a crash, once through its loop", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(locks({ crashes: { max: 1 } }))
      const { broken, snapshot } = yield* agree(original, replayLocks)
      expect(tags(original)).toContain("Crash")
      expect(broken).toEqual(["no starvation"])
      expect(snapshot.filter(({ alive }) => !alive)).toHaveLength(1)
    })
  )

  it.effect("a message that is lost, and was needed", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(locks({ network: { loss: 1 } }))
      expect(tags(original)).toContain("Lost")
      expect((yield* agree(original, replayLocks)).broken).toEqual(["no starvation"])
    })
  )

  it.effect("the split brain of bully, its timers in their order", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        elections({
          network: {
            splits: [
              [["n1"], ["n2", "n3"]],
              [["n1", "n2"], ["n3"]]
            ]
          }
        })
      )
      expect(tags(original)).toContain("Split")
      expect((yield* agree(original, replayElection)).broken).toEqual(["at most one leader"])
    })
  )

  it.effect.each(["synchronous", "any"] as const)("crashes and restarts of bully, timeouts: %s", (timeouts) =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        elections({
          timeouts,
          crashes: { max: 1, restart: true, nodes: ["n3"] },
          record: { init: false, note: (back: boolean, { _tag }: System.Occurrence) => back || _tag === "Restarted" },
          properties: [Property.always("who was away does not lead", isNoReturn)]
        }),
        { maxStates: 200_000 }
      )
      expect(tags(original)).toContain("Restart")
      const { broken, claimed } = yield* agree(original, replayElection)
      expect(claimed).toEqual(["who was away does not lead"])
      expect(broken).toEqual([])
    })
  )
})

describe("a counterexample of a reduced search is one of the whole", () => {
  it.effect.each(["breadth-first", "random"] as const)("nodes that may change places: %s", (search) =>
    Effect.gen(function* () {
      const system = System.make<any, any, any, any, any, any, any>({
        name: "clocks",
        members: System.members(untyped(LamportClock.protocol), three, undefined),
        user: {
          memo: 0,
          moves: ({ memo, node }) =>
            (memo < 2 ? three.filter((other) => other !== node) : []).map((to) => ({
              _tag: "Command",
              command: { _tag: "Send", to },
              memo: memo + 1
            }))
        },
        symmetry: [three],
        crashes: { max: 1, restart: true },
        properties: [
          Property.always("few events", ({ nodes }: System.View<LamportClock.State>) =>
            nodes.every(({ state }) => state.clock.time < 8)
          )
        ]
      })
      const original = yield* counterexample(system, { search })
      yield* agree(original, (trace) => Replay.run({ protocol: LamportClock.protocol, trace }))
    })
  )

  it.effect("orders that come to the same", () =>
    Effect.gen(function* () {
      const safety = System.guarantees(RicartAgrawala.card).filter(({ kind }) => kind === "always")
      const system = locks({ crashes: { max: 1, restart: true }, properties: safety })
      const original = yield* counterexample(system, { partialOrder: true })
      const { broken, claimed } = yield* agree(original, replayLocks)
      expect(broken).toEqual(expect.arrayContaining([...claimed]))
    })
  )
})

describe("random runs", () => {
  /** Breaks at some state a good way from the start, by its content: another one for each seed. */
  const somewhere = (seed: number) => ({
    record: { init: 0, note: (count: number) => count + 1 },
    properties: [
      Property.always(
        "somewhere",
        ({ history, messages, nodes }: System.View<any, any>) =>
          history < 20 || hash(`${seed}${JSON.stringify([nodes, messages])}`) % 8 > 0
      )
    ]
  })

  const hash = (text: string): number => {
    let sum = 0
    for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0
    return (sum ^ (sum >>> 15)) >>> 0
  }

  const clocks = (setting: Setting) =>
    System.make<any, any, any, any, any, any, any>({
      name: "clocks",
      members: System.members(untyped(LamportClock.protocol), three, undefined),
      user: {
        memo: 0,
        moves: ({ memo, node }) =>
          memo === 3
            ? []
            : [
                {
                  _tag: "Command",
                  command: { _tag: "Send", to: three[(three.indexOf(node) + memo) % 3]! },
                  memo: memo + 1
                }
              ]
      },
      properties: [],
      ...setting
    })

  const systems = {
    "Ricart–Agrawala with crashes and losses": {
      has: ["Crash", "Restart", "Lost"],
      model: (setting: Setting) => locks({ ...setting, crashes: { max: 1, restart: true }, network: { loss: true } }),
      replay: (trace: Trace.Trace) => replayLocks(trace)
    },
    "bully with everything": {
      has: ["Crash", "Restart", "Lost", "Split"],
      model: (setting: Setting) =>
        elections({
          ...setting,
          timeouts: "any",
          crashes: { max: 2, restart: true },
          network: { loss: 2, splits: [[["n1"], ["n2", "n3"]]], maxSplits: 2 }
        }),
      replay: (trace: Trace.Trace) => replayElection(trace)
    },
    "bully, synchronous, with duplicates": {
      has: ["Crash"],
      model: (setting: Setting) => elections({ ...setting, crashes: { max: 2 }, network: { duplication: true } }),
      replay: (trace: Trace.Trace) => replayElection(trace)
    },
    "Lamport clocks in order": {
      has: ["Lost"],
      model: (setting: Setting) => clocks({ ...setting, network: { order: "fifo", loss: 2 } }),
      replay: (trace: Trace.Trace) => Replay.run({ protocol: LamportClock.protocol, trace })
    }
  }

  it.effect.each(Object.entries(systems))("%s: 64 walks, the same states at every step", ([, { has, model, replay }]) =>
    Effect.gen(function* () {
      let steps = 0
      const seen = new Set<string>()
      for (let seed = 1; seed <= 64; seed++) {
        const original = yield* counterexample(model(somewhere(seed)), { search: "random", seed })
        const replayed = yield* replay(yield* filed(original))
        expect(statesOf(replayed.snapshot)).toEqual(finalStates(original))
        expect(told(replayed.trace).toSorted()).toEqual(told(original).toSorted())
        steps += replayed.steps
        for (const tag of tags(original)) seen.add(tag)
      }
      expect(steps).toBeGreaterThan(600)
      expect([...seen]).toEqual(expect.arrayContaining(has))
    })
  )
})
