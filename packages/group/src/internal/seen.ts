/**
 * Which messages of a sender a node has had: all up to a number, and a few beyond. That is what lets ids be forgotten.
 */
export interface Seen {
  /** Of the sender: one that comes back without its memory counts from 1 again, in another life. */
  readonly life: number
  /** All up to this one. */
  readonly upTo: number
  /** Those beyond a gap, ascending. */
  readonly beyond: ReadonlyArray<number>
}

/** How many messages may be beyond gaps; at one more the lowest gap is taken for lost. */
export const maxBeyond = 4096

/** How many lives of a sender are remembered; what still comes of older ones is taken for new. */
const maxLives = 4

/** Of one sender, the latest life first. */
export type Lives = ReadonlyArray<Seen>

export const has = (lives: Lives, life: number, sequence: number): boolean => {
  for (const seen of lives) {
    if (seen.life === life) return sequence <= seen.upTo || (seen.beyond.length > 0 && find(seen.beyond, sequence) >= 0)
  }
  return false
}

/** With one more, that it has not yet. */
export const add = (lives: Lives, life: number, sequence: number): Lives => {
  const at = lives.findIndex((seen) => seen.life === life)
  if (at < 0) return [next({ life, upTo: 0, beyond: [] }, sequence), ...lives.slice(0, maxLives - 1)]
  if (lives.length === 1) return [next(lives[0]!, sequence)]
  return lives.with(at, next(lives[at]!, sequence))
}

/** The number of the latest message, of the life that was heard of last; 0 of nobody. */
export const latest = (lives: Lives): number => lives[0]?.beyond.at(-1) ?? lives[0]?.upTo ?? 0

/** Whether one is missing between the first and the latest, of the life that was heard of last. */
export const hasGap = (lives: Lives): boolean => {
  if (lives.length === 0 || lives[0]!.beyond.length === 0) return false
  const { beyond, upTo } = lives[0]!
  return upTo > 0 || beyond.at(-1)! - beyond[0]! >= beyond.length
}

const next = ({ beyond, life, upTo }: Seen, sequence: number): Seen => {
  if (sequence === upTo + 1 && beyond.length === 0) return { life, upTo: sequence, beyond }
  const all = beyond.toSpliced(-1 - find(beyond, sequence), 0, sequence)
  let known = all.length > maxBeyond ? all[0]! : upTo
  let filled = 0
  while (filled < all.length && all[filled]! <= known + 1) known = all[filled++]!
  return { life, upTo: known, beyond: filled === 0 ? all : all.slice(filled) }
}

/** Its index, or -1 less the index that it would have. */
const find = (ascending: ReadonlyArray<number>, sequence: number): number => {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle]! < sequence) low = middle + 1
    else high = middle
  }
  return ascending[low] === sequence ? low : -1 - low
}
