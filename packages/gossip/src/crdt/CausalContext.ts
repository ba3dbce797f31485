/**
 * Which changes a replica has heard of: for each replica, ranges of the numbers of its changes.
 *
 * A *dot* is a change: a replica, and how many it had made by then. As long as nothing is missing, a context is a version
 * vector, one range from 1 for each replica. What came early makes further ranges, the dot cloud of the literature; they
 * run together as soon as the gaps close. So a context is no larger than the replicas and the gaps are many.
 *
 * Source: P. S. Almeida, A. Shoker, C. Baquero, "Delta State Replicated Data Types", JPDC 111, 2018, §7.2.
 */
import { Schema } from "effect"
import { CounterOverflow, type ReplicaId } from "../Crdt.ts"
import * as Epoch from "./Epoch.ts"

/** The change number `counter`, from 1, of a replica. */
export interface Dot {
  readonly replica: ReplicaId
  readonly counter: number
}

/** First and last of each range in turn, ascending; between two ranges something is missing. */
export type Ranges = ReadonlyArray<number>

export interface CausalContext {
  readonly epoch: Epoch.Epoch
  readonly replicas: ReadonlyMap<ReplicaId, Ranges>
}

export const empty: CausalContext = { epoch: Epoch.first, replicas: new Map() }

/** Stands for all who were pruned. Nobody's name: names have a character. */
export const settled: ReplicaId = ""

/** How many changes of the replica there are to the last that is known. */
export const known = (context: CausalContext, replica: ReplicaId): number => context.replicas.get(replica)?.at(-1) ?? 0

/** The dot of the replica's next change. Throws `CounterOverflow`. */
export const next = (context: CausalContext, replica: ReplicaId): Dot => {
  const counter = known(context, replica) + 1
  if (!Number.isSafeInteger(counter)) throw new CounterOverflow({ counter: `the number of changes of "${replica}"` })
  return { replica, counter }
}

export const includes = (context: CausalContext, { counter, replica }: Dot): boolean => {
  const ranges = context.replicas.get(replica)
  return ranges !== undefined && includesCounter(ranges, counter)
}

const includesCounter = (ranges: Ranges, counter: number): boolean => {
  if (ranges.length === 2) return counter >= ranges[0]! && counter <= ranges[1]!
  // The last range that starts at or before it.
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[2 * middle]! <= counter) low = middle + 1
    else high = middle
  }
  return low > 0 && counter <= ranges[2 * low - 1]!
}

/** A context of these dots alone, in the epoch of another. */
export const ofDots = ({ epoch }: CausalContext, dots: Iterable<Dot>): CausalContext => {
  const counters = new Map<ReplicaId, Array<number>>()
  for (const { counter, replica } of dots) {
    const list = counters.get(replica)
    if (list === undefined) counters.set(replica, [counter])
    else list.push(counter)
  }
  const replicas = new Map<ReplicaId, Ranges>()
  for (const [replica, list] of counters) replicas.set(replica, rangesOf(list))
  return { epoch, replicas }
}

const rangesOf = (counters: Array<number>): Ranges => {
  if (counters.length === 1) return [counters[0]!, counters[0]!]
  const ranges: Array<number> = []
  for (const counter of counters.sort((a, b) => a - b)) append(ranges, counter, counter)
  return ranges
}

/** Adds a range that starts at or after the last one does. */
const append = (ranges: Array<number>, from: number, to: number): void => {
  const last = ranges.length - 1
  if (last >= 0 && from <= ranges[last]! + 1) ranges[last] = Math.max(ranges[last]!, to)
  else ranges.push(from, to)
}

/** What either includes; `first` itself where that is all. The epoch is `first`'s. */
export const union = (first: CausalContext, second: CausalContext): CausalContext => {
  let replicas: Map<ReplicaId, Ranges> | undefined
  for (const [replica, ranges] of second.replicas) {
    const mine = first.replicas.get(replica)
    const merged = mine === undefined ? ranges : unionRanges(mine, ranges)
    if (merged !== mine) (replicas ??= new Map(first.replicas)).set(replica, merged)
  }
  return replicas === undefined ? first : { epoch: first.epoch, replicas }
}

const unionRanges = (first: Ranges, second: Ranges): Ranges => {
  if (coversRanges(first, second)) return first
  // The common case: one more at the end.
  if (first.length === 2 && second.length === 2 && second[0]! >= first[0]! && second[0]! <= first[1]! + 1) {
    return [first[0]!, second[1]!]
  }
  const merged: Array<number> = []
  let i = 0
  let j = 0
  while (i < first.length || j < second.length) {
    if (j === second.length || (i < first.length && first[i]! <= second[j]!)) append(merged, first[i++]!, first[i++]!)
    else append(merged, second[j++]!, second[j++]!)
  }
  return merged
}

const coversRanges = (first: Ranges, second: Ranges): boolean => {
  let i = 0
  for (let j = 0; j < second.length; j += 2) {
    while (i < first.length && first[i + 1]! < second[j]!) i += 2
    if (i === first.length || first[i]! > second[j]! || first[i + 1]! < second[j + 1]!) return false
  }
  return true
}

/** Whether `first` includes all that `second` does. */
export const covers = (first: CausalContext, second: CausalContext): boolean => {
  for (const [replica, ranges] of second.replicas) {
    const mine = first.replicas.get(replica)
    if (mine === undefined || !coversRanges(mine, ranges)) return false
  }
  return true
}

