/**
 * How an algorithm is checked: what the users of each service do, as few times as bounds say, and what may go wrong.
 *
 * A model checker sees every order of events, so that a program with as few steps as possible says the most: a mutex is
 * entered and left, members of an election start, and a clock stamps messages. It is written for the service, once.
 */
import type { Card, Protocol } from "@troupe/actor"
import { type Model, type Parallel, type Property, System } from "@troupe/model-checker"
import type { TokenRing } from "@troupe/mutex"
import type { Lease } from "@troupe/register"
import { examples } from "@troupe/model-checker/examples/index"
import { named } from "./algorithms.ts"
import * as Deliveries from "./checks/Deliveries.ts"
import { onlyTimers } from "./checks/Timers.ts"
import type { CoordinatedMembership } from "@troupe/group"
import * as Senders from "./checks/Senders.ts"
import { type Demonstration, type Service, spreads } from "./Demonstration.ts"
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
  /** How many values a draw of chance may have, evenly spread from 0 on. */
  readonly draws: number
  /** Of states that are the same but for which node is which, one is explored. */
  readonly symmetric: boolean
  /** Orders of steps that come to the same are left out: properties see of a state what `seen` says, and no more. */
  readonly partialOrder: boolean
}

/** What is checked, as plain data: each thread builds it for itself. */
export type Request =
  | { readonly _tag: "Algorithm"; readonly name: string; readonly bounds: Bounds }
  | { readonly _tag: "Example"; readonly name: string; readonly sizes: Readonly<Record<string, number>> }

export const source = (request: Request): Parallel.Source => ({
  module: import.meta.url,
  build: "build",
  args: [request]
})

/** Throws `BadSize` of an example. */
export const build = (request: Request): Model.Checkable<any> => {
  const { name } = request
  return request._tag === "Example"
    ? examples.find((example) => example.name === name)!.model(request.sizes)
    : model(named(name)!, request.bounds)
}

/** Whether users of the service do something that is counted. */
export const hasEntries = (demonstration: Demonstration): boolean =>
  demonstration.service === "mutex" || demonstration.service === "clock" || spreads(demonstration)

/** What is checked where nobody asks for more: nothing goes wrong, and all is as the card assumes it, but for duplication. */
export const usual = ({ card, name }: Demonstration, nodes = 3): Bounds => ({
  nodes,
  // As many as there are few enough orders of.
  entries: own(name).entries ?? (nodes > 3 ? 1 : 2),
  order: card.assumes.channels.order,
  duplication: false,
  loss: false,
  split: false,
  crashes: 0,
  restart: false,
  timeouts: own(name).timeouts ?? (card.assumes.timing === "synchronous" ? "synchronous" : "any"),
  draws: 1,
  symmetric: false,
  partialOrder: false
})

/** How an algorithm is checked that has too many states, or is not what its card assumes, in the bounds of all others. */
interface Own {
  readonly entries?: number
  /** Clocks that keep to their bound are seen as timers in their order. */
  readonly timeouts?: Bounds["timeouts"]
  /** In place of the one that is shown. */
  readonly protocol?: Protocol.Any
  /** Those that are set, where others are for what does not happen here, such as losses. */
  readonly timers?: ReadonlyArray<string>
  /** How many steps from the start, where the search would go on without end. */
  readonly depth?: number
  /** What the card promises of the end needs timers, or a member that is left out does not have it. */
  readonly decidesEnds?: false
  /** States of nodes beyond are not gone on from: numbers grow without end. What holds in the end is then not decided. */
  readonly within?: { readonly description: string; readonly holds: (state: any) => boolean }
}

const asking = (calls: number): Required<Own>["within"] => ({
  description: `up to ${calls} questions of each to the register`,
  holds: ({ lease }: { readonly lease: Lease.State }) => lease.calls <= calls
})

/** What is stable is found out by timers; no order waits for it. */
const untimed = { timeouts: "never", decidesEnds: false } as const

/** What has come in a crowd is put in order together, by a timer of no delay. */
const ordering = { timers: ["order"], decidesEnds: false } as const

const views = (most: number): Required<Own>["within"] => ({
  description: `up to view ${most}`,
  holds: ({ groups }: { readonly groups: CoordinatedMembership.State["groups"] }) =>
    [...groups.values()].every(({ view }) => view.number <= most)
})

