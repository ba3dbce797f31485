/** What a run comes to in numbers. */
import type { Inflicted } from "./Nemesis.ts"
import type { Outcome, Sample } from "./Recorder.ts"

export interface Figures {
  readonly calls: Readonly<Record<Outcome["type"], number>>
  /** Of calls that succeeded. */
  readonly latencyMillis: Quantiles
  /** The longest time in which no write succeeded, and when it began. */
  readonly longestGap: { readonly fromMillis: number; readonly millis: number }
  /**
   * From each kill of a primary, or of anybody where none is, that left a majority to the end of the first write that began after it and succeeded. What
   * else befell the nodes meanwhile is in it.
   */
  readonly failoverMillis: ReadonlyArray<number>
  readonly faults: Readonly<Record<string, number>>
}

export interface Quantiles {
  readonly median: number
  readonly p99: number
  readonly largest: number
}

export const quantiles = (values: ReadonlyArray<number>): Quantiles => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { median: at(0.5), p99: at(0.99), largest: sorted.at(-1) ?? 0 }
}

export const figuresOf = (
  samples: ReadonlyArray<Sample>,
  inflicted: ReadonlyArray<Inflicted>,
  { hasPrimary, nodes }: { readonly hasPrimary: boolean; readonly nodes: number },
  untilMillis: number
): Figures => {
  const calls = { ok: 0, fail: 0, info: 0 }
  for (const { type } of samples) calls[type]++
  const done = samples.filter(({ type }) => type === "ok")
  const writes = done.filter(({ isRead }) => !isRead).toSorted((a, b) => a.toMillis - b.toMillis)
  const faults: Record<string, number> = {}
  for (const { kind } of inflicted) faults[kind] = (faults[kind] ?? 0) + 1
  return {
    calls,
    latencyMillis: quantiles(done.map(({ fromMillis, toMillis }) => toMillis - fromMillis)),
    longestGap: gapOf(writes, untilMillis),
    failoverMillis: inflicted
      .filter(({ kind, nodes: own }) => kind === "kill" && own.length * 2 < nodes)
      .filter(({ hitPrimary }) => hitPrimary || !hasPrimary)
      .flatMap(({ fromMillis }) => {
        const first = writes.find((write) => write.fromMillis > fromMillis)
        return first === undefined ? [] : [first.toMillis - fromMillis]
      }),
    faults
  }
}

/** Of writes in the order of their ends. */
const gapOf = (writes: ReadonlyArray<Sample>, untilMillis: number): Figures["longestGap"] => {
  let longest = { fromMillis: 0, millis: 0 }
  let before = 0
  for (const end of [...writes.map(({ toMillis }) => toMillis), untilMillis]) {
    if (end - before > longest.millis) longest = { fromMillis: before, millis: end - before }
    before = end
  }
  return longest
}
