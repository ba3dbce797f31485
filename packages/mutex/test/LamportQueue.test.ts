import { LamportQueue } from "@troupe/mutex"
import { describe, expect, it } from "vitest"
import { acquire, enters, from, release, send, siteOf, suspect, trust } from "./sites.ts"

const site = siteOf(LamportQueue.protocol, undefined)
const nodes = ["P1", "P2", "P3"]
const request = (node: string, time: number) => from(node, { _tag: "Request", time })
const acknowledge = (node: string, time: number) => from(node, { _tag: "Acknowledge", time })
const released = (node: string, time: number) => from(node, { _tag: "Release", time })

describe("the five rules (Lamport 1978)", () => {
  it("1: to request, a process sends the request to every other, and puts it on its queue", () => {
    const { actions, state } = site("P2", nodes, acquire)
    expect(actions).toEqual([send("P1", { _tag: "Request", time: 1 }), send("P3", { _tag: "Request", time: 1 })])
    expect(state).toMatchObject({ phase: "waiting", claim: { time: 1, node: "P2" }, awaiting: ["P1", "P3"] })
  })

  it("2: a process that receives a request puts it on its queue, and sends a timestamped acknowledgement", () => {
    const { actions, state } = site("P2", nodes, request("P1", 4))
    expect(actions).toEqual([send("P1", { _tag: "Acknowledge", time: 5 })])
    expect(state.queue).toEqual([{ time: 4, node: "P1" }])
  })

  it("3: to release, a process removes its request, and sends a timestamped release to every other", () => {
    const inside = [acquire, acknowledge("P1", 2), acknowledge("P3", 2)]
    expect(site("P2", nodes, ...inside, release)).toMatchObject({
      state: { phase: "idle" },
      actions: [send("P1", { _tag: "Release", time: 5 }), send("P3", { _tag: "Release", time: 5 })]
    })
  })

  it("4: a process that receives a release removes the sender's request from its queue", () => {
    expect(site("P2", nodes, request("P1", 1), request("P3", 2), released("P1", 5)).state.queue).toEqual([
      { time: 2, node: "P3" }
    ])
  })

  it("5: a process enters when its request comes first, and it has something later from every other", () => {
    expect(site("P2", nodes, acquire, acknowledge("P1", 2)).actions).toEqual([])
    // Of its time, or earlier, is not later.
    expect(site("P2", nodes, acquire, acknowledge("P1", 2), released("P3", 1)).actions).toEqual([])
    // Any message will do.
    expect(site("P2", nodes, acquire, acknowledge("P1", 2), released("P3", 2)).actions).toEqual([enters(1 * 3 + 1)])
    const second = [acquire, request("P1", 1), acknowledge("P1", 3), acknowledge("P3", 2)]
    expect(site("P2", nodes, ...second)).toMatchObject({ actions: [], state: { phase: "waiting" } })
    expect(site("P2", nodes, ...second, released("P1", 6)).actions).toEqual([enters(1 * 3 + 1)])
  })
})

describe("what is not in the paper", () => {
  it("a request that is withdrawn is released everywhere", () => {
    expect(site("P2", nodes, acquire, release)).toMatchObject({
      state: { phase: "idle", awaiting: [] },
      actions: [send("P1", { _tag: "Release", time: 2 }), send("P3", { _tag: "Release", time: 2 })]
    })
  })

  it("a suspect is not waited for: neither its acknowledgement nor its earlier request", () => {
    const waiting = [acquire, request("P1", 1), acknowledge("P3", 4)]
    expect(site("P2", nodes, ...waiting, suspect("P1")).actions).toEqual([enters(4)])
    expect(site("P2", nodes, ...waiting, suspect("P3"))).toMatchObject({ actions: [], state: { phase: "waiting" } })
  })

  it("a node that is trusted again counts as before", () => {
    const again = [suspect("P1"), suspect("P1"), trust("P1"), acquire, acknowledge("P3", 4)]
    expect(site("P2", nodes, ...again)).toMatchObject({ actions: [], state: { awaiting: ["P1"], suspects: [] } })
  })

  it("a command that makes no sense now changes nothing", () => {
    expect(site("P2", nodes, release)).toEqual({ state: site("P2", nodes).state, actions: [] })
    expect(site("P2", nodes, acquire, acquire)).toEqual({ state: site("P2", nodes, acquire).state, actions: [] })
  })

  it("tokens end at 2^53, and a token beyond is refused", () => {
    expect(() =>
      site("P1", ["P0", "P1"], released("P0", 2 ** 53 - 1), acquire, acknowledge("P0", 2 ** 53 + 4))
    ).toThrow("fencing tokens are used up")
  })
})
