/** Of an actor that moves, which of its places is listed when the latest is no more: what a registry makes of others' words. */
import { describe, expect, it } from "vitest"
import { Registry } from "../../src/internal/receptionist/Registry.ts"
import type { Entry } from "../../src/internal/receptionist/talk.ts"
import type { Cell } from "../../src/internal/system/Cell.ts"
import type { Remote } from "../../src/internal/system/Remote.ts"

const key = { name: "k", messages: "m" }

/** It moves about: `epoch` says which of its places this is. */
const mover = "mover"

/** The registry of n1, what n2 and n3 say to it, and what it lists. */
const world = () => {
  const remote = {
    node: "n1",
    nodes: ["n1", "n2", "n3"],
    export: () => ({ life: 1, serial: 1, path: "here" }),
    refer: (_: unknown, node: string) => ({ path: node })
  } as unknown as Remote
  let round = 0
  const said = (_: unknown, message: { readonly _tag: string; readonly round?: number }): void => {
    round = message.round ?? round
  }
  const registry = new Registry(1, remote, said, () => {})
  const entries = new Map<string, ReadonlyArray<Entry>>()
  const versions = new Map<string, number>()
  const compare = (node: string, life: number): void =>
    registry.onCompare({
      ...{ _tag: "Compare", node, life, version: versions.get(node)!, round: 1 },
      ...{ heardLife: 1, heardRound: round, asks: false }
    })
  return {
    registry,
    listed: () =>
      registry.listings.of({ name: key.name, messages: { name: key.messages } as never }).map(({ path }) => path),
    /** A node in this life of it has the actor, as of these epochs. */
    has: (node: string, life: number, ...epochs: ReadonlyArray<number>): void => {
      const version = (versions.get(node) ?? 0) + 1
      versions.set(node, version)
      entries.set(
        node,
        epochs.map((epoch) => ({
          ...{ id: epoch, key: key.name, messages: key.messages, moved: { actor: mover, epoch } },
          ...{ life, serial: 1, path: "there" }
        }))
      )
      registry.compareAll(false)
      compare(node, life)
      registry.onPart({ _tag: "Part", node, life, version, part: 0, parts: 1, entries: entries.get(node)! })
    },
    /** Nothing has changed at these nodes. */
    compared: (times: number, nodes: ReadonlyArray<readonly [node: string, life: number]>): void => {
      for (let i = 0; i < times; i++) {
        registry.compareAll(false)
        for (const [node, life] of nodes) compare(node, life)
      }
    }
  }
}

describe("an actor of which there were two, as one's node was taken for dead,", () => {
  it("is listed where it lives on when the other one's node starts again, once that has compared", () => {
    const { compared, has, listed } = world()
    has("n2", 1, 1)
    has("n3", 1, 2)
    expect(listed()).toEqual(["n3"])
    has("n3", 2)
    expect(listed()).toEqual([])
    compared(6, [["n3", 2]])
    expect(listed()).toEqual([])
    compared(6, [
      ["n2", 1],
      ["n3", 2]
    ])
    expect(listed()).toEqual(["n2"])
  })

  it("is listed where it lives on while the other one's node is down", () => {
    const { compared, has, listed, registry } = world()
    has("n2", 1, 1)
    has("n3", 1, 2)
    registry.down("n3")
    compared(6, [["n2", 1]])
    expect(listed()).toEqual(["n2"])
  })

  it("is listed here at once, if it lives here", () => {
    const { has, listed, registry } = world()
    const cell = { path: "n1", onEnd: () => {}, untold: () => {} } as unknown as Cell
    registry.register(key, cell, { actor: mover, epoch: 1 })
    has("n3", 1, 2)
    expect(listed()).toEqual(["n3"])
    has("n3", 2)
    expect(listed()).toEqual(["n1"])
  })
})

describe("a place of an actor that is in doubt", () => {
  const inDoubt = () => {
    const at = world()
    at.has("n2", 1, 1)
    at.has("n3", 1, 2)
    at.has("n3", 1)
    return at
  }

  it("is not listed sooner when its node is taken for dead meanwhile, and is heard again", () => {
    const { compared, listed, registry } = inDoubt()
    registry.down("n2")
    compared(1, [["n2", 1]])
    expect(listed()).toEqual([])
    compared(6, [["n2", 1]])
    expect(listed()).toEqual(["n2"])
  })

  it("is not listed while its node is taken for dead, whenever that was", () => {
    for (let times = 0; times < 6; times++) {
      const { compared, listed, registry } = inDoubt()
      compared(times, [
        ["n2", 1],
        ["n3", 1]
      ])
      registry.down("n2")
      compared(6, [["n3", 1]])
      expect(listed()).toEqual([])
    }
  })
})

it("an actor that has ended is listed nowhere while nodes that it has left leave it off", () => {
  const { compared, has, listed } = world()
  has("n2", 1, 1)
  has("n3", 1, 2)
  has("n3", 1)
  for (let i = 0; i < 3; i++) {
    compared(1, [["n2", 1]])
    expect(listed()).toEqual([])
  }
  has("n2", 1)
  compared(6, [["n2", 1]])
  expect(listed()).toEqual([])
})
