import { Tester } from "@troupe/consistency"
import { Checker, Property, System } from "@troupe/model-checker"
import { ServedRegister } from "@troupe/register"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { versioned } from "./histories.ts"

const { card, protocol } = ServedRegister
type Machine = typeof protocol
type Call = ServedRegister.Command["call"]

const read: Call = { _tag: "Read", name: "x" }
const compareAndSet = (expected: number, text: string): Call => ({ _tag: "CompareAndSet", name: "x", expected, text })

interface Exhausted {
  /** What each node calls, one after the other. The first is the host. */
  readonly calls: ReadonlyArray<ReadonlyArray<Call>>
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  readonly protocol?: Machine
  /** Nothing that must come to be is asked for: a message that comes again without end lets no time pass. */
  readonly safety?: boolean
}

/** What clients saw, as part of the state. */
const record: System.Record<Tester.History, ServedRegister.Message, ServedRegister.Event, ServedRegister.Command> = {
  init: Tester.empty,
  about: ({ _tag }) => _tag === "Commanded" || _tag === "Emitted",
  note: (history, occurrence) => {
    if (occurrence._tag === "Commanded") {
      const { call } = occurrence.command
      return Tester.invoke(
        history,
        occurrence.node,
        call._tag === "Read" ? { f: "read" } : { f: "cas", input: [call.expected, JSON.parse(call.text)] }
      )
    }
    if (occurrence._tag !== "Emitted" || occurrence.event._tag !== "Answered") return history
    const { answer } = occurrence.event
    if (answer._tag === "Full") return history
    return Tester.complete(
      history,
      occurrence.node,
      answer._tag === "Set" ? answer.version : [answer.version, JSON.parse(answer.text)]
    )
  }
}

const exhaust = async ({ calls, crashes, network, protocol: machine = protocol, safety = false }: Exhausted) => {
  const nodes = calls.map((_, i) => `n${i + 1}`)
  const known = new WeakMap<Tester.History, boolean>()
  const isLinearizable = (history: Tester.History): boolean => {
    if (!known.has(history)) known.set(history, Tester.isLinearizable(history, versioned))
    return known.get(history)!
  }
  const system = System.make({
    name: "served register",
    members: System.members(machine, nodes, ServedRegister.defaults),
    timeouts: "synchronous",
    ...(network === undefined ? {} : { network }),
    ...(crashes === undefined ? {} : { crashes }),
    user: {
      memo: 0,
      // One call at a time.
      moves: ({ memo, node, state }): ReadonlyArray<System.Move<ServedRegister.Command, number>> => {
        const call = calls[nodes.indexOf(node)]![memo]
        return call === undefined || state.open.length > 0
          ? []
          : [{ _tag: "Command", command: { _tag: "Call", request: memo + 1, call }, memo: memo + 1 }]
      }
    },
    record,
    properties: [
      ...System.guarantees(card).filter(({ kind }) => !safety || kind === "always"),
      Property.always("linearizable", ({ history }: System.View<ServedRegister.State, Tester.History>) =>
        isLinearizable(history)
      )
    ]
  })
  const { complete, properties, uniqueStates } = await Effect.runPromise(Checker.check(system))
  return {
    complete,
    uniqueStates,
    broken: properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
  }
}

describe("every interleaving: linearizable, and every call ends", () => {
  const setters = (node: string) => [compareAndSet(0, `"${node}"`), compareAndSet(1, `"${node}"`)]
  it.each([
    ["three nodes, in any order", { calls: [setters("a"), setters("b"), [read, compareAndSet(1, "1")]] }],
    [
      "doubled messages",
      { calls: [setters("a"), setters("b"), [read, compareAndSet(1, "1")]], network: { duplication: true } }
    ],
    ["two messages lost", { calls: [[read], setters("b"), [compareAndSet(0, "1"), read]], network: { loss: 2 } }],
    [
      "one lost, others doubled",
      { calls: [[compareAndSet(1, "0")], setters("b"), [read]], network: { loss: 1, duplication: true }, safety: true }
    ],
    [
      "a caller crashes",
      {
        calls: [[], setters("b"), [compareAndSet(0, "1"), read]],
        network: { loss: 1 },
        crashes: { max: 1, nodes: ["n2"] }
      }
    ]
  ] as ReadonlyArray<[string, Exhausted]>)("%s", async (_world, given) => {
    const report = await exhaust(given)
    expect(report).toMatchObject({ complete: true, broken: [] })
    expect(report.uniqueStates).toBeGreaterThan(100)
  })
})

describe("a register that breaks a rule is found out", () => {
  const contended: Exhausted = { calls: [[], [compareAndSet(0, "1")], [compareAndSet(0, "2"), read]] }

  it("does again what it has done, and has forgotten: a success that comes again is told as a failure", async () => {
    const forgetful: Machine = {
      ...protocol,
      onMessage: (state, from, message, act) => ({
        ...protocol.onMessage(state, from, message, act),
        callers: new Map()
      })
    }
    expect((await exhaust({ ...contended, protocol: forgetful, network: { loss: 1 } })).broken).toEqual([
      "linearizable"
    ])
  })

  it("compares nothing", async () => {
    const careless: Machine = {
      ...protocol,
      onMessage: (state, from, message, act) => {
        if (message._tag !== "Request" || message.call._tag === "Read")
          return protocol.onMessage(state, from, message, act)
        const expected = state.cells.get("x")?.version ?? 0
        return protocol.onMessage(state, from, { ...message, call: { ...message.call, expected } }, act)
      }
    }
    expect((await exhaust({ ...contended, protocol: careless })).broken).toEqual(["linearizable"])
  })
})
