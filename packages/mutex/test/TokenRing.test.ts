import { InvalidOptions, TokenRing } from "@troupe/mutex"
import { Memory } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { acquire, enters, from, release, send, siteOf, suspect, timeout, trust } from "./sites.ts"

const site = siteOf(TokenRing.protocol, TokenRing.defaults)
const nodes = ["n1", "n2", "n3"]
const token = (node: string, generation: number, hops: number, entries = 0) =>
  from(node, { _tag: "Token", generation, hops, entries })
const passes = (to: string, generation: number, hops: number, entries = 0) =>
  send(to, { _tag: "Token", generation, hops, entries })
const inquire = (node: string, generation: number) => from(node, { _tag: "Inquire", generation })
const report = (node: string, generation: number) => from(node, { _tag: "Report", generation })
const obsolete = (node: string, generation: number) => from(node, { _tag: "Obsolete", generation })
const asks = (to: string, generation: number) => send(to, { _tag: "Inquire", generation })
const fencing = (generation: number, entries: number) => generation * 2 ** 30 + entries
const rests = { _tag: "SetTimer", timer: "rest", delayMillis: 1 }
const waits = { _tag: "SetTimer", timer: "lost", delayMillis: 2_000 }
/** The lowest node, with the first token. */
const first = [report("n2", 3), report("n3", 3)]

describe("the ring (Le Lann 1977)", () => {
  it("who has the token and wants to enter does; the others wait", () => {
    expect(site("n2", nodes, acquire)).toMatchObject({ state: { phase: "waiting" }, actions: [] })
    expect(site("n2", nodes, acquire, token("n1", 3, 1, 6)).actions).toEqual([enters(fencing(3, 7))])
  })

  it("who does not want to passes it on at once, and who did when it leaves", () => {
    expect(site("n2", nodes, token("n1", 3, 1)).actions).toEqual([passes("n3", 3, 2)])
    expect(site("n3", nodes, token("n2", 3, 2)).actions).toEqual([passes("n1", 3, 3)])
    expect(site("n2", nodes, acquire, token("n1", 3, 1, 6), release).actions).toEqual([passes("n3", 3, 2, 7)])
  })

  it("the lowest lets it rest for a while, and may enter meanwhile", () => {
    expect(site("n1", nodes, ...first).actions).toEqual([rests])
    expect(site("n1", nodes, ...first, timeout("rest")).actions).toEqual([passes("n2", 3, 1)])
    expect(site("n1", nodes, ...first, acquire).actions).toEqual([enters(fencing(3, 1))])
    expect(site("n1", nodes, ...first, acquire, timeout("rest"))).toMatchObject({
      state: { phase: "inside" },
      actions: []
    })
  })

  it("the lowest lets it go on at once after a round in which somebody entered", () => {
    const busy = [...first, timeout("rest"), token("n3", 3, 3, 1)]
    expect(site("n1", nodes, ...busy).actions).toEqual([passes("n2", 3, 4, 1)])
    expect(site("n1", nodes, ...busy, token("n3", 3, 6, 1)).actions).toEqual([rests])
  })

  it("who withdraws lets it pass", () => {
    expect(site("n2", nodes, acquire, release, token("n1", 3, 1)).actions).toEqual([passes("n3", 3, 2)])
  })

  it("a dead successor is skipped; who is alone keeps the token", () => {
    expect(site("n2", nodes, suspect("n3"), token("n1", 3, 1)).actions).toEqual([passes("n1", 3, 2)])
    const alone = [suspect("n3"), suspect("n1"), token("n1", 3, 1)]
    expect(site("n2", nodes, ...alone, timeout("rest"))).toMatchObject({ actions: [], state: { token: { hops: 1 } } })
    expect(site("n2", nodes, ...alone, trust("n3")).actions).toEqual([rests])
  })

  it("a command that makes no sense now changes nothing", () => {
    expect(site("n2", nodes, release)).toEqual({ state: site("n2", nodes).state, actions: [] })
    expect(site("n2", nodes, acquire, acquire)).toEqual({ state: site("n2", nodes, acquire).state, actions: [] })
  })
})

