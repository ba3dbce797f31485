/** Clients of the gossip architecture in every world that its card allows, and what an update costs. */
import { describe, expect, it } from "@effect/vitest"
import { GossipArchitecture } from "@troupe/gossip"
import { Effect } from "effect"
import { type Given, simulate } from "../proof/architecture.ts"
import { letters, type Sent, update, world } from "./architecture/hand.ts"

const nothing = [0, 0, 0, 0]

describe("in simulated worlds", () => {
  it.live.each(GossipArchitecture.card.assumes.tolerates)(
    "causes first, once only, forced and immediate updates in one order, and tables emptied: %s",
    (preset) =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= 8; seed++) {
          const { found, violations } = yield* simulate({ seed, preset })
          expect({ seed, found, violations }).toEqual({ seed, found: [], violations: [] })
        }
      }),
    60_000
  )

  // A new leader took its own vote for the place before for a later one than another's for the open place.
  it.live.each([
    ["crash", 696],
    ["partition", 700],
    ["chaos", 1108]
  ] as const)("who takes over proposes again what may have been agreed: %s, seed %d", ([preset, seed]) =>
    Effect.gen(function* () {
      const { found, violations } = yield* simulate({ seed, preset })
      expect({ found, violations }).toEqual({ found: [], violations: [] })
    })
  )

  it.live("the same seed is the same run, byte by byte", () =>
    Effect.gen(function* () {
      const traces = [[], []] as [Array<unknown>, Array<unknown>]
      for (const trace of traces)
        yield* simulate({ seed: 7, preset: "chaos", trace: (event) => void trace.push(event) })
      expect(traces[0].length).toBeGreaterThan(500)
      expect(JSON.stringify(traces[0])).toBe(JSON.stringify(traces[1]))
    })
  )
})

describe("a fault that is planted is found", () => {
  const without = (message: any): any => {
    if (message._tag === "Update") return { ...message, request: { ...message.request, prev: nothing } }
    if (message._tag !== "Gossip") return message
    const free = (record: any) =>
      record._tag === "Update" && record.order === "causal" ? { ...record, prev: nothing } : record
    return { ...message, records: message.records.map(free) }
  }
  const faults: ReadonlyArray<readonly [string, Given["tamper"] & {}, string]> = [
    [
      "a query that does not wait",
      (message) => (message._tag === "Query" ? { ...message, prev: nothing } : message),
      "clients' view, once only, one order"
    ],
    ["a replica manager that executes an update before its causes", without, "causal order of deliveries"],
    [
      "an immediate update that does not stop the others",
      (message) => (message._tag === "Frozen" ? { ...message, timestamp: nothing, records: [] } : message),
      "immediate updates are in one place among all"
    ]
  ]
  it.live.each(faults)("%s", ([, tamper, broken]) =>
    Effect.gen(function* () {
      const all = new Set<string>()
      for (let seed = 1; seed <= 20 && !all.has(broken); seed++) {
        const { violations } = yield* simulate({ seed, preset: "partition", tamper })
        for (const { name } of violations) all.add(name)
      }
      expect([...all]).toContain(broken)
    })
  )
})

describe("cost", () => {
  /** How many messages of each kind pass when a client makes updates one after another, and everything settles. */
  const count = (G: number, updates: number, order: GossipArchitecture.Order, replicas: number) => {
    const names = Array.from({ length: replicas }, (_, i) => `r${i + 1}`)
    const w = world({ replicas: names, updatesPerGossip: G })
    const counts: Record<string, number> = {}
    const tally = (sent: Sent): boolean => {
      counts[sent.message._tag] = (counts[sent.message._tag] ?? 0) + 1
      return sent.to.startsWith("c")
    }
    for (let i = 1; i <= updates; i++) {
      counts["Update"] = (counts["Update"] ?? 0) + 1
      // At a replica manager that does not lead.
      w.deliver("r2", w.node("r2").hear("c1", update("c1", i, "a", Array(replicas + 1).fill(0), { order })), tally)
    }
    return counts
  }

  it.each([
    [3, 1],
    [3, 4],
    [5, 8],
    [7, 2]
  ])("%i replica managers, G of %i: 2 + (R−1)/G messages an update", (R, G) => {
    const updates = 3 * G
    const counts = count(G, updates, "causal", R)
    expect(counts).toEqual({ Update: updates, Updated: updates, Gossip: (updates / G) * (R - 1) })
  })

  it.each([3, 5])("%i replica managers: 3 + 2(R−1) messages a forced update, and gossip", (R) => {
    expect(count(2, 4, "forced", R)).toEqual({
      Update: 4,
      Forward: 4,
      Propose: 4 * (R - 1),
      Accepted: 4 * (R - 1),
      Updated: 4,
      Gossip: 2 * (R - 1)
    })
  })

  it.each([3, 5])("%i replica managers: 3 + 5(R−1) messages an immediate update, its gossip included", (R) => {
    const counts = count(1_000, 4, "immediate", R)
    expect(Object.values(counts).reduce((a, b) => a + b)).toBe(4 * GossipArchitecture.card.cost.worst.of(R))
    expect(GossipArchitecture.card.cost.worst.of(R)).toBe(3 + 5 * (R - 1))
  })
})

describe("bounds", () => {
  it("while one is away, the others' logs grow to logRecords, and no further; then they are emptied", () => {
    const w = world({ logRecords: 50, updatesPerGossip: 10 })
    const away = ({ to }: Sent): boolean => to === "r3" || to.startsWith("c")
    for (let i = 1; i <= 200; i++) {
      for (const id of ["r1", "r2"]) {
        w.deliver(id, w.node(id).hear(`c${id[1]!}`, update(`c${id[1]!}`, i, "a", nothing)), away)
        if (i % 20 === 0) w.deliver(id, w.node(id).timeout("gossip"), away)
      }
    }
    for (const id of ["r1", "r2"]) {
      expect(
        w
          .node(id)
          .replica()
          .log.map(({ length }) => length)
      ).toEqual([50, 50, 0, 0])
      expect(w.node(id).replica().value).toHaveLength(100)
    }
    for (let i = 0; i < 6; i++) for (const id of w.options.replicas) w.deliver(id, w.node(id).timeout("gossip"))
    for (const id of w.options.replicas) {
      expect(w.node(id).replica().log.flat()).toEqual([])
      expect([...w.node(id).replica().clients.values()].map(({ updates }) => updates.length)).toEqual([1, 1])
      expect(letters.equals!(w.node(id).replica().value as string, "a".repeat(100))).toBe(true)
    }
  })
})
