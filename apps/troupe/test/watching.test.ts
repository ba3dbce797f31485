import { describe, expect, it } from "vitest"
import { algorithms } from "../src/algorithms.ts"
import type { Sighting } from "../src/Sighting.ts"
import { Tally } from "../src/Tally.ts"
import { picture } from "../src/terminal/Picture.ts"
import { bar, type Screen } from "../src/terminal/Screen.ts"
import { Merge } from "../src/worlds/processes.ts"
import { names, type Run } from "../src/worlds/World.ts"

const mutex = algorithms.find(({ name }) => name === "mutex/ricart-agrawala")!

const inside = { phase: "inside", claim: { time: 1, node: "n1", view: 0 } }
const idle = { ...inside, phase: "idle" }

const step = (node: string, atNanos: number, state: unknown): Sighting => ({
  _tag: "Step",
  node,
  atNanos,
  state,
  sent: [],
  received: undefined
})

describe("the merged view of several processes", () => {
  it("puts in order what was seen, as soon as no process can report anything earlier", () => {
    const merge = new Merge(["n1", "n2"])
    merge.add("n1", [step("n1", 10, idle), step("n1", 30, idle)], 40)
    expect(merge.take()).toEqual([])
    merge.add("n2", [step("n2", 20, idle)], 25)
    expect(merge.take().map(({ atNanos }) => atNanos)).toEqual([10, 20])
    merge.add("n2", [], 50)
    expect(merge.take().map(({ atNanos }) => atNanos)).toEqual([30])
  })
})

describe("the guarantees of a card", () => {
  it("are held against the states of all nodes after every step", () => {
    const tally = new Tally(mutex, ["n1", "n2"])
    for (const sighting of [step("n1", 1, inside), step("n2", 2, idle)]) tally.see(sighting)
    expect(tally.outcome().violations).toEqual([])
    for (const sighting of [step("n2", 3, inside), step("n2", 4, idle)]) tally.see(sighting)
    expect(tally.outcome().violations).toEqual([{ name: "mutual exclusion" }])
  })

  it("fail with a handler that throws", () => {
    const tally = new Tally(mutex, ["n1"])
    tally.see({
      _tag: "Step",
      node: "n1",
      atNanos: 1,
      state: inside,
      sent: [],
      received: "Reply",
      failure: "Error: no"
    })
    expect(tally.outcome().violations).toEqual([{ name: "a handler threw", detail: "n1: Error: no" }])
  })
})

describe("the picture", () => {
  const plain = (text: string): string => text
  const screen: Screen = {
    width: 70,
    height: 20,
    canRedraw: true,
    style: { bold: plain, dim: plain, red: plain, green: plain, yellow: plain }
  }
  const draw = (nodes: number): ReadonlyArray<string> => {
    const run: Run = { demonstration: mutex, nodes: names(nodes), entries: 4, seed: 1, workMillis: 0 }
    const tally = new Tally(mutex, run.nodes)
    tally.see({ _tag: "Shows", node: "n2", atNanos: 1, role: "holds", detail: "token 7" })
    tally.see({ _tag: "Shows", node: "n3", atNanos: 2, role: "waits", detail: "" })
    tally.see({ _tag: "Finished", node: "n1", atNanos: 3 })
    return picture(run, tally, "A lock", screen)
  }

  it("has a line for each node", () => {
    expect(draw(3)).toEqual([
      "A lock",
      "",
      "  n1 · rests",
      "  n2 ● holds token 7",
      "  n3 … waits",
      "",
      "  ████████░░░░░░░░░░░░░░░░░░░░░░  1 of 4 entries   0 messages"
    ])
  })

  it.each([1, 12, 13, 24, 25, 400, 1000])("fits the terminal with %i nodes", (nodes) => {
    const lines = draw(nodes)
    expect(lines.length).toBeLessThan(screen.height)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(screen.width)
  })
})

describe("a bar", () => {
  it("is left out where there is no room", () => {
    expect([bar(0.5, 4), bar(0.5, 0), bar(0.5, -10)]).toEqual(["██░░", "", ""])
  })
})