describe("a token that was lost", () => {
  it("the lowest asks for the first one too, so that a node that comes back brings none", () => {
    expect(site("n1", nodes).actions).toEqual([waits, asks("n2", 3), asks("n3", 3)])
    expect(site("n2", nodes).actions).toEqual([waits])
  })

  it("the lowest that is not suspected misses it, when it has not come for a while", () => {
    const gone = [...first, timeout("rest"), timeout("lost")]
    // It was here since the timer was set.
    expect(site("n1", nodes, ...gone).actions).toEqual([waits])
    expect(site("n1", nodes, ...gone, timeout("lost")).actions).toEqual([waits, asks("n2", 6), asks("n3", 6)])
    expect(site("n2", nodes, timeout("lost")).actions).toEqual([waits])
    expect(site("n2", nodes, suspect("n1"), timeout("lost")).actions).toEqual([waits, asks("n3", 4)])
  })

  it("a holder is not missed, by itself", () => {
    const inside = [...first, acquire, timeout("lost")]
    expect(site("n1", nodes, ...inside, timeout("lost")).actions).toEqual([waits])
  })

  it("who is asked gives the token up, and refuses an older one from then on", () => {
    const inside = [acquire, token("n1", 3, 1), inquire("n1", 6)]
    expect(site("n2", nodes, ...inside)).toMatchObject({ state: { phase: "inside", token: undefined }, actions: [] })
    expect(site("n2", nodes, ...inside, release).actions).toEqual([send("n1", { _tag: "Report", generation: 6 })])
    expect(site("n2", nodes, inquire("n1", 6), token("n1", 3, 1))).toMatchObject({
      state: { generation: 6 },
      actions: []
    })
  })

  it("only when all have answered is there a new one", () => {
    expect(site("n1", nodes, report("n2", 3), report("n2", 3)).state.token).toBeUndefined()
    expect(site("n1", nodes, report("n2", 3), report("n3", 2)).state.token).toBeUndefined()
    expect(site("n1", nodes, report("n2", 3), suspect("n3")).state.token).toMatchObject({ generation: 3 })
  })

  it("a message that arrives twice is no second token", () => {
    expect(site("n2", nodes, token("n1", 3, 1), token("n1", 3, 1)).actions).toEqual([])
    expect(site("n2", nodes, token("n1", 3, 4), token("n1", 3, 1)).actions).toEqual([])
    expect(site("n2", nodes, token("n1", 3, 4), token("n1", 6, 1)).actions).toEqual([passes("n3", 6, 2)])
  })

  it("a node that has forgotten its generations asks above those that others know", () => {
    expect(site("n2", nodes, inquire("n1", 6), inquire("n1", 3)).actions).toEqual([
      send("n1", { _tag: "Obsolete", generation: 6 })
    ])
    expect(site("n1", nodes, obsolete("n2", 6)).actions).toEqual([asks("n2", 9), asks("n3", 9)])
  })

  it("of two that ask at a time, the one in the earlier generation gives way", () => {
    expect(site("n1", nodes, obsolete("n3", 4))).toMatchObject({ state: { inquiry: undefined }, actions: [] })
    expect(site("n1", nodes, obsolete("n3", 4), inquire("n2", 4)).actions).toEqual([
      send("n2", { _tag: "Report", generation: 4 })
    ])
    expect(site("n1", nodes, suspect("n2"), obsolete("n3", 4)).actions).toEqual([asks("n3", 6)])
  })
})

describe("options", () => {
  it.each([{ rest: 0 }, { rest: "soon" as "1 second" }, { lostAfter: "30 days" } as const, { lostAfter: NaN }])(
    "%o are refused",
    async (options) => {
      const network = Memory.network({ nodes })
      const layer = TokenRing.layer({ resource: "r", ...options }).pipe(Layer.provide(Memory.layer(network, "n1")))
      const failure = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer))))
      expect(failure).toBeInstanceOf(InvalidOptions)
    }
  )
})
