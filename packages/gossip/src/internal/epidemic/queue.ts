/** A queue as plain readonly data: to add or to take costs a copy of some dozens of references, however long it is. */
export interface Queue<out A> {
  /** None is empty. */
  readonly chunks: ReadonlyArray<ReadonlyArray<A>>
  /** How many of the first chunk are gone. */
  readonly gone: number
  readonly size: number
}

const chunkSize = 64

export const empty: Queue<never> = { chunks: [], gone: 0, size: 0 }

export const add = <A>({ chunks, gone, size }: Queue<A>, item: A): Queue<A> => {
  const end = chunks[chunks.length - 1]
  const next =
    end === undefined || end.length === chunkSize ? [...chunks, [item]] : [...chunks.slice(0, -1), [...end, item]]
  return { chunks: next, gone, size: size + 1 }
}

export const first = <A>({ chunks, gone }: Queue<A>): A | undefined => chunks[0]?.[gone]

export const rest = <A>({ chunks, gone, size }: Queue<A>): Queue<A> =>
  size <= 1
    ? empty
    : gone + 1 === chunks[0]!.length
      ? { chunks: chunks.slice(1), gone: 0, size: size - 1 }
      : { chunks, gone: gone + 1, size: size - 1 }
