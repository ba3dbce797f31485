import {
  AgrawalElAbbadi,
  CarvalhoRoucairol,
  Coordinator,
  InvalidOptions,
  LamportQueue,
  LeaseLock,
  Maekawa,
  Raymond,
  RicartAgrawala,
  SuzukiKasami,
  TokenRing
} from "@troupe/mutex"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { from, siteOf } from "./sites.ts"

const locks = {
  AgrawalElAbbadi,
  CarvalhoRoucairol,
  Coordinator,
  LamportQueue,
  LeaseLock,
  Maekawa,
  Raymond,
  RicartAgrawala,
  SuzukiKasami,
  TokenRing
}
const group = ["n1", "n2"]

describe.each(Object.entries(locks))("%s", (_name, { layer }) => {
  const refusal = async (nodes: ReadonlyArray<string>, self: string) => {
    const group = Layer.effect(
      Transport,
      Effect.map(Memory.connect(Memory.network({ nodes: ["n1", "n2", "n3"] }), self), (transport) => ({
        ...transport,
        nodes
      }))
    )
    const failure = await Effect.runPromise(
      Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer({ resource: "r" }), group))))
    )
    expect(failure).toBeInstanceOf(InvalidOptions)
    return (failure as InvalidOptions).message
  }

  it.each([[["n1", "n2"]], [[]]])("a node outside its group %o is refused, by name", async (nodes) => {
    expect(await refusal(nodes, "n3")).toContain('node "n3" is not in its group')
  })

  it("a group that names a node twice is refused, by name", async () => {
    expect(await refusal(["n1", "n2", "n2", "n3"], "n3")).toContain('its group names node "n2" twice')
  })
})

describe("a stranger is not heard", () => {
  it("by a coordinator", () => {
    const site = siteOf(Coordinator.protocol, Coordinator.defaults)
    for (const _tag of ["Request", "Release"] as const) {
      expect(site("n1", group, from("n9", { _tag, number: 1 }))).toEqual({
        state: site("n1", group).state,
        actions: []
      })
    }
  })

  it("in a token ring", () => {
    const site = siteOf(TokenRing.protocol, TokenRing.defaults)
    const { state } = site("n2", group)
    expect(site("n2", group, from("n9", { _tag: "Inquire", generation: 8 }))).toEqual({ state, actions: [] })
    const token = { _tag: "Token", generation: 8, hops: 1, entries: 0 } as const
    expect(site("n2", group, from("n9", token))).toEqual({ state, actions: [] })
  })

  it("in Lamport's queue", () => {
    const site = siteOf(LamportQueue.protocol, undefined)
    const { state } = site("n2", group)
    expect(site("n2", group, from("n9", { _tag: "Request", time: 8 }))).toEqual({ state, actions: [] })
  })

  it("by who has Suzuki and Kasami's token", () => {
    const site = siteOf(SuzukiKasami.protocol, undefined)
    const { state } = site("n1", group)
    expect(site("n1", group, from("n9", { _tag: "Request", number: 1 }))).toEqual({ state, actions: [] })
  })
})
