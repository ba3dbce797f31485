/**
 * Sets of numbers as intervals: `[1, 5, 8, 8]` is 1 to 5, and 8. Ascending, with a gap before each interval.
 *
 * What a node knows of a source is one such set, so that its memory of ids is a pair of numbers while nothing is missing,
 * however many items there were.
 */
export type Intervals = ReadonlyArray<number>

export const empty: Intervals = []

/** Whether these numbers are such a set: a list from elsewhere may be anything. */
export const isValid = (set: Intervals): boolean => {
  if (set.length % 2 !== 0) return false
  let last = -1
  for (let i = 0; i < set.length; i += 2) {
    if (!(set[i]! > last + 1 && set[i + 1]! >= set[i]!)) return false
    last = set[i + 1]!
  }
  return true
}

export const has = (set: Intervals, value: number): boolean => {
  // What is asked for is near the end, as a rule.
  for (let i = set.length - 2; i >= 0; i -= 2) if (value >= set[i]!) return value <= set[i + 1]!
  return false
}

export const last = (set: Intervals): number => (set.length === 0 ? 0 : set[set.length - 1]!)

export const add = (set: Intervals, value: number): Intervals => {
  if (set.length === 2 && value === set[1]! + 1) return [set[0]!, value]
  let at = set.length
  while (at > 0 && set[at - 2]! > value) at -= 2
  // All before `at` begin at `value` or below it.
  if (at > 0 && value <= set[at - 1]!) return set
  const joinsBefore = at > 0 && set[at - 1] === value - 1
  const joinsAfter = at < set.length && set[at] === value + 1
  const from = joinsBefore ? set[at - 2]! : value
  const to = joinsAfter ? set[at + 1]! : value
  return [...set.slice(0, joinsBefore ? at - 2 : at), from, to, ...set.slice(joinsAfter ? at + 2 : at)]
}

/** Whether `other` has a number, of `from` or above, that `set` has not. */
export const lacks = (set: Intervals, other: Intervals, from: number): boolean => {
  for (let i = 0, at = 0; i < other.length; i += 2) {
    const low = Math.max(other[i]!, from)
    const high = other[i + 1]!
    if (low > high) continue
    while (at < set.length && set[at + 1]! < low) at += 2
    if (at >= set.length || set[at]! > low || set[at + 1]! < high) return true
  }
  return false
}

/** The numbers below the first gap and in it, as one interval: what is missing there is given up. */
export const closeFirstGap = (set: Intervals): Intervals =>
  set.length > 0 && set[0]! > 1 ? [1, ...set.slice(1)] : set.length > 2 ? [set[0]!, ...set.slice(3)] : set

/** The first gap, from 1 on: `undefined` where there is none. */
export const firstGap = (set: Intervals): readonly [from: number, to: number] | undefined =>
  set.length > 0 && set[0]! > 1 ? [1, set[0]! - 1] : set.length > 2 ? [set[1]! + 1, set[2]! - 1] : undefined
