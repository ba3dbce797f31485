import { it } from "@effect/vitest"
import { Checker, Model, Property } from "@troupe/model-checker"
import { Effect } from "effect"
import { describe, expect } from "vitest"

/** A grid: right and down, to a corner. */
const grid = (size: number, properties: ReadonlyArray<Property.Property<{ readonly x: number; readonly y: number }>>) =>
  Model.make<{ readonly x: number; readonly y: number }, "right" | "down">({
    name: "grid",
    init: [{ x: 0, y: 0 }],
    actions: () => ["right", "down"],
    next: ({ x, y }, action) =>
      action === "right" ? (x < size ? { x: x + 1, y } : undefined) : y < size ? { x, y: y + 1 } : undefined,
    describe: (action) => action,
    properties
  })

describe("a search", () => {
  it.effect.each(["breadth-first", "depth-first"] as const)("%s sees every state once", (search) =>
    Effect.gen(function* () {
      const report = yield* Checker.check(
        grid(30, [Property.sometimes("the corner", ({ x, y }) => x === 30 && y === 30)]),
        { search }
      )
      expect(report).toMatchObject({ uniqueStates: 961, generatedStates: 1 + 2 * 30 * 31, depth: 60, complete: true })
      expect(report.properties[0]!.example!.steps).toHaveLength(61)
    })
  )

  it.effect("breadth first, a counterexample is as short as can be", () =>
    Effect.gen(function* () {
      const report = yield* Checker.check(grid(30, [Property.always("not there", ({ x, y }) => x < 3 || y < 2)]))
      expect(report).toMatchObject({ ended: "violation", complete: false })
      expect(report.properties[0]!.counterexample!.steps).toHaveLength(1 + 3 + 2)
    })
  )

  it.effect("random walks find what lies on many ways, and repeat with their seed", () =>
    Effect.gen(function* () {
      const model = grid(1_000, [Property.always("not there", ({ x }) => x < 40)])
      const once = yield* Checker.check(model, { search: "random", seed: 7 })
      expect(once.properties[0]!.verdict).toBe("violated")
      const again = yield* Checker.check(model, { search: "random", seed: 7 })
      expect(again.properties).toEqual(once.properties)
      const all = yield* Checker.check(grid(9, []), { search: "random", walks: 500 })
      expect(all).toMatchObject({ ended: "walks", complete: false, depth: 18, uniqueStates: 100 })
    })
  )

  it.effect("an end that is none is a deadlock", () =>
    Effect.gen(function* () {
      for (const search of ["breadth-first", "depth-first", "random"] as const) {
        const ends = yield* Checker.check(grid(2, [Property.deadlockFree(({ x, y }) => x === 2 && y === 2)]), {
          search
        })
        expect(ends.properties[0]!.verdict).toBe(search === "random" ? "unknown" : "holds")
        const stuck = yield* Checker.check(grid(2, [Property.deadlockFree()]), { search })
        expect(stuck.properties[0]!).toMatchObject({ verdict: "violated" })
        expect(stuck.properties[0]!.counterexample!.steps).toHaveLength(5)
      }
    })
  )

  it.effect("ends at its bounds, and says which", () =>
    Effect.gen(function* () {
      const holds = [Property.always<unknown>("always", () => true)]
      const verdict = (options: Checker.Options) =>
        Effect.map(Checker.check(grid(200, holds), options), ({ ended, properties }) => [ended, properties[0]!.verdict])
      expect(yield* verdict({ maxStates: 1_000 })).toEqual(["states", "unknown"])
      expect(yield* verdict({ maxDepth: 10 })).toEqual(["depth", "unknown"])
      expect(yield* verdict({ maxBytes: 300_000 })).toEqual(["bytes", "unknown"])
      expect(yield* verdict({ maxStates: 201 * 201 })).toEqual(["all seen", "holds"])
    })
  )

  it.effect("keeps less than 100 bytes of a state", () =>
    Effect.gen(function* () {
      let most = 0
      yield* Checker.check(grid(600, []), {
        onProgress: ({ bytes, uniqueStates }) => {
          if (uniqueStates > 20_000) most = Math.max(most, bytes / uniqueStates)
        }
      })
      expect(most).toBeGreaterThan(0)
      expect(most).toBeLessThan(100)
    })
  )

  it.effect("ends where the states that wait take too much memory", () =>
    Effect.gen(function* () {
      const model = Model.make<{ readonly count: number; readonly pages: ReadonlyArray<string> }, number>({
        name: "large states",
        init: [{ count: 1, pages: [] }],
        actions: ({ count }) => (count < 2 ** 50 ? [0, 1, 2, 3] : []),
        next: ({ count }, action) => ({
          count: 4 * count + action,
          pages: Array.from({ length: 10 }, (_, page) => `${count}, ${page}`.padEnd(1_000))
        }),
        properties: [Property.always("counted", ({ count }) => count > 0)]
      })
      for (const search of ["breadth-first", "depth-first"] as const) {
        const report = yield* Checker.check(model, { search, maxBytes: 700_000 })
        expect(report).toMatchObject({ complete: false, ended: "bytes" })
        // A state of 10,000 bytes and its slot, and what sixteen states lead to.
        expect(report.bytes).toBeLessThan(700_000 + 64 * 11_000)
        expect(report.uniqueStates).toBeGreaterThan(40)
      }
    })
  )

  it.effect("what is symmetric is explored once", () =>
    Effect.gen(function* () {
      const model = Model.make<ReadonlyArray<number>, number>({
        name: "three counters",
        init: [[0, 0, 0]],
        actions: () => [0, 1, 2],
        next: (counts, at) => (counts[at]! < 3 ? counts.with(at, counts[at]! + 1) : undefined),
        symmetric: ([a, b, c]) =>
          [
            [a, c, b],
            [b, a, c],
            [b, c, a],
            [c, a, b],
            [c, b, a]
          ] as Array<Array<number>>,
        properties: [Property.always("few", ([a, b, c]) => a! + b! + c! < 9)]
      })
      // Multisets of three out of four, and ordered triples.
      const reduced = yield* Checker.check(model)
      const full = yield* Checker.check(model, { symmetry: false })
      expect([reduced.uniqueStates, full.uniqueStates]).toEqual([20, 64])
      expect(reduced.properties[0]!.counterexample!.steps).toHaveLength(10)
    })
  )
})

