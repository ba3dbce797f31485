/** One pass over the states of a space, a piece at a time. */
import type { Property } from "../Property.ts"
import { Arena } from "./Arena.ts"
import type { PathStep, Receiver, Space } from "./Space.ts"
import { type Seen, Visited } from "./Visited.ts"

export interface SearchOptions {
  readonly order: "breadth-first" | "depth-first"
  readonly maxStates: number
  readonly maxDepth: number
  readonly maxBytes: number
  readonly stopAtViolation: boolean
}

/** Why a search ended: all states were seen, a property broke, a bound was met, all walks were walked. */
export type Ended = "all seen" | "violation" | "states" | "depth" | "bytes" | "walks" | "interrupted"

/** A way of going through a space, a piece at a time. */
export interface Pass<View> {
  readonly visited: Seen
  readonly generated: number
  readonly depth: number
  readonly waiting: number
  readonly bytes: number
  readonly ended: Ended | undefined
  /** The state that is being gone on from; -1: none. */
  readonly parent: number
  /** By property, the state that decides it: one that breaks it, or one in which a `sometimes` holds. */
  readonly decisive: ReadonlyMap<Property<View>, number>
  /** Goes on from about as many states as `states` says; whether there is more to do. */
  advance(states: number): boolean
}

/** A property of the user's own threw. */
export class Thrown extends Error {
  readonly property: string
  readonly index: number

  constructor(property: string, index: number, cause: unknown) {
    super(`the property "${property}" threw`, { cause })
    this.property = property
    this.index = index
  }
}

/** Whether the property holds in the state of this number. */
export const holds = <View>(property: Property<View>, view: View, index: number): boolean => {
  try {
    return property.holds(view)
  } catch (cause) {
    throw new Thrown(property.name, index, cause)
  }
}

/** States that are gone on from before it is looked at what memory they take: a few, for one may take much. */
const statesPerWeighing = 16

export class Search<View> implements Receiver, Pass<View> {
  readonly visited = new Visited()
  generated = 0
  depth = 0
  ended: Ended | undefined
  readonly decisive = new Map<Property<View>, number>()
  /** Where the receiver's caller writes. */
  numbers: Int32Array
  private readonly space: Space<View>
  private readonly options: SearchOptions
  /** Those that a state decides alone, and that are open. */
  private open: Array<Property<View>>
  private readonly atEnd: ReadonlyArray<Property<View>>
  /** States of the depth at hand, of which those up to `at` are done; and of the next. One and the same, depth first. */
  private current: Arena
  private next: Arena
  private at = 0
  private scratch = new Int32Array(256)
  parent = -1
  // Of the state that is being received.
  private childDepth = 0
  private leadsOn = false
  private place = 0
  private child = 0
  private childLength = 0
  private cut = false

  constructor(space: Space<View>, properties: ReadonlyArray<Property<View>>, options: SearchOptions) {
    this.space = space
    this.options = options
    this.open = properties.filter(({ kind }) => kind === "always" || kind === "sometimes")
    this.atEnd = properties.filter(({ kind }) => kind === "at the end")
    this.current = new Arena()
    this.next = options.order === "depth-first" ? this.current : new Arena()
    this.numbers = this.next.numbers
    space.initial(this)
  }

  get waiting(): number {
    return this.next === this.current ? this.current.count : this.current.count + this.next.count
  }

  get bytes(): number {
    const arenas = this.next === this.current ? this.current.bytes : this.current.bytes + this.next.bytes
    return this.visited.bytes + arenas + this.space.bytes
  }

  /** Those that wait, where all are of one depth: a layer of a search breadth first. */
  get layer(): Arena | undefined {
    return this.next !== this.current && this.at === this.current.end ? this.next : undefined
  }

  /** Stops early where a layer has so many states as `width` says. */
  advance(states: number, width = Infinity): boolean {
    for (let i = 0; i < states && this.ended === undefined; i++) {
      if (this.layer !== undefined && this.layer.count >= width) break
      if (!(this.options.order === "breadth-first" ? this.shift() : this.pop())) {
        this.ended = this.cut ? "depth" : "all seen"
      }
      if (i % statesPerWeighing === 0 && this.bytes > this.options.maxBytes) this.ended ??= "bytes"
    }
    return this.ended === undefined
  }

