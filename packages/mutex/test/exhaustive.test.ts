import { RicartAgrawala } from "@troupe/mutex"
import { describe, expect, it } from "@effect/vitest"
import { counterexample, exhaust, type Exhausted, type Machine, verdicts } from "./system.ts"

const { protocol } = RicartAgrawala

const sound = async (options: Exhausted): Promise<void> => {
  const report = await exhaust(options)
  expect(report.complete).toBe(true)
  expect(verdicts(report)).toEqual({
    "mutual exclusion": "holds",
    "order of claims": "holds",
    "no starvation": "holds",
    "a node enters": "holds",
    "tokens increase": "holds",
    "deadlock freedom": "holds"
  })
}

describe("every interleaving: exclusion, order of claims, increasing tokens, everybody served (Ricart & Agrawala 1981)", () => {
  it.each([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 1 },
    { nodes: 2, entries: 2 },
    { nodes: 2, entries: 2, withdrawals: 2 },
    { nodes: 2, entries: 3, withdrawals: 1 },
    { nodes: 3, entries: 1 },
    { nodes: 3, entries: 1, withdrawals: 1 },
    { nodes: 3, entries: 2 },
    { nodes: 3, entries: 2, order: "fifo" }
  ] as const)("%o", sound)

  it.each([
    [{ nodes: 2, entries: 1 }, 35],
    [{ nodes: 3, entries: 2 }, 51_851],
    [{ nodes: 3, entries: 2, order: "fifo" }, 35_202]
  ] as const)("%o: counts the states", async (options, states) => {
    expect(await exhaust({ ...options, only: "mutual exclusion" })).toMatchObject({ uniqueStates: states })
  })
})

describe("every interleaving with changes of view", () => {
  const all = ["n1", "n2", "n3"]
  it.each([
    { nodes: 2, entries: 2, views: [{ number: 1, members: ["n1", "n2"] }] },
    { nodes: 2, entries: 1, views: [1, 2].map((number) => ({ number, members: ["n1", "n2"] })) },
    {
      nodes: 2,
      entries: 2,
      withdrawals: 1,
      views: [
        { number: 1, members: ["n1"] },
        { number: 2, members: ["n1", "n2"] }
      ]
    },
    { nodes: 3, entries: 1, askers: ["n1", "n2"], views: [{ number: 1, members: all }] },
    {
      nodes: 3,
      entries: 1,
      askers: ["n2", "n3"],
      views: [
        { number: 1, members: ["n1", "n2"] },
        { number: 2, members: all }
      ]
    }
  ])("nodes ask again in the new view, a holder stays: %o", sound)
})

/** The protocol with a rule of its messages changed. */
const mutant = (onMessage: Machine["onMessage"]): Machine => ({ ...protocol, onMessage })

const repliesWhile = (phase: RicartAgrawala.State["phase"]): Machine =>
  mutant((state, from, message, act) => {
    if (message._tag === "Reply" || state.phase !== phase) return protocol.onMessage(state, from, message, act)
    act.send(from, { _tag: "Reply", time: message.time })
    return { ...state, time: Math.max(state.time, message.time) }
  })

describe("a protocol that breaks a rule is found out", () => {
  const cases: ReadonlyArray<[string, string, Machine, Partial<Exhausted>?]> = [
    ["replies while inside", "mutual exclusion", repliesWhile("inside")],
    ["replies to whoever asks while it waits", "mutual exclusion", repliesWhile("waiting")],
    [
      "ranks itself last among claims of one time",
      "mutual exclusion",
      mutant((state, from, message, act) => {
        const modest = { ...state, claim: { ...state.claim, node: "z" } }
        return message._tag === "Reply"
          ? protocol.onMessage(state, from, message, act)
          : { ...protocol.onMessage(modest, from, message, act), claim: state.claim }
      })
    ],
    [
      "ranks itself first among claims of one time",
      "deadlock freedom",
      mutant((state, from, message, act) => {
        const proud = { ...state, claim: { ...state.claim, node: "a" } }
        return message._tag === "Reply"
          ? protocol.onMessage(state, from, message, act)
          : { ...protocol.onMessage(proud, from, message, act), claim: state.claim }
      })
    ],
    [
      "does not move its clock past the requests it has heard",
      "order of claims",
      mutant((state, from, message, act) => ({ ...protocol.onMessage(state, from, message, act), time: state.time }))
    ],
    [
      "forgets whom it owes a reply",
      "deadlock freedom",
      mutant((state, from, message, act) => ({ ...protocol.onMessage(state, from, message, act), deferred: [] }))
    ],
    [
      "keeps the request that came last, not the one made last",
      "deadlock freedom",
      mutant((state, from, message, act) => {
        const others = { ...state, deferred: state.deferred.filter(({ node }) => node !== from) }
        return protocol.onMessage(message._tag === "Request" ? others : state, from, message, act)
      }),
      { withdrawals: 1 }
    ],
    [
      "hands out the same token twice",
      "tokens increase",
      {
        ...protocol,
        onCommand: (state, command, act) =>
          protocol.onCommand(state, command, {
            ...act,
            self: act.self,
            send: act.send.bind(act),
            sendAll: act.sendAll.bind(act),
            emit: () => act.emit({ _tag: "Acquired", token: 7 })
          })
      },
      { nodes: 1, entries: 2 }
    ]
  ]
  it.each(cases)("%s: %s", async (_rule, broken, machine, options) => {
    const report = await exhaust({ nodes: 2, entries: 2, ...options, protocol: machine, only: broken })
    expect(verdicts(report)).toEqual({ [broken]: "violated" })
    expect(counterexample(report, broken)!.length).toBeGreaterThan(0)
  })
})
