/**
 * A log of batches by position, from 1. Its oldest batches may be gone: then `base` says where it begins. Appending copies
 * the open group alone; groups that are full are shared by all later logs.
 */
const groupSize = 64

export interface Log<Batch> {
  /** The position before the oldest batch that is kept, and that batch's view. */
  readonly base: { readonly at: number; readonly view: number }
  readonly full: ReadonlyArray<ReadonlyArray<Batch>>
  /** Of each of `full`, in bytes. */
  readonly sizes: ReadonlyArray<number>
  /** Fewer than a group. */
  readonly open: ReadonlyArray<Batch>
}

interface Viewed {
  /** The view in which it was proposed. */
  readonly view: number
}

export const empty: Log<never> = { base: { at: 0, view: 0 }, full: [], sizes: [], open: [] }

/** One that begins after a batch of that position and view. */
export const after = (at: number, view: number): Log<never> => ({ base: { at, view }, full: [], sizes: [], open: [] })

/** The position of the latest batch. */
export const last = ({ base, full, open }: Log<unknown>): number => base.at + full.length * groupSize + open.length

/** The batch at a position after `base`, up to the last. */
export const get = <Batch>({ base, full, open }: Log<Batch>, at: number): Batch => {
  const index = at - base.at - 1
  const group = Math.floor(index / groupSize)
  return (group < full.length ? full[group]! : open)[index - group * groupSize]!
}

/** The view of the batch at a position; nothing where the log doesn't know. */
export const viewAt = (log: Log<Viewed>, at: number): number | undefined =>
  at === log.base.at ? log.base.view : at < log.base.at || at > last(log) ? undefined : get(log, at).view

export const append = <Batch>(
  { base, full, open, sizes }: Log<Batch>,
  batch: Batch,
  sizeOf: (batch: Batch) => number
): Log<Batch> => {
  const group = [...open, batch]
  if (group.length < groupSize) return { base, full, sizes, open: group }
  const size = group.reduce((sum, each) => sum + sizeOf(each), 0)
  return { base, full: [...full, group], sizes: [...sizes, size], open: [] }
}

/** The log up to a position, `base` at least. */
export const upTo = <Batch>(log: Log<Batch>, at: number): Log<Batch> => {
  const { base, full, sizes } = log
  const kept = at - base.at
  const groups = Math.floor(kept / groupSize)
  if (groups >= full.length) {
    return { base, full, sizes, open: log.open.slice(0, kept - full.length * groupSize) }
  }
  return {
    base,
    full: full.slice(0, groups),
    sizes: sizes.slice(0, groups),
    open: full[groups]!.slice(0, kept - groups * groupSize)
  }
}

/** Batches after a position, not before `base`: until their sizes add up to `size`, one at least where there is one. */
export const following = <Batch>(
  log: Log<Batch>,
  at: number,
  size: number,
  sizeOf: (batch: Batch) => number
): ReadonlyArray<Batch> => {
  const batches: Array<Batch> = []
  const end = last(log)
  for (let next = at + 1, sum = 0; next <= end && sum < size; next++) {
    const batch = get(log, next)
    batches.push(batch)
    sum += sizeOf(batch)
  }
  return batches
}

/**
 * Leaves out full groups from the oldest on, none that has a position after `at`: while `isMuch`, given the oldest group's
 * latest batch and the bytes of all full groups.
 */
export const trim = <Batch extends Viewed>(
  log: Log<Batch>,
  at: number,
  isMuch: (latest: Batch, bytes: number) => boolean
): Log<Batch> => {
  const { base, full, open, sizes } = log
  let bytes = sizes.reduce((sum, size) => sum + size, 0)
  let groups = 0
  while (
    groups < full.length &&
    base.at + (groups + 1) * groupSize <= at &&
    isMuch(full[groups]![groupSize - 1]!, bytes)
  ) {
    bytes -= sizes[groups++]!
  }
  if (groups === 0) return log
  return {
    base: { at: base.at + groups * groupSize, view: full[groups - 1]![groupSize - 1]!.view },
    full: full.slice(groups),
    sizes: sizes.slice(groups),
    open
  }
}
