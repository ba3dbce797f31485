import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import * as LamportTimestamp from "../src/LamportTimestamp.ts"
import { execution, happenedBefore, pairs, seeds, stamps, thrown, truth } from "./executions.ts"

const stamped = (seed: number) => {
  const run = execution(seed)
  const times = stamps(run, {
    zero: LamportTimestamp.zero,
    tick: LamportTimestamp.next,
    receive: (clock, _node, sent) => LamportTimestamp.receive(clock, sent.time)
  })
  return run.events.map((event, i) => ({ event, time: times[i]! }))
}

const last = { time: Number.MAX_SAFE_INTEGER, node: "n1" }

describe("the clock condition (Lamport 1978)", () => {
  it("A → B implies C(A) < C(B), in 200 runs", () => {
    const wrong = seeds(200).flatMap((seed) =>
      pairs(stamped(seed)).filter(([a, b]) => happenedBefore(a.event, b.event) && a.time.time >= b.time.time)
    )
    expect(wrong).toEqual([])
  })

  it("the converse is false: two events that know nothing of each other may have different times", () => {
    const first = LamportTimestamp.next(LamportTimestamp.zero("n1"))
    const second = LamportTimestamp.next(LamportTimestamp.next(LamportTimestamp.zero("n2")))
    expect(first.time).toBeLessThan(second.time)
    const refuted = pairs(stamped(1)).some(
      ([a, b]) => truth(a.event, b.event) === "concurrent" && a.time.time < b.time.time
    )
    expect(refuted).toBe(true)
  })

  it("the order is total: any two events have a first, and no two the same place", () => {
    const all = stamped(3).map(({ time }) => time)
    expect(pairs(all).filter(([a, b]) => a !== b && LamportTimestamp.Order(a, b) === 0)).toEqual([])
    expect(
      pairs(all).every(([a, b]) => LamportTimestamp.isBefore(a, b) || LamportTimestamp.isBefore(b, a) || a === b)
    ).toBe(true)
  })
})

describe("bad input", () => {
  it.each([-1, 1.5, Number.NaN, 2 ** 53, "1", null])("the schema refuses the time %s", (time) => {
    expect(Schema.is(LamportTimestamp.LamportTimestamp)({ time, node: "n1" })).toBe(false)
  })

  it("the schema refuses a node without a name", () => {
    expect(Schema.is(LamportTimestamp.LamportTimestamp)({ time: 1, node: "" })).toBe(false)
  })

  it("a clock at 2⁵³ − 1 refuses to go on rather than repeat itself", () => {
    expect(thrown(() => LamportTimestamp.next(last))).toBeInstanceOf(LamportTimestamp.CountOutOfRange)
    expect(thrown(() => LamportTimestamp.receive(LamportTimestamp.zero("n1"), last.time))).toMatchObject({
      _tag: "CountOutOfRange",
      count: 2 ** 53
    })
  })

  it.each([Number.NaN, 1.5, Infinity])("receiving the time %s is refused", (time) => {
    expect(thrown(() => LamportTimestamp.receive(LamportTimestamp.zero("n1"), time))).toBeInstanceOf(
      LamportTimestamp.CountOutOfRange
    )
  })
})
