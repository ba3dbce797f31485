import { Checker, Property, System } from "@troupe/model-checker"
import { LeaseLock } from "@troupe/mutex"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { nodesOf } from "./system.ts"

const { card, protocol } = LeaseLock
type Machine = typeof protocol
type View = System.View<LeaseLock.State, ReadonlyArray<number>>

interface Memo {
  readonly asked: number
  readonly withdrawn: number
}

interface Exhausted {
  readonly nodes: number
  readonly entries: number
  readonly withdrawals?: number
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  /** Default: clocks keep to the bound. */
  readonly timeouts?: "any" | "synchronous"
  /** How many questions a node asks of the register before it is left alone: signs of a holder have no end. */
  readonly calls?: number
  readonly protocol?: Machine
  readonly options?: Partial<LeaseLock.Options>
  readonly only?: string
}

/** The holder's term is 90 ms, and it shows a sign every 30 ms. */
const times: LeaseLock.Options = {
  leaseMillis: 100,
  driftBound: 0,
  stopMillis: 10,
  pollMillis: 100,
  register: { retryMillis: 5, giveUpAfter: 4 }
}

const exhaust = async ({ calls = 8, entries, network, nodes, only, withdrawals = 0, ...given }: Exhausted) => {
  const move = (_tag: "Acquire" | "Release", memo: Memo) => ({ _tag: "Command", command: { _tag }, memo }) as const
  const system = System.make({
    name: "lease lock",
    members: System.members(given.protocol ?? protocol, nodesOf(nodes), { ...times, ...given.options }),
    timeouts: given.timeouts ?? "synchronous",
    ...(network === undefined ? {} : { network }),
    ...(given.crashes === undefined ? {} : { crashes: given.crashes }),
    user: {
      memo: { asked: 0, withdrawn: 0 },
      moves: ({ memo, state }): ReadonlyArray<System.Move<LeaseLock.Command, Memo>> => {
        // Leaves; or has been told to stop, and does.
        if (state.phase === "inside" || state.lease.aim === "lost") return [move("Release", memo)]
        if (state.phase === "waiting") {
          return memo.withdrawn < withdrawals ? [move("Release", { ...memo, withdrawn: memo.withdrawn + 1 })] : []
        }
        return memo.asked < entries ? [move("Acquire", { ...memo, asked: memo.asked + 1 })] : []
      }
    },
    // The tokens, in the order of entries.
    record: {
      init: [],
      about: ({ _tag }) => _tag === "Emitted",
      note: (tokens: ReadonlyArray<number>, occurrence: System.Occurrence<unknown, LeaseLock.Event>) =>
        occurrence._tag === "Emitted" && occurrence.event._tag === "Acquired"
          ? [...tokens, occurrence.event.token]
          : tokens
    },
    within: ({ nodes: all }: View) => all.every(({ state }) => state.lease.calls <= calls),
    properties: [
      ...System.guarantees(card).filter(({ kind }) => kind !== "infinitely often"),
      Property.always("tokens increase", ({ history }: View) =>
        history.every((token, i) => i === 0 || token > history[i - 1]!)
      ),
      Property.always("no token twice", ({ history }: View) => new Set(history).size === history.length),
      // Of runs with a crash of a holder.
      ...(given.crashes === undefined
        ? []
        : [
            Property.sometimes("a dead holder is followed", ({ nodes: all }: View) =>
              all.some(
                ({ alive, state }) =>
                  !alive &&
                  state.phase === "inside" &&
                  all.some((other) => other.alive && other.state.phase === "inside")
              )
            )
          ]),
      Property.atTheEnd("deadlock freedom", ({ nodes: all }: View) =>
        all.every(({ alive, state }) => !alive || state.phase === "idle")
      )
    ].filter(({ name }) => only === undefined || only === name)
  })
  const report = await Effect.runPromise(Checker.check(system))
  return {
    complete: report.complete,
    uniqueStates: report.uniqueStates,
    trace: report.properties[0]?.counterexample?.steps ?? [],
    broken: report.properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
  }
}

const split = { splits: [[["n2"], ["n1"]]] }

describe("every interleaving where clocks keep to the bound (Gray & Cheriton 1989)", () => {
  it.each([
    { nodes: 2, entries: 2, calls: 5 },
    { nodes: 2, entries: 2, calls: 5, withdrawals: 1 },
    { nodes: 2, entries: 1, calls: 5, network: { loss: 3 } },
    { nodes: 2, entries: 2, calls: 5, crashes: { max: 1, nodes: ["n2"] } },
    { nodes: 2, entries: 2, calls: 4, network: split },
    { nodes: 3, entries: 1, calls: 4 },
    { nodes: 3, entries: 1, calls: 3, crashes: { max: 1, nodes: ["n2"] } },
    { nodes: 3, entries: 1, calls: 3, network: { loss: 1 } }
  ] as ReadonlyArray<Exhausted>)("one is inside, tokens increase, nothing gets stuck: %o", async (given) => {
    const { broken, complete, uniqueStates } = await exhaust(given)
    expect({ broken, complete }).toEqual({ broken: [], complete: true })
    expect(uniqueStates).toBeGreaterThan(5_000)
  })
})

describe("every interleaving where clocks do as they please", () => {
  it("two are inside, by a shortest way: the time of one has ended for the other, and not for itself", async () => {
    const { broken, trace } = await exhaust({ nodes: 2, entries: 1, timeouts: "any", only: "mutual exclusion" })
    expect(broken).toEqual(["mutual exclusion"])
    expect(trace.filter((step) => step.includes("outlast"))).toHaveLength(1)
  })

  it("but no token is given twice, so that what the lock guards can refuse one of them", async () => {
    const report = await exhaust({ nodes: 2, entries: 1, calls: 3, timeouts: "any", only: "no token twice" })
    expect(report).toMatchObject({ broken: [], complete: true })
  })
})

describe("a lock that breaks a rule is found out", () => {
  const lease = (state: LeaseLock.State, change: Partial<LeaseLock.State["lease"]>): LeaseLock.State => ({
    ...state,
    lease: { ...state.lease, ...change }
  })
  const cases: ReadonlyArray<[string, string, Partial<Exhausted>]> = [
    ["a holder's term is longer than the lease", "mutual exclusion", { network: split, options: { stopMillis: -20 } }],
    [
      "a lease that was just seen is taken for one that has stood for its time",
      "mutual exclusion",
      {
        options: { pollMillis: 20 },
        protocol: {
          ...protocol,
          onTimeout: (state, timer, act) =>
            protocol.onTimeout!(timer === "poll" ? lease(state, { outlasted: true }) : state, timer, act)
        }
      }
    ],
    [
      "a holder does not mind that its time has ended",
      "mutual exclusion",
      {
        network: split,
        protocol: {
          ...protocol,
          onTimeout: (state, timer, act) => (timer === "expire" ? state : protocol.onTimeout!(state, timer, act))
        }
      }
    ]
  ]
  it.each(cases)("%s: %s", async (_rule, only, given) => {
    const { broken } = await exhaust({ nodes: 2, entries: 1, calls: 6, ...given, only })
    expect(broken).toEqual([only])
  })
})
