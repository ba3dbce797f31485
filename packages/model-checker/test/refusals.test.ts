import type { Protocol } from "@troupe/actor"
import { Checker, Model, Parallel, Property, System } from "@troupe/model-checker"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

const throwAt3 = (count: number): void => {
  if (count === 3) throw new RangeError("out of order")
}

const counter: Model.Model<number, unknown> = {
  name: "counter",
  init: [0],
  actions: (count) => (count < 5 ? ["up"] : []),
  next: (count) => count + 1,
  properties: [Property.always("small", (count) => count < 9)]
}

const checking = (changes: Partial<Model.Model<number, unknown>>, options?: Checker.Options) =>
  Effect.flip(Checker.check(Model.make({ ...counter, ...changes }), options))

type Greeters = System.System<number, "hello", never, never, never, undefined, undefined>

/** The first node greets all others. */
const greeter: Protocol.Protocol<number, "hello"> = {
  name: "test/greeter",
  message: Schema.Literal("hello"),
  init: () => 0,
  onStart: (count, act) => {
    if (act.self.id === "n1") for (const peer of act.self.peers) act.send(peer, "hello")
    return count
  },
  onCommand: (count) => count,
  onMessage: (count) => count + 1
}

const system = (changes: Partial<Greeters>, size = 3) => {
  const thrower: typeof greeter = {
    ...greeter,
    onMessage: () => {
      throw new RangeError("who is there?")
    }
  }
  return System.make<number, "hello", never, never, never, undefined, undefined>({
    name: "greeters",
    members: System.members(
      thrower,
      Array.from({ length: size }, (_, place) => `n${place + 1}`),
      undefined
    ),
    properties: [Property.always("fine", () => true)],
    ...changes
  })
}

describe("what throws is named, with the way there", () => {
  it.effect.each(["eventually", "infinitely often", "at the end"] as const)("a property of the kind %s", (kind) =>
    Effect.gen(function* () {
      const holds = (count: number): boolean => {
        if (count === 5) throw new RangeError("out of reach")
        return false
      }
      const error = yield* checking({ properties: [{ name: "comes", kind, holds }] })
      const steps = ["start", ...Array.from({ length: 5 }, () => '"up"')]
      expect(error).toMatchObject({ _tag: "PropertyFailed", property: "comes", steps })
    })
  )

  it.effect.each<readonly [string, Partial<Model.Model<number, unknown>>]>([
    ["actions", { actions: (count) => (throwAt3(count), ["up"]) }],
    ["next", { next: (count) => (throwAt3(count), count + 1) }],
    ["within", { within: (count) => (throwAt3(count), true) }]
  ])("a model's %s", ([, changes]) =>
    Effect.gen(function* () {
      for (const search of ["breadth-first", "depth-first", "random"] as const) {
        const error = yield* checking(changes, { search })
        expect(error).toMatchObject({ _tag: "ModelFailed", model: "counter" })
        // Whether a state is within is asked where it is come to, or where it would be gone on from.
        expect((error as Checker.ModelFailed).steps.length).toBeOneOf([3, 4])
        expect(error.message).toContain("RangeError: out of order")
      }
    })
  )

  it.effect("a handler of a protocol", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Checker.check(system({}, 2)))
      expect(error).toMatchObject({ _tag: "ModelFailed", model: "greeters", steps: ["start"] })
      expect(error.message).toContain("RangeError: who is there?")
    })
  )
})

describe("what cannot be checked is refused", () => {
  const reasonOf = (error: Checker.CheckError) => {
    expect(error._tag).toBe("NotCheckable")
    return error.message
  }

  it.effect("a model without a first state, which would hold all properties", () =>
    Effect.gen(function* () {
      expect(reasonOf(yield* checking({ init: [] }))).toBe("counter: it has no first state.")
      expect(reasonOf(yield* checking({ init: [] }, { search: "random" }))).toContain("no first state")
    })
  )

  it.effect.each<Checker.Options>([
    { maxStates: NaN },
    { maxStates: 0 },
    { maxBytes: NaN },
    { maxDepth: -1 },
    { search: "random", walks: 0 },
    { search: "random", walks: 1.5 },
    { search: "random", seed: NaN },
    { search: "bread-first" as "breadth-first" }
  ])("a bound that is none: %o", (options) =>
    Effect.gen(function* () {
      expect(reasonOf(yield* checking({}, options))).toMatch(
        /^counter: .*(maxStates|maxBytes|maxDepth|walks|seed|search)/
      )
    })
  )

  it.effect.each([0, NaN, 1.5])("%d threads", (workers) =>
    Effect.gen(function* () {
      const module = import.meta.resolve("@troupe/model-checker/examples/index")
      const source = { module, build: "TwoPhaseCommit.model", args: [{ managers: 3 }] }
      expect(reasonOf((yield* Effect.flip(Parallel.check(source, { workers }))) as Checker.CheckError)).toContain(
        "workers"
      )
    })
  )

  it.effect.each<readonly [reason: string, changes: Partial<Greeters>]>([
    ["no members", { members: [] }],
    ['two members named "n1"', { members: System.members(greeter, ["n1", "n1"], undefined) }],
    ['crashes.nodes names "n9"', { crashes: { max: 1, nodes: ["n9"] } }],
    ['network.splits names "n9"', { network: { splits: [[["n1"], ["n9"]]] } }],
    ["crashes.max is NaN", { crashes: { max: NaN } }],
    ["network.loss is -2", { network: { loss: -2 } }],
    ["random is empty", { random: [] }]
  ])("a system: %s", ([reason, changes]) =>
    Effect.gen(function* () {
      expect(reasonOf(yield* Effect.flip(Checker.check(system(changes))))).toContain(reason)
    })
  )
})

describe("what is odd is taken", () => {
  it.effect("a state in a circle is told in a line", () =>
    Effect.gen(function* () {
      const circle: { self?: unknown } = {}
      circle.self = circle
      const error = yield* Effect.flip(Checker.check(Model.make({ ...counter, init: [circle as never] })))
      expect(error).toMatchObject({ _tag: "NotSerialisable" })
      expect(error.message.length).toBeLessThan(300)
      expect(error.message).toContain("circle")
    })
  )

  it.effect("actions that JSON has no words for are told", () =>
    Effect.gen(function* () {
      const report = yield* Checker.check(
        Model.make<number, unknown>({
          ...counter,
          actions: (count) => (count < 2 ? [12n] : [new Map([["a", 1]])]),
          properties: [Property.always("small", (count) => count < 3)]
        })
      )
      expect(report.properties[0]!.counterexample!.steps).toEqual([
        "start",
        '"12n"',
        '"12n"',
        '"Map(1) {\\"a\\" => 1}"'
      ])
    })
  )

  it.effect("more nodes, and more messages at the start, than there is room for at first", () =>
    Effect.gen(function* () {
      const nodes = Array.from({ length: 70 }, (_, place) => `n${place + 1}`)
      const report = yield* Checker.check(
        system({
          members: System.members(greeter, nodes, undefined),
          properties: [Property.always("all are greeted", ({ messages }) => messages.length === 69)]
        }),
        { maxDepth: 0 }
      )
      expect(report).toMatchObject({ uniqueStates: 1, properties: [{ verdict: "unknown" }] })
    })
  )
})
