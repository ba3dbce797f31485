/**
 * Holds a system to the symmetry that it claims: a search that leaves states out because they are like others is only as
 * good as that claim.
 *
 * Of some states the image in which two nodes have changed places is made in earnest, and gone on from: it must come to the
 * images of what the state comes to, and properties must say the same of these. Exchanges generate all permutations.
 */
import type { System } from "../System.ts"
import type { Happening, Receiver, Space } from "./Space.ts"
import type { Symmetry } from "./Symmetry.ts"
import { Asymmetric, type Renaming, renamed } from "./SymmetryGroup.ts"

/** So many first states are compared with all their images, then so many and from then on one in so many with one each. */
const [whollyCompared, compared, oneIn] = [20, 200, 1_000]

export class SymmetryCheck {
  private readonly space: Space<any>
  private readonly symmetry: Symmetry
  private readonly judges: ReadonlyArray<Judge>
  /** By their indices, the renamings in which two nodes change places. */
  private readonly exchanges: ReadonlyArray<number>
  private hasBegun = false
  private seen = 0
  private looked = 0
  /** At a state and its image: what these come to is not looked at in turn. */
  private isBusy = false

  constructor(system: System<any, any, any, any, any, any, any>, space: Space<any>, symmetry: Symmetry) {
    this.space = space
    this.symmetry = symmetry
    this.exchanges = [...symmetry.renamings.keys()].filter((index) => symmetry.renamings[index]!.names.size === 2)
    this.judges = [
      ...system.properties
        // What runs come to is decided without symmetry.
        .filter(({ kind }) => kind !== "eventually" && kind !== "infinitely often")
        .map(({ holds, name }) => ({ name: `the property "${name}"`, holds })),
      ...(system.within === undefined ? [] : [{ name: "`within`", holds: system.within }])
    ]
  }

  /** Before first states are made. Throws `Asymmetric`. */
  initial(): void {
    if (this.isBusy || this.hasBegun) return
    this.hasBegun = true
    this.isBusy = true
    for (const index of this.exchanges) {
      const here = this.successors(index)
      this.space.initial(here)
      const there = this.successors(0)
      this.space.initial(there)
      this.compare(here, there, index, () => "they begin differently")
    }
    this.isBusy = false
  }

  /** Before a state is gone on from. Throws `Asymmetric`. */
  state(numbers: Int32Array, from: number, length: number): void {
    if (this.isBusy || this.exchanges.length === 0) return
    const seen = ++this.seen
    if (seen > compared && seen % oneIn !== 0) return
    this.isBusy = true
    if (seen <= whollyCompared) for (const index of this.exchanges) this.exchange(numbers, from, length, index)
    else this.exchange(numbers, from, length, this.exchanges[this.looked++ % this.exchanges.length]!)
    this.isBusy = false
  }

  private exchange(numbers: Int32Array, from: number, length: number, index: number): void {
    const here = this.successors(index)
    this.space.successors(numbers, from, length, here)
    const there = this.successors(0)
    const image = this.image(numbers.slice(from, from + length), this.symmetry.renamings[index]!)
    try {
      this.space.successors(image, 0, length, there)
    } catch (error) {
      this.refuse(index, `where they have changed places, a step throws ${String(error)}`)
    }
    this.compare(here, there, index, (step) => `"${step}" comes to something else where they have changed places`)
  }

  private successors(index: number): Successors {
    return new Successors(this.space, this.symmetry, index, this.judges)
  }

  private compare(here: Successors, there: Successors, index: number, tell: (step: string) => string): void {
    const step = here.without(there) ?? there.without(here)
    if (step !== undefined) this.refuse(index, tell(step.describe()))
    const judge = here.judgedOtherwise(there)
    if (judge !== undefined) this.refuse(index, `${judge.name} tells them apart`)
  }

  /** The state in which nodes have changed places. */
  private image(numbers: Int32Array, { members, names, splits }: Renaming): Int32Array {
    const { histories, locals, surroundings } = this.symmetry.parts
    const size = members.length
    const image = numbers.slice()
    for (const [from, to] of members.entries()) {
      const { alive, durable, memo, state, timers } = locals.locals[numbers[from]!]!
      const running = timers.map(({ left, timer }) => ({ timer: names.get(timer) ?? timer, left }))
      const [knows, remembers] = [renamed(state, names), renamed(memo, names)]
      const keeps = durable === undefined ? undefined : { ...durable, state: renamed(durable.state, names) }
      image[to] = locals.local(to, knows, keeps, running, alive, remembers).id
    }
    const around = surroundings.all[numbers[size]!]!.value
    image[size] = surroundings.number({ ...around, split: splits[around.split] ?? around.split })
    image[size + 1] = histories.number(renamed(histories.all[numbers[size + 1]!]!.value, names))
    for (let at = size + 2; at < numbers.length; at++) {
      const { message, sender, target } = locals.messages[numbers[at]!]!
      image[at] = locals.message(members[sender]!, members[target]!, renamed(message, names)).id
    }
    return image
  }

  private refuse(index: number, reason: string): never {
    const nodes = [...this.symmetry.renamings[index]!.names.keys()]
    throw new Asymmetric(
      nodes,
      `${nodes.join(" and ")} are not interchangeable: ${reason}. No rule or list may go by the order of names`
    )
  }
}

interface Judge {
  readonly name: string
  readonly holds: (view: any) => boolean
}

interface Successor {
  readonly happening: Happening
  verdicts: ReadonlyArray<boolean | undefined>
}

const verdict = ({ holds }: Judge, view: any): boolean | undefined => {
  try {
    return holds(view)
  } catch {
    return undefined
  }
}

/** All that a state comes to, by fingerprints under one renaming, and what properties say of it. */
class Successors implements Receiver {
  numbers: Int32Array = new Int32Array(64)
  private latest: Successor | undefined
  private latestLength = 0
  private readonly byFingerprint = new Map<string, Successor>()
  private readonly space: Space<any>
  private readonly sums: Int32Array
  private readonly at: number
  private readonly judges: ReadonlyArray<Judge>

  constructor(space: Space<any>, { sums }: Symmetry, index: number, judges: ReadonlyArray<Judge>) {
    this.space = space
    this.sums = sums
    this.at = index * 2
    this.judges = judges
  }

  offer(_high: number, _low: number, _label: number, length: number): number {
    if (length > this.numbers.length) this.numbers = new Int32Array(length * 2)
    this.latest = { happening: this.space.latest, verdicts: [] }
    this.latestLength = length
    this.byFingerprint.set(`${this.sums[this.at]} ${this.sums[this.at + 1]}`, this.latest)
    return 0
  }

  written(): void {
    this.latest!.verdicts = this.judges.map((judge) =>
      verdict(judge, this.space.view(this.numbers, 0, this.latestLength))
    )
  }

  /** How one comes about that the others are without. */
  without(others: Successors): Happening | undefined {
    for (const [fingerprint, { happening }] of this.byFingerprint) {
      if (!others.byFingerprint.has(fingerprint)) return happening
    }
    return undefined
  }

  /** Who says otherwise of one of the others, which are as many. */
  judgedOtherwise(others: Successors): Judge | undefined {
    for (const [fingerprint, { verdicts }] of this.byFingerprint) {
      const theirs = others.byFingerprint.get(fingerprint)!.verdicts
      const index = verdicts.findIndex((each, at) => each !== theirs[at])
      if (index >= 0) return this.judges[index]
    }
    return undefined
  }
}
