import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as MatrixClock from "../src/MatrixClock.ts"
import * as VectorClock from "../src/VectorClock.ts"
import { type Execution, execution, type Happening, pairs, seeds, stamps, thrown, truth } from "./executions.ts"

const group = VectorClock.group(["n1", "n2", "n3"])

const stamped = (run: Execution) => {
  const zero = MatrixClock.zero(VectorClock.group(run.nodes))
  return stamps(run, { zero: () => zero, tick: MatrixClock.tick, receive: MatrixClock.receive })
}

/** What an event's node knows that `node` knows: the past of the latest event of `node` in its own past. */
const knowledgeOf = (run: Execution, event: Happening, node: string): ReadonlySet<number> =>
  node === event.node
    ? event.past
    : (run.events.findLast((each) => each.node === node && event.past.has(each.index))?.past ?? new Set())

const countOf = (run: Execution, past: ReadonlySet<number>, node: string): number =>
  run.events.filter((event) => event.node === node && past.has(event.index)).length

describe("what is known to be known (Wuu & Bernstein 1984, §3)", () => {
  it("a row is the past of that node's latest event in one's own past, in 50 runs", () => {
    for (const seed of seeds(50)) {
      const run = execution(seed)
      stamped(run).forEach((clock, i) => {
        for (const [node, counted] of pairs(run.nodes)) {
          const expected = countOf(run, knowledgeOf(run, run.events[i]!, node), counted)
          expect(VectorClock.count(MatrixClock.row(clock, node), counted)).toBe(expected)
        }
      })
    }
  })

  it("the own row is the vector clock", () => {
    const run = execution(3)
    const clocks = stamped(run)
    for (const [a, b] of pairs(run.events)) {
      const row = ({ index, node }: Happening) => MatrixClock.row(clocks[index]!, node)
      expect(VectorClock.compare(row(a), row(b))).toBe(truth(a, b))
    }
  })
})

describe("stability", () => {
  it("what a node holds for stable is in the past of the latest event of every node, in 50 runs", () => {
    for (const seed of seeds(50)) {
      const run = execution(seed)
      const clocks = stamped(run)
      for (const event of run.events) {
        const stable = MatrixClock.stable(clocks[event.index]!)
        for (const [node, counted] of pairs(run.nodes)) {
          const known = countOf(run, knowledgeOf(run, event, node), counted)
          expect(VectorClock.count(stable, counted)).toBeLessThanOrEqual(known)
        }
      }
    }
  })

  it("never goes down at a node, and is reached: some event of 100 becomes known to all", () => {
    const run = execution(11, { nodeCount: 3, eventCount: 100 })
    const clocks = stamped(run)
    for (const node of run.nodes) {
      const own = run.events
        .filter((event) => event.node === node)
        .map(({ index }) => MatrixClock.stable(clocks[index]!))
      expect(own.every((stable, i) => i === 0 || VectorClock.covers(stable, own[i - 1]!))).toBe(true)
      expect(own.at(-1)!.counts.every((count) => count > 0)).toBe(true)
    }
  })

  it("a silent node holds it up", () => {
    let [first, second] = [MatrixClock.zero(group), MatrixClock.zero(group)]
    for (let i = 0; i < 10; i++) {
      first = MatrixClock.receive(first, "n1", second, "n2")
      second = MatrixClock.receive(second, "n2", first, "n1")
    }
    expect(MatrixClock.stable(second).counts).toEqual([0, 0, 0])
  })
})

describe("laws", () => {
  const clocks = stamped(execution(2, { nodeCount: 3, eventCount: 12 }))

  it("merging is commutative, associative and idempotent", () => {
    const { merge } = MatrixClock
    for (const [a, b] of pairs(clocks)) {
      const ab = MatrixClock.Combiner.combine(a, b)
      expect(MatrixClock.Equivalence(ab, merge(b, a))).toBe(true)
      expect(MatrixClock.Equivalence(merge(ab, b), ab)).toBe(true)
      for (const c of clocks) expect(MatrixClock.Equivalence(merge(ab, c), merge(a, merge(b, c)))).toBe(true)
    }
  })
})

describe("records", () => {
  const schema = MatrixClock.schema(group)
  const decode = Schema.decodeUnknownResult(schema)

  it("a matrix reads back from its rows", () => {
    const clock = MatrixClock.receive(
      MatrixClock.zero(group),
      "n2",
      MatrixClock.tick(MatrixClock.zero(group), "n1"),
      "n1"
    )
    const json = JSON.stringify(Schema.encodeSync(schema)(clock))
    expect(json).toBe('{"n1":{"n1":1,"n2":0,"n3":0},"n2":{"n1":1,"n2":1,"n3":0},"n3":{"n1":0,"n2":0,"n3":0}}')
    expect(MatrixClock.Equivalence(Schema.decodeUnknownSync(schema)(JSON.parse(json)), clock)).toBe(true)
  })

  it.for([{ n1: {}, n2: {} }, { n1: {}, n2: {}, n3: {}, n4: {} }, { n1: { n1: -1 }, n2: {}, n3: {} }, [], null])(
    "refuses %j",
    (input) => {
      expect(Result.isFailure(decode(input))).toBe(true)
    }
  )
})

describe("bad input", () => {
  it("matrices of different groups neither merge nor are received", () => {
    const other = MatrixClock.zero(VectorClock.group(["n1", "n2", "m3"]))
    const clock = MatrixClock.zero(group)
    expect(thrown(() => MatrixClock.merge(clock, other))).toBeInstanceOf(VectorClock.DifferentGroups)
    expect(thrown(() => MatrixClock.receive(clock, "n1", other, "n2"))).toBeInstanceOf(VectorClock.DifferentGroups)
    expect(MatrixClock.Equivalence(clock, other)).toBe(false)
  })

  it("a node that the group does not have is refused", () => {
    const clock = MatrixClock.zero(group)
    expect(thrown(() => MatrixClock.tick(clock, "n4"))).toBeInstanceOf(VectorClock.UnknownNode)
    expect(thrown(() => MatrixClock.row(clock, "n4"))).toBeInstanceOf(VectorClock.UnknownNode)
    expect(thrown(() => MatrixClock.receive(clock, "n1", clock, "n4"))).toBeInstanceOf(VectorClock.UnknownNode)
  })
})
