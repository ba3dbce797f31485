import { Swim } from "@troupe/failure-detection"
import { Codec } from "@troupe/transport"
import { describe, expect, it } from "vitest"
import { existsSync, readFileSync } from "node:fs"
import * as Formulas from "../src/internal/swim/formulas.ts"
import { rumourBytes } from "../src/internal/swim/messages.ts"
import { permuted } from "../src/internal/swim/order.ts"
import * as Rumours from "../src/internal/swim/rumours.ts"
import { alive, confirm, suspect } from "./swimSupport.ts"

const file = new URL("../../../../shared/corpora/vectors/memberlist_lifeguard.json", import.meta.url)
const vectors = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {}
const rows = (key: string): ReadonlyArray<ReadonlyArray<number>> => vectors[key] ?? []

describe.skipIf(!existsSync(file))("the numbers of memberlist (skipped where shared/corpora is absent)", () => {
  it("what is left of a suspicion, by confirmations, expected ones, elapsed time, least and longest", () => {
    const table = rows("remainingSuspicionTime(n,k,elapsed,min,max)->s")
    expect(table).toHaveLength(6)
    for (const [n, k, elapsed, min, max, left] of table as ReadonlyArray<
      [number, number, number, number, number, number]
    >) {
      expect(Formulas.remainingSuspicionSeconds(n, k, elapsed, min, max)).toBeCloseTo(left, 9)
    }
  })

  it("when a suspicion ends that 0 to 3 of 3 expected nodes confirm", () => {
    const table = rows("timer(k=3,min=0.5,max=2): confirmations->fires_at")
    expect(table).toHaveLength(4)
    for (const [confirmations, firesAt] of table as ReadonlyArray<[number, number]>) {
      const seconds = Formulas.remainingSuspicionSeconds(confirmations, 3, 0, 0.5, 2)
      expect(Math.floor(seconds * 100) / 100).toBe(firesAt)
    }
  })

  it("the shortest suspicion by the number of nodes", () => {
    const table = rows("suspicionTimeout(mult=3,n,interval=1s)/3 ->ms")
    expect(table).toHaveLength(6)
    for (const [nodes, millis] of table as ReadonlyArray<[number, number]>) {
      expect(Formulas.suspicionTimeoutMillis(3, nodes, 1_000) / 3).toBe(millis)
    }
  })

  it("how often a rumour is sent", () => {
    const table = rows("retransmitLimit(mult=3,n)")
    expect(table).toHaveLength(3)
    for (const [nodes, times] of table as ReadonlyArray<[number, number]>) {
      expect(Formulas.retransmitLimit(3, nodes)).toBe(times)
    }
  })

  it("local health and what it makes of a timeout", () => {
    const table = rows("awareness(max=8): delta,score,scaledTimeoutOf1s")
    expect(table).toHaveLength(14)
    let score = 0
    for (const [change, after, seconds] of table as ReadonlyArray<[number, number, number]>) {
      // Each row starts from the row before.
      score = Formulas.health(score, change, 8)
      expect([score, Formulas.scaled(1_000, score)]).toEqual([after, seconds * 1_000])
    }
  })

  it("the settings for a local network", () => {
    const lan = vectors.lan_defaults
    expect(Swim.defaults).toMatchObject({
      probeIntervalMillis: lan.ProbeInterval * 1_000,
      probeTimeoutMillis: lan.ProbeTimeout * 1_000,
      indirectProbes: lan.IndirectChecks,
      retransmitMultiplier: lan.RetransmitMult,
      suspicionMultiplier: lan.SuspicionMult,
      suspicionMaxMultiplier: lan.SuspicionMaxTimeoutMult,
      gossipIntervalMillis: lan.GossipInterval * 1_000,
      gossipNodes: lan.GossipNodes,
      syncIntervalMillis: lan.PushPullInterval * 1_000,
      healthMax: lan.AwarenessMaxMultiplier
    })
  })
})

describe("confirmations that are expected", () => {
  it("are multiplier − 2, and none where too few nodes are left to give them", () => {
    expect([2, 3, 4, 5, 100].map((nodes) => Formulas.expectedConfirmations(4, nodes))).toEqual([0, 0, 2, 2, 2])
    expect(Formulas.expectedConfirmations(1, 100)).toBe(0)
  })
})

