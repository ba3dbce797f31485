/**
 * The setting of a public exercise (Gossip Glomers, challenge 3): 25 nodes, links of 100 ms, 100 values a second, each of
 * which is to come to all. Two points of the trade-off between messages and latency, by options of one algorithm.
 */
import { Plumtree } from "@troupe/gossip"
import { Effect } from "effect"
import type { Demonstration } from "../../Demonstration.ts"
import { quantile } from "../../Detection.ts"
import { gossip } from "../../Gossips.ts"
import type { Measured, Measures } from "./Measures.ts"
import { spread } from "./Spreading.ts"

/** Word of items for lazy links, gathered for long and in large messages: nothing is lost here. */
const sparing = { announce: "2 seconds", graft: "2 seconds", packetBytes: 16_384, itemsPerMessage: 1_024 } as const

const point = (name: string, options: Plumtree.LayerOptions): Demonstration => ({
  ...gossip({
    ...Plumtree,
    card: { ...Plumtree.card, title: `Plumtree, ${name}` },
    layer: () => Plumtree.layer({ ...sparing, ...options })
  }),
  name: `gossip/plumtree ${name}`
})

export const points: ReadonlyArray<Demonstration> = [
  // One tree, in which 50 ms of values share a message: among neighbours that are all, a star around one publisher.
  point("few messages", { batch: "50 millis" }),
  // A tree for each publisher, at once: the publisher tells all others itself.
  point("low latency", { trees: "per-publisher" })
]

const linkMillis = 100
const perSecond = 100
const seconds = 10

/** In turns, so that all publish alike. */
const scheduleOf = (nodes: number): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: nodes }, (_, node) => {
    const times: Array<number> = []
    for (let value = node; value < seconds * perSecond; value += nodes) times.push((value * 1_000) / perSecond)
    return times
  })

const measure: Measures["measure"] = (demonstration, { nodes, seeds }, onRun) =>
  Effect.gen(function* () {
    const times: Array<number> = []
    let messages = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const seen = yield* spread({
        ...{ demonstration, nodes, seed, patienceMillis: 30_000 },
        delayMillis: [linkMillis, linkMillis],
        schedule: scheduleOf(nodes),
        // What goes on for some seconds after the last value was for the values too.
        countedMillis: [0, 1_000 * (seconds + 5)]
      })
      yield* onRun
      const missing = seen.items.size - seen.toAllMillis().length
      const wrong = seen.wrong ?? (missing > 0 ? `${missing} values did not come to all` : undefined)
      if (wrong !== undefined) return { values: {}, leftOut: `fails with seed ${seed}: ${wrong}` } satisfies Measured
      times.push(...seen.toAllMillis())
      messages += seen.messages + seen.background
    }
    const sorted = times.toSorted((a, b) => a - b)
    const values = {
      messages: messages / times.length,
      half: quantile(sorted, 0.5),
      most: quantile(sorted, 0.99),
      longest: sorted.at(-1)
    }
    return { values } satisfies Measured
  })

export const broadcasting: Measures = {
  flags: [],
  usualNodes: "25",
  conditions: () => ({ linkMillis, operationsPerSecond: perSecond }),
  headline: () => `links of ${linkMillis} ms, ${perSecond} values a second`,
  columns: [
    { key: "messages", title: ["messages", "an operation"], digits: 2 },
    { key: "half", title: ["to all", "median, ms"], digits: 0 },
    { key: "most", title: ["", "p99, ms"], digits: 0 },
    { key: "longest", title: ["", "max, ms"], digits: 0 }
  ],
  panels: [
    { title: "messages", unit: "an operation", keys: ["messages"] },
    { title: "to all, median", unit: "ms", keys: ["half"] },
    { title: "to all, longest", unit: "ms", keys: ["longest"] }
  ],
  legend: () => [
    "an operation is a value that one node broadcasts; messages between nodes are all that are sent, whatever for, from the first value on",
    "to all: until the last node has the value",
    "few messages: one tree, values of 50 ms share a message; low latency: a tree for each publisher, values go at once"
  ],
  runsOf: ({ seeds }) => seeds,
  refuse: () => undefined,
  measure
}
