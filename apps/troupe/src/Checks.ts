/**
 * How an algorithm is checked: what the users of each service do, as few times as bounds say, and what may go wrong.
 *
 * A model checker sees every order of events, so that a program with as few steps as possible says the most: a mutex is
 * entered and left, members of an election start, and a clock stamps messages. It is written for the service, once.
 */
import { System, type Model } from "@troupe/model-checker"
import type { Card } from "@troupe/actor"
import type { Demonstration, Service } from "./Demonstration.ts"
import { names } from "./worlds/World.ts"

/** How large the system is, and what may go wrong in it. */
export interface Bounds {
  readonly nodes: number
  /** Of a mutex: how often each node enters. Of a clock: how many messages each sends. Of an election: unused. */
  readonly entries: number
  readonly order: "any" | "fifo"
  readonly duplication: boolean
  readonly loss: boolean
  readonly split: boolean
  readonly crashes: number
  readonly restart: boolean
  readonly timeouts: "any" | "synchronous" | "never"
}

/** Whether users of the service do something that is counted. */
export const hasEntries = ({ service }: Demonstration): boolean => service !== "election"

/** As many as there are few enough orders of. */
export const defaultEntries = (nodes: number): number => (nodes > 3 ? 1 : 2)

/** As the card assumes them. */
export const defaultTimeouts = ({ card }: Demonstration): Bounds["timeouts"] =>
  card.assumes.timing === "synchronous" ? "synchronous" : "any"

export const model = (demonstration: Demonstration, bounds: Bounds): Model.Checkable<any> => {
  const nodes = names(bounds.nodes)
  const { card, name, options, protocol, service } = demonstration
  const user = users[service](nodes, bounds.entries)
  return System.make<any, any, any, any, any, number, undefined>({
    name: [name, ...describe(demonstration, bounds)].join(", "),
    members: System.members(protocol, nodes, options),
    ...(user === undefined ? {} : { user }),
    network: {
      order: bounds.order,
      duplication: bounds.duplication,
      loss: bounds.loss,
      ...(bounds.split ? { splits: splits(nodes) } : {})
    },
    crashes: { max: bounds.crashes, restart: bounds.restart },
    timeouts: bounds.timeouts,
    properties: System.guarantees(card)
  })
}

type User = System.User<any, any, number>

/** What the user of each node does, who remembers how often it was done. */
const users: Readonly<Record<Service, (nodes: ReadonlyArray<string>, times: number) => User | undefined>> = {
  mutex: (_, entries) => ({
    memo: 0,
    moves: ({ memo, state }) => {
      if (state.phase === "inside") return [{ _tag: "Command", command: { _tag: "Release" }, memo }]
      if (state.phase !== "idle" || memo >= entries) return []
      return [{ _tag: "Command", command: { _tag: "Acquire" }, memo: memo + 1 }]
    }
  }),
  election: () => undefined,
  clock: (nodes, messages) => ({
    memo: 0,
    moves: ({ memo, node }) => {
      if (memo >= messages) return []
      const others = nodes.length === 1 ? nodes : nodes.filter((other) => other !== node)
      const to = others[(nodes.indexOf(node) + memo) % others.length]!
      return [{ _tag: "Command", command: { _tag: "Send", to }, memo: memo + 1 }]
    }
  })
}

/** The first node apart from the others, the first two, and so on. */
const splits = (nodes: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<ReadonlyArray<string>>> =>
  nodes.slice(1).map((_, i) => [nodes.slice(0, i + 1), nodes.slice(i + 1)])

const counted = (value: number, one: string, many = `${one}s`): string => `${value} ${value === 1 ? one : many}`

const describe = (demonstration: Demonstration, bounds: Bounds): ReadonlyArray<string> => [
  counted(bounds.nodes, "node"),
  ...(demonstration.service === "mutex" ? [`${counted(bounds.entries, "entry", "entries")} each`] : []),
  ...(demonstration.service === "clock" ? [`${counted(bounds.entries, "message")} each`] : []),
  ...(bounds.order === "fifo" ? ["in order"] : []),
  ...(bounds.duplication ? ["duplicating"] : []),
  ...(bounds.loss ? ["lossy"] : []),
  ...(bounds.split ? ["a split"] : []),
  ...(bounds.crashes === 0
    ? []
    : [`${counted(bounds.crashes, "crash", "crashes")}${bounds.restart ? " and restart" : ""}`])
]

/** The presets of faults that a card speaks about, as far as these bounds let them happen. */
export const faults = ({ crashes, loss, split }: Bounds): ReadonlyArray<Card.Faults> => {
  const happen: Array<Card.Faults> = []
  if (crashes > 0) happen.push("crash")
  if (loss) happen.push("lossy")
  if (split) happen.push("partition")
  return happen.length === 0 ? ["none"] : happen
}
