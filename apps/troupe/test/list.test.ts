import { Bully } from "@troupe/election"
import { describe, expect, it } from "vitest"
import { json, troupe } from "./command.ts"

const { best, worst } = Bully.card.cost

describe("troupe list", () => {
  it("shows a line for each algorithm", async () => {
    const { code, stdout } = await troupe("list")
    expect(code).toBe(0)
    expect(stdout).toMatch(/^clocks\/lamport +Lamport clock, 1978 +1 a message +Counts events/m)
    expect(stdout).toMatch(/^election\/bully +Bully, 1982 +N.* to N.* an election +/m)
    expect(stdout).toContain(` ${best.text} to ${worst.text} an election `)
    expect(stdout).toMatch(/^mutex\/ricart-agrawala +Ricart–Agrawala, 1981 +2\(N−1\) an entry +/m)
  })

  it("shows a whole card", async () => {
    const { stdout } = await troupe("list", "election/bully")
    for (const part of [
      "Garcia-Molina",
      "synchronous timing",
      "at most one leader",
      "split brain",
      `${best.text} to ${worst.text} messages`
    ]) {
      expect(stdout).toContain(part)
    }
  })

  it("gives cards as JSON", async () => {
    const { value } = await json("list")
    const bully = value.find(({ name }: { name: string }) => name === "election/bully")
    expect(bully).toMatchObject({
      title: "Bully",
      paper: { year: 1982 },
      assumes: { failures: "crash-recovery" },
      cost: { operation: "election", best: best.text, worst: worst.text, background: ["Heartbeat"] }
    })
    expect(bully.weaknesses).toContainEqual(
      expect.objectContaining({ name: "split brain", breaks: "at most one leader" })
    )
    expect(bully.guarantees).toContainEqual({
      name: "at most one leader",
      kind: "always",
      description: "No two nodes lead at the same time."
    })
    expect((await json("list", "election/bully")).value).toEqual(bully)
  })
})
