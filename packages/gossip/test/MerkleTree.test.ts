import { MerkleTree } from "@troupe/gossip"
import { describe, expect, it } from "vitest"
import { seeded } from "./epidemic/rounds.ts"

const layout: MerkleTree.Layout = { fanOut: 4, depth: 3, key: [1, 2] }
const store = (count: number, version = "1") => Array.from({ length: count }, (_, i) => ({ key: `key ${i}`, version }))

const keys = (mine: MerkleTree.MerkleTree, theirs: MerkleTree.MerkleTree) =>
  [...MerkleTree.differences(mine, theirs)].map(({ key }) => key).toSorted()

/** The nodes of a tree, as it is known by identity. */
const nodes = ({ root }: MerkleTree.MerkleTree): Set<MerkleTree.Node> => {
  const found = new Set<MerkleTree.Node>()
  const visit = (node: MerkleTree.Node): void => {
    found.add(node)
    node.children.forEach(visit)
  }
  visit(root)
  return found
}

describe("a tree", () => {
  it("of the same entries is the same, in whatever order they came and whatever was there in between", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seeded(seed)
      const all = store(200)
      const whole = MerkleTree.fromEntries(layout, all)
      let grown = MerkleTree.empty(layout)
      for (const { key } of all.toSorted(() => random() - 0.5)) {
        grown = MerkleTree.set(grown, key, `${Math.floor(random() * 3)}`)
      }
      for (const { key } of store(260).slice(200)) grown = MerkleTree.set(grown, key, "gone")
      for (const { key, version } of all.toSorted(() => random() - 0.5)) grown = MerkleTree.set(grown, key, version)
      for (const { key } of store(260).slice(200)) grown = MerkleTree.remove(grown, key)
      expect(grown).toEqual(whole)
    }
  })

  it("that is emptied is the empty one", () => {
    let tree = MerkleTree.fromEntries(layout, store(50))
    for (const { key } of store(50)) tree = MerkleTree.remove(tree, key)
    expect(tree).toEqual(MerkleTree.empty(layout))
  })

  it("holds of a key that is given twice the later entry", () => {
    const tree = MerkleTree.fromEntries(layout, [...store(20), { key: "key 3", version: "2" }])
    expect(tree).toEqual(MerkleTree.set(MerkleTree.fromEntries(layout, store(20)), "key 3", "2"))
    expect(tree.root.count).toBe(20)
  })

  it("says which entry a key has, and which a fingerprint is of", () => {
    const tree = MerkleTree.fromEntries(layout, store(300))
    const entry = MerkleTree.get(tree, "key 7")!
    expect(entry.key).toBe("key 7")
    expect(MerkleTree.find(tree, entry)).toBe(entry)
    expect(MerkleTree.find(tree, { ...entry, lo: entry.lo ^ 1 })).toBeUndefined()
    expect(MerkleTree.get(tree, "key 300")).toBeUndefined()
  })

  it("lists what is in a range of positions, in order", () => {
    const tree = MerkleTree.fromEntries(layout, store(300))
    const positions = MerkleTree.entries(tree).map(({ position }) => position >>> 0)
    expect(positions.length).toBe(300)
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    for (const [from, to] of [
      [0, 2 ** 32 - 1],
      [2 ** 31, 2 ** 31 + 2 ** 28],
      [5, 5],
      [positions[9]!, positions[40]!]
    ] as const) {
      expect(MerkleTree.between(tree, from, to).map(({ position }) => position >>> 0)).toEqual(
        positions.filter((position) => position >= from && position <= to)
      )
    }
  })

  it("has the ranges of its nodes side by side over the whole ring, one entry in one leaf", () => {
    let next = 0
    for (let index = 0; index < 64; index++) {
      const [from, to] = MerkleTree.range(layout, 3, index)
      expect(from).toBe(next)
      next = to + 1
    }
    expect(next).toBe(2 ** 32)
    const tree = MerkleTree.fromEntries(layout, store(500))
    for (let index = 0; index < 64; index++) {
      const [from, to] = MerkleTree.range(layout, 3, index)
      for (const { position } of MerkleTree.nodeAt(tree, 3, index).entries) {
        expect(position >>> 0).toBeGreaterThanOrEqual(from)
        expect(position >>> 0).toBeLessThanOrEqual(to)
      }
    }
  })

  it("makes depth + 1 nodes for a change, and shares all others", () => {
    const before = MerkleTree.fromEntries(layout, store(2_000))
    const old = nodes(before)
    const after = MerkleTree.set(before, "key 17", "2")
    expect([...nodes(after)].filter((node) => !old.has(node)).length).toBe(layout.depth + 1)
    expect(MerkleTree.set(after, "key 17", "2")).toBe(after)
    expect(MerkleTree.remove(after, "no such key")).toBe(after)
  })
})