describe("the order of a round", () => {
  it.each([1, 2, 3, 4, 5, 16, 17, 100, 1_000, 4_097])("visits each of %d places once", (size) => {
    for (const key of [0, 1, -77, 0x7fffffff]) {
      const visited = new Set(Array.from({ length: size }, (_, step) => permuted(step, size, key)))
      expect(visited.size).toBe(size)
      expect(Math.max(...visited)).toBe(size - 1)
    }
  })

  it("differs from key to key: each place comes first in about as many of 10,000 rounds (χ² at 99.9 %)", () => {
    const counts = new Array<number>(10).fill(0)
    for (let key = 0; key < 10_000; key++) counts[permuted(0, 10, Math.imul(key, 0x9e3779b9))]!++
    expect(counts.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0)).toBeLessThan(27.88)
  })
})

describe("rumours that are spread", () => {
  const options = { bytes: 1_000, times: 3, isCurrent: () => true }
  const list = (count: number) =>
    Array.from({ length: count }, (_, at) => alive(`n${at}`, 1)).reduce(Rumours.add, Rumours.none)

  it("each is sent so often and no more (SWIM §4.1: λ log N times)", () => {
    let rumours = list(5)
    const sends = new Map<string, number>()
    for (let packet = 0; packet < 10; packet++) {
      const { rest, taken } = Rumours.take(rumours, options)
      for (const { node } of taken) sends.set(node, (sends.get(node) ?? 0) + 1)
      rumours = rest
    }
    expect([...sends.values()]).toEqual([3, 3, 3, 3, 3])
    expect(rumours).toEqual(Rumours.none)
  })

  it("those that were sent least go first (SWIM §4.1)", () => {
    const bytes = 2 * rumourBytes(alive("n0", 1))
    const first = Rumours.take(list(3), { ...options, bytes })
    expect(first.taken.map(({ node }) => node)).toEqual(["n2", "n1"])
    const second = Rumours.take(Rumours.add(first.rest, alive("n7", 1)), { ...options, bytes })
    expect(second.taken.map(({ node }) => node)).toEqual(["n7", "n0"])
  })

  it("no packet takes more bytes than it may, as they are encoded; nothing is lost by that", () => {
    const codec = Codec.binary(Swim.Message)
    let rumours = Rumours.none
    for (let at = 0; at < 300; at++) rumours = Rumours.add(rumours, suspect(`node-${at}é`, at * 1e6, `by-${at}`))
    const sends = new Map<string, number>()
    while (rumours.count > 0) {
      const { rest, taken } = Rumours.take(rumours, { ...options, bytes: 360 })
      const bytes = Codec.encode(codec, { _tag: "Ping", sequence: 2 ** 31, rumours: taken }).length
      expect(bytes).toBeLessThanOrEqual(400)
      for (const { node } of taken) sends.set(node, (sends.get(node) ?? 0) + 1)
      rumours = rest
    }
    expect([...sends.values()]).toEqual(Array(300).fill(options.times))
  })

  it("one that is no longer held is dropped, not sent", () => {
    const isCurrent = ({ node }: Swim.Rumour): boolean => node !== "n1"
    const { rest, taken } = Rumours.take(list(3), { ...options, isCurrent })
    expect(taken.map(({ node }) => node)).toEqual(["n2", "n0"])
    expect(rest.count).toBe(2)
  })

  it("what was sent often enough for a group that has grown smaller is dropped", () => {
    const twice = [1, 2].reduce((rumours) => Rumours.take(rumours, options).rest, list(4))
    expect(twice.count).toBe(4)
    expect(Rumours.take(twice, { ...options, times: 2 })).toEqual({ taken: [], rest: Rumours.none })
  })

  it("they are bounded: what was sent most gives way", () => {
    let rumours = Rumours.take(list(Rumours.limit), { ...options, bytes: 1e6 }).rest
    for (let at = 0; at < 10; at++) rumours = Rumours.add(rumours, confirm(`m${at}`, 1))
    expect(rumours.count).toBe(Rumours.limit)
    expect(rumours.sent[0]).toHaveLength(10)
    expect(rumours.sent.flat()).toHaveLength(Rumours.limit)
  })
})
