/** A search that goes alone until it is wide, and that threads then go on with. */
import type { Property } from "../../Property.ts"
import { type Ended, type Pass, Search, type SearchOptions } from "../Search.ts"
import type { Space } from "../Space.ts"
import type { Seen } from "../Visited.ts"
import { Board, cell, ends, type Ground, make } from "./Ground.ts"
import { advance, isWide } from "./Hand.ts"
import { Table } from "./Table.ts"

export class Team<View> implements Pass<View> {
  private readonly prefix: Search<View>
  private readonly properties: ReadonlyArray<Property<View>>
  private readonly options: SearchOptions
  private readonly workers: number
  private readonly width: number
  private shared: { readonly board: Board; readonly table: Table } | undefined

  constructor(
    space: Space<View>,
    properties: ReadonlyArray<Property<View>>,
    options: SearchOptions,
    workers: number,
    width: number
  ) {
    this.prefix = new Search(space, properties, options)
    this.properties = properties
    this.options = options
    this.workers = workers
    this.width = width
  }

  /** Whether there is enough for several threads to do. */
  get isWide(): boolean {
    return this.workers > 1 && this.prefix.ended === undefined && isWide(this.prefix as Search<unknown>, this.width)
  }

  /** States seen before there were threads. */
  get before(): number {
    return this.prefix.visited.size
  }

  advance(states: number): boolean {
    if (this.shared !== undefined) return false
    return this.workers > 1 ? advance(this.prefix as Search<unknown>, states, this.width) : this.prefix.advance(states)
  }

  /** What the threads share, with all that has been found so far. */
  share(): Ground {
    const { options, prefix, properties } = this
    const { maxBytes, maxStates } = options
    const ground = make(this.workers, properties.length, prefix.visited.size, maxStates, maxBytes)
    const board = new Board(ground)
    const table = new Table(board, 0, prefix.visited.size)
    table.begin(prefix.visited)
    Atomics.store(board.cells, cell.depth, prefix.depth)
    for (const [row, property] of properties.entries()) {
      Atomics.store(board.cells, board.decisive(row), (prefix.decisive.get(property) ?? -1) + 1)
    }
    this.shared = { board, table }
    return ground
  }

  get visited(): Seen {
    return this.shared?.table ?? this.prefix.visited
  }

  get generated(): number {
    return this.prefix.generated + (this.shared?.board.sum("generated") ?? 0)
  }

  get parent(): number {
    return this.prefix.parent
  }

  get depth(): number {
    return this.shared === undefined ? this.prefix.depth : Atomics.load(this.shared.board.cells, cell.depth)
  }

  get waiting(): number {
    return this.shared === undefined ? this.prefix.waiting : this.shared.board.sum("waiting")
  }

  get bytes(): number {
    const { prefix, shared } = this
    return prefix.bytes + (shared === undefined ? 0 : shared.board.tableBytes + shared.board.sum("bytes"))
  }

  get ended(): Ended | undefined {
    if (this.shared === undefined) return this.prefix.ended
    const end = ends[Atomics.load(this.shared.board.cells, cell.ended)]!
    return end === "" || end === "threw" ? undefined : end
  }

  get decisive(): ReadonlyMap<Property<View>, number> {
    const { properties, shared } = this
    if (shared === undefined) return this.prefix.decisive
    const { board } = shared
    return new Map(
      properties.flatMap((property, row) => {
        const index = Atomics.load(board.cells, board.decisive(row)) - 1
        return index < 0 ? [] : [[property, index] as const]
      })
    )
  }
}
