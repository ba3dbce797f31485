import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { algorithms } from "../src/algorithms.ts"
import { jain } from "../src/commands/compare/Locking.ts"
import { json, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

const of = (value: any, name: string) => value.rows.find((row: any) => row.algorithm === name)

const namesOf = (service: string) =>
  algorithms
    .filter((algorithm) => algorithm.service === service)
    .flatMap(({ name, variants }) =>
      variants === undefined ? [name] : Object.values(variants).map(({ name }) => name)
    )

describe("Jain's index", () => {
  it("is 1 where all have as many, and 1/N where one has them all", () => {
    expect(jain([3, 3, 3, 3])).toBe(1)
    expect(jain([12, 0, 0, 0])).toBe(1 / 4)
  })
})

describe("troupe compare mutex", () => {
  const file = join(directory, "locks.svg")
  const high = ["compare", "mutex", "--nodes", "7", "--seeds", "2", "--contention", "high", "--svg", file]

  it("measures all locks under high contention, the same each time", async () => {
    const { code, value } = await json(...high)
    expect(code).toBe(0)
    expect(value).toMatchObject({ package: "mutex", seeds: 2, contention: "high" })
    expect(value.rows.map((row: any) => row.algorithm)).toEqual(namesOf("mutex"))
    // What an entry costs when all want to enter: 2(N−1), 3(N−1), N, and a message of the token's.
    expect(of(value, "mutex/ricart-agrawala").messages).toBe(12)
    expect(of(value, "mutex/lamport-queue").messages).toBe(18)
    expect(of(value, "mutex/suzuki-kasami").messages).toBe(7)
    expect(of(value, "mutex/token-ring").messages).toBe(1)
    // Who leaves tells the next: one message. By a coordinator it is two, but for its own entries.
    for (const name of ["ricart-agrawala", "lamport-queue", "suzuki-kasami", "token-ring"]) {
      expect(of(value, `mutex/${name}`)).toMatchObject({ handover: 1, fairness: 1, stuck: 0 })
    }
    expect(of(value, "mutex/coordinator").handover).toBeCloseTo((5 * 2 + 2 * 1) / 7, 1)
    for (const row of value.rows.filter((row: any) => row.leftOut === undefined)) {
      expect(row.half).toBeLessThanOrEqual(row.most)
      expect(row.bytes).toBeGreaterThan(row.messages)
    }

    const picture = readFileSync(file, "utf8")
    for (const text of ["7 nodes", "Ricart–Agrawala", "synchronisation delay", "high contention"]) {
      expect(picture).toContain(text)
    }
    await json(...high)
    expect(readFileSync(file, "utf8")).toBe(picture)
  })

  it("says of a lock that deadlocks that it is stuck", async () => {
    const { code, stderr, stdout } = await troupe("compare", "mutex", "--nodes", "7", "--seeds", "1")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^mutex {2}simulated, high contention, 1 seed$/m)
    expect(stdout).toMatch(/^Maekawa, basic +stuck in every seed: \d+ of 70 entries at the most, then none for 60 s$/m)
    expect(stdout).toMatch(/^Ricart–Agrawala( +[\d,.]+){7}$/m)
  })

  it("measures locks that are seldom wanted", async () => {
    const { value } = await json("compare", "mutex", "--nodes", "5", "--seeds", "1", "--contention", "low")
    // A request and its answer, or two for the token: nobody else is in the way.
    expect(of(value, "mutex/ricart-agrawala")).toMatchObject({ messages: 8, half: 2 })
    expect(of(value, "mutex/coordinator").half).toBe(2)
    // The token goes round while nobody wants it.
    expect(of(value, "mutex/token-ring").messages).toBeGreaterThan(20)
  })
})

describe("troupe compare election", () => {
  const file = join(directory, "elections.svg")

  it("measures all elections when the leader crashes", async () => {
    const args = ["--nodes", "5", "--seeds", "2", "--crash", "leader", "--svg", file]
    const { code, value } = await json("compare", "election", ...args)
    expect(code).toBe(0)
    expect(value).toMatchObject({ package: "election", seeds: 2, crash: "leader" })
    expect(value.rows.map((row: any) => row.algorithm)).toEqual(namesOf("election"))
    for (const row of value.rows) {
      expect(row.startSeconds).toBeLessThan(3)
      // Its register is served by the node that leads, and dies.
      if (row.algorithm === "election/lease") {
        expect(row).toMatchObject({ settled: 0, messages: null, agreed: null })
        continue
      }
      expect(row.settled).toBe(2)
      expect(row.leads).toBeGreaterThan(0.5)
      expect(row.leads).toBeLessThanOrEqual(row.agreed)
      expect(row.bytes).toBeGreaterThan(row.messages)
    }
    // The token of each goes round once, of all and of those that are left.
    expect(of(value, "election/le-lann")).toMatchObject({ startMessages: 25, messages: 16 })
    // When all start at once: N²−1, 3N−1, N² and N²+N.
    for (const [name, messages] of [
      ["bully", 24],
      ["chang-roberts", 14],
      ["le-lann", 25],
      ["ring", 30]
    ] as const) {
      expect([name, of(value, `election/${name}`).startMessages]).toEqual([name, messages])
    }
    // Those that have no heartbeats of their own are silent while nothing happens.
    expect(of(value, "election/ring").idle).toBe(0)
    // A heartbeat to each other four times a second.
    expect(of(value, "election/bully").idle).toBeCloseTo(16, 0)
    expect(readFileSync(file, "utf8")).toContain("until all agree")
  })

  it("measures a start alone when nobody crashes", async () => {
    const { stdout } = await troupe("compare", "election", "--nodes", "3", "--seeds", "1", "--crash", "none")
    expect(stdout).toMatch(/^election {2}simulated, nobody crashes, 1 seed$/m)
    expect(stdout).toMatch(/^Bully( +[\d,.]+){3}( +–){6}$/m)
  })
})
