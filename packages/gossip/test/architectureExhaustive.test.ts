/** Every interleaving of three replica managers and two front ends, with retries by way of another replica manager. */
import { GossipArchitecture } from "@troupe/gossip"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { letters, protocol, replicas } from "./architecture/hand.ts"

type State = GossipArchitecture.State
type Protocol = typeof protocol

/** What front ends were told, and in which order replica managers have executed updates. */
interface History {
  readonly answers: ReadonlyArray<string>
}

const record: System.Record<History, any, GossipArchitecture.Event, GossipArchitecture.Command> = {
  init: { answers: [] },
  about: (occurrence) => occurrence._tag === "Emitted" && occurrence.event._tag === "Answered",
  note: (history, occurrence) =>
    occurrence._tag === "Emitted" && occurrence.event._tag === "Answered"
      ? { answers: [...history.answers, `${occurrence.node}: ${occurrence.event.answer as string}`] }
      : history
}

type View = System.View<State, History>

const values = ({ nodes }: View): ReadonlyArray<string> =>
  nodes.flatMap(({ state: { replica } }) => (replica === undefined ? [] : [replica.value as string]))

/** b is made by who has been told of a; so is what c2 asks after its b. */
const causeFirst = Property.always("a before b, at every replica", (view: View) =>
  values(view).every(
    (value) => !value.includes("b") || (value.includes("a") && value.indexOf("a") < value.indexOf("b"))
  )
)
const once = Property.always("each update is executed once", (view: View) =>
  values(view).every((value) => new Set(value).size === value.length)
)
const waits = Property.always("an answer has what its client has seen", (view: View) =>
  view.history.answers.every((answer) => answer === "c2: ab")
)

/** An update has two records. */
const retried = ({ nodes }: View): boolean =>
  nodes.some(({ state: { replica } }) =>
    [...(replica?.clients.values() ?? [])].some(({ updates }) => updates.some(({ inLog }) => inLog > 1))
  )

const guarantees = System.guarantees(GossipArchitecture.cardOf(letters)).filter(({ kind }) => kind === "always")
const always = [causeFirst, once, waits, ...guarantees]

/** What each front end does, in its order; the second begins when it has been told of what the first did. */
const scripts: Readonly<Record<string, ReadonlyArray<GossipArchitecture.Command>>> = {
  c1: [{ _tag: "Update", operation: 1, update: "a", order: "causal" }],
  c2: [
    { _tag: "Learn", timestamp: [1, 0, 0, 0] },
    { _tag: "Update", operation: 1, update: "b", order: "causal" },
    { _tag: "Query", operation: 2, query: undefined }
  ]
}

const check = (given: {
  readonly protocol?: Protocol
  readonly maxDepth?: number
  readonly loss?: number
  readonly duplication?: boolean
  readonly retries?: boolean
  readonly scripts?: Readonly<Record<string, ReadonlyArray<GossipArchitecture.Command>>>
  readonly properties?: ReadonlyArray<Property.Property<View>>
}) => {
  const options = { ...GossipArchitecture.defaults, replicas, updatesPerGossip: 1 }
  const machine = quiet(given.protocol ?? protocol, given.retries ?? given.protocol === impatient)
  const commands = given.scripts ?? scripts
  return Effect.runPromise(
    Checker.check(
      System.make({
        name: "gossip architecture",
        members: System.members(machine, ["c1", "c2", ...replicas], options),
        network: { ...(given.loss === undefined ? {} : { loss: given.loss }), duplication: given.duplication ?? false },
        timeouts: "any",
        user: {
          memo: 0,
          moves: ({ memo, node }): ReadonlyArray<System.Move<GossipArchitecture.Command, number>> => {
            const command = commands[node]?.[memo]
            return command === undefined ? [] : [{ _tag: "Command", command, memo: memo + 1 }]
          }
        },
        record,
        properties: given.properties ?? [
          ...always,
          Property.sometimes("the query is answered", ({ history }: View) => history.answers.length > 0)
        ]
      }),
      given.maxDepth === undefined ? {} : { maxDepth: given.maxDepth }
    )
  )
}

/** Without what goes on for ever: intervals and, unless they are looked at, retries; and with nothing to say at the start. */
const quiet = (of: Protocol, retries: boolean): Protocol => ({
  ...of,
  onStart: (state, act) => of.onStart!(state, { ...act, self: act.self, setTimer: () => {}, sendAll: () => {} }),
  onCommand: (state, command, act) => of.onCommand(state, command, withTimers(act, retries)),
  onMessage: (state, from, message, act) => of.onMessage(state, from, message, withTimers(act, retries)),
  onTimeout: (state, timer, act) => of.onTimeout!(state, timer, withTimers(act, false))
})