const ownBounds: Readonly<Record<string, Own>> = {
  "mutex/lamport-queue": { entries: 1 },
  "mutex/token-ring": {
    entries: 1,
    within: {
      description: "up to 6 generations of 3 hops",
      holds: ({ generation, last }: TokenRing.State) => generation <= 6 && last.hops <= 3
    }
  },
  "mutex/lease-lock": { entries: 1, timeouts: "synchronous", within: asking(6) },
  "election/lease": { timeouts: "synchronous", within: asking(8) },
  "election/invitation": { timeouts: "synchronous" },
  "group/best-effort": { timeouts: "never" },
  "group/flooding": { timeouts: "never", entries: 1 },
  "group/uniform": { timeouts: "never", entries: 1 },
  "group/nak-reliable": untimed,
  "group/causal": untimed,
  "group/causal-dependencies": untimed,
  "group/total-sequencer": ordering,
  "group/total-token": ordering,
  "group/total-isis": { ...ordering, entries: 1 },
  "group/view-synchrony": { ...untimed, entries: 1 },
  "group/coordinated-membership": { timeouts: "never", within: views(3) },
  "group/weak-membership": { depth: 7 },
  "gossip/push-pull": { entries: 1, depth: 10 },
  "gossip/rumor-mongering": { entries: 1, depth: 8 },
  "gossip/plumtree": { entries: 1, depth: 6 },
  "gossip/hyparview": { depth: 5 },
  "gossip/anti-entropy": { entries: 1, depth: 8 },
  "gossip/replicated": { protocol: Senders.replicated, entries: 1, depth: 7 },
  "gossip/architecture": { entries: 1, depth: 7 }
}

/** How deep the search goes where nobody says. */
export const usualDepth = ({ name }: Demonstration): number | undefined => own(name).depth

const own = (name: string): Own => ownBounds[name] ?? {}

const model = (demonstration: Demonstration, bounds: Bounds): Model.Checkable<any> => {
  const nodes = names(bounds.nodes)
  const { card, name, options, service } = demonstration
  const user = users[service](nodes, bounds.entries, demonstration)
  const { decidesEnds, protocol = demonstration.protocol, timers, within } = own(name)
  // Where the search is cut off, nothing is seen of what comes in the end.
  const guarantees = System.guarantees(protocol.card ?? card).filter(
    ({ kind }) => (within === undefined && decidesEnds !== false) || kind !== "infinitely often"
  )
  const properties = bounds.partialOrder ? guarantees.map(guarded(service)) : guarantees
  const isMulticast = service === "multicast"
  return System.make<any, any, any, any, any, number, any>({
    name: [name, ...describe(demonstration, bounds)].join(", "),
    members: System.members(timers === undefined ? protocol : onlyTimers(protocol, timers), nodes, options),
    ...(user === undefined ? {} : { user }),
    network: {
      order: bounds.order,
      duplication: bounds.duplication,
      loss: bounds.loss,
      ...(bounds.split ? { splits: splits(nodes) } : {})
    },
    crashes: { max: bounds.crashes, restart: bounds.restart },
    timeouts: bounds.timeouts,
    random: Array.from({ length: bounds.draws }, (_, i) => i / bounds.draws),
    ...(bounds.symmetric ? { symmetry: [nodes] } : {}),
    ...(within === undefined ? {} : { within: ({ nodes }) => nodes.every(({ state }) => within.holds(state)) }),
    ...(bounds.partialOrder ? { visible: visible(service, within) } : {}),
    ...(isMulticast ? { record: Deliveries.record(nodes) } : {}),
    properties: isMulticast ? [Deliveries.property(name), ...properties] : properties
  })
}

/** What guarantees of the service see of a node's state. */
const seen: Readonly<Record<Service, ReadonlyArray<string>>> = {
  mutex: ["phase", "claim", "holder", "lease", "permitted", "token"],
  election: ["role", "leader", "standing"],
  clock: ["latest", "previous"],
  detector: [],
  notification: ["groups", "failed"],
  time: [],
  membership: [],
  overlay: [],
  multicast: [],
  gossip: [],
  replica: []
}

const visible =
  (service: Service, within: Own["within"]) =>
  ({ alive, state }: Card.Snapshot<any>[number]) => [
    alive,
    seen[service].map((field) => state[field]),
    within?.holds(state) ?? true
  ]

/** A guarantee that sees more of a state than is taken for visible would be held against too few orders of steps. */
const guarded =
  (service: Service) =>
  (property: Property.Property<System.View<any>>): Property.Property<System.View<any>> => ({
    ...property,
    holds: ({ history, nodes }) => property.holds({ nodes: nodes.map(onlySeen(service)), history, messages: [] })
  })

const onlySeen =
  (service: Service) =>
  (cell: Card.Snapshot<any>[number]): Card.Snapshot<any>[number] => ({
    ...cell,
    state: new Proxy(cell.state, {
      get: (state, field) => {
        if (typeof field === "symbol" || seen[service].includes(field)) return state[field]
        throw new Error(`it looks at "${field}" of a state, which --partial-order does not reckon with`)
      }
    })
  })

