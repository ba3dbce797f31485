import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as VectorClock from "../src/VectorClock.ts"
import { execution, happenedBefore, pairs, randomOf, seeds, stamps, thrown, truth } from "./executions.ts"

const group = VectorClock.group(["n1", "n2", "n3"])
const make = (n1: number, n2: number, n3: number) => VectorClock.make(group, { n1, n2, n3 })

const stamped = (seed: number) => {
  const run = execution(seed)
  const zero = VectorClock.zero(VectorClock.group(run.nodes))
  const clocks = stamps(run, { zero: () => zero, tick: VectorClock.tick, receive: VectorClock.receive })
  return run.events.map((event, i) => ({ event, clock: clocks[i]! }))
}

const randomClocks = (seed: number, count: number) => {
  const random = randomOf(seed)
  return Array.from({ length: count }, () => make(random(4), random(4), random(4)))
}

const same = VectorClock.Equivalence

describe("the strong clock condition (Fidge 1988, Mattern 1989)", () => {
  it("A → B ⇔ V(A) < V(B), and all else is concurrent, in 200 runs", () => {
    const wrong = seeds(200).flatMap((seed) =>
      pairs(stamped(seed)).filter(([a, b]) => VectorClock.compare(a.clock, b.clock) !== truth(a.event, b.event))
    )
    expect(wrong).toEqual([])
  })

  it("happenedBefore is the relation itself, and covers adds equality", () => {
    for (const [a, b] of pairs(stamped(5))) {
      const before = happenedBefore(a.event, b.event)
      expect(VectorClock.happenedBefore(a.clock, b.clock)).toBe(before)
      expect(VectorClock.covers(b.clock, a.clock)).toBe(before || a.event === b.event)
    }
  })

  it("an event's count of a node is how many of that node's events happened before it, or are it", () => {
    const run = execution(7)
    for (const { event, clock } of stamped(7)) {
      const past = run.events.filter(({ index }) => event.past.has(index))
      for (const node of run.nodes) {
        expect(VectorClock.count(clock, node)).toBe(past.filter((each) => each.node === node).length)
      }
    }
  })
})

describe("laws", () => {
  const clocks = randomClocks(1, 25)

  it("merging is commutative, associative and idempotent", () => {
    for (const [a, b] of pairs(clocks)) {
      const ab = VectorClock.merge(a, b)
      expect(same(ab, VectorClock.merge(b, a))).toBe(true)
      expect(same(VectorClock.merge(ab, b), ab)).toBe(true)
      for (const c of clocks) {
        expect(same(VectorClock.merge(ab, c), VectorClock.merge(a, VectorClock.merge(b, c)))).toBe(true)
      }
    }
  })

  it("a merge is the least clock that covers both", () => {
    for (const [a, b] of pairs(clocks)) {
      const merged = VectorClock.merge(a, b)
      expect(VectorClock.covers(merged, a) && VectorClock.covers(merged, b)).toBe(true)
      const upper = clocks.filter((c) => VectorClock.covers(c, a) && VectorClock.covers(c, b))
      expect(upper.every((c) => VectorClock.covers(c, merged))).toBe(true)
    }
  })

  it("ticks and receipts only go up, and leave their arguments as they were", () => {
    for (const [a, b] of pairs(clocks)) {
      const before = VectorClock.toRecord(a)
      expect(VectorClock.compare(a, VectorClock.tick(a, "n2"))).toBe("before")
      expect(VectorClock.compare(a, VectorClock.receive(a, "n2", b))).toBe("before")
      expect(VectorClock.compare(b, VectorClock.receive(a, "n2", b))).toBe("before")
      expect(VectorClock.toRecord(a)).toEqual(before)
    }
  })

  it("a group that was made again from the same names is the same group", () => {
    const again = VectorClock.make(VectorClock.group(["n1", "n2", "n3"]), { n1: 1 })
    expect(VectorClock.compare(make(1, 0, 0), again)).toBe("equal")
    expect(VectorClock.Combiner.combine(again, make(0, 2, 0)).counts).toEqual([1, 2, 0])
  })
})

