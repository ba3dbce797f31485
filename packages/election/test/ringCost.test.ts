import { describe, expect, it } from "@effect/vitest"
import { sizes } from "./elections.ts"
import { chance, elect, named, nodesOf, ringElections, rings } from "./rings.ts"

const highestFirst = (count: number) => nodesOf(count).toReversed()

const shuffled = (count: number, seed: number): ReadonlyArray<string> => {
  const random = chance(seed)
  return nodesOf(count)
    .map((node) => ({ node, by: random() }))
    .sort((a, b) => a.by - b.by)
    .map(({ node }) => node)
}

const someRings = (count: number) => [
  nodesOf(count),
  highestFirst(count),
  ...Array.from({ length: 20 }, (_, seed) => shuffled(count, seed))
]

/** The order in which neighbours differ in their lowest bit first: half of all drop out in each phase, and no more. */
const bitReversed = (bits: number): ReadonlyArray<string> => {
  const nodes = nodesOf(2 ** bits)
  return nodes.map(
    (_, at) => nodes[Number.parseInt(at.toString(2).padStart(bits, "0").split("").toReversed().join(""), 2)]!
  )
}

describe.each(ringElections)("$name: its cost", (election) => {
  const { best, worst } = election.card.cost

  it("is between the best and the worst of its card, and all follow the highest, whatever the order and the delays", () => {
    for (const count of [1, ...sizes]) {
      for (const [seed, ring] of someRings(count).entries()) {
        const { announcing, electing, states } = elect(election, { ring, seed })
        expect(electing + announcing).toBeGreaterThanOrEqual(best.of(count))
        expect(electing + announcing).toBeLessThanOrEqual(worst.of(count))
        expect(new Set(states.map(({ leader }) => leader!.id))).toEqual(new Set([`P${count}`]))
      }
    }
  })

  // Of LeLann's all nodes know the highest by themselves.
  it("the announcement is N messages of it, and none of LeLann's", () => {
    for (const count of sizes) {
      const { announcing } = elect(election, { ring: nodesOf(count) })
      expect(announcing).toBe(election.name === "LeLann" ? 0 : count)
    }
  })

  it("all follow the highest, whoever begins", () => {
    for (const ring of rings(nodesOf(5)))
      for (const begin of ring)
        for (const seed of [1, 2, 3]) {
          const { states } = elect(election, { ring, begin: [begin], seed })
          expect(states.map(({ leader }) => leader?.id)).toEqual(["P5", "P5", "P5", "P5", "P5"])
        }
  })
})

describe("Chang–Roberts (1979)", () => {
  const election = named("ChangRoberts")

  it("is N(N+1)/2 at worst: ids fall along the ring", () => {
    for (const count of sizes)
      expect(elect(election, { ring: highestFirst(count) }).electing).toBe((count * (count + 1)) / 2)
  })

  it("is 2N−1 at best: ids rise along the ring", () => {
    for (const count of sizes) expect(elect(election, { ring: nodesOf(count) }).electing).toBe(2 * count - 1)
  })

  it("is N·H_N in the mean of all 40,320 orders of 8 nodes: the 5,040 that differ, each from 8 places", () => {
    const counts = rings(nodesOf(8)).map((ring) => elect(election, { ring }).electing)
    expect(counts).toHaveLength(5_040)
    const harmonic = nodesOf(8).reduce((sum, _, at) => sum + 1 / (at + 1), 0)
    expect(counts.reduce((sum, count) => sum + count, 0) / counts.length).toBeCloseTo(8 * harmonic, 9)
    expect([Math.min(...counts), Math.max(...counts)]).toEqual([15, 36])
  })
})

describe("LeLann (1977)", () => {
  it("is N² exactly", () => {
    for (const count of sizes) {
      const { announcing, electing } = elect(named("LeLann"), { ring: shuffled(count, count), seed: count })
      expect([electing, announcing]).toEqual([count * count, 0])
    }
  })
})

