/** The answers of the notes' quiz that are about locks, as runs of the algorithms. */
import { Maekawa, RicartAgrawala } from "@troupe/mutex"
import { describe, expect, it } from "vitest"
import { broken, exhaust, inTurns, messages, nothing } from "./locks.ts"
import { acquire, from, send, siteOf } from "./sites.ts"

const ricart = { ...RicartAgrawala, options: undefined }
const maekawa = { ...Maekawa, options: Maekawa.defaults }

describe("the notes' quiz", () => {
  it("quiz 8: of 49 nodes, an entry costs 96 messages by Ricart–Agrawala, and 21 by Maekawa", async () => {
    expect(await messages(ricart, 49, inTurns(49))).toBe(49 * 96)
    expect(await messages(maekawa, 49, inTurns(49))).toBe(49 * 21)
  })

  it("quiz 9: what Ricart–Agrawala has not, and basic Maekawa has, is the possibility of deadlock", async () => {
    const bounds = { nodes: 3, entries: 1, only: "deadlock freedom" }
    expect(broken(await exhaust(ricart, bounds))).toEqual(nothing)
    const basic = { ...maekawa, options: { ...Maekawa.defaults, variant: "basic" } as const }
    expect(broken(await exhaust(basic, bounds)).broken).toEqual(["deadlock freedom"])
  })

  it("quiz 10: S10, which asks at 12, replies at once to S5, which asked at 10", () => {
    const nodes = ["S5", "S10"]
    const site = siteOf(RicartAgrawala.protocol, undefined)
    const asks = (node: string, time: number) => from(node, { _tag: "Request", time, view: 0 } as const)
    const replies = (node: string, time: number) => send(node, { _tag: "Reply", time })
    // Both have heard of a time before they ask.
    const s10 = site("S10", nodes, asks("S5", 11), acquire, asks("S5", 10))
    expect(s10).toMatchObject({ actions: [replies("S5", 10)], state: { phase: "waiting", claim: { time: 12 } } })
    const s5 = site("S5", nodes, asks("S10", 9), acquire, asks("S10", 12))
    expect(s5).toMatchObject({ actions: [], state: { phase: "waiting", claim: { time: 10 } } })
  })
})
