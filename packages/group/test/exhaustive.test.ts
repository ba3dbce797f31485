/** Every interleaving of three members, two of whom send, while messages are lost, members crash and views change. */
import type { Protocol } from "@troupe/actor"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { fifo } from "../src/internal/fifo.ts"
import { type Kernel, kernel } from "../src/internal/kernel.ts"
import { type Bounds, exhaust, inOrder, sameDeliveries, sound, uniformly, verdict } from "./exhaustive.ts"

const protocol = kernel({ name: "test/exhaustive", order: fifo, payload: Schema.Number })
const nodes = ["n1", "n2", "n3"]

const all = { number: 1, members: nodes, joined: nodes }
const without1 = { number: 2, members: ["n2", "n3"], joined: [] }
const only3 = { number: 3, members: ["n3"], joined: [] }
const with1 = { number: 3, members: nodes, joined: ["n1"] }
const pair = { number: 1, members: ["n1", "n2"], joined: ["n1", "n2"] }
const joined3 = { number: 2, members: nodes, joined: ["n3"] }

type Case = readonly [string, Omit<Bounds, "protocol" | "nodes">]

describe("who goes on has delivered the same, each message in the view that it was sent in", () => {
  it.each<Case>([
    ["in a group that never changes", { sends: { n1: 2, n2: 2 } }],
    ["a sender is left out", { sends: { n1: 2, n2: 1 }, views: [all, without1] }],
    [
      "a sender is left out, over links that are FIFO",
      { sends: { n1: 2, n2: 2 }, views: [all, without1], network: { order: "fifo" } }
    ],
    [
      "a sender crashes half-way",
      {
        sends: { n1: 2, n2: 2 },
        views: [all, without1],
        crashes: { max: 1, nodes: ["n1"] },
        network: { order: "fifo" }
      }
    ],
    ["one after the other is left out", { sends: { n1: 1, n2: 1 }, views: [all, without1, only3] }],
    ["a member is let in anew", { sends: { n2: 1 }, views: [all, without1, with1] }],
    ["a node joins", { sends: { n1: 1, n3: 1 }, views: [pair, joined3] }]
  ])("%s", async (_, bounds) => {
    expect(verdict(await exhaust({ protocol, nodes, ...bounds }))).toEqual(sound)
  })

  it.each([
    ["lost", { loss: 1 }, [], 3],
    ["doubled", { duplication: true }, [], 3],
    ["lost while the view changes", { loss: 1 }, [pair, { number: 2, members: ["n1", "n2"], joined: [] }], 1]
  ] as const)("a message is %s, and timers run out at any time", async (_, network, views, ticks) => {
    const report = await exhaust({
      protocol,
      nodes: ["n1", "n2"],
      sends: { n1: 1 },
      network,
      views,
      timeouts: "any",
      within: ({ looking, quiet }) => quiet <= ticks && looking <= 3
    })
    expect(verdict(report)).toMatchObject({ [sameDeliveries]: "holds", [inOrder]: "holds" })
  })
})

describe("a uniform multicast delivers nothing that survivors don't", () => {
  const options = { uniform: true, reportEvery: 1 }
  it.each<Case>([
    ["in a group that never changes", { sends: { n1: 1, n2: 1 }, options }],
    ["a sender is left out", { sends: { n1: 1 }, views: [all, without1], options }],
    [
      "a sender is left out, over links that are FIFO",
      { sends: { n1: 1, n2: 1 }, views: [all, without1], options, network: { order: "fifo" } }
    ]
  ])("%s", async (_, bounds) => {
    expect(verdict(await exhaust({ protocol, nodes, ...bounds }))).toEqual({ ...sound, [uniformly]: "holds" })
  })

  it("without that, one who is left out may have delivered more", async () => {
    const bounds = { sends: { n1: 1 }, views: [all, without1], looksUniform: true }
    expect(verdict(await exhaust({ protocol, nodes, ...bounds }))).toMatchObject({ [uniformly]: "violated" })
  })
})

describe("a planted fault is found", () => {
  const bounds = { nodes, sends: { n1: 1 }, views: [all, without1] }

  it("a view is entered before the one before is flushed", async () => {
    const hasty: Kernel<number, any> = {
      ...protocol,
      onView: (state, view, act) => {
        const { joined: _, ...unjoined }: Protocol.View = view
        return protocol.onView!(
          view.members.includes(act.self.id) ? { ...state, view: undefined } : state,
          unjoined,
          act
        )
      }
    }
    expect(verdict(await exhaust({ ...bounds, protocol: hasty }))).toMatchObject({ [sameDeliveries]: "violated" })
  })

  it("a member goes on by the word of one for whom it was no survivor", async () => {
    const talkative: Kernel<number, any> = {
      ...protocol,
      onMessage: (state, from, message, act) => {
        if (message._tag === "Flush" && message.view < (state.view?.number ?? 0)) {
          act.send(from, { _tag: "Installed", view: message.view })
        }
        return protocol.onMessage(state, from, message, act)
      }
    }
    const views = [all, { number: 2, members: nodes, joined: [] }, { number: 3, members: ["n2", "n3"], joined: [] }]
    const report = await exhaust({ nodes, sends: { n2: 1 }, views, protocol: talkative })
    expect(verdict(report)).toMatchObject({ [sameDeliveries]: "violated" })
  })
})
