import { it } from "@effect/vitest"
import type { Protocol } from "@troupe/actor"
import { LamportClock } from "@troupe/clocks"
import { Checker, type Model, Property, System } from "@troupe/model-checker"
import { RicartAgrawala } from "@troupe/mutex"
import { Effect, Schema } from "effect"
import { describe, expect } from "vitest"

const check = <View>(model: Model.Checkable<View>, options: Checker.Options = {}): Checker.Report =>
  Effect.runSync(Checker.check(model, { stopAtViolation: false, ...options }))

describe("a protocol that runs in production", () => {
  const lamport = (count: number) => {
    const nodes = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    return System.make({
      name: "Lamport clock",
      members: System.members(LamportClock.protocol, nodes, undefined),
      user: {
        memo: 0,
        moves: ({ memo, node }): ReadonlyArray<System.Move<LamportClock.Command, number>> =>
          (memo === 0 ? nodes.filter((other) => other !== node) : []).map((to) => ({
            _tag: "Command",
            command: { _tag: "Send", to },
            memo: 1
          }))
      },
      symmetry: [nodes],
      properties: System.guarantees(LamportClock.card)
    })
  }

  it.each([2, 3, 4])("%i Lamport clocks: nearly N! fewer states, and the card is kept all the same", (count) => {
    const full = check(lamport(count), { symmetry: false })
    const reduced = check(lamport(count))
    const factorial = [1, 1, 2, 6, 24][count]!
    expect(full.uniqueStates / reduced.uniqueStates).toBeLessThanOrEqual(factorial)
    expect(full.uniqueStates / reduced.uniqueStates).toBeGreaterThan(factorial * 0.8)
    expect(reduced.properties.map(({ verdict }) => verdict)).toEqual(full.properties.map(({ verdict }) => verdict))
  })

  const entries = (nodes: ReadonlyArray<string>) =>
    System.make({
      name: "Ricart–Agrawala",
      members: System.members(RicartAgrawala.protocol, nodes, undefined),
      user: {
        memo: 0,
        moves: ({ memo, state }): ReadonlyArray<System.Move<RicartAgrawala.Command, number>> =>
          state.phase === "idle" && memo === 0 ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: 1 }] : []
      },
      symmetry: [nodes],
      properties: System.guarantees(RicartAgrawala.card)
    })

  it.effect("that breaks ties by name is refused, with the step where it does so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Checker.check(entries(["n1", "n2"])))
      expect(error).toMatchObject({ _tag: "NotSymmetric", model: "Ricart–Agrawala", nodes: ["n1", "n2"] })
      expect(error.message).toBe(
        'Ricart–Agrawala: n1 and n2 are not interchangeable: "n1 → n2: {"_tag":"Request","time":1,"view":0}" comes to ' +
          "something else where they have changed places. No rule or list may go by the order of names. Mend the " +
          "system's symmetry, or check it without."
      )
    })
  )

  it.effect("that lists nodes in the order of their names is refused at its first state", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Checker.check(entries(["n1", "n2", "n3"])))
      expect(error).toMatchObject({ _tag: "NotSymmetric", reason: expect.stringContaining("they begin differently") })
      const { complete } = yield* Checker.check(entries(["n1", "n2", "n3"]), { symmetry: false })
      expect(complete).toBe(true)
    })
  )
})

/** A node may be told to speak, to all others or to one; each remembers who was first. */
const speaker: Protocol.Protocol<string | null, "hello", string, string> = {
  name: "test/speaker",
  message: Schema.Literal("hello"),
  init: () => null,
  onCommand: (state, to, act) => {
    act.sendAll(to === "all" ? act.self.peers : [to], "hello")
    act.emit("spoke")
    return state
  },
  onMessage: (state, from) => state ?? from
}

const nodes = ["n1", "n2", "n3"]

type Speakers = System.System<string | null, "hello", string, string, never, number, any>

const speakers = (changes: Partial<Speakers> = {}) =>
  System.make<string | null, "hello", string, string, never, number, any>({
    name: "speakers",
    members: System.members(speaker, nodes, undefined),
    user: {
      memo: 0,
      moves: ({ memo }) => (memo === 0 ? [{ _tag: "Command", command: "all", memo: 1 }] : [])
    },
    symmetry: [nodes],
    properties: [],
    ...changes
  })

const withX = (protocol: typeof speaker, names = nodes) => System.members(protocol, [...names, "x"], undefined)

type Moves = System.User<string | null, string, number>["moves"]

const say = (to: string, memo = 1) => ({ _tag: "Command", command: to, memo }) as const

/** x speaks to n1, so late that states are compared with one image each: n2 and n3 change places then, n1 and n2 next. */
const late: Moves = ({ memo, node }) => {
  if (node !== "x" || memo > 98) return []
  return [memo < 98 ? { _tag: "View", view: { number: memo, members: [] }, memo: memo + 1 } : say("n1", 99)]
}