  private shift(): boolean {
    if (this.at === this.current.end) {
      if (this.next.count === 0) return false
      const done = this.current
      done.clear()
      this.current = this.next
      this.next = done
      this.at = 0
    }
    const { numbers } = this.current
    const { at } = this
    const length = numbers[at]!
    this.at = at + length + 4
    this.current.count--
    this.expand(numbers, at + 3, length, numbers[at + 1]!, numbers[at + 2]!)
    return true
  }

  private pop(): boolean {
    if (this.current.count === 0) return false
    const at = this.current.pop()
    const length = this.current.numbers[at]!
    if (length > this.scratch.length) this.scratch = new Int32Array(length * 2)
    // Its successors take its place.
    this.scratch.set(this.current.numbers.subarray(at + 3, at + 3 + length))
    this.expand(this.scratch, 0, length, this.current.numbers[at + 1]!, this.current.numbers[at + 2]!)
    return true
  }

  private expand(numbers: Int32Array, from: number, length: number, index: number, depth: number): void {
    this.parent = index
    this.childDepth = depth + 1
    this.leadsOn = false
    this.space.successors(numbers, from, length, this)
    if (!this.leadsOn && this.atEnd.length > 0) {
      const view = this.space.view(numbers, from, length)
      for (const property of this.atEnd) {
        if (!this.decisive.has(property) && !holds(property, view, index)) this.decide(property, index)
      }
    }
    this.space.release(numbers, from, length)
  }

  offer(high: number, low: number, label: number, length: number): number {
    this.leadsOn ||= !this.space.isFault(label)
    this.generated++
    const index = this.visited.add(high, low, this.parent)
    if (index < 0) return -1
    this.child = index
    this.childLength = length
    this.place = this.next.push(index, this.childDepth, length)
    this.numbers = this.next.numbers
    return this.place
  }

  written(): void {
    const { child, childDepth, childLength, numbers, options, place } = this
    if (childDepth > this.depth) this.depth = childDepth
    const view = this.space.view(numbers, place, childLength)
    for (const property of this.open) {
      if (holds(property, view, child) === (property.kind === "sometimes")) this.decide(property, child)
    }
    if (this.visited.size > options.maxStates) this.ended ??= "states"
    if (childDepth >= options.maxDepth) this.cut = true
    else if (this.space.isWithin(view)) return
    this.next.pop()
    this.space.release(numbers, place, childLength)
  }

  private decide(property: Property<View>, index: number): void {
    this.decisive.set(property, index)
    this.open = this.open.filter((each) => each !== property)
    if (property.kind !== "sometimes" && this.options.stopAtViolation) this.ended = "violation"
  }
}

/** The way to a state, step by step. */
export const replay = <View>(space: Space<View>, visited: Seen, index: number): ReadonlyArray<PathStep> => {
  const path: Array<PathStep> = []
  for (const state of visited.pathTo(index)) {
    path.push(find(space, path.at(-1), visited.high(state), visited.low(state)))
  }
  return path
}

/** The step that leads from a state, or from none, to the one of this fingerprint, by what bears this label. */
export const find = (
  space: Space<any>,
  before: PathStep | undefined,
  high: number,
  low: number,
  label?: number
): PathStep => {
  const finder = new Finder(space, high, low, label)
  if (before === undefined) space.initial(finder)
  else space.successors(before.numbers, 0, before.numbers.length, finder)
  if (finder.found === undefined) throw new Error(`${space.name} is not deterministic: a way cannot be walked twice`)
  return finder.found
}

class Finder implements Receiver {
  readonly isRetracing = true
  readonly isSeeking = true
  numbers: Int32Array = new Int32Array(64)
  found: PathStep | undefined
  private readonly space: Space<any>
  private readonly high: number
  private readonly low: number
  private readonly label: number | undefined
  private happening: PathStep["happening"] | undefined
  private length = 0

  constructor(space: Space<any>, high: number, low: number, label: number | undefined) {
    this.space = space
    this.high = high
    this.low = low
    this.label = label
  }

  offer(high: number, low: number, label: number, length: number): number {
    if (this.found !== undefined || high !== this.high || low !== this.low) return -1
    if (this.label !== undefined && label !== this.label) return -1
    this.happening = this.space.latest
    this.length = length
    if (length > this.numbers.length) this.numbers = new Int32Array(length)
    return 0
  }

  written(): void {
    this.found = { happening: this.happening!, numbers: this.numbers.slice(0, this.length) }
  }
}
