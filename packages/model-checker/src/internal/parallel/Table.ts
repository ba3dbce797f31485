/**
 * The states that were seen, by any thread: a table of open addressing in memory that they share.
 *
 * What is said of a state is written before its slot is taken, by one compare-and-swap: whoever meets a slot that is taken
 * finds a whole record behind it. No thread waits for another. Slots are made more in number while all threads stand at a
 * barrier: the slots are emptied, and each thread enters its own records anew.
 *
 * Of several states of one layer that lead to a state, the one with the least fingerprint becomes its parent: so the ways
 * that are told do not depend on which thread was faster.
 */
import type { Seen } from "../Visited.ts"
import { type Board, cell, recordBytes } from "./Ground.ts"

const chunkRecords = 1024

/** Deeper down a state keeps the parent that came first. */
const maxDepth = 0xffff

export class Table implements Seen {
  /** States that this thread was first to come to. */
  own = 0
  private readonly board: Board
  private readonly worker: number
  /** Records that were there before the threads were. */
  private readonly before: number
  private records: Int32Array
  private slots: Int32Array
  private mask: number
  /** The first of each run of records that are this thread's. */
  private readonly chunks: Array<number> = []
  /** Where the next record goes, and where the run ends. */
  private free = 0
  private end = 0

  constructor(board: Board, worker: number, before: number) {
    this.board = board
    this.worker = worker
    this.before = before
    this.records = new Int32Array(board.ground.records, 0, board.ground.records.byteLength >> 2)
    this.slots = new Int32Array(board.ground.slots, 0, board.ground.slots.byteLength >> 2)
    this.mask = this.slots.length - 1
  }

  get size(): number {
    return this.before + this.board.uniqueStates
  }

  get capacity(): number {
    return this.mask + 1
  }

  /** Enters the states that were seen before there were threads. */
  begin(seen: Seen & { readonly parent: (index: number) => number }): void {
    for (let index = 0; index < this.before; index++) {
      this.write(index, seen.high(index), seen.low(index), seen.parent(index), 0)
      this.enter(index)
    }
  }

  /**
   * What is written down of a state that is reached from `parent`: its depth, and 16 bits of its parent's fingerprint, which
   * tell in most cases that another parent is greater.
   */
  stamp(parent: number, depth: number): number {
    return depth > maxDepth ? 0 : (depth << 16) | ((this.high(parent) >> 16) + 0x8000)
  }

  /** The number of a state that is new, with this stamp and reached from `parent`; -1 if it is known. */
  add(high: number, low: number, parent: number, stamp: number): number {
    const { mask, slots } = this
    let isWritten = false
    for (let i = low & mask; ;) {
      let stored = slots[i]!
      if (stored === 0) {
        if (!isWritten) {
          if (this.free === this.end) this.takeChunk()
          this.write(this.free, high, low, parent, stamp)
          isWritten = true
        }
        stored = Atomics.compareExchange(slots, i, 0, this.free + 1)
        if (stored === 0) {
          this.own++
          return this.free++
        }
      }
      if (!this.is(stored - 1, high, low)) {
        // What was read without a lock may be old: a slot that is taken stays so, but its record may not have been in sight.
        stored = Atomics.load(slots, i)
        if (!this.is(stored - 1, high, low)) {
          i = (i + 1) & mask
          continue
        }
      }
      const known = this.records[(stored - 1) * 4 + 3]!
      // Of one depth, and the parent may be less.
      if (known >>> 16 === stamp >>> 16 && (known & 0xffff) >= (stamp & 0xffff)) this.adopt(stored - 1, parent, stamp)
      return -1
    }
  }

  private is(index: number, high: number, low: number): boolean {
    const at = index * 4
    if (at >= this.records.length) this.look()
    return this.records[at] === high && this.records[at + 1] === low
  }

  /** A stamp is written after its parent: it is never that of a lesser one, whoever else writes. */
  private adopt(index: number, parent: number, stamp: number): void {
    if (stamp === 0) return
    const { records } = this
    const at = index * 4 + 2
    for (let other = Atomics.load(records, at); this.isLess(parent, other - 1);) {
      const found = Atomics.compareExchange(records, at, other, parent + 1)
      if (found === other) {
        Atomics.store(records, at + 1, stamp)
        return
      }
      other = found
    }
  }

  /** Whether the fingerprint of one state is less than that of another. */
  isLess(one: number, other: number): boolean {
    const high = this.high(one)
    const otherHigh = this.high(other)
    return high < otherHigh || (high === otherHigh && this.low(one) < this.low(other))
  }

  high(index: number): number {
    if (index * 4 >= this.records.length) this.look()
    return this.records[index * 4]!
  }

  low(index: number): number {
    if (index * 4 >= this.records.length) this.look()
    return this.records[index * 4 + 1]!
  }

  pathTo(index: number): ReadonlyArray<number> {
    this.look()
    const path: Array<number> = []
    for (let at = index; at >= 0; at = this.records[at * 4 + 2]! - 1) path.push(at)
    return path.reverse()
  }

  private write(index: number, high: number, low: number, parent: number, stamp: number): void {
    const { records } = this
    records[index * 4] = high
    records[index * 4 + 1] = low
    records[index * 4 + 2] = parent + 1
    records[index * 4 + 3] = stamp
  }

  private takeChunk(): void {
    this.free = this.before + Atomics.add(this.board.cells, cell.chunks, 1) * chunkRecords
    this.end = this.free + chunkRecords
    this.chunks.push(this.free)
    const { records } = this.board.ground
    const needed = this.end * recordBytes
    while (records.byteLength < needed) {
      const length = Math.min(records.maxByteLength, Math.max(needed, Math.ceil(records.byteLength / 4) * 5))
      try {
        records.grow(length - (length % recordBytes))
      } catch (error) {
        // Another thread has made it larger still.
        if (records.byteLength < length) throw error
      }
    }
    this.look()
  }

  /** Sees what others have made larger. */
  look(): void {
    const { records, slots } = this.board.ground
    this.records = new Int32Array(records, 0, records.byteLength >> 2)
    if (slots.byteLength >> 2 === this.slots.length) return
    this.slots = new Int32Array(slots, 0, slots.byteLength >> 2)
    this.mask = this.slots.length - 1
  }

  // ------------------------------------------------------------------------------------------------------ more slots

  /** Empties this thread's part of the slots. */
  clear(): void {
    this.look()
    const { workers } = this.board.ground
    const part = Math.ceil(this.slots.length / workers)
    this.slots.fill(0, part * this.worker, part * (this.worker + 1))
  }

  /** Enters this thread's records into slots that all threads have emptied. */
  refill(): void {
    if (this.worker === 0) for (let index = 0; index < this.before; index++) this.enter(index)
    for (const first of this.chunks) {
      const end = first + chunkRecords === this.end ? this.free : first + chunkRecords
      for (let index = first; index < end; index++) this.enter(index)
    }
  }

  private enter(index: number): void {
    const { mask, slots } = this
    let i = this.records[index * 4 + 1]! & mask
    while (slots[i] !== 0 || Atomics.compareExchange(slots, i, 0, index + 1) !== 0) i = (i + 1) & mask
  }
}
