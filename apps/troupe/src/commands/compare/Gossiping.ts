/**
 * What is measured of gossip, each kind in the simulator on the same seeds: a node drawn at random publishes an item each
 * second, and it is seen who has heard it when.
 */
import { HyParView, Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import { Effect, Layer } from "effect"
import type { Demonstration } from "../../Demonstration.ts"
import { quantile } from "../../Detection.ts"
import { gossip } from "../../Gossips.ts"
import type { Asked, Measured, Measures } from "./Measures.ts"
import { seeded } from "../../Seeded.ts"
import { spread } from "./Spreading.ts"

const titled = <A extends { readonly card: { readonly title: string } }>(algorithm: A, title: string): A => ({
  ...algorithm,
  card: { ...algorithm.card, title }
})

const rumours = (k: number): Demonstration => ({
  ...gossip({
    ...titled(RumorMongering, `rumours, k = ${k}`),
    // Without the back-up, the residue is seen.
    layer: () => RumorMongering.layer({ k, backup: 0 })
  }),
  name: `gossip/rumor-mongering k=${k}`
})

/** The kinds of gossip, as they are compared. */
export const kinds: ReadonlyArray<Demonstration> = [
  ...(["push", "pull", "push-pull"] as const).map((mode) => ({
    ...gossip({ ...titled(PushPull, `anti-entropy, ${mode}`), layer: () => PushPull.layer({ mode }) }),
    name: `gossip/push-pull ${mode}`
  })),
  ...[1, 2, 3].map(rumours),
  gossip({
    ...titled(Plumtree, "Plumtree, over HyParView"),
    layer: () => Layer.provide(Plumtree.layer(), HyParView.layer())
  })
]

/** Overlays are built by then. */
const startMillis = 10_000
const items = 10
const gapMillis = 1_000
const patienceMillis = 60_000

/** A message takes so long: much less than a round. */
const delayMillis = [5, 50] as const

const scheduleOf = (nodes: number, seed: number): ReadonlyArray<ReadonlyArray<number>> => {
  const random = seeded(seed)
  const schedule: Array<Array<number>> = Array.from({ length: nodes }, () => [])
  for (let item = 0; item < items; item++) {
    schedule[Math.floor(random() * nodes)]!.push(startMillis + item * gapMillis)
  }
  return schedule
}

/** Rounds until one item is at all, in expectation and but for a constant. */
const theoryOf = (name: string, nodes: number): number | undefined =>
  name === "gossip/push-pull push"
    ? Math.log2(nodes) + Math.log(nodes)
    : name === "gossip/push-pull push-pull"
      ? Math.log(nodes) / Math.log(3)
      : undefined

const measure: Measures["measure"] = (demonstration, asked: Asked, onRun) =>
  Effect.gen(function* () {
    const { nodes, seeds } = asked
    const times: Array<number> = []
    const sum = { heard: 0, due: 0, messages: 0, bytes: 0, copies: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      const seen = yield* spread({
        ...{ demonstration, nodes, seed, delayMillis, patienceMillis },
        schedule: scheduleOf(nodes, seed)
      })
      yield* onRun
      if (seen.wrong !== undefined) {
        return { values: {}, leftOut: `fails with seed ${seed}: ${seen.wrong}` } satisfies Measured
      }
      times.push(...seen.toAllMillis())
      for (const item of seen.items.values()) sum.heard += seen.had(item)
      sum.due += seen.items.size * nodes
      sum.messages += seen.messages + seen.background
      sum.bytes += seen.bytes
      sum.copies += seen.copies
    }
    const sorted = times.toSorted((a, b) => a - b)
    const seconds = (share: number): number | undefined => {
      const millis = quantile(sorted, share)
      return millis === undefined ? undefined : millis / 1_000
    }
    const published = seeds * items
    const values = {
      theory: theoryOf(demonstration.name, nodes),
      half: seconds(0.5),
      most: seconds(1),
      residue: 100 * (1 - sum.heard / sum.due),
      copies: sum.copies / (sum.heard - published),
      messages: sum.messages / sum.due,
      bytes: sum.bytes / sum.due
    }
    return { values } satisfies Measured
  })

export const gossiping: Measures = {
  flags: [],
  conditions: () => ({ roundMillis: PushPull.defaults.intervalMillis, items }),
  headline: () => "an item each second",
  columns: [
    { key: "theory", title: ["by theory", "rounds + c"], digits: 1 },
    { key: "half", title: ["all have heard", "p50, s"], digits: 2 },
    { key: "most", title: ["", "longest, s"], digits: 2 },
    { key: "residue", title: ["never heard", "% of nodes"], digits: 2 },
    { key: "copies", title: ["copies sent", "a hearing"], digits: 2 },
    { key: "messages", title: ["a node and item", "messages"], digits: 2 },
    { key: "bytes", title: ["", "bytes"], digits: 0 }
  ],
  panels: [
    { title: "until all have heard, median", unit: "s, of rounds of a second", keys: ["half"] },
    { title: "never heard", unit: "% of nodes", keys: ["residue"] },
    { title: "copies of an item sent", unit: "for each node that hears it", keys: ["copies"] },
    { title: "messages", unit: "a node and item, all of them", keys: ["messages"] },
    { title: "bytes", unit: "a node and item", keys: ["bytes"] }
  ],
  legend: () => [
    `a node drawn at random publishes each second, ${items} items in all; rounds take a second, a message ${delayMillis[0]} to ${delayMillis[1]} ms`,
    "by theory: log₂N + ln N rounds by push (Pittel), log₃N by push–pull (Karp et al.), and O(1) or O(log log N) more; a round takes a second",
    "rumours have no back-up here: some die out before all have heard, the residue; k: how many tellings in vain end them",
    "until all have heard: of those items that all have; copies: 1 is one for each who hears; the first items build Plumtree's tree",
    "messages of the algorithm, of whatever kind, without those of its overlay, from the first item until all have heard all, or nothing came for a minute"
  ],
  runsOf: ({ seeds }) => seeds,
  refuse: () => undefined,
  measure
}
