/** The orders, as they are held to what they guarantee. */
import { Membership } from "@troupe/actor"
import { Causal, CausalDependencies, Isis, type Multicast, Sequencer, Token } from "@troupe/group"
import { Layer, Stream } from "effect"
import type { Subject } from "./worlds.ts"

export const causals = { "vector clocks": Causal, "dependency lists": CausalDependencies }
export const totals = { sequencer: Sequencer, token: Token, timestamps: Isis }
export const orders = { ...causals, ...totals }

export type Name = keyof typeof orders

export const names = Object.keys(orders) as ReadonlyArray<Name>
export const isTotal = (name: Name): name is keyof typeof totals => name in totals

export const guaranteesOf = (name: Name): ReadonlyArray<Multicast.Guarantee> => [
  "best-effort",
  "reliable",
  "fifo",
  "causal",
  ...(isTotal(name) ? (["total"] as const) : [])
]

/** Among fixed nodes, over a network that may lose messages. */
export const fixed = (name: Name): Subject => ({
  name: `${isTotal(name) ? "total" : "causal"} order by ${name}`,
  guarantees: guaranteesOf(name),
  layer: () => orders[name].layer(),
  protocol: orders[name].protocol
})

/** The same, delivering what all have. */
export const stable = (name: Name): Subject => ({
  ...fixed(name),
  name: `${fixed(name).name}, uniform`,
  guarantees: [...guaranteesOf(name), "uniform"],
  layer: () => (isTotal(name) ? totals[name].atomic() : causals[name as keyof typeof causals].uniform())
})

/** In one view that never changes. */
export const inOneView = (name: Name, nodes: ReadonlyArray<string>): Subject => ({
  ...fixed(name),
  name: `${fixed(name).name}, in a view`,
  guarantees: [...guaranteesOf(name), "view-synchronous"],
  layer: () => Layer.provide(orders[name].viewSynchronous(), oneView(nodes))
})

const oneView = (nodes: ReadonlyArray<string>): Layer.Layer<Membership> =>
  Layer.succeed(Membership, {
    views: Stream.concat(Stream.make({ number: 1, members: nodes, joined: nodes }), Stream.never)
  })
