/** Which faults there will be, and when: drawn from the seed before the run. */
import { seeded } from "../Seeded.ts"

export const kinds = ["kill", "pause", "partition", "delay", "clock", "disk"] as const
export type Kind = (typeof kinds)[number]

/** How the nodes are divided, by their places in an order: the first one is what the fault is about. */
export type Shape = "isolated" | "halves" | "one-way in" | "one-way out" | "ring" | "bridge"

export type Fault =
  /** kill -9, and a restart on the same disk at the end. */
  | { readonly _tag: "kill"; readonly count: number }
  /** SIGSTOP, and SIGCONT at the end. */
  | { readonly _tag: "pause"; readonly count: number }
  /** What is sent meanwhile arrives later; with `resets` connections break besides, and what was under way is lost. */
  | { readonly _tag: "partition"; readonly shape: Shape; readonly resets: boolean }
  /** What the first node sends and gets takes so much longer. */
  | { readonly _tag: "delay"; readonly millis: number }
  /** The time of day of some nodes jumps, and back at the end. */
  | { readonly _tag: "clock"; readonly count: number; readonly offsetMillis: number }
  /** The first node's files take no more bytes. At the end there is room again, and the node is started anew. */
  | { readonly _tag: "disk" }

export interface Planned {
  readonly fault: Fault
  /** Whom it befalls, the first ones first; `seeksPrimary`: before them whoever is primary then. */
  readonly order: ReadonlyArray<string>
  readonly seeksPrimary: boolean
  readonly fromMillis: number
  readonly forMillis: number
}

export interface Options {
  readonly kinds: ReadonlyArray<Kind>
  readonly nodes: ReadonlyArray<string>
  readonly seed: number
  readonly forMillis: number
}

/** Before the first fault, and after the last. */
const quietMillis = 1_500

/** Faults one after another, some of which overlap the one before. All kinds come equally often. */
export const draw = ({ forMillis, kinds, nodes, seed }: Options): ReadonlyArray<Planned> => {
  const random = seeded(seed)
  const between = (low: number, high: number): number => Math.round(low + random() * (high - low))
  const planned: Array<Planned> = []
  let bag: Array<Kind> = []
  for (let at = quietMillis; kinds.length > 0;) {
    const length = between(1_000, 5_000)
    if (at + length + quietMillis > forMillis) break
    if (bag.length === 0) bag = shuffled(kinds, random)
    const fault = faultOf(bag.pop()!, nodes.length, random)
    planned.push({
      fault,
      order: shuffled(nodes, random),
      seeksPrimary: random() < 0.7,
      fromMillis: at,
      forMillis: length
    })
    at += random() < 0.4 ? between(200, length) : length + between(500, 2_500)
  }
  return planned
}

const faultOf = (kind: Kind, nodes: number, random: () => number): Fault => {
  const minority = Math.max(1, Math.ceil(nodes / 2) - 1)
  switch (kind) {
    case "kill":
      return { _tag: kind, count: pick([1, 1, 1, minority, minority, nodes], random) }
    case "pause":
      return { _tag: kind, count: pick([1, 1, minority], random) }
    case "partition":
      return { _tag: kind, shape: pick(shapesOf(nodes), random), resets: random() < 0.5 }
    case "delay":
      return { _tag: kind, millis: pick([30, 100, 300], random) }
    case "clock":
      return { _tag: kind, count: pick([1, minority, nodes], random), offsetMillis: pick(offsets, random) }
    case "disk":
      return { _tag: kind }
  }
}

const second = 1_000
const hour = 3_600 * second
const offsets = [-24 * hour, -hour, -10 * second, -second / 5, second / 5, 10 * second, hour, 24 * hour]

const pick = <A>(from: ReadonlyArray<A>, random: () => number): A => from[Math.floor(random() * from.length)]!

const shuffled = <A>(from: ReadonlyArray<A>, random: () => number): Array<A> => {
  const all = [...from]
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all
}

/** Most often what divides a primary from a majority. A ring of three cuts nothing. */
const shapesOf = (nodes: number): ReadonlyArray<Shape> => [
  ...(["isolated", "isolated", "halves", "halves", "one-way in", "one-way out"] as const),
  ...(nodes > 3 ? (["ring", "bridge"] as const) : [])
]

/** From which node to which nothing comes. */
export type Cut = readonly [from: string, to: string]

export const cutsOf = (shape: Shape, order: ReadonlyArray<string>): ReadonlyArray<Cut> => {
  const all = order.flatMap((from, i) =>
    order.flatMap((to, j) => (i === j ? [] : [{ cut: [from, to] as const, i, j }]))
  )
  return all.filter(({ i, j }) => isCut(shape, i, j, order.length)).map(({ cut }) => cut)
}

const isCut = (shape: Shape, from: number, to: number, nodes: number): boolean => {
  const minority = Math.ceil(nodes / 2) - 1
  switch (shape) {
    case "isolated":
      return from === 0 || to === 0
    case "one-way in":
      return to === 0
    case "one-way out":
      return from === 0
    case "halves":
      return from < minority !== to < minority
    case "bridge":
      // The last node is in touch with both sides.
      return from < nodes - 1 && to < nodes - 1 && from < minority !== to < minority
    case "ring": {
      // Each is in touch with a majority, no two with the same.
      const apart = Math.min((from - to + nodes) % nodes, (to - from + nodes) % nodes)
      return apart > Math.ceil(Math.floor(nodes / 2) / 2)
    }
  }
}