/** What `first` includes and `second` does not. */
export const without = (first: CausalContext, second: CausalContext): CausalContext => {
  const replicas = new Map<ReplicaId, Ranges>()
  for (const [replica, ranges] of first.replicas) {
    const rest = withoutRanges(ranges, second.replicas.get(replica) ?? [])
    if (rest.length > 0) replicas.set(replica, rest)
  }
  return { epoch: first.epoch, replicas }
}

const withoutRanges = (first: Ranges, second: Ranges): Ranges => {
  const rest: Array<number> = []
  let j = 0
  for (let i = 0; i < first.length; i += 2) {
    let from = first[i]!
    const to = first[i + 1]!
    while (j < second.length && second[j + 1]! < from) j += 2
    for (let k = j; k < second.length && second[k]! <= to && from <= to; k += 2) {
      if (second[k]! > from) rest.push(from, second[k]! - 1)
      from = second[k + 1]! + 1
    }
    if (from <= to) rest.push(from, to)
  }
  return rest
}

export const isEmpty = ({ replicas }: CausalContext): boolean => replicas.size === 0

/** How many ranges there are. */
export const size = ({ replicas }: CausalContext): number => {
  let count = 0
  for (const ranges of replicas.values()) count += ranges.length / 2
  return count
}

export const equals = (first: CausalContext, second: CausalContext): boolean => {
  if (first.replicas.size !== second.replicas.size || !Epoch.equals(first.epoch, second.epoch)) return false
  for (const [replica, ranges] of first.replicas) {
    const other = second.replicas.get(replica)
    if (other === undefined || other.length !== ranges.length || !ranges.every((end, i) => end === other[i])) {
      return false
    }
  }
  return true
}

/** Two contexts that together are this one; `undefined` where it is a single range. */
export const halves = (context: CausalContext): readonly [CausalContext, CausalContext] | undefined => {
  const all = [...context.replicas].flatMap(([replica, ranges]) =>
    Array.from({ length: ranges.length / 2 }, (_, i) => [replica, ranges[2 * i]!, ranges[2 * i + 1]!] as const)
  )
  if (all.length < 2) return undefined
  const of = (some: typeof all): CausalContext => {
    const replicas = new Map<ReplicaId, Array<number>>()
    for (const [replica, from, to] of some) replicas.set(replica, [...(replicas.get(replica) ?? []), from, to])
    return { epoch: context.epoch, replicas }
  }
  const middle = all.length >> 1
  return [of(all.slice(0, middle)), of(all.slice(middle))]
}

/** What a pruning does: the context without the departed, and the new names of dots. */
export interface Pruning {
  readonly context: CausalContext
  readonly rename: (dot: Dot) => Dot
}

/** Numbers the changes of the departed after those of all who departed before, under one name for all. */
export const prune = (context: CausalContext, departed: ReadonlyArray<ReplicaId>): Pruning => {
  const gone = [...new Set(departed)].filter((replica) => context.replicas.has(replica)).sort()
  if (gone.length === 0) return { context, rename: (dot) => dot }
  const replicas = new Map(context.replicas)
  const offsets = new Map<ReplicaId, number>()
  let last = known(context, settled)
  for (const replica of gone) {
    offsets.set(replica, last)
    last += known(context, replica)
    replicas.delete(replica)
  }
  if (!Number.isSafeInteger(last)) throw new CounterOverflow({ counter: "the number of changes of departed replicas" })
  replicas.set(settled, [1, last])
  const epoch = Epoch.next(
    context.epoch,
    gone.map((replica) => [replica, context.replicas.get(replica)])
  )
  return {
    context: { epoch, replicas },
    rename: (dot) => {
      const offset = offsets.get(dot.replica)
      return offset === undefined ? dot : { ...dot, replica: settled, counter: offset + dot.counter }
    }
  }
}

// -------------------------------------------------------------------------------------------------------------- on the wire

const Counter = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))

/** A replica's name, or the one that stands for the departed. */
export const Name = Schema.String.check(Schema.isMaxLength(255))

export const Dot = Schema.Struct({ replica: Name, counter: Counter })

const Ranges = Schema.Array(Counter).check(
  Schema.makeFilter(
    (ranges: ReadonlyArray<number>) =>
      ranges.length % 2 === 0 &&
      ranges.length > 0 &&
      ranges.every((end, i) => i === 0 || (i % 2 === 1 ? end >= ranges[i - 1]! : end > ranges[i - 1]! + 1)),
    { expected: "ascending ranges with gaps between them" }
  )
)

/** A context as it travels. */
export const Wire = Schema.Struct({
  epoch: Epoch.Epoch,
  replicas: Schema.Array(Schema.Tuple([Name, Ranges])).check(
    Schema.makeFilter(
      (all: ReadonlyArray<readonly [string, Ranges]>) => new Set(all.map(([name]) => name)).size === all.length,
      {
        expected: "each replica once"
      }
    )
  )
})
export type Wire = typeof Wire.Type

export const toWire = ({ epoch, replicas }: CausalContext): Wire => ({ epoch, replicas: [...replicas] })
export const fromWire = ({ epoch, replicas }: Wire): CausalContext => ({ epoch, replicas: new Map(replicas) })