describe("what breaks the symmetry is found", () => {
  const refused = (changes: Partial<Speakers>, reason: string) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Checker.check(speakers(changes)))
      expect(error).toMatchObject({ _tag: "NotSymmetric", reason: expect.stringContaining(reason) })
    })

  it.effect("a property, or a bound, that names a node", () =>
    Effect.gen(function* () {
      const first = ({ nodes }: System.View<string | null>) => nodes[0]!.state === null
      yield* refused({ properties: [Property.always("n1 hears nothing", first)] }, 'the property "n1 hears nothing"')
      yield* refused(
        { properties: [Property.sometimes("n1 hears", first)] },
        'the property "n1 hears" tells them apart'
      )
      yield* refused({ properties: [Property.atTheEnd("n1 heard", first)] }, 'the property "n1 heard" tells them apart')
      yield* refused({ within: first }, "`within` tells them apart")
    })
  )

  it.effect("of what runs come to is decided without symmetry, names or not", () =>
    Effect.gen(function* () {
      const property = Property.eventually<System.View<string | null>>(
        "n1 hears",
        (view) => view.nodes[0]!.state !== null
      )
      const report = yield* Checker.check(speakers({ properties: [property] }))
      expect(report.properties[0]!.verdict).toBe("holds")
    })
  )

  it.effect("a history of places instead of names", () => {
    const note: System.Record<ReadonlyArray<unknown>>["note"] = (history, occurrence) =>
      occurrence._tag === "Emitted" ? [...history, nodes.indexOf(occurrence.node)] : history
    return refused({ record: { init: [], note } }, ': all" comes to something else')
  })

  it.effect("a user who goes by names", () =>
    refused(
      {
        user: {
          memo: 0,
          moves: ({ memo, node }) => (memo === 0 && node !== "n3" ? [{ _tag: "Command", command: "all", memo: 1 }] : [])
        }
      },
      ': all" comes to something else'
    )
  )

  // x speaks to n1 or to n2. Of these two states that with n1 is kept, and n2 stands in its image.
  const either: Moves = ({ memo, node }) => (memo === 0 && node === "x" ? [say("n1"), say("n2")] : [])
  const twins: Partial<Speakers> = { members: withX(speaker, ["n1", "n2"]), symmetry: [["n1", "n2"]] }

  it.effect("what only the image can do", () => {
    const moves: Moves = (given) =>
      given.node === "n2" && given.state !== null && given.memo === 0 ? [say("all")] : either(given)
    return refused({ ...twins, user: { memo: 0, moves } }, '"n2: all" comes to something else')
  })

  it.effect("a bound that only the image is within", () => {
    const within = ({ nodes }: System.View<string | null>) => nodes[0]!.state === null
    return refused({ ...twins, user: { memo: 0, moves: either }, within }, "`within` tells them apart")
  })

  it.effect("a protocol that throws for some", () => {
    const picky: typeof speaker = {
      ...speaker,
      onMessage: (state, _from, _message, act) => {
        if (act.self.id !== "n1") throw new RangeError("not for me")
        return state
      }
    }
    return refused({ members: withX(picky), user: { memo: 0, moves: late } }, "a step throws RangeError")
  })

  it.effect("but a way to where a property breaks is told first", () =>
    Effect.gen(function* () {
      const deaf = Property.always<System.View<string | null>>("nobody hears", (view) =>
        view.nodes.every(({ state }) => state === null)
      )
      const { properties } = yield* Checker.check(
        speakers({ members: withX(speaker), user: { memo: 0, moves: late }, properties: [deaf] })
      )
      expect(properties[0]!.counterexample!.steps.at(-1)).toBe("x → n1: hello")
    })
  )

  it.effect("first states that name a node", () => {
    const partial: typeof speaker = { ...speaker, init: ({ id }) => (id === "n2" ? "n1" : null) }
    return refused({ members: System.members(partial, nodes, undefined) }, "they begin differently")
  })
})