/** r2 takes over at its first interval after it has heard of an update that waits for its place. */
const impatient: Protocol = {
  ...protocol,
  onMessage: (state, from, message, act) => {
    const next = protocol.onMessage(state, from, message, act)
    if (act.self.id === "r2" && message._tag === "Update") act.setTimer("retry", 1)
    return next
  },
  onTimeout: (state, _retry, act) => {
    const { replica } = state
    if (replica === undefined) return state
    const agreement = { ...replica.agreement, stalled: 100 }
    return protocol.onTimeout!({ ...state, replica: { ...replica, agreement } }, "gossip", act)
  }
}

/** As it, and does not hear what others have accepted. */
const heedless: Protocol = {
  ...impatient,
  onMessage: (state, from, message, act) =>
    impatient.onMessage(state, from, message._tag === "Promise" ? { ...message, accepted: null } : message, act)
}

type Act = Parameters<Protocol["onCommand"]>[2]

const withTimers = (act: Act, retries: boolean): Act => ({
  ...act,
  self: act.self,
  setTimer: (timer, millis) => {
    if (retries && timer === "retry") act.setTimer(timer, millis)
  }
})

const verdicts = ({ properties }: Checker.Report) =>
  Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))

const expectSound = (report: Checker.Report): void => {
  const { "the query is answered": reached, ...always } = verdicts(report)
  if (reached !== undefined) expect(reached).toBe("holds")
  expect(Object.entries(always).filter(([, verdict]) => verdict === "violated")).toEqual([])
}

describe("two front ends, two updates and a query", () => {
  it("causes come first, and the query has what its client knows of, in every order of messages", async () => {
    const report = await check({})
    expectSound(report)
    expect(report.complete).toBe(true)
    expect(report.uniqueStates).toBeGreaterThan(2_000)
  })

  it("each update is executed once where its front end asks another replica manager too", async () => {
    const report = await check({
      retries: true,
      scripts: { c1: [...scripts["c1"]!, { _tag: "Query", operation: 2, query: undefined }] },
      properties: [once, ...guarantees, Property.sometimes("it comes to two", retried)]
    })
    expectSound(report)
    expect(report.complete).toBe(true)
    expect(verdicts(report)["it comes to two"]).toBe("holds")
  }, 30_000)

  it.each([
    ["doubled", { duplication: true, maxDepth: 10 }],
    ["lost", { loss: 1, maxDepth: 10 }]
  ])("and where messages are %s", async (_, network) => {
    const report = await check({ retries: true, ...network })
    expectSound(report)
  })
})

describe("two forced updates, and a replica manager that takes over", () => {
  const forced = (letter: string): ReadonlyArray<GossipArchitecture.Command> => [
    { _tag: "Update", operation: 1, update: letter, order: "forced" }
  ]
  const order = (of: Protocol, maxDepth: number) =>
    check({
      protocol: of,
      retries: true,
      scripts: { c1: forced("a"), c2: forced("b") },
      maxDepth,
      properties: [
        Property.always(
          "one order",
          (view: View) => new Set(values(view).filter(({ length }) => length === 2)).size <= 1
        ),
        Property.sometimes("taken over", ({ nodes }: View) =>
          nodes.some(({ node, state: { replica } }) => node === "r2" && replica?.agreement.lead?.phase === "proposing")
        ),
        once,
        ...guarantees
      ]
    })

  it("have one order at all", async () => {
    const report = await order(impatient, 12)
    expectSound(report)
    expect(verdicts(report)["taken over"]).toBe("holds")
    expect(report.uniqueStates).toBeGreaterThan(20_000)
  }, 100_000)

  it("and two where who takes over does not heed what was accepted", async () => {
    const report = await order(heedless, 12)
    expect(verdicts(report)).toMatchObject({ "one order of forced and immediate updates": "violated" })
  }, 100_000)
})

describe("a fault that is planted is found", () => {
  const nothing = [0, 0, 0, 0]
  const mutant = (change: (message: any) => any): Protocol => ({
    ...protocol,
    onMessage: (state, from, message, act) => protocol.onMessage(state, from, change(message), act)
  })

  it("a query that does not wait", async () => {
    const report = await check({
      protocol: mutant((message) => (message._tag === "Query" ? { ...message, prev: nothing } : message))
    })
    expect(verdicts(report)).toMatchObject({ "an answer has what its client has seen": "violated" })
  })

  it("a replica manager that executes an update before its causes", async () => {
    const report = await check({
      protocol: mutant((message) =>
        message._tag === "Update" ? { ...message, request: { ...message.request, prev: nothing } } : message
      )
    })
    expect(verdicts(report)).toMatchObject({ "a before b, at every replica": "violated" })
  })

  it("one that keeps no table of what it has executed", async () => {
    const forgetful: Protocol = {
      ...protocol,
      onMessage: (state, from, message, act) => {
        const next = protocol.onMessage(state, from, message, act)
        return next.replica === undefined ? next : { ...next, replica: { ...next.replica, clients: new Map() } }
      }
    }
    const report = await check({ protocol: forgetful, retries: true, properties: [once], maxDepth: 10 })
    expect(verdicts(report)).toMatchObject({ "each update is executed once": "violated" })
  })
})
