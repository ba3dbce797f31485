/** Lists with an entry a replica, sorted by the code units of its name. */
type Entry = readonly [replica: string, ...unknown: ReadonlyArray<unknown>]

export const replicaOrder = (first: Entry, second: Entry): -1 | 0 | 1 =>
  first[0] === second[0] ? 0 : first[0] < second[0] ? -1 : 1

/** Whether each entry stands after the one before it. */
export const isSorted = (entries: ReadonlyArray<Entry>): boolean =>
  entries.every((entry, i) => i === 0 || replicaOrder(entries[i - 1]!, entry) < 0)
