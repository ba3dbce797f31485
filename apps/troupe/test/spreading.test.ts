/** Multicasts, gossip and replicas on the command line. */
import { Checker } from "@troupe/model-checker"
import { Effect, Option } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { named } from "../src/algorithms.ts"
import * as Checks from "../src/Checks.ts"
import { refuse } from "../src/commands/run/Refusal.ts"
import { pack, unpack } from "../src/worlds/Packing.ts"
import { json } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

describe("a run of what is to come to all", () => {
  it.each(["group/causal", "group/total-sequencer", "group/view-synchrony", "gossip/architecture"])(
    "%s: all of it does, the card holds, and there is a picture",
    async (name) => {
      const file = join(directory, "run.svg")
      const { code, value } = await json(
        "run",
        name,
        "--transport",
        "sim",
        "--nodes",
        "4",
        "--entries",
        "6",
        "--svg",
        file
      )
      expect(code).toBe(0)
      expect(value).toMatchObject({ algorithm: name, operations: 6, sent: 6, deliveries: 24, violations: [] })
      expect(value.toAllMillis.p50).toBeGreaterThan(0)
      expect(value.toAllMillis.p50).toBeLessThanOrEqual(value.toAllMillis.max)
      const picture = readFileSync(file, "utf8")
      for (const node of ["n1", "n2", "n3", "n4"]) expect(picture).toContain(`>${node}<`)
    }
  )

  it("more nodes than lanes can show: the picture is of how news spread", async () => {
    const file = join(directory, "spread.svg")
    const args = ["--nodes", "1100", "--entries", "1", "--transport", "sim", "--svg", file]
    const { code, value } = await json("run", "gossip/push-pull", ...args)
    expect(code).toBe(0)
    expect(value).toMatchObject({ nodes: 1100, operations: 1, deliveries: 1100, guaranteesHeldAgainst: 64 })
    expect(readFileSync(file, "utf8")).toContain("1 item, at 1,100 nodes: 1,100 of 1,100 came")
  })

  it("each a process: what nodes hold arrives whole", async () => {
    const { code, value } = await json("run", "group/causal", "--nodes", "3", "--entries", "6", "--transport", "tcp")
    expect(code).toBe(0)
    expect(value).toMatchObject({ operations: 6, deliveries: 18, messages: 12, violations: [] })
    expect(value.properties.every(({ holds }: { holds: boolean }) => holds)).toBe(true)
  })

  const asked = {
    ...{ kill: "0", nodes: 5, detector: true, transport: "memory" as const },
    ...{ seconds: Option.none<number>(), svg: Option.none<string>() }
  }
  const svg = Option.some("x.svg")
  it.each([
    ["gossip/push-pull", { nodes: 1001 }, "--nodes 1001: expected a number of nodes from 1 to 1000, unless with"],
    ["group/causal", { nodes: 1001, transport: "sim" as const }, "Of group/causal there can be no more."],
    ["group/causal", { svg }, "Add --transport sim."],
    ["gossip/hyparview", { svg, nodes: 33, transport: "sim" as const }, "32 lanes at the most"],
    ["group/best-effort", { transport: "udp" as const }, "assumes channels that lose no message"],
    ["gossip/push-pull", { nodes: 10_000, transport: "sim" as const, svg }, undefined]
  ])("of %s with %j is refused", (name, given, reason) => {
    const refusal = refuse(named(name)!, { ...asked, ...given })
    if (reason === undefined) expect(refusal).toBeUndefined()
    else expect(refusal).toContain(reason)
  })
})

describe("a state on its way between processes", () => {
  it("is the very same where nothing in it needs another form, and has that of JSON where it has one", () => {
    const state = { list: [1, { two: new Map([["three", [4]]]) }] }
    expect(pack(state)).toBe(state)
    class Held {
      readonly message = "n1.1"
      toJSON(): unknown {
        return { message: this.message }
      }
    }
    expect(unpack(pack({ log: [[new Held()]] }))).toStrictEqual({ log: [[{ message: "n1.1" }]] })
  })
})

