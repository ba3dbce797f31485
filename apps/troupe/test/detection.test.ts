import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { HashMap } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { Detection } from "../src/Detection.ts"
import { pack, unpack } from "../src/worlds/Packing.ts"
import { ended, json, jsonApart, start, troupe } from "./command.ts"

const names = ["fuse", "gossip-heartbeat", "heartbeat", "heartbeat-counters", "phi-accrual", "ping", "swim"]

interface Killed {
  readonly node: string
  readonly noticedBy: number
  readonly of: number
  readonly firstMillis: number
  readonly lastMillis: number
}

describe("troupe run of a failure detector", () => {
  it.each(names)("failure-detection/%s: all who are left notice each node that dies", async (name) => {
    const args = ["--nodes", "10", "--transport", "sim", "--kill", "2"]
    const { code, value } = await json("run", `failure-detection/${name}`, ...args)
    expect(code).toBe(0)
    expect(value).toMatchObject({ nodes: 10, seconds: 30, violations: [] })
    expect(value.falsePositives).toEqual({ suspected: 0, takenForDead: 0 })
    expect(value.killed.map(({ node }: Killed) => node)).toEqual(["n4", "n8"])
    for (const { firstMillis, lastMillis, noticedBy, of } of value.killed as ReadonlyArray<Killed>) {
      expect([noticedBy, of]).toEqual([8, 8])
      expect(firstMillis).toBeGreaterThan(0)
      expect(lastMillis).toBeGreaterThanOrEqual(firstMillis)
      expect(lastMillis).toBeLessThan(12_000)
    }
  })

  it("is the same run for the same seed on sim", async () => {
    const args = [
      "run",
      "failure-detection/swim",
      "--transport",
      "sim",
      "--kill",
      "1",
      "--seed",
      "3",
      "--seconds",
      "10"
    ]
    const figures = async () => ({ ...(await json(...args)).value, elapsedMillis: 0 })
    expect(await figures()).toEqual(await figures())
  })

  it.concurrent.each([
    ["heartbeat", "tcp"],
    ["swim", "udp"]
  ])("failure-detection/%s: a process that is killed is noticed by the others over %s", async (name, transport) => {
    const args = ["--nodes", "3", "--transport", transport, "--kill", "1", "--seconds", "10"]
    const { code, value } = await jsonApart("run", `failure-detection/${name}`, ...args)
    expect({ code, violations: value.violations }).toEqual({ code: 0, violations: [] })
    expect(value.killed).toMatchObject([{ node: "n3", noticedBy: 2, of: 2 }])
  })

  it("tells in words who noticed when, and what it cost", async () => {
    const args = ["--nodes", "4", "--transport", "sim", "--kill", "1", "--seconds", "10"]
    const { code, stdout } = await troupe("run", "failure-detection/phi-accrual", ...args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^killed +noticed by +first after +half after +last after\nn3 +3 of 3 +\d\.\d\d s/m)
    expect(stdout).toMatch(/^messages a node and second {2}\S+ {3}card: N\(N−1\) an interval of all$/m)
    expect(stdout).toMatch(/^ {2}\d+ of 10 seconds, [\d,]+ messages: n3 is dead, 3 suspect others$/m)
    expect(stdout).toMatch(/✓ completeness {2}eventually/)
  })
})

describe("an interrupt", () => {
  it("leaves what was seen so far", async () => {
    const child = start("run", "failure-detection/heartbeat", "--nodes", "3")
    const end = ended(child)
    await new Promise<void>((resolve) =>
      child.stdout!.on("data", (chunk) => {
        if (String(chunk).includes("3 of 30 seconds")) resolve()
      })
    )
    child.kill("SIGINT")
    const { code, stdout } = await end
    expect(code).toBe(130)
    expect(stdout).toMatch(/^messages a node and second {2}\d/m)
    // Whether what is promised for the end would have come true is not known.
    expect(stdout).toMatch(/^\? completeness/m)
  })
})

describe("troupe simulate of a failure detector", () => {
  it.each(names)("failure-detection/%s: finds nothing where the card's assumptions hold", async (name) => {
    const { code, value } = await json("simulate", `failure-detection/${name}`, "--seeds", "1..3", "--faults", "chaos")
    expect({ code, violations: value.violations }).toEqual({ code: 0, violations: [] })
  })
})

