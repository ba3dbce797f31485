/** A binary heap in an array: the lowest rank first, and of equals the lowest sequence, so that runs repeat. */

export interface Ranked {
  readonly rank: number
  readonly sequence: number
}

export const push = <A extends Ranked>(heap: Array<A>, entry: A): void => {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (before(heap[parent]!, entry)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = entry
}

/** The first one. There is one. */
export const pop = <A extends Ranked>(heap: Array<A>): A => {
  const first = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (before(last, heap[child]!)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}

const before = (a: Ranked, b: Ranked): boolean => a.rank < b.rank || (a.rank === b.rank && a.sequence < b.sequence)
