/** Random walks through a space that is too large to be seen whole: each from a first state on, to an end or a bound. */
import type { Property } from "../Property.ts"
import { Arena } from "./Arena.ts"
import { type Ended, holds, type Pass } from "./Search.ts"
import type { Receiver, Space } from "./Space.ts"
import { Visited } from "./Visited.ts"

export interface WalkOptions {
  readonly walks: number
  readonly maxDepth: number
  readonly maxStates: number
  readonly maxBytes: number
  readonly seed: number
  readonly stopAtViolation: boolean
}

export class Walk<View> implements Receiver, Pass<View> {
  readonly visited = new Visited()
  generated = 0
  depth = 0
  ended: Ended | undefined
  parent = -1
  readonly decisive = new Map<Property<View>, number>()
  numbers: Int32Array
  private readonly space: Space<View>
  private readonly options: WalkOptions
  private open: ReadonlyArray<Property<View>>
  private readonly atEnd: ReadonlyArray<Property<View>>
  /** What can come next. */
  private readonly choices = new Arena()
  private here: Int32Array = new Int32Array(64)
  private hereLength = 0
  private steps = 0
  private walked = 0
  private isNew = false
  private leadsOn = false
  private child = 0
  private childLength = 0
  private place = 0
  private readonly draw: () => number

  constructor(space: Space<View>, properties: ReadonlyArray<Property<View>>, options: WalkOptions) {
    this.space = space
    this.options = options
    this.open = properties.filter(({ kind }) => kind === "always" || kind === "sometimes")
    this.atEnd = properties.filter(({ kind }) => kind === "at the end")
    this.numbers = this.choices.numbers
    this.draw = generator(options.seed)
    this.begin()
  }

  get waiting(): number {
    return this.options.walks - this.walked
  }

  get bytes(): number {
    return this.visited.bytes + this.choices.bytes + this.space.bytes
  }

  advance(steps: number): boolean {
    for (let i = 0; i < steps && this.ended === undefined; i++) this.step()
    if (this.ended === undefined && this.bytes > this.options.maxBytes) this.ended = "bytes"
    return this.ended === undefined
  }

  private begin(): void {
    this.parent = -1
    this.steps = 0
    this.space.initial(this)
    this.choose()
  }

  private step(): void {
    const { here, hereLength, space } = this
    const view = space.view(here, 0, hereLength)
    const isOver = this.steps >= this.options.maxDepth || !space.isWithin(view)
    if (!isOver) {
      this.leadsOn = false
      space.successors(here, 0, hereLength, this)
      if (!this.leadsOn) this.atAnEnd()
      if (this.choices.count > 0) {
        space.release(here, 0, hereLength)
        this.steps++
        this.depth = Math.max(this.depth, this.steps)
        return this.choose()
      }
    }
    space.release(here, 0, hereLength)
    if (++this.walked === this.options.walks) this.ended ??= "walks"
    else this.begin()
  }

  private atAnEnd(): void {
    const view = this.space.view(this.here, 0, this.hereLength)
    for (const property of this.atEnd) {
      if (!this.decisive.has(property) && !holds(property, view, this.parent)) this.decide(property, this.parent)
    }
  }

  /** Goes to one of the choices; the others are let go. */
  private choose(): void {
    const { choices, space } = this
    const chosen = Math.floor(this.draw() * choices.count)
    for (let k = choices.count - 1; k >= 0; k--) {
      const at = choices.pop()
      const length = choices.numbers[at]!
      if (k !== chosen) {
        space.release(choices.numbers, at + 3, length)
        continue
      }
      if (length > this.here.length) this.here = new Int32Array(length * 2)
      this.here.set(choices.numbers.subarray(at + 3, at + 3 + length))
      this.hereLength = length
      this.parent = choices.numbers[at + 1]!
    }
  }

  offer(high: number, low: number, label: number, length: number): number {
    this.leadsOn ||= !this.space.isFault(label)
    this.generated++
    const index = this.visited.add(high, low, this.parent)
    this.isNew = index >= 0
    this.child = index < 0 ? this.visited.find(high, low) : index
    this.childLength = length
    this.place = this.choices.push(this.child, 0, length)
    this.numbers = this.choices.numbers
    return this.place
  }

  written(): void {
    if (!this.isNew) return
    const view = this.space.view(this.numbers, this.place, this.childLength)
    for (const property of this.open) {
      if (holds(property, view, this.child) === (property.kind === "sometimes")) this.decide(property, this.child)
    }
    if (this.visited.size > this.options.maxStates) this.ended ??= "states"
  }

  private decide(property: Property<View>, index: number): void {
    this.decisive.set(property, index)
    this.open = this.open.filter((each) => each !== property)
    if (property.kind !== "sometimes" && this.options.stopAtViolation) this.ended = "violation"
  }
}

/** Numbers from 0 (included) to 1 (excluded) that follow from the seed. */
const generator = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    // Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, in 32 bits.
    state = (state + 0x9e3779b9) | 0
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32
  }
}