describe("the ring with a list (Tanenbaum)", () => {
  it("is N messages for each node that begins, and N to announce", () => {
    for (const count of sizes)
      for (const begin of [1, 2, count]) {
        const { announcing, electing } = elect(named("Ring"), { ring: nodesOf(count), begin: nodesOf(begin) })
        expect([electing, announcing]).toEqual([begin * count, count])
      }
  })
})

describe("Hirschberg–Sinclair (1980)", () => {
  it("is at most 8N(1 + ⌈log₂N⌉), on all orders of 8 nodes and on those that make most candidates last", () => {
    const bound = (count: number) => 8 * count * (1 + Math.ceil(Math.log2(count)))
    const election = named("HirschbergSinclair")
    for (const ring of rings(nodesOf(7))) expect(elect(election, { ring }).electing).toBeLessThanOrEqual(bound(7))
    for (const bits of [1, 2, 3, 4, 5, 6]) {
      const ring = bitReversed(bits)
      expect(elect(election, { ring }).electing).toBeLessThanOrEqual(bound(ring.length))
    }
  })
})

describe("Dolev–Klawe–Rodeh (1982), algorithm B", () => {
  const election = named("DolevKlaweRodeh")

  it("is 1.5 N log₂N + N on a ring in bit-reversed order", () => {
    for (const bits of [1, 2, 3, 4, 5, 6, 7]) {
      const ring = bitReversed(bits)
      expect(elect(election, { ring }).electing).toBe(1.5 * ring.length * bits + ring.length)
    }
  })

  it("is at most 1.356 N log₂N + 2N for N = 2…25 and 49, on rings by chance; on all orders of 8 nodes", () => {
    const bound = (count: number) => 1.356 * count * Math.log2(count) + 2 * count
    for (const count of sizes)
      for (const ring of someRings(count)) expect(elect(election, { ring }).electing).toBeLessThanOrEqual(bound(count))
    const counts = rings(nodesOf(8)).map((ring) => elect(election, { ring }).electing)
    expect(Math.max(...counts)).toBe(45)
  })
})

/** Exchanges two nodes of the ring at a time, and keeps what costs no less. */
const climb = (election: Parameters<typeof elect>[0], count: number, steps: number) => {
  const random = chance(count)
  const pick = () => Math.floor(random() * count)
  let ring = shuffled(count, count)
  let worst = elect(election, { ring }).electing
  for (let step = 0; step < steps; step++) {
    const [one, other] = [pick(), pick()]
    const exchanged = ring.with(one, ring[other]!).with(other, ring[one]!)
    const cost = elect(election, { ring: exchanged }).electing
    if (cost < worst) continue
    worst = cost
    ring = exchanged
  }
  return worst
}

describe("Higham–Przytycka (1996)", () => {
  const election = named("HighamPrzytycka")
  const bound = (count: number) => 1.271 * count * Math.log2(count) + count

  it("is at most 1.271 N log₂N + N on all orders of up to 8 nodes", () => {
    const worst = [2, 3, 4, 5, 6, 7, 8].map((count) =>
      Math.max(...rings(nodesOf(count)).map((ring) => elect(election, { ring }).electing))
    )
    expect(worst).toEqual([4, 8, 11, 18, 22, 26, 34])
    worst.forEach((cost, at) => expect(cost).toBeLessThanOrEqual(bound(at + 2)))
  })

  it.each([16, 32, 64])("so is the worst order of %d nodes that a climb by exchanges finds", (count) => {
    const cost = climb(election, count, 16_000 / count)
    expect(cost).toBeLessThanOrEqual(bound(count))
    expect(cost).toBeGreaterThan(1.15 * count * Math.log2(count))
  })

  it("so are orders by chance, and bit-reversed ones, of up to 1,024 nodes", () => {
    for (const bits of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      const count = 2 ** bits
      for (const ring of [
        bitReversed(bits),
        shuffled(count, 1),
        shuffled(count, 2),
        nodesOf(count),
        highestFirst(count)
      ])
        expect(elect(election, { ring }).electing).toBeLessThanOrEqual(bound(count))
    }
  })
})
