import { SuzukiKasami } from "@troupe/mutex"
import { describe, expect, it } from "vitest"
import { acquire, enters, from, release, send, siteOf, suspect, trust } from "./sites.ts"

const site = siteOf(SuzukiKasami.protocol, undefined)
const nodes = ["S1", "S2", "S3"]
const request = (node: string, number: number) => from(node, { _tag: "Request", number })
const tokenOf = (served: ReadonlyArray<number>, queue: ReadonlyArray<string> = [], generation = 0, entries = 0) => ({
  _tag: "Token" as const,
  token: { generation, entries, served, queue }
})
const inquire = (node: string, generation: number) => from(node, { _tag: "Inquire", generation })
const report = (node: string, generation: number, number: number, pending: boolean) =>
  from(node, { _tag: "Report", generation, number, pending })
const token = (generation: number, entries: number) => generation * 2 ** 30 + entries

describe("requests and the token (Suzuki & Kasami 1985; the notes, §3.2.B)", () => {
  it("a site without the token numbers its request and sends it to all others", () => {
    const { actions, state } = site("S2", nodes, acquire)
    expect(actions).toEqual([send("S1", { _tag: "Request", number: 1 }), send("S3", { _tag: "Request", number: 1 })])
    expect(state).toMatchObject({ phase: "waiting", requested: [0, 1, 0] })
  })

  it("a site with the token enters without a message", () => {
    expect(site("S1", nodes, acquire).actions).toEqual([enters(token(0, 1))])
  })

  it("RN is the largest number received: an older request changes nothing", () => {
    expect(site("S2", nodes, request("S3", 2), request("S3", 1)).state.requested).toEqual([0, 0, 2])
  })

  it("who asks with a number that is known is told, and asks with the next: it has forgotten its numbers", () => {
    const known = site("S1", nodes, request("S2", 1), request("S2", 3), request("S2", 2))
    expect(known.actions).toEqual([send("S2", { _tag: "Known", asked: 2, number: 3 })])
    const told = (asked: number) => from("S1", { _tag: "Known", asked, number: 3 } as const)
    expect(site("S2", nodes, acquire, told(1)).actions).toEqual([
      send("S1", { _tag: "Request", number: 4 }),
      send("S3", { _tag: "Request", number: 4 })
    ])
    // What was withdrawn is asked for too: the token is to come, and to go on.
    expect(site("S2", nodes, acquire, release, told(1)).state.requested).toEqual([0, 4, 0])
    // Of an earlier request, which was overtaken, and of one that is served, it is not to ask again.
    expect(site("S2", nodes, acquire, told(1), told(1)).actions).toEqual([])
    expect(site("S2", nodes, acquire, from("S1", tokenOf([0, 0, 0])), release, told(1)).actions).toEqual([])
  })

  it("an idle holder sends the token to whoever asks, when RN is above LN", () => {
    expect(site("S1", nodes, request("S2", 1))).toMatchObject({
      state: { token: undefined },
      actions: [send("S2", tokenOf([0, 0, 0]))]
    })
    const served = [acquire, from("S1", tokenOf([0, 0, 1])), release]
    expect(site("S2", nodes, ...served, request("S3", 1)).actions).toEqual([])
  })

  it("a holder that is inside keeps the token; on leaving, LN is RN, and whoever waits joins Q in turn", () => {
    const inside = [acquire, from("S1", tokenOf([0, 0, 0], ["S1"])), request("S3", 1), request("S1", 1)]
    expect(site("S2", nodes, ...inside).actions).toEqual([])
    expect(site("S2", nodes, ...inside, release).actions).toEqual([send("S1", tokenOf([0, 1, 0], ["S3"], 0, 1))])
  })

  it("a holder that nobody waits for keeps the token", () => {
    expect(site("S1", nodes, acquire, release)).toMatchObject({ actions: [], state: { token: { entries: 1 } } })
  })

  it("a withdrawn request brings the token all the same: it counts as served, and the token goes on", () => {
    const withdrawn = [acquire, release, request("S3", 1)]
    expect(site("S2", nodes, ...withdrawn, from("S1", tokenOf([0, 0, 0]))).actions).toEqual([
      send("S3", tokenOf([0, 1, 0]))
    ])
    // Who asks again meanwhile need send nothing.
    expect(site("S2", nodes, acquire, release, acquire)).toMatchObject({ actions: [], state: { phase: "waiting" } })
  })

  it("a command that makes no sense now changes nothing", () => {
    expect(site("S2", nodes, release)).toEqual({ state: site("S2", nodes).state, actions: [] })
    expect(site("S2", nodes, acquire, acquire)).toEqual({ state: site("S2", nodes, acquire).state, actions: [] })
  })
})

