/**
 * A list of fixed length, of which a change copies a little and shares the rest: 32 items, and one reference for each 32.
 * A state that changes with each message can hold a thousand items that way.
 */
export interface Vector<out A> {
  readonly length: number
  readonly chunks: ReadonlyArray<ReadonlyArray<A>>
}

const size = 32

/** As many of one and the same. */
export const make = <A>(length: number, item: A): Vector<A> => {
  const chunk = Array.from({ length: Math.min(size, length) }, () => item)
  return { length, chunks: Array.from({ length: Math.ceil(length / size) }, () => chunk) }
}

export const get = <A>({ chunks }: Vector<A>, at: number): A => chunks[at >>> 5]![at & 31]!

export const set = <A>({ chunks, length }: Vector<A>, at: number, item: A): Vector<A> => {
  const changed = chunks.slice()
  const chunk = chunks[at >>> 5]!.slice()
  chunk[at & 31] = item
  changed[at >>> 5] = chunk
  return { length, chunks: changed }
}

/** Each of them changed; the same vector where none is another than before. */
export const map = <A>(vector: Vector<A>, change: (item: A, at: number) => A): Vector<A> => {
  let same = true
  const chunks = vector.chunks.map((chunk, first) =>
    chunk.map((item, at) => {
      const place = first * size + at
      const changed = place < vector.length ? change(item, place) : item
      same &&= changed === item
      return changed
    })
  )
  return same ? vector : { length: vector.length, chunks }
}
