import { Protocol } from "@troupe/actor"
import { AgrawalElAbbadi, CarvalhoRoucairol, Maekawa, Raymond, RicartAgrawala } from "@troupe/mutex"
import { describe, expect, it } from "vitest"
import { nodesOf } from "./system.ts"

type Lock = readonly [protocol: { readonly name: string }, options?: unknown]

const all: ReadonlyArray<Lock> = [
  [RicartAgrawala.protocol],
  [Raymond.protocol, Raymond.defaults],
  [CarvalhoRoucairol.protocol],
  [Maekawa.protocol, Maekawa.defaults],
  [AgrawalElAbbadi.protocol]
]
const locks = all.map(([protocol, options]) => [protocol.name, protocol as Protocol.Any, options] as const)

/** The last of `count` nodes, after these commands: its state, and what it asked for in the last step. */
const after = (protocol: Protocol.Any, options: unknown, count: number, ...tags: ReadonlyArray<string>) => {
  const self = Protocol.self(nodesOf(count).at(-1)!, nodesOf(count), options)
  return tags.reduce<{ readonly state: any; readonly actions: ReadonlyArray<Protocol.Action> }>(
    ({ state }, _tag) => Protocol.step(protocol, self, state, { _tag: "Command", command: { _tag } }),
    { state: protocol.init(self), actions: [] }
  )
}

describe.each(locks)("%s: commands that make no sense", (_name, protocol, options) => {
  it("a release by who neither waits nor is inside changes nothing", () => {
    const { state } = after(protocol, options, 3)
    expect(after(protocol, options, 3, "Release")).toEqual({ state, actions: [] })
    const once = after(protocol, options, 3, "Acquire", "Release").state
    expect(after(protocol, options, 3, "Acquire", "Release", "Release")).toEqual({ state: once, actions: [] })
  })

  it("who waits or is inside does not ask a second time", () => {
    const waiting = after(protocol, options, 3, "Acquire").state
    expect(waiting.phase).toBe("waiting")
    expect(after(protocol, options, 3, "Acquire", "Acquire")).toEqual({ state: waiting, actions: [] })
    const inside = after(protocol, options, 1, "Acquire").state
    expect(inside.phase).toBe("inside")
    expect(after(protocol, options, 1, "Acquire", "Acquire")).toEqual({ state: inside, actions: [] })
  })
})
