/**
 * What is measured of multicasts, each in the simulator on the same seeds, with the same traffic.
 *
 * Each node sends to all, now and then. Once nobody fails; once the first node, which has a part to play in some orders,
 * crashes in the midst of a sending, so that half of the others are sent nothing more by it.
 */
import { Causal, Sequencer } from "@troupe/group"
import { Effect, Layer } from "effect"
import type { Demonstration } from "../../Demonstration.ts"
import { quantile } from "../../Detection.ts"
import { inViews, multicast } from "../../Groups.ts"
import { number } from "../../terminal/Screen.ts"
import type { Asked, Measured, Measures } from "./Measures.ts"
import { seeded } from "../../Seeded.ts"
import { spread, type Spreading } from "./Spreading.ts"

/** Two orders, among the members of views that are agreed on. */
const ofViews: ReadonlyArray<Demonstration> = [
  ["by vector clocks, in views", Causal] as const,
  ["by a sequencer, in views", Sequencer] as const
].map(([title, order]) => {
  const kind = order === Causal ? "Causal" : "Total order"
  return {
    ...multicast({
      ...order,
      card: { ...order.card, title: `${kind} ${title}` },
      layer: () => Layer.provide(order.viewSynchronous({ group: "demo" }), inViews)
    }),
    name: `${order.protocol.name} in views`
  }
})

/** All multicasts, and two of the orders in views. */
export const multicasts = (shown: ReadonlyArray<Demonstration>): ReadonlyArray<Demonstration> => [
  ...shown.filter(({ service }) => service === "multicast"),
  ...ofViews
]

const delayMillis = [1, 10] as const

/** Of each node. */
const sendings = 10
const gapMillis = 100

/** The first node crashes in the midst of its sending of this number. */
const crashAt = 5

/** What has not come to all by then will not: longer than it takes to find out about a crash, and to agree on a view. */
const patienceMillis = 30_000

/** More messages a run than this, and it takes minutes. */
const messagesMax = 1_000_000

const scheduleOf = (nodes: number, seed: number): ReadonlyArray<ReadonlyArray<number>> => {
  const random = seeded(seed)
  return Array.from({ length: nodes }, () => Array.from({ length: sendings }, (_, at) => (at + random()) * gapMillis))
}

const runOf = (demonstration: Demonstration, { nodes }: Asked, seed: number, crashes: boolean) =>
  spread({
    ...{ demonstration, nodes, seed, delayMillis, patienceMillis },
    schedule: scheduleOf(nodes, seed),
    ...(crashes ? { crashAt } : {})
  })

/** Whether all that are up have had the same, and in the same order. */
const agreement = ({ living, orders }: Spreading) => {
  const texts = [...living].map((node) => orders.get(node)!)
  const sets = new Set(texts.map((order) => order.toSorted().join()))
  const sequences = new Set(texts.map((order) => order.join()))
  return { same: sets.size === 1, ordered: sequences.size === 1 }
}

const measure: Measures["measure"] = (demonstration, asked, onRun) =>
  Effect.gen(function* () {
    const times: Array<number> = []
    const sum = { items: 0, messages: 0, background: 0, bytes: 0, ordered: 0, agree: 0, goOn: 0 }
    for (let seed = 1; seed <= asked.seeds; seed++) {
      const calm = yield* runOf(demonstration, asked, seed, false)
      yield* onRun
      const torn = yield* runOf(demonstration, asked, seed, true)
      yield* onRun
      const wrong = calm.wrong ?? torn.wrong
      if (wrong !== undefined) return { values: {}, leftOut: `fails with seed ${seed}: ${wrong}` } satisfies Measured
      times.push(...calm.toAllMillis())
      sum.items += calm.items.size
      sum.messages += calm.messages
      sum.background += calm.background
      sum.bytes += calm.bytes
      if (agreement(calm).ordered) sum.ordered++
      if (agreement(torn).same) sum.agree++
      if (torn.cameToAll(({ from }) => torn.living.has(from))) sum.goOn++
    }
    const sorted = times.toSorted((a, b) => a - b)
    const values = {
      messages: sum.messages / sum.items,
      background: sum.background / sum.items,
      bytes: sum.bytes / sum.items,
      half: quantile(sorted, 0.5),
      most: quantile(sorted, 0.99),
      ordered: sum.ordered,
      agree: sum.agree,
      goOn: sum.goOn
    }
    return { values } satisfies Measured
  })

export const multicasting: Measures = {
  flags: [],
  conditions: () => ({ delayMillisMin: delayMillis[0], delayMillisMax: delayMillis[1] }),
  headline: () => "the same traffic for all",
  columns: [
    { key: "messages", title: ["a multicast", "messages"], digits: 1 },
    { key: "background", title: ["", "background"], digits: 1 },
    { key: "bytes", title: ["", "bytes"], digits: 0 },
    { key: "half", title: ["to all", "p50, ms"], digits: 1 },
    { key: "most", title: ["", "p99, ms"], digits: 1 },
    { key: "ordered", title: ["seeds in", "one order"], digits: 0 },
    { key: "agree", title: ["a sender crashes", "others agree"], digits: 0 },
    { key: "goOn", title: ["half-way", "go on"], digits: 0 }
  ],
  panels: [
    { title: "messages", unit: "a multicast", keys: ["messages"] },
    { title: "bytes", unit: "a multicast, background included", keys: ["bytes"] },
    { title: "to all, median", unit: "ms", keys: ["half"] },
    { title: "to all, 99 of 100", unit: "ms", keys: ["most"] },
    { title: "a sender crashes: others agree", unit: "seeds", keys: ["agree"] },
    { title: "and go on", unit: "seeds", keys: ["goOn"] }
  ],
  legend: ({ seeds }) => [
    `each node sends ${sendings} messages, one in ${gapMillis} ms; a message takes ${delayMillis[0]} to ${delayMillis[1]} ms on its way`,
    "background: what the card sets apart, such as reports of who has what; bytes are of both, as the transport gets them",
    "to all: from the sending to the last member's delivery",
    `one order: in so many of ${number(seeds)} seeds all delivered all in one order, be it by chance`,
    `a sender crashes half-way: the first node, which is sequencer where there is one; half of the others get nothing more of it`,
    `others agree: those that are left delivered the same; go on: what they send comes to all of them within ${patienceMillis / 1_000} s; of ${number(seeds)} seeds`,
    "among fixed nodes an order that needs the crashed one waits for good; in views, which a membership agrees on, it goes on"
  ],
  runsOf: ({ seeds }) => 2 * seeds,
  refuse: ({ card }, nodes) => {
    const messages = nodes * sendings * card.cost.worst.of(nodes)
    return messages > messagesMax ? `${number(messages)} messages a run: left out` : undefined
  },
  measure
}
