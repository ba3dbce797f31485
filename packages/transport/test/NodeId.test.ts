import { NodeId } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { random } from "./support.ts"

/** Names that are alike in many ways: few letters, digits with and without zeros before them. */
const names = (count: number): ReadonlyArray<string> => {
  const next = random(7)
  const parts = ["n", "m", "-", "0", "00", "1", "2", "9", "10", "007", "99999999999999999999", "é", "ü", "𝒩"]
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(next() * 4) }, () => parts[Math.floor(next() * parts.length)]!).join("")
  )
}

const sample = names(60)

describe("the order of nodes", () => {
  it("is antisymmetric, and equal only to itself", () => {
    for (const a of sample) {
      for (const b of sample) {
        expect([a, b, NodeId.Order(a, b)]).toEqual([a, b, 0 - NodeId.Order(b, a)])
        expect(NodeId.Order(a, b) === 0).toBe(a === b)
      }
    }
  })

  it("is transitive", () => {
    const wrong: Array<ReadonlyArray<string>> = []
    for (const a of sample) {
      for (const b of sample) {
        if (NodeId.Order(a, b) >= 0) continue
        for (const c of sample) if (NodeId.Order(b, c) < 0 && NodeId.Order(a, c) >= 0) wrong.push([a, b, c])
      }
    }
    expect(wrong).toEqual([])
  })

  it("sorts whatever the order they come in", () => {
    const sorted = sample.toSorted(NodeId.Order)
    expect(sample.toReversed().toSorted(NodeId.Order)).toEqual(sorted)
  })

  it("takes digits by value", () => {
    expect(["n10", "n9", "n1", "n100", "n2"].toSorted(NodeId.Order)).toEqual(["n1", "n2", "n9", "n10", "n100"])
    expect(["b1", "a10", "a9"].toSorted(NodeId.Order)).toEqual(["a9", "a10", "b1"])
    expect(NodeId.Order("n01", "n1")).not.toBe(0)
    expect(NodeId.Order("n99999999999999999998", "n99999999999999999999")).toBe(-1)
    expect(NodeId.isHigher("n10", "n9")).toBe(true)
  })
})

describe("a node id", () => {
  it("has 1 to 255 characters, none of them a space or a control character", () => {
    const is = Schema.is(NodeId.NodeId)
    expect(["n1", "host:1", "é", "x".repeat(255)].every((name) => is(name))).toBe(true)
    expect(["", " ", "a b", "a\n", "\u0000", "x".repeat(256)].some((name) => is(name))).toBe(false)
  })
})
