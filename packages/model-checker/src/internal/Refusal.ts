/** What cannot be checked at all, and why: a bound that bounds nothing, a system that names what it has not. */
import type { Options } from "../Checker.ts"
import type { System } from "../System.ts"

export class Refused extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** Throws `Refused` where a search with these options would not be what was asked for, or would not end. */
export const refuseOptions = (options: Options): void => {
  const { maxBytes, maxDepth, maxStates, search, seed, walks } = options
  refuseNumber("maxStates", maxStates, 1)
  refuseNumber("maxDepth", maxDepth, 0)
  refuseNumber("maxBytes", maxBytes, 1)
  refuseNumber("walks", walks, 1)
  if (walks !== undefined && !Number.isInteger(walks)) throw new Refused(`walks is ${walks}: give a whole number`)
  if (seed !== undefined && !Number.isFinite(seed)) throw new Refused(`seed is ${seed}: give a number`)
  if (search !== undefined && !searches.has(search)) {
    throw new Refused(`there is no search "${String(search)}": there are ${[...searches].join(", ")}`)
  }
}

const searches: ReadonlySet<string> = new Set(["breadth-first", "depth-first", "random"])

/** Throws `Refused` unless the number is left out, or at least so much. */
export const refuseNumber = (name: string, value: number | undefined, least: number): void => {
  if (value !== undefined && !(value >= least)) throw new Refused(`${name} is ${value}: give a number from ${least} on`)
}

/** Throws `Refused` where a system has no members, names a node that is none of them, or counts what cannot be counted. */
export const refuseSystem = ({
  crashes,
  members,
  network,
  random
}: System<any, any, any, any, any, any, any>): void => {
  if (members.length === 0) throw new Refused("it has no members")
  const nodes = members.map(({ node }) => node)
  const twice = nodes.find((node, place) => nodes.indexOf(node) < place)
  if (twice !== undefined) throw new Refused(`it has two members named "${twice}"`)
  refuseNumber("crashes.max", crashes?.max, 0)
  if (typeof network?.loss === "number") refuseNumber("network.loss", network.loss, 0)
  refuseNumber("network.maxSplits", network?.maxSplits, 0)
  if (random?.length === 0) throw new Refused("random is empty: give a value that chance may take")
  const known = new Set(nodes)
  const refuseStranger = (where: string, names: ReadonlyArray<string> = []): void => {
    const stranger = names.find((name) => !known.has(name))
    if (stranger !== undefined) throw new Refused(`${where} names "${stranger}", which is no member`)
  }
  refuseStranger("crashes.nodes", crashes?.nodes)
  refuseStranger("network.splits", network?.splits?.flat(2))
}
