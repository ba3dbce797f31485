/**
 * What one thread does of a search breadth first, layer by layer: it goes on from those states of a layer that it was first
 * to come to. At the end of a layer all threads meet, and the last to come settles what was found and whether to go on; a
 * layer is always gone through to its end, so that what is found does not depend on which thread was faster.
 */
import type { Property } from "../../Property.ts"
import { Arena } from "../Arena.ts"
import { type Search, type SearchOptions, Thrown } from "../Search.ts"
import type { Receiver, Space } from "../Space.ts"
import { type Board, cell, type End, ends, phase } from "./Ground.ts"
import { Table } from "./Table.ts"

/** States that are new to a thread before it tells of them. */
const statesPerReport = 64

interface Open<View> {
  readonly property: Property<View>
  readonly row: number
}

export class Share<View> implements Receiver {
  /** What a property of the user's threw. */
  thrown: Thrown | undefined
  numbers: Int32Array
  private readonly worker: number
  private readonly board: Board
  private readonly space: Space<View>
  private readonly properties: ReadonlyArray<Property<View>>
  private readonly options: SearchOptions
  private readonly table: Table
  private open: ReadonlyArray<Open<View>> = []
  private atEnd: ReadonlyArray<Open<View>> = []
  private current = new Arena()
  private next = new Arena()
  private generated = 0
  private reported = 0
  private depth: number
  // The state that is being gone on from, and the one that is being received.
  private parent = -1
  private stamp = 0
  private leadsOn = false
  private place = 0
  private child = 0
  private childLength = 0

  constructor(
    worker: number,
    board: Board,
    space: Space<View>,
    properties: ReadonlyArray<Property<View>>,
    options: SearchOptions,
    prefix: Search<View>
  ) {
    this.worker = worker
    this.board = board
    this.space = space
    this.properties = properties
    this.options = options
    this.table = new Table(board, worker, prefix.visited.size)
    this.depth = prefix.depth + 1
    this.numbers = this.next.numbers
    this.take(prefix.layer!)
    this.settled()
  }

  /** Whether of all that were thrown in the last layer the one of this thread is to be told. */
  get isTold(): boolean {
    const { cells } = this.board
    return Atomics.load(cells, this.board.decisive(this.properties.length)) === (this.thrown?.index ?? -1) + 1
  }

  /** Takes its share of a layer that each thread has come to by itself. */
  private take({ end, numbers }: Arena): void {
    const { workers } = this.board.ground
    for (let at = 0; at < end; at += numbers[at]! + 4) {
      const length = numbers[at]!
      const index = numbers[at + 1]!
      if (index % workers !== this.worker) {
        this.space.release(numbers, at + 3, length)
        continue
      }
      const place = this.current.push(index, 0, length)
      for (let i = 0; i < length; i++) this.current.numbers[place + i] = numbers[at + 3 + i]!
    }
  }

  /** Goes on until the search has ended, for all threads. */
  run(): void {
    const { cells } = this.board
    while (Atomics.load(cells, cell.ended) === 0) {
      const { own } = this.table
      this.layer()
      this.report()
      if (this.table.own > own) Atomics.store(cells, cell.depth, this.depth)
      Atomics.add(cells, cell.found, this.next.count)
      Atomics.add(cells, cell.finished, 1)
      while (!this.meet());
      this.settled()
      const done = this.current
      done.clear()
      this.current = this.next
      this.next = done
      this.numbers = this.next.numbers
      this.depth++
    }
  }

  /** What is decided needs no looking at any more. */
  private settled(): void {
    const open = this.properties
      .map((property, row) => ({ property, row }))
      .filter(({ row }) => Atomics.load(this.board.cells, this.board.decisive(row)) === 0)
    this.open = open.filter(({ property: { kind } }) => kind === "always" || kind === "sometimes")
    this.atEnd = open.filter(({ property: { kind } }) => kind === "at the end")
  }

  private layer(): void {
    const { current } = this
    const { cells } = this.board
    for (let at = 0; at < current.end; at += current.numbers[at]! + 4) {
      if (Atomics.load(cells, cell.signal) !== 0) {
        if (Atomics.load(cells, cell.stop) !== 0) return
        this.meet()
      }
      current.count--
      this.expand(current.numbers, at + 3, current.numbers[at]!, current.numbers[at + 1]!)
    }
  }

  private expand(numbers: Int32Array, from: number, length: number, index: number): void {
    this.parent = index
    this.stamp = this.table.stamp(index, this.depth)
    this.leadsOn = false
    this.space.successors(numbers, from, length, this)
    if (!this.leadsOn && this.atEnd.length > 0) {
      const view = this.space.view(numbers, from, length)
      for (const open of this.atEnd) if (!this.holds(open, view, index)) this.decide(open.row, index)
    }
    this.space.release(numbers, from, length)
  }

  offer(high: number, low: number, label: number, length: number): number {
    this.leadsOn ||= !this.space.isFault(label)
    this.generated++
    if (this.table.own - this.reported >= statesPerReport) {
      this.report()
      if (Atomics.load(this.board.cells, cell.grow) !== 0) this.meet()
    }
    const index = this.table.add(high, low, this.parent, this.stamp)
    if (index < 0) return -1
    this.child = index
    this.childLength = length
    this.place = this.next.push(index, 0, length)
    this.numbers = this.next.numbers
    return this.place
  }