describe("records", () => {
  const schema = VectorClock.schema(group)
  const decode = Schema.decodeUnknownResult(schema)

  it("a clock is written with all its names, and reads back", () => {
    const clock = make(3, 0, 1)
    const json = JSON.stringify(Schema.encodeSync(schema)(clock))
    expect(json).toBe('{"n1":3,"n2":0,"n3":1}')
    expect(same(Schema.decodeUnknownSync(schema)(JSON.parse(json)), clock)).toBe(true)
  })

  it("a name that lacks has 0: its sender knows a smaller group", () => {
    expect(Result.getOrThrow(decode({ n2: 4 })).counts).toEqual([0, 4, 0])
  })

  it("a node may have any name", () => {
    const odd = VectorClock.group(["__proto__", "constructor", "7"])
    const clock = VectorClock.tick(VectorClock.tick(VectorClock.zero(odd), "__proto__"), "7")
    const codec = VectorClock.schema(odd)
    const json = JSON.stringify(Schema.encodeSync(codec)(clock))
    expect(Schema.decodeUnknownSync(codec)(JSON.parse(json)).counts).toEqual([1, 0, 1])
  })

  it.for([{ n1: -1 }, { n1: 0.5 }, { n1: "1" }, { n1: 2 ** 53 }, { n4: 1 }, [1, 2, 3], null])("refuses %j", (input) => {
    expect(Result.isFailure(decode(input))).toBe(true)
  })

  it("says which name is not in the group", () => {
    const refusal = decode({ n1: 1, n9: 1 })
    expect(Result.isFailure(refusal) && refusal.failure.message).toMatch(/"n9" is not in the clock's group: n1, n2, n3/)
  })

  it("does not write a clock of another group", () => {
    const other = VectorClock.zero(VectorClock.group(["n1", "n2"]))
    expect(() => Schema.encodeSync(schema)(other)).toThrow(/a vector clock of n1, n2, n3/)
  })
})

describe("bad input", () => {
  const renamed = VectorClock.zero(VectorClock.group(["n1", "n2", "m3"]))
  const reordered = VectorClock.zero(VectorClock.group(["n1", "n3", "n2"]))
  const smaller = VectorClock.zero(VectorClock.group(["n1", "n2"]))

  it.for([renamed, reordered, smaller])("clocks of different groups neither compare nor merge (%#)", (other) => {
    for (const use of [VectorClock.compare, VectorClock.merge, VectorClock.covers, VectorClock.happenedBefore]) {
      expect(thrown(() => use(make(1, 1, 1), other))).toBeInstanceOf(VectorClock.DifferentGroups)
    }
    expect(same(VectorClock.zero(group), other)).toBe(false)
  })

  it.for([[], ["n1", "n1"], ["n 1"], [""]])("%j is no group", (nodes) => {
    expect(thrown(() => VectorClock.group(nodes))).toBeInstanceOf(VectorClock.InvalidGroup)
  })

  it("a node that the group does not have neither ticks nor is counted", () => {
    for (const use of [VectorClock.tick, VectorClock.count]) {
      expect(thrown(() => use(make(0, 0, 0), "n4"))).toMatchObject({
        _tag: "UnknownNode",
        node: "n4",
        group: group.nodes
      })
    }
  })

  it.for([-1, 1.5, Number.NaN, 2 ** 53])("%s is no count", (count) => {
    expect(thrown(() => make(count, 0, 0))).toBeInstanceOf(VectorClock.CountOutOfRange)
  })

  it("a count at 2⁵³ − 1 refuses to go on", () => {
    const last = make(Number.MAX_SAFE_INTEGER, 0, 0)
    expect(thrown(() => VectorClock.tick(last, "n1"))).toBeInstanceOf(VectorClock.CountOutOfRange)
    expect(VectorClock.count(VectorClock.tick(last, "n2"), "n2")).toBe(1)
  })
})
