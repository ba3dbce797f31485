/**
 * A numbered queue as plain immutable data: appended to at one end, dropped from at the other, read by number in constant
 * time. In chunks, so that an append copies few items however many there are.
 */

export interface Log<out A> {
  /** The number of the first item kept. */
  readonly first: number
  /** The number that the next item gets. */
  readonly next: number
  /** All but the first and the last are full. */
  readonly chunks: ReadonlyArray<ReadonlyArray<A>>
}

const chunkBits = 4
const chunkItems = 2 ** chunkBits

export const empty = (first: number): Log<never> => ({ first, next: first, chunks: [] })

export const size = ({ first, next }: Log<unknown>): number => next - first

export const append = <A>({ chunks, first, next }: Log<A>, item: A): Log<A> => {
  const grown = chunks.slice()
  const last = grown.length - 1
  const tail = grown[last]
  if (tail === undefined || tail.length === chunkItems) grown.push([item])
  else {
    const copy = tail.slice()
    copy.push(item)
    grown[last] = copy
  }
  return { first, next: next + 1, chunks: grown }
}

/** The item of that number, where it is kept. */
export const get = <A>({ chunks, first, next }: Log<A>, number: number): A | undefined => {
  if (number < first || number >= next) return undefined
  const head = chunks[0]!
  const at = number - first
  if (at < head.length) return head[at]
  const beyond = at - head.length
  return chunks[1 + (beyond >> chunkBits)]![beyond & (chunkItems - 1)]
}

/** Without the items before `number`. */
export const dropBefore = <A>(log: Log<A>, number: number): Log<A> => {
  if (number <= log.first) return log
  if (number >= log.next) return { first: log.next, next: log.next, chunks: [] }
  let left = number - log.first
  let whole = 0
  while (left >= log.chunks[whole]!.length) left -= log.chunks[whole++]!.length
  const chunks = whole === 0 ? log.chunks.slice() : log.chunks.slice(whole)
  if (left > 0) chunks[0] = chunks[0]!.slice(left)
  return { first: number, next: log.next, chunks }
}

export const items = <A>(log: Log<A>): ReadonlyArray<A> => log.chunks.flat()