type User = System.User<any, any, number>

/** What the user of each node does, who remembers how often it was done. */
const users: Readonly<
  Record<Service, (nodes: ReadonlyArray<string>, times: number, demonstration: Demonstration) => User | undefined>
> = {
  mutex: (_, entries) => ({
    memo: 0,
    moves: ({ memo, state }) => {
      if (state.phase === "inside") return [{ _tag: "Command", command: { _tag: "Release" }, memo }]
      if (state.phase !== "idle" || memo >= entries) return []
      return [{ _tag: "Command", command: { _tag: "Acquire" }, memo: memo + 1 }]
    }
  }),
  election: () => undefined,
  detector: () => undefined,
  time: () => undefined,
  // The first node coordinates, where somebody does; all but the last come in.
  membership: (nodes, _, { name }) => ({
    memo: 0,
    moves: ({ memo, node }) => {
      const commands = [
        ...(name === "group/weak-membership" ? [] : [{ _tag: "Coordinate", coordinator: nodes[0] }]),
        ...(node === nodes.at(-1) ? [] : [{ _tag: "Enter", group: "demo", mode: "enter" }])
      ]
      const command = commands[memo]
      return command === undefined ? [] : [{ _tag: "Command", command, memo: memo + 1 }]
    }
  }),
  overlay: () => undefined,
  multicast: (nodes, times, { options }) =>
    Senders.multicast(nodes, times, (options as { readonly members?: string } | undefined)?.members === "views"),
  gossip: Senders.gossip,
  replica: (nodes, times, { name }) => Senders.replica(name, nodes, times),
  // The first node makes a group of all.
  notification: (nodes) => ({
    memo: 0,
    moves: ({ memo, node }) =>
      memo > 0 || node !== nodes[0]
        ? []
        : [{ _tag: "Command", command: { _tag: "Create", group: "all", members: nodes }, memo: 1 }]
  }),
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

/** Up to so many nodes, every split in two is looked at. */
const mostSplitWholly = 5

/**
 * The ways in which the network may split in two. Of many nodes those in which one is cut off, and those between nodes that
 * stand side by side: there are too many others.
 */
export const splits = (nodes: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<ReadonlyArray<string>>> => {
  const apart = (isApart: (place: number) => boolean) => [
    nodes.filter((_, place) => !isApart(place)),
    nodes.filter((_, place) => isApart(place))
  ]
  const { length } = nodes
  if (length <= mostSplitWholly) {
    // The first node is always in the first part, so that each split comes once.
    return Array.from({ length: 2 ** (length - 1) - 1 }, (_, i) => apart((place) => ((2 * (i + 1)) >> place) % 2 === 1))
  }
  return [
    ...nodes.slice(1).map((_, i) => apart((place) => place > i)),
    ...nodes.slice(1, -1).map((_, i) => apart((place) => place === i + 1))
  ]
}

const counted = (value: number, one: string, many = `${one}s`): string => `${value} ${value === 1 ? one : many}`

const describe = (demonstration: Demonstration, bounds: Bounds): ReadonlyArray<string> => [
  counted(bounds.nodes, "node"),
  ...(demonstration.service === "mutex" ? [`${counted(bounds.entries, "entry", "entries")} each`] : []),
  ...(demonstration.service === "clock" ? [`${counted(bounds.entries, "message")} each`] : []),
  ...(spreads(demonstration) ? [`${counted(bounds.entries, demonstration.operation)} of two`] : []),
  ...(bounds.order === "fifo" ? ["in order"] : []),
  ...(bounds.duplication ? ["duplicating"] : []),
  ...(bounds.loss ? ["lossy"] : []),
  ...(bounds.split ? ["a split"] : []),
  ...(bounds.crashes === 0
    ? []
    : [`${counted(bounds.crashes, "crash", "crashes")}${bounds.restart ? " and restart" : ""}`]),
  ...(bounds.draws > 1 ? [`${bounds.draws} ways of each draw`] : []),
  ...[own(demonstration.name).within?.description ?? []].flat()
]

/** The presets of faults that a card speaks about, as far as these bounds let them happen. */
export const faults = (
  demonstration: Demonstration,
  { crashes, loss, split, timeouts }: Bounds
): ReadonlyArray<Card.Faults> => {
  const happen: Array<Card.Faults> = []
  // Timers that run out in any order are clocks that run at any rate.
  if (timeouts === "any" && usual(demonstration).timeouts === "synchronous") happen.push("chaos")
  if (crashes > 0) happen.push("crash")
  if (loss) happen.push("lossy")
  if (split) happen.push("partition")
  return happen.length === 0 ? ["none"] : happen
}