  written(): void {
    const { child, childLength, numbers, place } = this
    const view = this.space.view(numbers, place, childLength)
    for (const open of this.open) {
      if (this.holds(open, view, child) === (open.property.kind === "sometimes")) this.decide(open.row, child)
    }
    if (this.depth >= this.options.maxDepth) Atomics.store(this.board.cells, cell.cut, 1)
    else if (this.space.isWithin(view)) return
    this.next.pop()
    this.space.release(numbers, place, childLength)
  }

  private holds({ property }: Open<View>, view: View, index: number): boolean {
    try {
      return property.holds(view)
    } catch (cause) {
      const row = this.properties.length
      this.decide(row, index)
      if (Atomics.load(this.board.cells, this.board.candidate(row, this.worker)) === index + 1) {
        this.thrown = new Thrown(property.name, index, cause)
      }
      return property.kind !== "sometimes"
    }
  }

  /** Of all states of a layer that decide a property, the one with the least fingerprint counts. */
  private decide(row: number, index: number): void {
    const at = this.board.candidate(row, this.worker)
    const other = Atomics.load(this.board.cells, at) - 1
    if (other < 0 || this.table.isLess(index, other)) Atomics.store(this.board.cells, at, index + 1)
  }

  /** Tells how far it is, and asks for more slots, or for the end. */
  private report(): void {
    const { board, current, next, options, table, worker } = this
    const { cells } = board
    this.reported = table.own
    board.setUnique(worker, table.own)
    board.setFigure(worker, "generated", this.generated)
    board.setFigure(worker, "waiting", current.count + next.count)
    board.setFigure(worker, "bytes", current.bytes + next.bytes + this.space.bytes)
    const { size } = table
    if (size > options.maxStates) this.stop("states")
    if (board.sum("bytes") + board.tableBytes > options.maxBytes) this.stop("bytes")
    if (size * 2 < table.capacity || Atomics.load(cells, cell.stop) !== 0) return
    Atomics.store(cells, cell.grow, 1)
    Atomics.store(cells, cell.signal, 1)
  }

  private stop(end: End): void {
    Atomics.compareExchange(this.board.cells, cell.stop, 0, ends.indexOf(end))
    Atomics.store(this.board.cells, cell.signal, 1)
  }

  // ------------------------------------------------------------------------------------------------------- the barrier

  /** Waits for all threads; whether all are through with the layer. */
  private meet(): boolean {
    const { cells } = this.board
    this.wait(() => Atomics.store(cells, cell.phase, this.agree()))
    const agreed = Atomics.load(cells, cell.phase)
    if (agreed === phase.rehash) {
      this.table.clear()
      this.wait()
      this.table.refill()
      this.wait()
    }
    return agreed === phase.next
  }

  /** The last to come does what is to be done before all go on. */
  private wait(last?: () => void): void {
    const { cells, ground } = this.board
    const generation = Atomics.load(cells, cell.generation)
    if (Atomics.add(cells, cell.arrived, 1) < ground.workers - 1) {
      while (Atomics.load(cells, cell.generation) === generation) Atomics.wait(cells, cell.generation, generation)
      return
    }
    last?.()
    Atomics.store(cells, cell.arrived, 0)
    Atomics.add(cells, cell.generation, 1)
    Atomics.notify(cells, cell.generation)
  }

  private agree(): number {
    const { cells, ground } = this.board
    if (Atomics.exchange(cells, cell.grow, 0) === 1) {
      if (Atomics.load(cells, cell.stop) === 0) Atomics.store(cells, cell.signal, 0)
      if (this.enlarge()) return phase.rehash
    }
    if (Atomics.load(cells, cell.finished) < ground.workers) return phase.again
    Atomics.store(cells, cell.finished, 0)
    const found = Atomics.exchange(cells, cell.found, 0)
    const isBroken = this.settle()
    const stop = Atomics.load(cells, cell.stop)
    const hasThrown = Atomics.load(cells, this.board.decisive(this.properties.length)) !== 0
    if (hasThrown) this.end("threw")
    else if (isBroken && this.options.stopAtViolation) this.end("violation")
    else if (stop !== 0) this.end(ends[stop] as End)
    else if (found === 0) this.end(Atomics.load(cells, cell.cut) === 0 ? "all seen" : "depth")
    return phase.next
  }

  private end(end: End): void {
    Atomics.store(this.board.cells, cell.ended, ends.indexOf(end))
  }

  /** Twice as many slots, where there is memory for them. */
  private enlarge(): boolean {
    const { board, options } = this
    const { slots } = board.ground
    const more = slots.byteLength * 2
    if (more > slots.maxByteLength || board.sum("bytes") + board.tableBytes + slots.byteLength > options.maxBytes) {
      this.stop("bytes")
      return false
    }
    slots.grow(more)
    return true
  }

  /** Says which states decide what was open; whether something is broken. */
  private settle(): boolean {
    const { board, properties } = this
    let isBroken = false
    for (let row = 0; row <= properties.length; row++) {
      const least = this.least(row)
      if (least < 0) continue
      Atomics.store(board.cells, board.decisive(row), least + 1)
      if (properties[row]?.kind !== "sometimes") isBroken = true
    }
    return isBroken
  }

  private least(row: number): number {
    const { board, table } = this
    let least = -1
    for (let worker = 0; worker < board.ground.workers; worker++) {
      const index = Atomics.exchange(board.cells, board.candidate(row, worker), 0) - 1
      if (index >= 0 && (least < 0 || table.isLess(index, least))) least = index
    }
    return least
  }
}