describe("a group that makes no sense is refused", () => {
  const other = { ...speaker, name: "test/other" }
  const many = Array.from({ length: 7 }, (_, i) => `n${i + 1}`)
  it.effect.each<readonly [reason: string, changes: Partial<Speakers>]>([
    ["n4 is no member of the system", { symmetry: [["n1", "n4"]] }],
    ["n1 is named twice", { symmetry: [["n1", "n2", "n1"]] }],
    [
      "n2 is named twice",
      {
        symmetry: [
          ["n1", "n2"],
          ["n3", "n2"]
        ]
      }
    ],
    [
      "n1 and n2 run different protocols, test/speaker and test/other",
      { members: nodes.map((node) => ({ node, protocol: node === "n2" ? other : speaker, options: undefined })) }
    ],
    [
      "n1 and n3 have different options",
      { members: nodes.map((node) => ({ node, protocol: speaker, options: { isFirst: node !== "n3" } })) }
    ],
    ["n1 and n2 do not both crash: name both in crashes.nodes, or neither", { crashes: { max: 1, nodes: ["n1"] } }],
    [
      "split 1 of the network has no like in which n2, n3 change places",
      { network: { splits: [[["n1", "n2"], ["n3"]]] } }
    ],
    [
      "there are 7! = 5040 permutations, and at most 720 can be gone through",
      { members: System.members(speaker, many, undefined), symmetry: [many] }
    ]
  ])("%s", ([reason, changes]) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(Checker.check(speakers(changes)))).toMatchObject({ _tag: "NotSymmetric", reason })
    })
  )
})

describe("what nodes are in", () => {
  const silent = { memo: 0, moves: () => [] }

  it("splits of the network change places with the nodes", () => {
    const splits = nodes.map((node) => [[node], nodes.filter((other) => other !== node)])
    // Whole, split in one of three ways, whole for good; with two splits, once more.
    const once = speakers({ user: silent, network: { splits } })
    expect([check(once, { symmetry: false }).uniqueStates, check(once).uniqueStates]).toEqual([5, 3])
    const twice = speakers({ user: silent, network: { splits, maxSplits: 2 } })
    expect([check(twice, { symmetry: false }).uniqueStates, check(twice).uniqueStates]).toEqual([9, 5])
    // What is said meanwhile is lost, to whom depends on the split.
    const [full, reduced] = [false, true].map((symmetry) => check(speakers({ network: { splits } }), { symmetry }))
    expect(reduced!.complete).toBe(true)
    expect(full!.uniqueStates / reduced!.uniqueStates).toBeGreaterThan(5)
    expect(full!.uniqueStates / reduced!.uniqueStates).toBeLessThan(6)
  })

  it("messages of a channel keep their order", () => {
    const pair = ["n1", "n2"]
    const twice: Protocol.Protocol<null, number, number> = {
      name: "test/twice",
      message: Schema.Int,
      init: () => null,
      onCommand: (state, first, act) => {
        act.sendAll(act.self.peers, first)
        act.sendAll(act.self.peers, 3 - first)
        return state
      },
      onMessage: (state) => state
    }
    const model = System.make<null, number, number, never, never, number>({
      name: "twice",
      members: System.members(twice, pair, undefined),
      user: {
        memo: 0,
        moves: ({ memo }) => (memo === 0 ? [1, 2] : []).map((command) => ({ _tag: "Command", command, memo: 1 }))
      },
      network: { order: "fifo" },
      symmetry: [pair],
      properties: []
    })
    // Of each: silent, or on their way 12, 21, 1, 2 or nothing more. Pairs, and unordered pairs.
    expect([check(model, { symmetry: false }).uniqueStates, check(model).uniqueStates]).toEqual([36, 21])
  })

  it("how many losses are left is told apart", () => {
    const deaf: typeof speaker = { ...speaker, onMessage: (state) => state }
    const model = speakers({
      members: System.members(deaf, ["n1", "n2"], undefined),
      network: { order: "fifo", loss: 1 },
      symmetry: [["n1", "n2"]]
    })
    // Of each: silent, on its way, or gone. Pairs, those with one gone once more; and unordered pairs.
    expect([check(model, { symmetry: false }).uniqueStates, check(model).uniqueStates]).toEqual([9 + 5, 6 + 3])
  })

  it("nodes that are down are counted, not named", () => {
    const model = speakers({ user: silent, crashes: { max: 3 } })
    expect([check(model, { symmetry: false }).uniqueStates, check(model).uniqueStates]).toEqual([8, 4])
  })

  it("nodes may be called what fields are called", () => {
    const named = ["left", "timer"]
    const waiting: Protocol.Protocol<number, "hello", "speak", never, string> = {
      name: "test/waiting",
      message: Schema.Literal("hello"),
      init: () => 0,
      onStart: (state, act) => {
        for (const node of act.self.nodes) act.setTimer(node, 10)
        return state
      },
      onCommand: (state) => state,
      onMessage: (state) => state,
      onTimeout: (state, timer, act) => state * 2 + (timer === act.self.id ? 1 : 2)
    }
    const model = System.make({
      name: "waiting",
      members: System.members(waiting, named, undefined),
      symmetry: [named],
      properties: []
    })
    // Each runs out of its two timers in one order or the other: 5 local states. Pairs, and unordered pairs.
    expect([check(model, { symmetry: false }).uniqueStates, check(model).uniqueStates]).toEqual([25, 15])
  })
})
