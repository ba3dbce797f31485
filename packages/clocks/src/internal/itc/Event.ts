/**
 * Functions over the interval (§5.2, §5.3). A node's count is added to all below it. Normal form: of two children at least
 * one has the count 0, and they are not the same number.
 */
import type { Id } from "./Id.ts"

/** The same everywhere, or something added to each half. */
export type Event = number | readonly [base: number, left: Event, right: Event]

/** The lowest value, of a tree in normal form. */
const min = (event: Event): number => (typeof event === "number" ? event : event[0])

/** The highest value. */
export const max = (event: Event): number =>
  typeof event === "number" ? event : event[0] + Math.max(max(event[1]), max(event[2]))

const lift = (event: Event, by: number): Event => {
  if (by === 0) return event
  return typeof event === "number" ? event + by : [event[0] + by, event[1], event[2]]
}

/** The normal form of a tree with children in normal form. */
const tree = (base: number, left: Event, right: Event): Event => {
  if (left === right && typeof left === "number") return base + left
  const least = Math.min(min(left), min(right))
  return [base + least, lift(left, -least), lift(right, -least)]
}

/** Whether the first is nowhere higher. `above` and `below` are to be added to the first and the second. */
export const leq = (first: Event, second: Event, above = 0, below = 0): boolean => {
  if (typeof first === "number") return above + first <= below + min(second)
  const base = above + first[0]
  if (typeof second === "number") {
    return leq(first[1], second, base, below) && leq(first[2], second, base, below)
  }
  const other = below + second[0]
  return base <= other && leq(first[1], second[1], base, other) && leq(first[2], second[2], base, other)
}

/** The higher value everywhere. */
export const join = (first: Event, second: Event): Event => {
  if (typeof first === "number") {
    if (typeof second === "number") return Math.max(first, second)
    return first <= second[0] ? second : join([first, 0, 0], second)
  }
  if (typeof second === "number") return second <= first[0] ? first : join(first, [second, 0, 0])
  if (first[0] > second[0]) return join(second, first)
  const by = second[0] - first[0]
  return tree(first[0], join(first[1], lift(second[1], by)), join(first[2], lift(second[2], by)))
}

/** Raises the function within the share where that makes the tree simpler. The tree itself where it does not. */
export const fill = (id: Id, event: Event): Event => {
  if (id === 0 || typeof event === "number") return event
  if (id === 1) return max(event)
  const [base, left, right] = event
  const [mine, mineRight] = id
  if (mine === 1) {
    const filled = fill(mineRight, right)
    return replaced(event, base, Math.max(max(left), min(filled)), filled)
  }
  if (mineRight === 1) {
    const filled = fill(mine, left)
    return replaced(event, base, filled, Math.max(max(right), min(filled)))
  }
  return replaced(event, base, fill(mine, left), fill(mineRight, right))
}

const replaced = (event: readonly [number, Event, Event], base: number, left: Event, right: Event): Event =>
  left === event[1] && right === event[2] ? event : tree(base, left, right)

/** More than any walk from a root to a leaf: to split a leaf is dearer than to raise one that is there. */
const splitCost = 1_000_000

interface Grown {
  readonly event: Event
  readonly cost: number
}

/** Raises the function by one somewhere within the share, where the tree grows least. The share is not 0. */
export const grow = (id: Id, event: Event): Grown => {
  if (typeof event === "number") {
    if (id === 1) return { event: event + 1, cost: 0 }
    const { event: grown, cost } = grow(id, [event, 0, 0])
    return { event: grown, cost: cost + splitCost }
  }
  const [base, left, right] = event
  // A whole share of a tree was filled, and is a leaf by now.
  const [mine, mineRight] = id as readonly [Id, Id]
  const inLeft = mine === 0 ? undefined : grow(mine, left)
  const inRight = mineRight === 0 ? undefined : grow(mineRight, right)
  return inLeft !== undefined && (inRight === undefined || inLeft.cost < inRight.cost)
    ? { event: [base, inLeft.event, right], cost: inLeft.cost + 1 }
    : { event: [base, left, inRight!.event], cost: inRight!.cost + 1 }
}

export const equals = (first: Event, second: Event): boolean => {
  if (first === second) return true
  if (typeof first === "number" || typeof second === "number") return false
  return first[0] === second[0] && equals(first[1], second[1]) && equals(first[2], second[2])
}