describe("troupe compare group", () => {
  it("measures what an order costs, and what a crash of its first member leaves", async () => {
    const file = join(directory, "group.svg")
    const { code, value } = await json("compare", "group", "--nodes", "5", "--seeds", "1", "--svg", file)
    expect(code).toBe(0)
    const of = (name: string) => value.rows.find(({ algorithm }: { algorithm: string }) => algorithm === name)
    // N−1, and N(N−1) where everybody passes on.
    expect(of("group/best-effort")).toMatchObject({ messages: 4, agree: 0, goOn: 1 })
    expect(of("group/uniform")).toMatchObject({ messages: 20, agree: 1, goOn: 1 })
    expect(of("group/causal")).toMatchObject({ messages: 4, agree: 1, goOn: 1 })
    for (const name of ["sequencer", "token", "isis"]) {
      expect(of(`group/total-${name}`)).toMatchObject({ ordered: 1, agree: 1, goOn: 0 })
    }
    expect(of("group/total-sequencer in views")).toMatchObject({ ordered: 1, agree: 1, goOn: 1 })
    expect(of("group/view-synchrony")).toMatchObject({ agree: 1, goOn: 1 })
    expect(of("group/causal").half).toBeLessThan(of("group/total-sequencer").half)
    expect(readFileSync(file, "utf8")).toContain("a sender crashes: others agree")
  })
})

describe("troupe compare gossip", () => {
  it("measures how long news takes, what it costs, and whom it does not reach", async () => {
    const { value } = await json("compare", "gossip", "--nodes", "30", "--seeds", "1")
    const of = (name: string) => value.rows.find(({ algorithm }: { algorithm: string }) => algorithm === name)
    expect(of("gossip/push-pull push-pull").half).toBeLessThan(of("gossip/push-pull push").half)
    expect(of("gossip/push-pull push-pull")).toMatchObject({ residue: 0 })
    expect(of("gossip/plumtree")).toMatchObject({ residue: 0 })
    expect(of("gossip/rumor-mongering k=1").residue).toBeGreaterThan(of("gossip/rumor-mongering k=3").residue)
    expect(of("gossip/plumtree").half).toBeLessThan(1)
  })
})

describe("troupe compare broadcast", () => {
  it("comes to 12 messages an operation and 400 ms, or to 120 ms", async () => {
    const { value } = await json("compare", "broadcast", "--seeds", "1")
    const [few, quick] = value.rows
    expect(value).toMatchObject({ linkMillis: 100, operationsPerSecond: 100 })
    expect(few).toMatchObject({ nodes: 25 })
    expect(few.messages).toBeLessThanOrEqual(12)
    expect(few.half).toBeLessThanOrEqual(400)
    expect(quick.longest).toBeLessThanOrEqual(120)
  })
})

describe("in all interleavings of the usual bounds, as far as they go, nothing is broken", () => {
  it.each<readonly [name: string, isWhole: boolean]>([
    ...["flooding", "causal", "causal-dependencies", "nak-reliable", "total-isis", "view-synchrony"].map(
      (name) => [`group/${name}`, true] as const
    ),
    ["group/coordinated-membership", true],
    ["gossip/push-pull", false],
    ["gossip/plumtree", false],
    ["gossip/replicated", false]
  ])("%s", async (name, isWhole) => {
    const demonstration = named(name)!
    const model = Checks.build({ _tag: "Algorithm", name, bounds: Checks.usual(demonstration) })
    const depth = Checks.usualDepth(demonstration)
    const { complete, properties } = await Effect.runPromise(
      Checker.check(model, depth === undefined ? {} : { maxDepth: Math.min(depth, 7) })
    )
    expect(properties.filter(({ verdict }) => verdict === "violated")).toEqual([])
    expect(complete).toBe(isWhole)
  })
})
