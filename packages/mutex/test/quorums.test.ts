import { describe, expect, it } from "vitest"
import { grid, gridSize, plane, planeSize, problemOf, quorumOf, type Quorums } from "../src/internal/quorums.ts"
import { nodesOf } from "./system.ts"

const sizes = (quorums: Quorums): ReadonlyArray<number> => Object.values(quorums).map(({ length }) => length)
const smallAndLarge = [...Array.from({ length: 60 }, (_, i) => i + 1), 73, 91, 100, 133, 183, 273, 307]

describe("quorums (Maekawa 1985: any two have a node in common, and each node is in its own)", () => {
  it.each([
    ["plane", plane],
    ["grid", grid]
  ] as const)("%s: for any number of nodes", (shape, quorums) => {
    for (const count of smallAndLarge) {
      const nodes = nodesOf(count).toSorted()
      const all = quorums(nodes)
      expect(problemOf(all, nodes)).toBeUndefined()
      expect(quorumOf(shape, nodes, nodes[count >> 1]!)).toEqual(all[nodes[count >> 1]!])
    }
  })

  it.each([
    [3, 2],
    [7, 3],
    [13, 4],
    [21, 5],
    [31, 6],
    [57, 8],
    [73, 9],
    [91, 10],
    [133, 12]
  ])("N = %i = q²+q+1: |R| = q+1 = %i, each node is in as many, and two quorums share one", (count, size) => {
    const quorums = Object.values(plane(nodesOf(count)))
    const memberships = new Map<string, number>()
    for (const node of quorums.flat()) memberships.set(node, (memberships.get(node) ?? 0) + 1)
    expect(new Set(quorums.map(({ length }) => length))).toEqual(new Set([size]))
    expect(new Set(memberships.values())).toEqual(new Set([size]))
    for (const [at, one] of quorums.entries()) {
      for (const other of quorums.slice(at + 1)) expect(one.filter((node) => other.includes(node))).toHaveLength(1)
    }
  })

  it("N = 49: all quorums have 8, the least K with K(K−1) + 1 ≥ N", () => {
    expect(new Set(sizes(plane(nodesOf(49))))).toEqual(new Set([8]))
    expect([7 * 6 + 1 < 49, 8 * 7 + 1 >= 49]).toEqual([true, true])
  })

  it("all quorums of a plane have one size, whatever the number of nodes", () => {
    for (const count of smallAndLarge) {
      expect(new Set(sizes(plane(nodesOf(count))))).toEqual(new Set([planeSize(count)]))
    }
  })

  it("a grid is a row and a column: 2√N − 1 of a square", () => {
    expect(grid(nodesOf(9))["n5"]).toEqual(["n2", "n4", "n5", "n6", "n8"])
    for (const side of [2, 3, 5, 7]) expect(new Set(sizes(grid(nodesOf(side * side))))).toEqual(new Set([2 * side - 1]))
    for (const count of smallAndLarge) expect(Math.max(...sizes(grid(nodesOf(count))))).toBe(gridSize(count))
  })
})

describe("quorums that are refused", () => {
  const nodes = nodesOf(3)
  it.each([
    [{ n1: ["n1"], n2: ["n2", "n3"], n3: ["n2", "n3"] }, 'the quorums of "n1" and "n2" have no node in common'],
    [{ n1: ["n2"], n2: ["n2"], n3: ["n2", "n3"] }, '"n1" is not in its own quorum'],
    [{ n1: ["n1"], n2: ["n1", "n2"] }, '"n3" has no quorum'],
    [{ n1: ["n1", "n9"], n2: ["n1", "n2"], n3: ["n1", "n3"] }, 'has "n9", which is not among the nodes'],
    [{ n1: ["n1", "n1"], n2: ["n1", "n2"], n3: ["n1", "n3"] }, 'the quorum of "n1" names a node twice'],
    [{ n1: ["n1"], n2: ["n1", "n2"], n3: ["n1", "n3"], n4: ["n1"] }, 'a quorum for "n4", which is not among the nodes']
  ])("%o", (quorums, reason) => {
    expect(problemOf(quorums as Quorums, nodes)).toContain(reason)
  })
})
