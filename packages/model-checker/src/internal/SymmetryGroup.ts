/**
 * Which nodes of a system may change places: each within its group, and so all permutations of that kind.
 *
 * A permutation renames: it takes every text that is the name of a node for the name of another, wherever it stands.
 */
import { Chunk, HashMap, HashSet, Option } from "effect"
import type { Member, System } from "../System.ts"
import * as Fingerprint from "./Fingerprint.ts"

export interface Renaming {
  /** For each member, the one whose place it takes. */
  readonly members: ReadonlyArray<number>
  /** For each node that moves, the name that it takes. */
  readonly names: ReadonlyMap<string, string>
  /** For each split of the network, what it becomes. */
  readonly splits: ReadonlyArray<number>
}

/** A state costs a sum for each. */
export const maxRenamings = 720

/** A system is not symmetric in the way that it says. */
export class Asymmetric extends Error {
  readonly nodes: ReadonlyArray<string>
  readonly reason: string

  constructor(nodes: ReadonlyArray<string>, reason: string) {
    super(reason)
    this.nodes = nodes
    this.reason = reason
  }
}

type AnySystem = System<any, any, any, any, any, any, any>

/** All renamings, the one that changes nothing first. Throws `Asymmetric` where groups make no sense. */
export const renamings = (system: AnySystem): ReadonlyArray<Renaming> => {
  const groups = placesOf(system)
  const count = groups.reduce((product, { length }) => product * factorial(length), 1)
  if (count > maxRenamings) {
    const nodes = groups.flat().map((place) => system.members[place]!.node)
    const sizes = groups.map(({ length }) => `${length}!`).join(" · ")
    throw new Asymmetric(
      nodes,
      `there are ${sizes} = ${count} permutations, and at most ${maxRenamings} can be gone through`
    )
  }
  const stay = system.members.map((_, place) => place)
  return groups
    .reduce<ReadonlyArray<ReadonlyArray<number>>>(
      (all, group) => all.flatMap((members) => permutations(group).map((order) => moved(members, group, order))),
      [stay]
    )
    .map((members) => renaming(system, members))
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))

const permutations = (places: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  places.length < 2
    ? [places]
    : places.flatMap((place) => permutations(places.filter((each) => each !== place)).map((rest) => [place, ...rest]))

const moved = (
  members: ReadonlyArray<number>,
  group: ReadonlyArray<number>,
  order: ReadonlyArray<number>
): ReadonlyArray<number> => members.map((to, from) => (group.includes(from) ? order[group.indexOf(from)]! : to))

const renaming = (system: AnySystem, members: ReadonlyArray<number>): Renaming => {
  const names = new Map<string, string>()
  for (const [from, to] of members.entries()) {
    if (from !== to) names.set(system.members[from]!.node, system.members[to]!.node)
  }
  return { members, names, splits: splitsOf(system, names) }
}

/** The members of each group, by place. */
const placesOf = (system: AnySystem): ReadonlyArray<ReadonlyArray<number>> => {
  const { crashes, members, symmetry = [] } = system
  const placed = new Set<number>()
  return symmetry.map((group) => {
    const places = group.map((node) => {
      const place = members.findIndex((member) => member.node === node)
      if (place < 0) throw new Asymmetric([node], `${node} is no member of the system`)
      if (placed.has(place)) throw new Asymmetric([node], `${node} is named twice`)
      placed.add(place)
      return place
    })
    for (const place of places.slice(1)) {
      const [a, b] = [members[places[0]!]!, members[place]!]
      const difference = differenceOf(a, b, crashes?.nodes)
      if (difference !== undefined) throw new Asymmetric([a.node, b.node], `${a.node} and ${b.node} ${difference}`)
    }
    return places
  })
}

const differenceOf = (a: Member, b: Member, mayCrash: ReadonlyArray<string> | undefined): string | undefined => {
  if (a.protocol !== b.protocol) return `run different protocols, ${a.protocol.name} and ${b.protocol.name}`
  if (!Object.is(a.options, b.options) && keyOf(a.options) !== keyOf(b.options)) return "have different options"
  if (mayCrash !== undefined && mayCrash.includes(a.node) !== mayCrash.includes(b.node)) {
    return "do not both crash: name both in crashes.nodes, or neither"
  }
  return undefined
}

/** Equal for the same content. What is no plain data is like nothing else. */
const keyOf = (value: unknown, names?: ReadonlyMap<string, string>): unknown => {
  try {
    Fingerprint.take(value, names)
    return `${Fingerprint.high} ${Fingerprint.low}`
  } catch (error) {
    if (error instanceof Fingerprint.NotPlain) return Symbol()
    throw error
  }
}

const splitsOf = ({ network }: AnySystem, names: ReadonlyMap<string, string>): ReadonlyArray<number> => {
  const splits = (network?.splits ?? []).map((parts) => new Set(parts.map((part) => new Set(part))))
  const free = splits.map((parts): unknown => keyOf(parts))
  return splits.map((parts, index) => {
    const to = free.indexOf(keyOf(parts, names))
    if (to < 0) {
      const nodes = [...names.keys()]
      throw new Asymmetric(
        nodes,
        `split ${index + 1} of the network has no like in which ${nodes.join(", ")} change places`
      )
    }
    free[to] = undefined
    return to
  })
}

/** The value with all names changed. */
export const renamed = (value: unknown, names: ReadonlyMap<string, string>): unknown => {
  const part = (each: unknown): unknown => renamed(each, names)
  if (typeof value === "string") return names.get(value) ?? value
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map(part)
  if (value instanceof Set) return new Set(Array.from(value, part))
  if (value instanceof Map) return new Map(Array.from(value, ([key, at]) => [part(key), part(at)]))
  if (HashSet.isHashSet(value)) return HashSet.map(value, part)
  if (HashMap.isHashMap(value)) return HashMap.fromIterable(Array.from(value, ([key, at]) => [part(key), part(at)]))
  if (Chunk.isChunk(value)) return Chunk.map(value, part)
  if (Option.isOption(value)) return Option.map(value, part)
  return Object.fromEntries(Object.entries(value).map(([key, at]) => [part(key), part(at)]))
}
