/**
 * A history laid out for the search: the completions in their order, and at each of them who is pending.
 *
 * An operation that completes has a slot, a bit, while it is pending; slots are used again. One that stays open has a
 * bit of its own for ever. Bits are kept in words of 32.
 */
import type { Operation } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import type { States } from "./States.ts"

export interface Schedule {
  readonly operations: ReadonlyArray<Operation>
  /** By operation: its call's number. */
  readonly calls: Int32Array
  /** By operation: its bit. */
  readonly bits: Int32Array
  /** The operations that complete, in the order of their completions: event i is the completion of `ends[i]`. */
  readonly ends: Int32Array
  /** Words of slots, and of open operations behind them. */
  readonly slotWords: number
  readonly words: number
  /** By event: the pending reads, and the other pending operations, both in the order of their completions. */
  readonly reads: ReadonlyArray<ReadonlyArray<number>>
  readonly writes: ReadonlyArray<ReadonlyArray<number>>
  /** By event, a word each: the slots of reads. */
  readonly readMask: Int32Array
  /** The open operations, in the order of their invocations, and by event how many of them have been invoked. */
  readonly open: Int32Array
  readonly openCount: Int32Array
  /** By open operation: the place of the one before it that asks the same, or -1: either will do, so that one goes first. */
  readonly twin: Int32Array
}

/** What says nothing: a read whose result is not known. */
const isIdle = (operation: Operation, spec: Specification): boolean =>
  (operation.returned === Infinity || operation.output === undefined) && spec.isRead?.(operation) === true

const wordsOf = (bits: number): number => (bits + 31) >> 5

/** Puts an operation where it belongs by its completion. */
const insert = (pending: Array<number>, operation: number, operations: ReadonlyArray<Operation>): void => {
  let at = pending.length
  while (at > 0 && operations[pending[at - 1]!]!.returned > operations[operation]!.returned) at--
  pending.splice(at, 0, operation)
}

/** `undefined` where it would take too many bytes. */
export const schedule = (all: ReadonlyArray<Operation>, spec: Specification, states: States): Schedule | undefined => {
  const operations = all.filter((operation) => !isIdle(operation, spec))
  const indices = Array.from(operations.keys())
  const ends = Int32Array.from(indices.filter((at) => operations[at]!.returned !== Infinity))
  ends.sort((a, b) => operations[a]!.returned - operations[b]!.returned)
  const open = Int32Array.from(indices.filter((at) => operations[at]!.returned === Infinity))
  const calls = Int32Array.from(operations, (operation) => states.call(operation))

  const bits = new Int32Array(operations.length)
  const reads: Array<ReadonlyArray<number>> = []
  const writes: Array<ReadonlyArray<number>> = []
  const openCount = new Int32Array(ends.length)
  const pendingReads: Array<number> = []
  const pendingWrites: Array<number> = []
  const free: Array<number> = []
  let slots = 0
  let next = 0
  let opened = 0
  let entries = 0
  const isRead = operations.map((operation) => spec.isRead?.(operation) === true)
  for (let event = 0; event < ends.length; event++) {
    const end = ends[event]!
    for (; next < operations.length && operations[next]!.invoked < operations[end]!.returned; next++) {
      if (operations[next]!.returned === Infinity) {
        opened++
        continue
      }
      bits[next] = free.pop() ?? slots++
      insert(isRead[next]! ? pendingReads : pendingWrites, next, operations)
    }
    openCount[event] = opened
    reads.push(pendingReads.slice())
    writes.push(pendingWrites.slice())
    entries += pendingReads.length + pendingWrites.length
    if (entries > 65_536) {
      states.limit.remember(8 * entries)
      entries = 0
    }
    if (states.limit.isReached) return undefined
    // What completes is the first of its list.
    if (isRead[end]!) pendingReads.shift()
    else pendingWrites.shift()
    free.push(bits[end]!)
  }

  const slotWords = wordsOf(slots)
  const lastOf = new Map<number, number>()
  const twin = open.map((operation, place) => {
    bits[operation] = slotWords * 32 + place
    const before = lastOf.get(calls[operation]!) ?? -1
    lastOf.set(calls[operation]!, place)
    return before
  })
  const readMask = new Int32Array(ends.length * slotWords)
  reads.forEach((own, event) => {
    for (const operation of own) readMask[event * slotWords + (bits[operation]! >> 5)]! |= 1 << bits[operation]!
  })
  const words = slotWords + wordsOf(open.length)
  return { operations, calls, bits, ends, slotWords, words, reads, writes, readMask, open, openCount, twin }
}