describe("regeneration", () => {
  const inquiry = (generation: number) => ({ _tag: "Inquire", generation })

  it("the lowest that is not suspected asks all, in a generation of its own; others do not", () => {
    expect(site("S2", nodes, suspect("S1")).actions).toEqual([send("S3", inquiry(4))])
    expect(site("S3", nodes, suspect("S1")).actions).toEqual([])
    // Alone, it makes a token at once.
    expect(site("S3", nodes, suspect("S1"), suspect("S2")).state.token).toMatchObject({ generation: 5 })
  })

  it("whoever passed the token to the suspect asks too", () => {
    expect(site("S2", nodes, acquire, from("S1", tokenOf([0, 0, 0])), request("S3", 1), release).state.passedTo).toBe(
      "S3"
    )
    const passed = [acquire, from("S1", tokenOf([0, 0, 0])), request("S3", 1), release, suspect("S3")]
    expect(site("S2", nodes, ...passed).actions).toEqual([send("S1", inquiry(4))])
  })

  it("who is asked gives up the token, and refuses an older one from then on", () => {
    expect(site("S1", nodes, inquire("S2", 4))).toMatchObject({
      state: { token: undefined, generation: 4 },
      actions: [send("S2", { _tag: "Report", generation: 4, number: 0, pending: false })]
    })
    expect(site("S3", nodes, acquire, inquire("S2", 4), from("S1", tokenOf([0, 0, 0])))).toMatchObject({
      state: { phase: "waiting", token: undefined },
      actions: []
    })
  })

  it("who is inside answers when it has left", () => {
    const inside = [acquire, inquire("S2", 4)]
    expect(site("S1", nodes, ...inside)).toMatchObject({ state: { phase: "inside" }, actions: [] })
    expect(site("S1", nodes, ...inside, release).actions).toEqual([
      send("S2", { _tag: "Report", generation: 4, number: 0, pending: false })
    ])
  })

  it("only when all have answered is there a new token, whose LN says who waits", () => {
    const four = ["S1", "S2", "S3", "S4"]
    const asked = [acquire, suspect("S1"), report("S3", 5, 7, true)]
    expect(site("S2", four, ...asked)).toMatchObject({ actions: [], state: { phase: "waiting" } })
    const made = site("S2", four, ...asked, report("S4", 5, 2, false))
    expect(made.actions).toEqual([enters(token(5, 1))])
    expect(made.state).toMatchObject({ requested: [0, 1, 7, 2], token: { served: [0, 1, 6, 2] } })
  })

  it("of two that ask at a time, the one in the earlier generation gives way", () => {
    expect(site("S2", nodes, suspect("S1"), inquire("S3", 5))).toMatchObject({
      state: { inquiry: undefined, generation: 5 },
      actions: [send("S3", { _tag: "Report", generation: 5, number: 0, pending: false })]
    })
    expect(site("S3", nodes, inquire("S1", 6), inquire("S2", 4)).actions).toEqual([
      send("S2", { _tag: "Obsolete", generation: 6 })
    ])
    const told = from("S3", { _tag: "Obsolete", generation: 5 })
    expect(site("S2", nodes, suspect("S1"), told)).toMatchObject({ state: { inquiry: undefined }, actions: [] })
    // The inquiry of a node that is dead is asked above.
    expect(site("S2", nodes, suspect("S1"), from("S3", { _tag: "Obsolete", generation: 6 })).actions).toEqual([
      send("S3", inquiry(10))
    ])
  })

  it("who has heard of a generation from all but its inquirer answers that one too", () => {
    const four = ["S1", "S2", "S3", "S4"]
    const obsolete = (node: string) => from(node, { _tag: "Obsolete", generation: 6 } as const)
    const asked = [suspect("S1"), obsolete("S4"), obsolete("S3"), inquire("S3", 6)]
    expect(site("S2", four, ...asked).actions).toEqual([
      send("S3", { _tag: "Report", generation: 6, number: 0, pending: false })
    ])
    // But not when it has the token that came of it.
    const has = [inquire("S3", 2), from("S4", tokenOf([0, 0, 0, 0], [], 6))]
    expect(site("S2", four, ...has, inquire("S3", 6))).toEqual({ state: site("S2", four, ...has).state, actions: [] })
  })

  it("who was suspected wrongly learns of the new generation: it has no token, and asks again", () => {
    expect(site("S2", nodes, inquire("S1", 3), suspect("S3"), trust("S3")).actions).toEqual([
      send("S3", { _tag: "Obsolete", generation: 3 })
    ])
    const told = from("S2", { _tag: "Obsolete", generation: 3 })
    expect(site("S1", nodes, told)).toMatchObject({ state: { token: undefined }, actions: [] })
    expect(site("S3", nodes, acquire, told).actions).toEqual([
      send("S1", { _tag: "Request", number: 2 }),
      send("S2", { _tag: "Request", number: 2 })
    ])
  })

  it("a suspect is passed over, and served when it is trusted again", () => {
    const waiting = [acquire, request("S2", 1), suspect("S2")]
    expect(site("S1", nodes, ...waiting).actions).toEqual([send("S3", inquiry(3))])
    const without = [...waiting, report("S3", 3, 0, false), release]
    expect(site("S1", nodes, ...without)).toMatchObject({ state: { phase: "idle", token: { generation: 3 } } })
  })
})