describe("differences", () => {
  it("of random pairs are exactly the keys whose versions differ, from both sides", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed)
      const share = random() ** 3
      const versions = (): Map<string, string> => new Map(store(400).map(({ key, version }) => [key, version]))
      const [a, b] = [versions(), versions()]
      for (const { key } of store(400)) {
        const draw = random() / share
        if (draw < 0.2) a.delete(key)
        else if (draw < 0.4) b.delete(key)
        else if (draw < 0.6) a.set(key, "2")
        else if (draw < 1) b.set(key, "3")
      }
      const tree = (all: Map<string, string>) =>
        MerkleTree.fromEntries(
          layout,
          Array.from(all, ([key, version]) => ({ key, version }))
        )
      const expected = store(400)
        .flatMap(({ key }) => (a.get(key) === b.get(key) ? [] : [key]))
        .toSorted()
      expect(keys(tree(a), tree(b))).toEqual(expected)
      expect(keys(tree(b), tree(a))).toEqual(expected)
    }
  })

  it("are looked for only where hashes differ: one costs one path", () => {
    const large: MerkleTree.Layout = { fanOut: 16, depth: 3, key: [1, 2] }
    const mine = MerkleTree.fromEntries(large, store(20_000))
    const theirs = MerkleTree.fromEntries(large, [...store(20_000), { key: "key 5", version: "2" }])
    let looks = 0
    const counted = (node: MerkleTree.Node): MerkleTree.Node => ({
      ...node,
      get hi() {
        looks++
        return node.hi
      },
      get lo() {
        looks++
        return node.lo
      },
      children: node.children.map(counted)
    })
    expect(keys({ layout: large, root: counted(mine.root) }, theirs)).toEqual(["key 5"])
    expect(looks).toBeLessThanOrEqual(2 * (1 + 3 * 16))
  })
})

describe("layouts", () => {
  it.each([
    ["a fan-out that is no power of 2", { fanOut: 10 }],
    ["a fan-out of 1", { fanOut: 1 }],
    ["a fan-out of 512", { fanOut: 512 }],
    ["no depth", { depth: 0 }],
    ["a depth with too many leaves", { depth: 13 }],
    ["half a level", { depth: 1.5 }]
  ])("%s is refused", (_, given) => {
    expect(() => MerkleTree.empty({ ...layout, ...given })).toThrow(MerkleTree.InvalidLayout)
    expect(() => MerkleTree.fromEntries({ ...layout, ...given }, [])).toThrow(
      /There is no such tree: a (fan-out|depth)/
    )
  })

  it.each([
    ["fan-out", { fanOut: 2 }],
    ["depth", { depth: 2 }],
    ["key", { key: [1, 3] as const }]
  ])("a tree of another %s cannot be compared", (_, given) => {
    const mine = MerkleTree.fromEntries(layout, store(10))
    const theirs = MerkleTree.fromEntries({ ...layout, ...given }, store(10))
    expect(() => keys(mine, theirs)).toThrow(MerkleTree.OtherLayout)
    expect(() => keys(mine, theirs)).toThrow(/4\^3 leaves by HalfSipHash-2-4-64.* here.*Set all replicas alike/)
  })

  it("in words do not tell the key", () => {
    expect(MerkleTree.describe({ ...layout, key: [12345, 67890] })).not.toMatch(/12345|67890|3039|10932/)
  })
})
