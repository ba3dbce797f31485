/** What a node remembers: sets of numbers, the queue of what is kept, and their bounds. */
import { describe, expect, it } from "vitest"
import * as Intervals from "../src/internal/epidemic/intervals.ts"
import { gapsMax } from "../src/internal/epidemic/items.ts"
import * as Queue from "../src/internal/epidemic/queue.ts"
import { baseDefaults } from "../src/internal/epidemic/settings.ts"
import * as Store from "../src/internal/epidemic/store.ts"
import { item } from "./epidemic/hand.ts"
import { seeded } from "./epidemic/rounds.ts"

const intervalsOf = (values: ReadonlyArray<number>) => values.reduce(Intervals.add, Intervals.empty)

describe("intervals", () => {
  it("join where a gap is filled", () => {
    expect(intervalsOf([1, 2, 5, 3])).toEqual([1, 3, 5, 5])
    expect(intervalsOf([1, 2, 5, 3, 4])).toEqual([1, 5])
    expect(intervalsOf([5, 4])).toEqual([4, 5])
  })

  it("are the set of what was added, in any order (as a Set of numbers is)", () => {
    const random = seeded(1)
    for (let run = 0; run < 200; run++) {
      const values = Array.from({ length: 40 }, () => 1 + Math.floor(random() * 40))
      const set = intervalsOf(values)
      expect(Intervals.isValid(set)).toBe(true)
      const plain = new Set(values)
      for (let value = 0; value <= 42; value++) expect(Intervals.has(set, value)).toBe(plain.has(value))
      const other = intervalsOf(Array.from({ length: 10 }, () => 1 + Math.floor(random() * 40)))
      const from = 1 + Math.floor(random() * 20)
      const lacks = Array.from({ length: 41 }, (_, value) => value).some(
        (value) => value >= from && Intervals.has(other, value) && !plain.has(value)
      )
      expect(Intervals.lacks(set, other, from)).toBe(lacks)
    }
  })

  it.each([[[3, 1]], [[1, 2, 3, 4]], [[1]], [[5, 6, 1, 2]], [[1, Number.NaN]]])("%j is no such set", (set) => {
    expect(Intervals.isValid(set)).toBe(false)
  })
})

it("a queue gives back what it was given, in order", () => {
  let queue: Queue.Queue<number> = Queue.empty
  const random = seeded(2)
  let added = 0
  let taken = 0
  for (let step = 0; step < 5_000; step++) {
    if (random() < 0.55) queue = Queue.add(queue, ++added)
    else if (queue.size > 0) {
      expect(Queue.first(queue)).toBe(++taken)
      queue = Queue.rest(queue)
    }
    expect(queue.size).toBe(added - taken)
  }
})

const bounds: Store.Bounds = { ...baseDefaults, keptItems: 10, sources: 3, keepMillis: 1_000, forgetMillis: 5_000 }

describe("a store", () => {
  it("keeps so many items, and remembers the numbers of those that went", () => {
    let store = Store.empty
    for (let sequence = 1; sequence <= 25; sequence++) store = Store.put(store, item("n1", sequence), 0, bounds)
    expect(store.kept.size).toBe(10)
    expect(store.logs[0]!.items.map(({ sequence }) => sequence)).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25])
    expect(store.logs[0]!.known).toEqual({ origin: "n1", life: 0, heard: [1, 25], holds: 16 })
    expect(Store.has(store, item("n1", 3))).toBe(true)
  })

  it("keeps so many bytes", () => {
    let store = Store.empty
    for (let sequence = 1; sequence <= 10; sequence++) {
      store = Store.put(store, item("n1", sequence, new Uint8Array(100)), 0, { ...bounds, keptBytes: 400 })
      expect(store.bytes).toBeLessThanOrEqual(400)
    }
    expect(store.kept.size).toBe(2)
  })

  it("drops items that are too old, and forgets sources that were silent for longer", () => {
    const store = Store.put(Store.put(Store.empty, item("n1", 1), 0, bounds), item("n2", 1), 600, bounds)
    const first = Store.expire(store, 1_000, bounds).store
    expect(first.logs.map(({ items }) => items.length)).toEqual([0, 1])
    const later = Store.expire(first, 5_100, bounds).store
    expect(later.logs.map(({ key }) => key)).toEqual(["n2 0"])
  })

  it("forgets the source that was silent longest where there are too many", () => {
    let store = Store.empty
    for (const [at, origin] of ["n1", "n2", "n3", "n4"].entries()) store = Store.put(store, item(origin, 1), at, bounds)
    expect(store.logs.map(({ key }) => key)).toEqual(["n2 0", "n3 0", "n4 0"])
    // Its items go when their turn comes.
    for (let sequence = 2; sequence <= 12; sequence++) store = Store.put(store, item("n4", sequence), 5, bounds)
    expect(store.kept.size).toBe(10)
  })

  it("gives up a gap that is not filled in time, and says which", () => {
    let store = Store.empty
    for (const sequence of [1, 2, 5, 9]) store = Store.put(store, item("n1", sequence), sequence, bounds)
    expect(Store.expire(store, 1_004, bounds).missed).toEqual([])
    const { missed, store: next } = Store.expire(store, 1_005, bounds)
    expect(missed).toEqual([{ origin: "n1", life: 0, from: 3, to: 4 }])
    // The next gap has its own time.
    expect(Store.expire(next, 2_000, bounds).missed).toEqual([])
    expect(Store.expire(next, 2_005, bounds).missed).toEqual([{ origin: "n1", life: 0, from: 6, to: 8 }])
  })

  it("a gap is as old as it is, when an earlier one is filled", () => {
    let store = Store.empty
    for (const [sequence, atMillis] of [
      [1, 0],
      [3, 0],
      [6, 900],
      [2, 950]
    ] as const) {
      store = Store.put(store, item("n1", sequence), atMillis, bounds)
    }
    expect(Store.expire(store, 1_800, bounds).missed).toEqual([])
    expect(Store.expire(store, 1_950, bounds).missed).toEqual([{ origin: "n1", life: 0, from: 4, to: 5 }])
  })

  it("says when time takes something away next, so that nobody looks before", () => {
    const store = Store.put(Store.put(Store.empty, item("n1", 1), 0, bounds), item("n2", 1), 600, bounds)
    expect(store.dueMillis).toBe(1_000)
    const first = Store.expire(store, 1_000, bounds).store
    expect(first.dueMillis).toBe(1_600)
    const second = Store.expire(first, 1_600, bounds).store
    expect(second.dueMillis).toBe(5_000)
    expect(Store.expire(second, 5_600, bounds).store.dueMillis).toBeGreaterThan(1e12)
  })

  it("remembers so many gaps at the most", () => {
    let store = Store.empty
    const many = { ...bounds, keptItems: 1_000 }
    for (let sequence = 1; sequence <= 400; sequence += 2) store = Store.put(store, item("n1", sequence), 0, many)
    const { missed, store: next } = Store.expire(store, 0, many)
    expect(next.logs[0]!.known.heard.length).toBe(2 * gapsMax)
    expect(missed.length).toBe(200 - gapsMax)
  })
})
