import { it } from "@effect/vitest"
import { Checker, Model, Property } from "@troupe/model-checker"
import { Effect } from "effect"
import { describe, expect } from "vitest"

interface Graph {
  readonly init: ReadonlyArray<number>
  /** State, then where each step leads; the step's name is its target unless named. */
  readonly steps: Readonly<Record<number, ReadonlyArray<number | readonly [to: number, name: string]>>>
  readonly unfair?: ReadonlyArray<string>
}

const edges = ({ steps }: Graph, state: number) =>
  (steps[state] ?? []).map((step) =>
    typeof step === "number" ? { to: step, name: `${state}-${step}` } : { to: step[0], name: step[1] }
  )

const graph = (given: Graph, property: Property.Property<number>) =>
  Model.make<number, string>({
    name: "graph",
    init: given.init,
    actions: (state) => edges(given, state).map(({ name }) => name),
    next: (state, action) => edges(given, state).find(({ name }) => name === action)!.to,
    isFair: (action) => given.unfair?.includes(action) !== true,
    describe: (action) => action,
    properties: [property]
  })

const verdict = (given: Graph, property: Property.Property<number>) =>
  Effect.map(Checker.check(graph(given, property)), (report) => report.properties[0]!)

const eventually = (goal: number) => Property.eventually<number>("goal", (state) => state === goal)
const again = (goal: number) => Property.infinitelyOften<number>("goal", (state) => state === goal)

describe("what runs come to", () => {
  it.effect("a circle that avoids the goal is found, though it joins a path that reaches it", () =>
    Effect.gen(function* () {
      // 0 → 1 → 2 → 1 is a circle; 2 → 3 is the goal. Weak fairness: 2-3 is not possible in 1, so it may be put off.
      const { counterexample, verdict: is } = yield* verdict(
        { init: [0], steps: { 0: [1], 1: [2], 2: [1, 3] } },
        eventually(3)
      )
      expect(is).toBe("violated")
      expect(counterexample).toMatchObject({ steps: ["start", "0-1", "1-2", "2-1"], loopFrom: 2 })
    })
  )

  it.effect("a path that joins one which was seen to reach the goal is still held to it", () =>
    Effect.gen(function* () {
      // 0 → 1, the goal, → 4 and 0 → 2 → 4 join in 4, which is come to first behind the goal.
      const { counterexample, verdict: is } = yield* verdict(
        { init: [0], steps: { 0: [1, 2], 1: [4], 2: [4] } },
        eventually(1)
      )
      expect(is).toBe("violated")
      expect(counterexample).toMatchObject({ steps: ["start", "0-2", "2-4"], loopFrom: 3 })
    })
  )

  it.effect("a step that can happen all the time happens", () =>
    Effect.gen(function* () {
      const steps = {
        0: [
          [0, "spin"],
          [1, "go"]
        ]
      } as const
      expect((yield* verdict({ init: [0], steps }, eventually(1))).verdict).toBe("holds")
      expect(yield* verdict({ init: [0], steps, unfair: ["go"] }, eventually(1))).toMatchObject({
        verdict: "violated",
        counterexample: { steps: ["start", "spin"], loopFrom: 1 }
      })
    })
  )

  it.effect("a fair step that is possible all round a circle must be taken, one that comes and goes need not", () =>
    Effect.gen(function* () {
      const always = {
        0: [
          [1, "a"],
          [2, "go"]
        ],
        1: [
          [0, "b"],
          [2, "go"]
        ]
      } as const
      expect((yield* verdict({ init: [0], steps: always }, eventually(2))).verdict).toBe("holds")
      const sometimes = {
        0: [
          [1, "a"],
          [2, "go"]
        ],
        1: [[0, "b"]]
      } as const
      expect((yield* verdict({ init: [0], steps: sometimes }, eventually(2))).verdict).toBe("violated")
    })
  )

  it.effect("an end short of the goal breaks both kinds, and where only what is unfair could happen is an end", () =>
    Effect.gen(function* () {
      for (const kind of [eventually(2), again(2)]) {
        expect((yield* verdict({ init: [0], steps: { 0: [1] } }, kind)).verdict).toBe("violated")
        const unfair = { init: [0], steps: { 0: [[2, "fault"]] }, unfair: ["fault"] } as const
        expect((yield* verdict(unfair, kind)).counterexample).toMatchObject({ steps: ["start"], loopFrom: 1 })
      }
    })
  )

  it.effect("to come to the goal once is enough for `eventually`, and not for `infinitely often`", () =>
    Effect.gen(function* () {
      const once = { init: [0], steps: { 0: [1], 1: [2], 2: [2] } }
      expect((yield* verdict(once, eventually(1))).verdict).toBe("holds")
      expect((yield* verdict(once, again(1))).verdict).toBe("violated")
      expect((yield* verdict({ init: [0], steps: { 0: [1], 1: [0] } }, again(1))).verdict).toBe("holds")
    })
  )
})