describe("troupe compare", () => {
  const directory = mkdtempSync(join(tmpdir(), "troupe-"))
  afterAll(() => rmSync(directory, { recursive: true }))
  const file = join(directory, "detectors.svg")

  it("measures all on the same seeds, as JSON and as a picture, the same each time", async () => {
    const args = ["compare", "failure-detection", "--nodes", "4,7", "--seeds", "2", "--loss", "20", "--svg", file]
    const { code, value } = await json(...args)
    expect(code).toBe(0)
    expect(value).toMatchObject({ package: "failure-detection", seeds: 2, lossProbability: 0.2 })
    expect(value.rows).toHaveLength(2 * names.length)
    const of = (name: string, nodes: number) =>
      value.rows.find((row: any) => row.algorithm === `failure-detection/${name}` && row.nodes === nodes)
    for (const row of value.rows) {
      expect(row.missed).toBe(0)
      expect(row.first).toBeLessThanOrEqual(row.half)
      expect(row.most).toBeLessThanOrEqual(row.last)
    }
    // A message is sent to each other, in each interval of a second: a literal, of which the layout's mark is all.
    expect(of("heartbeat-counters", 7).messages).toBeCloseTo(6, 1)
    expect(of("heartbeat-counters", 7).bytes / of("heartbeat-counters", 7).messages).toBeCloseTo(4, 5)
    // All-to-all grows with the nodes, SWIM does not.
    expect(of("ping", 7).messages / of("ping", 4).messages).toBeCloseTo(2, 1)
    expect(of("swim", 7).messages / of("swim", 4).messages).toBeLessThan(1.1)
    expect(of("ping", 7).falsePositives).toBeGreaterThan(0)
    expect(of("heartbeat", 4).dead).toBeNull()
    expect(of("swim", 4).dead).toBeGreaterThan(of("swim", 4).half)

    const picture = readFileSync(file, "utf8")
    expect(picture).toMatch(/^<svg xmlns/)
    for (const text of ["7 nodes", "φ-accrual", "noticed after", "false positives", "a node and second"]) {
      expect(picture).toContain(text)
    }
    await json(...args)
    expect(readFileSync(file, "utf8")).toBe(picture)
  })

  it("prints a table", async () => {
    const { code, stdout } = await troupe("compare", "failure-detection", "--nodes", "3", "--seeds", "1")
    expect(code).toBe(0)
    expect(stdout).toMatch(/^3 nodes +noticed after/m)
    expect(stdout).toMatch(/^SWIM with Lifeguard( +[\d,.]+){10}$/m)
    expect(stdout).toMatch(/^Ping( +[\d,.]+){5} +–( +[\d,.]+){4}$/m)
  })

  it("leaves out what would take too long, and says why", async () => {
    const child = start("compare", "failure-detection", "--nodes", "1000", "--seeds", "1")
    const end = ended(child)
    // The first row comes at once; the second takes long.
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    child.kill("SIGINT")
    const { code, stdout } = await end
    expect(code).toBe(130)
    expect(stdout).toMatch(/^FUSE +999,000 messages an interval: left out$/m)
  })
})

describe("what came of watching", () => {
  const seen = (...said: ReadonlyArray<readonly [number, string, "up" | "suspected" | "down", string?]>) => {
    const detection = new Detection()
    detection.see({ _tag: "Done", node: "n1", atNanos: 0 })
    const says = said.map(([millis, node, status, about]) => ({
      ...{ _tag: "Says" as const, node, atNanos: millis * 1e6, status, about }
    }))
    const killed = { _tag: "Killed" as const, node: "n9", atNanos: 1_000e6 }
    for (const each of [...says, killed].toSorted((a, b) => a.atNanos - b.atNanos)) detection.see(each)
    return detection
  }

  it("who says first that a dead node is suspected, or dead, has noticed it then; the dead notice nothing", () => {
    const [noticed] = seen(
      [3_000, "n2", "suspected", "n9"],
      [4_000, "n2", "down", "n9"],
      [2_500, "n1", "down", "n9"],
      [2_000, "n9", "suspected", "n9"]
    ).noticed()
    expect(noticed).toEqual({
      node: "n9",
      atMillis: 1_000,
      afterMillis: [1_500, 2_000],
      deadAfterMillis: [1_500, 3_000]
    })
  })

  it("what is said of a node that is up is wrong, and so is what was said too early", () => {
    const detection = seen([900, "n2", "suspected", "n9"], [2_000, "n2", "down", "n1"], [2_100, "n2", "up", "n1"])
    expect([detection.wronglySuspected, detection.wronglyDead]).toEqual([1, 1])
    expect(detection.noticed()[0]!.afterMillis).toEqual([])
  })

  it("who can't tell of whom is right once somebody has died", () => {
    const detection = seen([900, "n2", "down"], [2_000, "n2", "down"])
    expect(detection.wronglyDead).toBe(1)
    expect(detection.noticed()[0]!.afterMillis).toEqual([1_000])
  })
})

describe("states on their way between processes", () => {
  it("arrive with their hash maps, where all else loses its prototype", () => {
    const state = { members: { differing: HashMap.make(["n1", { status: "down" }]), roster: ["n1"] }, round: undefined }
    const arrived = unpack(structuredClone(pack(state))) as typeof state
    expect([...arrived.members.differing]).toEqual([["n1", { status: "down" }]])
    expect({ ...arrived, members: arrived.members.roster }).toEqual({ members: ["n1"], round: undefined })
  })
})
