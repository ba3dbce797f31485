import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { json, troupe } from "./command.ts"

const directory = mkdtempSync(join(tmpdir(), "troupe-"))
afterAll(() => rmSync(directory, { recursive: true }))

const file = (name: string): string => join(directory, name)

/** The counterexample that a check leaves. */
const checked = async (algorithm: string, ...flags: ReadonlyArray<string>) => {
  const trace = file(`${Math.random()}.trace`)
  const { code } = await json("check", algorithm, ...flags, "--trace", trace)
  expect(code).toBe(1)
  return trace
}

/** Lines without what a checker and a simulator say in ways of their own: who acts, when, and why a message is lost. */
const told = (trace: string): ReadonlyArray<string> =>
  readFileSync(trace, "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const { actor: _, atMillis: __, reason: ___, ...event } = JSON.parse(line)
      return event._tag === "Note" ? [] : [JSON.stringify(event)]
    })

const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, string]> = [
  ["mutex/ricart-agrawala", ["--entries", "1", "--crashes", "1", "--restart"], "order of claims"],
  ["mutex/ricart-agrawala", ["--entries", "1", "--lossy"], "no starvation"]
]

/** A split brain. */
let split: string
beforeAll(async () => {
  split = await checked("election/bully", "--split")
})

describe("troupe simulate --replay", () => {
  it.each(cases)("runs a counterexample of %s on the driver: %j", async (algorithm, flags, broken) => {
    const original = await checked(algorithm, ...flags)
    const trace = file("replayed.trace")
    const { code, value } = await json("simulate", algorithm, "--replay", original, "--trace", trace)
    expect(code).toBe(1)
    expect(value).toMatchObject({ algorithm, replay: original, nodes: 3, agrees: true, claimed: [broken], trace })
    expect(value.broken).toContain(broken)
    expect(value.steps).toBe(told(original).filter((line) => line.includes('"_tag":"Step"')).length)
    expect(told(trace).toSorted()).toEqual(told(original).toSorted())
  })

  it("runs again what it has recorded, to the same", async () => {
    const [first, second] = [file("first.trace"), file("second.trace")]
    const once = await json("simulate", "election/bully", "--replay", split, "--trace", first)
    const again = await json("simulate", "election/bully", "--replay", first, "--trace", second, "--draws", "4")
    expect(once).toMatchObject({ code: 1, value: { claimed: ["at most one leader"], broken: ["at most one leader"] } })
    expect(again).toMatchObject({ code: 1, value: { steps: once.value.steps, broken: once.value.broken } })
    const [, ...events] = readFileSync(first, "utf8").split("\n")
    expect(readFileSync(second, "utf8").split("\n").slice(1)).toEqual(events)
  })

  it("draws the run, and says what is broken", async () => {
    const { code, stderr, stdout } = await troupe("simulate", "election/bully", "--replay", split)
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" })
    expect(stdout).toMatch(/^election\/bully, 3 nodes, a split, replayed\n/)
    expect(stdout).toContain("╌╌ split: n1")
    expect(stdout).toContain("n2 timeout claim ▸ LeaderChanged (n2 4)")
    expect(stdout).toMatch(/\n✗ the same states after each of \d+ steps; at most one leader is broken\n$/)
  })

  it("says where the run leaves the trace, with the line of the file", async () => {
    const lines = readFileSync(split, "utf8").split("\n")
    const at = lines.findLastIndex((line) => line.includes('"_tag":"Timeout"'))
    const changed = file("changed.trace")
    writeFileSync(changed, lines.with(at, lines[at]!.replace('"role":"leading"', '"role":"deferring"')).join("\n"))

    const { code, stderr, stdout } = await troupe("simulate", "election/bully", "--replay", changed, "--json")
    expect(code).toBe(3)
    expect(stderr).toContain(
      `troupe: ${changed}:${at + 1}: The replay leaves the trace at step ${at}, on node "n2": its state`
    )
    expect(JSON.parse(stdout)).toMatchObject({
      agrees: false,
      diverged: { step: at, node: "n2", what: "state", expected: { role: "deferring" }, found: { role: "leading" } }
    })
  })

  it("another algorithm leaves it at its first step", async () => {
    const { code, stderr } = await troupe("simulate", "mutex/ricart-agrawala", "--replay", split)
    expect(code).toBe(3)
    expect(stderr).toContain(`${split}:2: The replay leaves the trace at step 1`)
  })

  it("a trace whose properties hold here ends well, and what it claims is told of", async () => {
    const trace = file("harmless.trace")
    const start = (node: string) => {
      const others = ["n1", "n2"].filter((other) => other !== node)
      const claim = { time: 0, node, view: 0 }
      const state = { view: 0, others, time: 0, phase: "idle", claim, awaiting: [], deferred: [] }
      return { _tag: "Step", node, clock: { [node]: 1 }, actor: node, input: { _tag: "Start" }, actions: [], state }
    }
    const note = (text: string) => ({ _tag: "Note", text: `broken: ${text}`, broken: true })
    const header = { _tag: "Trace", version: 1, title: "harmless", source: "model-checker", nodes: ["n1", "n2"] }
    const events = [start("n1"), start("n2"), note("mutual exclusion"), note("good manners")]
    writeFileSync(trace, [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join(""))
    const { code, stdout } = await troupe("simulate", "mutex/ricart-agrawala", "--replay", trace)
    expect(code).toBe(0)
    expect(stdout).toContain("✓ the same states after each of 2 steps\n")
    expect(stdout).toContain("mutual exclusion is broken in the trace, and holds here")
    expect(stdout).toContain("good manners is broken in the trace; no guarantee of Ricart–Agrawala has this name")
  })

  const header = JSON.stringify({ _tag: "Trace", version: 1, title: "", source: "model-checker", nodes: ["n1"] })
  const refused: ReadonlyArray<readonly [string, string | undefined, ReadonlyArray<string>, string]> = [
    ["a file that is not there", undefined, [], "it cannot be read, there is no such file or directory."],
    ["a file that is no trace", "{", [], ":1: it cannot be replayed: it is not JSON"],
    [
      "an event that cannot be",
      `${header}\n{"_tag":"Lost","id":3}\n`,
      [],
      ":2: it cannot be replayed: message 3 is lost, and was not sent before."
    ],
    [
      "what the trace says already",
      header,
      ["--nodes", "3"],
      "--nodes: with --replay, the trace says it. Leave it out."
    ],
    ["a trace that goes nowhere", header, ["--trace", "/no/such/directory/t"], "it cannot be written"]
  ]

  it("takes --draws with --replay alone", async () => {
    const { code, stderr } = await troupe("simulate", "election/bully", "--draws", "4")
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "troupe: --draws: only a --replay takes it. A seed draws what it draws.\n"
    })
  })

  it.each(refused)("refuses %s", async (_, content, flags, reason) => {
    const trace = file(`${Math.random()}.trace`)
    if (content !== undefined) writeFileSync(trace, content)
    const { code, stderr, stdout } = await troupe("simulate", "election/bully", "--replay", trace, ...flags)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(stderr).toContain(reason)
    expect(stderr.trimEnd().split("\n")).toHaveLength(1)
  })
})