describe("random graphs, against the definition", () => {
  /** Whether some set of states can be stayed in for ever, fairly, without the goal: every set is tried. */
  const broken = (given: Graph, size: number, goal: number, kind: string): boolean => {
    const closure = (from: ReadonlyArray<number>, isIn: (state: number) => boolean): ReadonlySet<number> => {
      const seen = new Set(from.filter(isIn))
      for (const state of seen) for (const { to } of edges(given, state)) if (isIn(to)) seen.add(to)
      return seen
    }
    const reachable = closure(given.init, (state) => kind === "infinitely often" || state !== goal)
    for (let set = 1; set < 1 << size; set++) {
      const isIn = (state: number) => (set & (1 << state)) !== 0
      const states = [...Array(size).keys()].filter(isIn)
      if (isIn(goal) || !states.every((state) => reachable.has(state))) continue
      if (!states.every((state) => closure([state], isIn).size === states.length)) continue
      const names = new Set(states.flatMap((state) => edges(given, state).map(({ name }) => name)))
      const isOwed = (name: string) =>
        given.unfair?.includes(name) !== true &&
        states.every((state) => edges(given, state).some((edge) => edge.name === name)) &&
        !states.some((state) => edges(given, state).some((edge) => edge.name === name && isIn(edge.to)))
      if (![...names].some(isOwed)) return true
    }
    return false
  }

  /** What is wrong with a lasso as a run that breaks the property, walked step by step; `undefined` where nothing is. */
  const flaw = (
    given: Graph,
    goal: number,
    kind: string,
    { loopFrom, steps }: { readonly steps: ReadonlyArray<string>; readonly loopFrom?: number }
  ): string | undefined => {
    if (steps[0] !== "start" || given.init.length !== 1) return "it does not start in the first state"
    if (loopFrom === undefined || loopFrom < 1 || loopFrom > steps.length) return "it has no loop"
    const run: Array<number> = [given.init[0]!]
    for (const name of steps.slice(1)) {
      const edge = edges(given, run.at(-1)!).find((other) => other.name === name)
      if (edge === undefined) return `${name} cannot happen in ${run.at(-1)}`
      run.push(edge.to)
    }
    const loop = run.slice(loopFrom - 1)
    if (loop[0] !== loop.at(-1)) return "the loop is not closed"
    if ((kind === "infinitely often" ? loop : run).includes(goal)) return "it comes to the goal"
    const isUntaken = ({ name }: { readonly name: string }): boolean =>
      given.unfair?.includes(name) !== true && !steps.slice(loopFrom).includes(name)
    const owed = edges(given, loop[0]!)
      .filter(isUntaken)
      .find(({ name }) => loop.every((state) => edges(given, state).some((edge) => edge.name === name)))
    return owed === undefined ? undefined : `${owed.name} is possible all along the loop, and never happens`
  }

  it("a lasso that is none is told", () => {
    const spin: Graph = {
      init: [0],
      steps: {
        0: [
          [0, "spin"],
          [1, "go"]
        ],
        1: [[0, "back"]]
      }
    }
    const flawOf = (steps: ReadonlyArray<string>, loopFrom: number, goal = 2) =>
      flaw(spin, goal, "eventually", { steps, loopFrom })
    expect(flawOf(["start", "go", "back"], 1)).toBeUndefined()
    expect(flawOf(["spin"], 1)).toMatch(/start/)
    expect(flawOf(["start", "back"], 1)).toBe("back cannot happen in 0")
    expect(flawOf(["start", "spin", "go"], 1)).toMatch(/not closed/)
    expect(flawOf(["start", "go", "back"], 1, 1)).toMatch(/goal/)
    expect(flawOf(["start", "spin"], 1)).toMatch(/^go is possible/)
    expect(flawOf(["start", "go"], 2)).toMatch(/^back is possible/)
  })

  it.effect(
    "2,000 graphs of up to six states: the verdict is right, and each lasso is a fair run that breaks the property",
    () =>
      Effect.gen(function* () {
        let seed = 1
        const below = (n: number): number => {
          seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
          return (seed >>> 8) % n
        }
        let violated = 0
        for (let round = 0; round < 2_000; round++) {
          const size = 2 + below(5)
          const steps: Record<number, Array<readonly [number, string]>> = {}
          for (let i = below(2 * size + 1); i >= 0; i--) {
            const from = below(size)
            const to = below(size)
            const name = "abc"[below(3)]!
            // One action has one outcome in a state.
            if (steps[from]?.some((step) => step[1] === name) !== true) (steps[from] ??= []).push([to, name])
          }
          const given: Graph = { init: [0], steps, unfair: below(3) === 0 ? ["a"] : [] }
          const property = [eventually, again][below(2)]!(size - 1)
          const expected = broken(given, size, size - 1, property.kind)
          if (expected) violated++
          const found = yield* verdict(given, property)
          expect({ given, verdict: found.verdict }).toEqual({ given, verdict: expected ? "violated" : "holds" })
          if (!expected) continue
          const wrong = flaw(given, size - 1, property.kind, found.counterexample!)
          expect({ given, lasso: found.counterexample, wrong }).toMatchObject({ wrong: undefined })
        }
        expect(violated).toBeGreaterThan(200)
        expect(violated).toBeLessThan(1_800)
      })
  )
})