describe("what is wrong is said", () => {
  it.effect("a state that is no plain data: where it is and what", () =>
    Effect.gen(function* () {
      const model = Model.make<unknown, "go">({
        name: "odd",
        init: [{ nested: [1, { timer: new Date(0) }] }],
        actions: () => [],
        next: () => undefined,
        properties: []
      })
      const error = yield* Effect.flip(Checker.check(model))
      expect(error).toMatchObject({ _tag: "NotSerialisable", path: ".nested[1].timer" })
      expect(error.message).toContain("an instance of Date")
    })
  )

  it.effect("a property that throws: after which steps", () =>
    Effect.gen(function* () {
      const thrower = Property.always<{ readonly x: number; readonly y: number }>("sound", ({ x, y }) => {
        if (x === 1 && y === 1) throw new RangeError("out of reach")
        return true
      })
      const error = yield* Effect.flip(Checker.check(grid(3, [thrower])))
      expect(error).toMatchObject({ _tag: "PropertyFailed", property: "sound", steps: ["start", "right", "down"] })
      expect(error.message).toContain("out of reach")
    })
  )

  it.effect("and one that throws in a first state", () =>
    Effect.gen(function* () {
      const thrower = Property.always("sound", () => {
        throw new RangeError("out of reach")
      })
      const error = yield* Effect.flip(Checker.check(grid(3, [thrower])))
      expect(error).toMatchObject({ _tag: "PropertyFailed", property: "sound", steps: ["start"] })
      expect(error.message).toContain("threw in a first state")
    })
  )
})
