/** The fault-tolerant average of Berkeley's algorithm. */

/**
 * The largest set of readings of which no two differ by more than `toleranceMillis`; of several the one whose average is
 * nearest to 0, the master's own reading. `readings` has one at least.
 */
export const agreeing = (
  readings: ReadonlyArray<number>,
  toleranceMillis: number
): {
  readonly averageMillis: number
  readonly lowMillis: number
  readonly highMillis: number
  readonly count: number
} => {
  const sorted = readings.toSorted((a, b) => a - b)
  let best = { averageMillis: Infinity, lowMillis: 0, highMillis: 0, count: 0 }
  for (let from = 0, to = 0; from < sorted.length; from++) {
    while (to < sorted.length && sorted[to]! - sorted[from]! <= toleranceMillis) to++
    const count = to - from
    if (count < best.count) continue
    const averageMillis = sorted.slice(from, to).reduce((sum, reading) => sum + reading, 0) / count
    if (count === best.count && Math.abs(averageMillis) >= Math.abs(best.averageMillis)) continue
    best = { averageMillis, lowMillis: sorted[from]!, highMillis: sorted[to - 1]!, count }
  }
  return best
}
