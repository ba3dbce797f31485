import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { json, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

/** The trace that a command writes, with what it prints. */
const traced = async (...args: ReadonlyArray<string>) => {
  const file = join(directory, `${Math.random()}.trace`)
  const { code, value } = await json(...args, "--trace", file)
  return { code, value, trace: readFileSync(file, "utf8"), file }
}

/** The printed command without `npx troupe`, and without where its trace goes. */
const again = (replay: string): ReadonlyArray<string> =>
  replay
    .replace(/ --trace .*$/, "")
    .split(" ")
    .slice(2)

describe("troupe simulate", () => {
  it("finds nothing where the card's assumptions hold", async () => {
    const { code, value } = await json("simulate", "election/bully", "--seeds", "1..200", "--faults", "crash")
    expect(code).toBe(0)
    expect(value).toMatchObject({
      algorithm: "election/bully",
      faults: "crash",
      nodes: 5,
      seeds: { first: 1, last: 200 },
      runs: 200,
      failed: 0,
      rate: 0,
      violations: [],
      counterexample: null
    })
  })

  it("finds the split brain that the card names, and prints the command that repeats it, step by step", async () => {
    const first = await traced("simulate", "election/bully", "--seeds", "1..20", "--faults", "partition")
    expect(first.code).toBe(1)
    const { counterexample, failed, violations } = first.value
    expect(failed).toBeGreaterThan(0)
    expect(violations[0]).toMatchObject({ name: "at most one leader", knownWeakness: "split brain" })
    expect(counterexample.faults.length).toBeLessThan(3)

    const second = await traced(...again(counterexample.replay))
    expect(second.code).toBe(1)
    expect(second.value.counterexample.violations).toEqual(counterexample.violations)
    expect(second.trace).toBe(first.trace)
    expect(second.trace.length).toBeGreaterThan(1000)
  })

  it("simulates a variant, and prints the command that repeats it", async () => {
    const { code, value } = await json("simulate", "mutex/maekawa", "--variant", "basic", "--seeds", "1..5")
    expect(code).toBe(1)
    expect(value.violations[0]).toMatchObject({ name: "no starvation", knownWeakness: "deadlock" })
    const repeated = await json(...again(value.counterexample.replay))
    expect(repeated.value.counterexample.violations).toEqual(value.counterexample.violations)
  })

  it("replays faults of messages too, and leaves out those that are not needed", async () => {
    const args = ["simulate", "mutex/ricart-agrawala", "--seeds", "1..5", "--faults", "chaos", "--nodes", "3"]
    const first = await traced(...args)
    expect(first.value.counterexample.replay).toMatch(/ --nodes 3 .* --without [a-z,]+ --until \d+ --planned 60000 /)
    expect(first.value.violations[0].knownWeakness).not.toBeNull()
    const second = await traced(...again(first.value.counterexample.replay))
    expect(second.trace).toBe(first.trace)
  })

  it("writes the trace of the first run when none fails", async () => {
    const args = ["simulate", "mutex/ricart-agrawala", "--planned", "5000"]
    const [many, one] = [await traced(...args, "--seeds", "4..6"), await traced(...args, "--seeds", "4..4")]
    expect(many.code).toBe(0)
    expect(many.trace).toBe(one.trace)
  })

  it("tells of it in words", async () => {
    const { code, stderr, stdout } = await troupe(
      "simulate",
      "election/bully",
      "--seeds",
      "1..3",
      "--faults",
      "partition"
    )
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" })
    expect(stdout).toMatch(/at most one leader broke in \d runs?, first in seed \d; known weakness: split brain/)
    expect(stdout).toMatch(/at [\d.]+ s \{[n\d ]+\} .* for [\d.]+ s/)
    expect(stdout).toMatch(
      /npx troupe simulate election\/bully --seeds \d\.\.\d --faults partition --keep [\d,]+ --until \d+/
    )
  })
})
