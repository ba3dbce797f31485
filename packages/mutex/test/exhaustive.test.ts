import { RicartAgrawala } from "@troupe/mutex"
import { describe, expect, it } from "@effect/vitest"
import { exhaust } from "./system.ts"

const { protocol } = RicartAgrawala
type Machine = typeof protocol

const sound = (explored: ReturnType<typeof exhaust>): void => {
  expect({ broken: explored.broken, path: explored.path }).toEqual({ broken: undefined, path: [] })
  expect(explored.ends).toBeGreaterThan(0)
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
  ] as const)("%o", (options) => sound(exhaust(options)))

  it("counts the systems of two nodes that enter once", () => {
    expect(exhaust({ nodes: 2, entries: 1 })).toMatchObject({ systems: 35, ends: 3 })
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
  ])("nodes ask again in the new view, a holder stays: %o", (options) => sound(exhaust(options)))
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
  const cases: ReadonlyArray<[string, string, Machine, Partial<Parameters<typeof exhaust>[0]>?]> = [
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
  it.each(cases)("%s: %s", (_rule, broken, machine, options) => {
    const explored = exhaust({ nodes: 2, entries: 2, ...options, protocol: machine, only: broken })
    expect(explored.broken).toBe(broken)
    expect(explored.path.length).toBeGreaterThan(0)
  })
})
