import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Trace } from "@troupe/trace"
import { Effect } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { splits } from "../src/Checks.ts"
import { ended, json, start, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

describe("troupe check", () => {
  it("says of every guarantee of a card that it holds, over every interleaving", async () => {
    const { code, value } = await json("check", "mutex/ricart-agrawala")
    expect(code).toBe(0)
    expect(value).toMatchObject({
      model: "mutex/ricart-agrawala, 3 nodes, 2 entries each",
      uniqueStates: 51_851,
      complete: true
    })
    expect(value.properties).toContainEqual({
      name: "mutual exclusion",
      kind: "always",
      verdict: "holds",
      knownWeakness: null,
      counterexample: null
    })
  })

  it("leaves no file behind where nothing is broken, and one that was there as it was", async () => {
    const [none, old] = [join(directory, "none.trace"), join(directory, "old.trace")]
    writeFileSync(old, "of an earlier check")
    for (const file of [none, old]) {
      const { code } = await troupe("check", "example/chang-roberts", "--nodes", "2", "--trace", file)
      expect(code).toBe(0)
    }
    expect(existsSync(none)).toBe(false)
    expect(readFileSync(old, "utf8")).toBe("of an earlier check")
  })

  it("finds starvation after a crash, names the weakness, and writes the trace", async () => {
    const file = join(directory, "starvation.trace")
    const args = ["check", "mutex/ricart-agrawala", "--entries", "1", "--crashes", "1", "--trace", file]
    const { code, value } = await json(...args)
    expect(code).toBe(1)
    const broken = value.properties.filter(({ verdict }: { readonly verdict: string }) => verdict === "violated")
    expect(broken).toMatchObject([{ name: "no starvation", knownWeakness: "one crash starves all" }])
    expect(broken[0].counterexample.loopFrom).toBe(broken[0].counterexample.steps.length)
    const trace = await Effect.runPromise(Trace.decode(readFileSync(file, "utf8")))
    expect(trace.header).toMatchObject({ source: "model-checker", nodes: ["n1", "n2", "n3"] })
    expect(trace.events.at(-1)).toMatchObject({ _tag: "Note", broken: true })
  })

  it("draws the split brain", async () => {
    const { code, stderr, stdout } = await troupe("check", "election/bully", "--split")
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" })
    expect(stdout).toMatch(/✗ at most one leader +always +violated; known weakness: split brain/)
    expect(stdout).toMatch(/\d+\. the network splits: /)
    expect(stdout).toMatch(/at most one leader is broken in 8 steps:\n {2}1\. n1 → /)
    expect(stdout).toContain("What is unknown was not decided by then. Add --all to go on.")
    expect(stdout).toContain("━━ ✗ broken: at most one leader")
  })

  it("checks a variant: basic Maekawa's deadlock is drawn, and Sanders' form has none", async () => {
    const { code, stdout } = await troupe("check", "mutex/maekawa", "--variant", "basic", "--nodes", "3")
    expect(code).toBe(1)
    expect(stdout).toContain("no starvation is broken in 6 steps:")
    expect(stdout).toContain("DEADLOCK: nothing went wrong, and nothing more can happen.")
    expect(stdout).toContain("n1 → n2 Request 1")
    expect(stdout).toContain("━━ ✗ broken: no starvation")
    const sanders = await json("check", "mutex/maekawa", "--entries", "1")
    expect(sanders.code).toBe(0)
    expect(sanders.value).toMatchObject({ model: "mutex/maekawa, 3 nodes, 1 entry each", complete: true })
  })

  it("goes on after the first property that is broken, where it is asked to", async () => {
    const { code, value } = await json("check", "election/bully", "--split", "--all")
    expect(code).toBe(1)
    expect(value).toMatchObject({ complete: true, ended: "all seen" })
    expect(value.properties.map(({ verdict }: { readonly verdict: string }) => verdict)).toEqual([
      "violated",
      "holds",
      "violated",
      "holds"
    ])
  })

  it("walks at random: what was met is told, and nothing of the rest; a seed is a run", async () => {
    const walk = async (seed: number) => {
      const args = ["mutex/ricart-agrawala", "--nodes", "5", "--search", "random", "--walks", "20", "--seed", `${seed}`]
      const { code, value } = await json("check", ...args)
      expect(code).toBe(0)
      expect(value).toMatchObject({ complete: false, ended: "walks" })
      expect(value.properties[0]).toMatchObject({ name: "mutual exclusion", verdict: "unknown" })
      expect(value.properties[3]).toMatchObject({ name: "a node enters", verdict: "holds" })
      return value.uniqueStates
    }
    const [one, again, other] = [await walk(1), await walk(1), await walk(2)]
    expect(again).toBe(one)
    expect(other).not.toBe(one)
  })

  it("says of random walks what they came to", async () => {
    const { code, stdout } = await troupe("check", "election/bully", "--search", "random", "--walks", "1")
    expect(code).toBe(0)
    expect(stdout).toContain(
      "1 random walk came to these; there may be more.\nWhat is unknown did not show on the walks;"
    )
  })

  it("explores on several threads", async () => {
    const { code, value } = await json("check", "mutex/ricart-agrawala", "--workers", "2")
    expect(code).toBe(0)
    expect(value).toMatchObject({ uniqueStates: 51_851, generatedStates: 163_490, depth: 36, complete: true })
  })

  it("leaves out orders that come to the same, and decides alike", async () => {
    const some = await json("check", "mutex/ricart-agrawala", "--partial-order")
    expect(some.value.properties.map(({ verdict }: any) => verdict)).toEqual(["holds", "holds", "holds", "holds"])
    expect(some.value.uniqueStates).toBeLessThan(51_851)
  })

  it("refuses to take nodes for interchangeable that are not", async () => {
    const { code, stderr } = await troupe("check", "mutex/ricart-agrawala", "--symmetric")
    expect(code).toBe(3)
    expect(stderr).toMatch(/n2 and n3 are not interchangeable: .* Leave --symmetric out\./)
  })

  it("splits few nodes in every way, and many in some", () => {
    expect(splits(["a", "b", "c"])).toEqual([
      [["a", "c"], ["b"]],
      [["a", "b"], ["c"]],
      [["a"], ["b", "c"]]
    ])
    for (const [nodes, ways] of [
      [2, 1],
      [4, 7],
      [5, 15],
      [6, 9]
    ] as const) {
      const all = splits(Array.from({ length: nodes }, (_, i) => `n${i + 1}`))
      expect(new Set(all.map((parts) => JSON.stringify(parts))).size).toBe(ways)
      for (const parts of all) expect(parts.map(({ length }) => length > 0)).toEqual([true, true])
    }
  })

  it("checks examples in other sizes", async () => {
    const { code, value } = await json("check", "example/two-phase-commit", "--managers", "5")
    expect(code).toBe(0)
    expect(value).toMatchObject({ uniqueStates: 8_832, complete: true })
  })

  it("ends where it is told to, and then says of nothing that it holds", async () => {
    const { code, value } = await json("check", "clocks/lamport", "--max-depth", "3")
    expect(code).toBe(0)
    expect(value).toMatchObject({ complete: false, ended: "depth" })
    expect(value.properties[0].verdict).toBe("unknown")
  })

  it.each([
    [["mutex/ricart-agrawala", "--managers", "3"], /has no --managers\. It has --nodes, --entries/],
    [["election/bully", "--entries", "3"], /has no --entries\. It has --nodes, --crashes/],
    [["example/two-phase-commit", "--crashes", "1"], /has no --crashes\. It has --managers\./],
    [["example/two-phase-commit", "--managers", "99"], /--managers 99 will not do/],
    [["example/nothing"], /There is no example\/nothing\. There are example\/two-phase-commit/],
    [["mutex/ricart-agrawala", "--variant", "basic"], /has no variant "basic"\. It has no variants\./],
    [["mutex/maekawa", "--variant", "none"], /has no variant "none"\. It has sanders, basic\./],
    [["example/two-phase-commit", "--variant", "basic"], /has no variants/],
    [["mutex/ricart-agrawala", "--restart"], /Add --crashes 1/],
    [["mutex/ricart-agrawala", "--walks", "3"], /Add --search random/],
    [["mutex/ricart-agrawala", "--seed", "3"], /Add --search random/],
    [["mutex/ricart-agrawala", "--workers", "2", "--search", "depth-first"], /has one thread/],
    [["mutex/ricart-agrawala", "--workers", "many"], /expected a number from 1 to 64, or auto/],
    [["mutex/ricart-agrawala", "--partial-order", "--workers", "2"], /Leave --workers out/],
    [["mutex/ricart-agrawala", "--trace", "/nowhere/at/all"], /it cannot be written/]
  ])("refuses %o", async (args, reason) => {
    const { code, stderr, stdout } = await troupe("check", ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(stderr).toMatch(reason)
  })

  it("prints what it has explored when it is interrupted", { timeout: 120_000 }, async () => {
    const interrupted = async (afterMillis: number) => {
      const child = start("check", "mutex/ricart-agrawala", "--nodes", "5", "--entries", "3", "--json")
      const timer = setTimeout(() => child.kill("SIGINT"), afterMillis)
      const all = await ended(child)
      clearTimeout(timer)
      return all
    }
    // It answers a signal once it runs, which takes a busy machine longer.
    let run = await interrupted(3_000)
    for (const millis of [10_000, 30_000]) if (run.code === null) run = await interrupted(millis)
    const { code, stderr, stdout } = run
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" })
    const value = JSON.parse(stdout)
    expect(value).toMatchObject({ complete: false, ended: "interrupted" })
    expect(value.uniqueStates).toBeGreaterThan(1000)
  })
})
