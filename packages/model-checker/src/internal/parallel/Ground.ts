/** The memory that the threads of one search share, and what stands where in it. */

/** Cells of `Ground.cells`. */
export const cell = {
  /** Threads that have come to the barrier, and how often all did. */
  arrived: 0,
  generation: 1,
  /** What all go on with after the barrier: one of `phase`. */
  phase: 2,
  /** Not 0: look at `grow` and `stop`. */
  signal: 3,
  /** The table of slots is to be made larger. */
  grow: 4,
  /** Why the search is to stop, of `ends`; 0: it is not. */
  stop: 5,
  /** Threads that are through with their share of the layer, and the states that they found for the next. */
  finished: 6,
  found: 7,
  /** The depth of the layer. */
  depth: 8,
  /** Why the search ended, of `ends`; 0: it goes on. */
  ended: 9,
  /** Runs of records that were handed out. */
  chunks: 10,
  /** Some state was at the greatest depth that was asked for. */
  cut: 11
} as const

const tallies = 12

export const phase = { again: 0, rehash: 1, next: 2 } as const

export const ends = ["", "all seen", "violation", "states", "depth", "bytes", "threw"] as const
export type End = Exclude<(typeof ends)[number], "">

/** What a thread tells of itself, in `Ground.figures`. */
const figure = { generated: 0, waiting: 1, bytes: 2 } as const
type Figure = keyof typeof figure
const figureNames = Object.keys(figure).length

/** As it is handed from thread to thread. */
export interface Ground {
  readonly workers: number
  readonly properties: number
  readonly cells: SharedArrayBuffer
  readonly figures: SharedArrayBuffer
  /** Of each state four numbers: both halves of its fingerprint, 1 + the number of its parent, its stamp. */
  readonly records: SharedArrayBuffer
  /** 1 + the number of a record, or 0. */
  readonly slots: SharedArrayBuffer
}

export const recordBytes = 16

/** `states` is how many there are from the start. */
export const make = (
  workers: number,
  properties: number,
  states: number,
  maxStates: number,
  maxBytes: number
): Ground => {
  const most = Math.min(maxStates * 1.5 + 2 ** 16, maxBytes / recordBytes + 2 ** 16, 2 ** 29)
  const slots = 2 ** Math.max(16, Math.ceil(Math.log2(states * 4)))
  const maxSlots = Math.max(slots, 2 ** Math.ceil(Math.log2(most * 2)))
  return {
    workers,
    properties,
    cells: new SharedArrayBuffer(4 * (tallies + workers + (properties + 1) * (workers + 1))),
    figures: new SharedArrayBuffer(8 * workers * figureNames),
    records: growing(2 ** 16 + states * recordBytes, (most + states) * recordBytes),
    slots: growing(slots * 4, maxSlots * 4)
  }
}

const growing = (bytes: number, most: number): SharedArrayBuffer =>
  new SharedArrayBuffer(bytes, { maxByteLength: Math.max(bytes, Math.ceil(most / recordBytes) * recordBytes) })

/** Cells and figures, as a thread sees them. */
export class Board {
  readonly ground: Ground
  readonly cells: Int32Array
  private readonly figures: Float64Array

  constructor(ground: Ground) {
    this.ground = ground
    this.cells = new Int32Array(ground.cells)
    this.figures = new Float64Array(ground.figures)
  }

  /** How many states a thread was first to come to, up to its latest report. */
  setUnique(worker: number, unique: number): void {
    Atomics.store(this.cells, tallies + worker, unique)
  }

  unique(worker: number): number {
    return Atomics.load(this.cells, tallies + worker)
  }

  get uniqueStates(): number {
    let sum = 0
    for (let worker = 0; worker < this.ground.workers; worker++) sum += this.unique(worker)
    return sum
  }

  setFigure(worker: number, name: Figure, value: number): void {
    this.figures[worker * figureNames + figure[name]] = value
  }

  sum(name: Figure): number {
    let sum = 0
    for (let worker = 0; worker < this.ground.workers; worker++)
      sum += this.figures[worker * figureNames + figure[name]]!
    return sum
  }

  get tableBytes(): number {
    return this.ground.records.byteLength + this.ground.slots.byteLength
  }

  /** Where a thread says, as 1 + its number, which state of the layer decides a property. The last row: which one threw. */
  candidate(property: number, worker: number): number {
    const { properties, workers } = this.ground
    return tallies + workers + (properties + 1) + property * workers + worker
  }

  /** Where it is said, as 1 + its number, which state decides a property. */
  decisive(property: number): number {
    return tallies + this.ground.workers + property
  }
}
