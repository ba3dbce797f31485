/**
 * Ballots: the order in which changes of a key count. No two proposals have the same: a node has a new life with each start,
 * which is on its disk before it proposes anything, and proposes with each counter for a key once in a life.
 */
import { Schema } from "effect"

export interface Ballot {
  readonly counter: number
  /** The rank of the node that proposes. */
  readonly node: number
  readonly life: number
}

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
export const Ballot = Schema.Struct({ counter: Natural, node: Schema.Int, life: Natural })

/** Below all that are proposed. */
export const none: Ballot = { counter: 0, node: -1, life: 0 }

export const compare = (a: Ballot, b: Ballot): number =>
  a === b ? 0 : a.counter - b.counter || a.node - b.node || a.life - b.life

export const isSame = (a: Ballot, b: Ballot): boolean => compare(a, b) === 0
export const isBelow = (a: Ballot, b: Ballot): boolean => compare(a, b) < 0
export const highest = (a: Ballot, b: Ballot): Ballot => (isBelow(a, b) ? b : a)

/** Made lately, in lists of one. Most keys have ballots that other keys have too, and a register keeps two of them or more. */
const shared: Array<readonly [Ballot]> = Array.from({ length: 16_384 }, () => [none] as const)

const placeOf = (counter: number, node: number): number => (counter * 31 + node) & (shared.length - 1)

export const make = (counter: number, node: number, life: number): Ballot => {
  const at = placeOf(counter, node)
  const known = shared[at]![0]
  if (known.counter === counter && known.node === node && known.life === life) return known
  const ballot = { counter, node, life }
  shared[at] = [ballot]
  return ballot
}

/** A list of one. */
export const alone = (ballot: Ballot): readonly [Ballot] => {
  const known = shared[placeOf(ballot.counter, ballot.node)]!
  return known[0] === ballot ? known : [ballot]
}

/** The next one of the same node and life. */
export const after = ({ counter, life, node }: Ballot): Ballot => make(counter + 1, node, life)
