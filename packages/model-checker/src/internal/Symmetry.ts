/**
 * Fingerprints under which states that differ only in which of the interchangeable nodes is which are one.
 *
 * Under each renaming a state has a fingerprint, a sum over its parts: what a part contributes is worked out once, with
 * the names changed on the way into it, so that no renamed value is built. From all these sums, the same for each state of
 * an orbit, follows the fingerprint: the least, mixed with what they add up to, since the least of many alone would be
 * shared more often than once in 2⁶⁴.
 *
 * Source: C. N. Ip, D. L. Dill, "Better Verification Through Symmetry", Formal Methods in System Design 9, 1996.
 */
import type { System } from "../System.ts"
import * as Fingerprint from "./Fingerprint.ts"
import type { Locals, Running } from "./Locals.ts"
import { type Renaming, renamings } from "./SymmetryGroup.ts"
import type { Surroundings, Values } from "./SystemSpace.ts"
import { grown } from "./Visited.ts"

/** What the parts of states are known by, and kept in. */
export interface Parts {
  readonly locals: Locals
  readonly surroundings: Values<Surroundings>
  readonly histories: Values<unknown>
}

export class Symmetry {
  readonly renamings: ReadonlyArray<Renaming>
  readonly parts: Parts
  /** What the latest state has, whichever of its orbit it is. */
  high = 0
  low = 0
  /** The fingerprints of the latest state under each renaming: high, low, high, low. */
  readonly sums: Int32Array
  // The state that is gone on from, but for messages that have a place, and what it adds up to.
  private base: Int32Array = new Int32Array(64)
  private baseLength = 0
  private readonly baseSums: Int32Array
  private readonly size: number
  private readonly fifo: boolean
  private readonly locals: Shares
  private readonly messages: Shares
  private readonly surroundings: Shares
  private readonly histories: Shares

  /** Throws `Asymmetric`. */
  constructor(system: System<any, any, any, any, any, any, any>, parts: Parts) {
    this.renamings = renamings(system)
    this.parts = parts
    this.size = system.members.length
    this.fifo = system.network?.order === "fifo"
    this.sums = new Int32Array(this.renamings.length * 2)
    this.baseSums = new Int32Array(this.renamings.length * 2)
    const { histories, locals, surroundings } = parts
    const mentions = new Mentions(
      this.renamings,
      system.members.map(({ node }) => node)
    )
    const splits = (system.network?.splits ?? []).map((split) => new Set(split.map((part) => new Set(part))))
    this.locals = new Shares(this.renamings, mentions, (part, names) => {
      const { alive, cell, durable, memo, state, timers } = locals.locals[part]!
      const known = [1, cell.node, state, inOrder(timers, names), alive, memo]
      return durable === undefined ? known : [...known, durable]
    })
    this.messages = new Shares(this.renamings, mentions, (part) => {
      const { from, message, to } = locals.messages[part]!
      return [2, from, to, message]
    })
    this.surroundings = new Shares(this.renamings, mentions, (part) => {
      const { crashes, losses, split, splits: left } = surroundings.all[part]!.value
      return [3, crashes, losses, left, splits[split]]
    })
    this.histories = new Shares(this.renamings, mentions, (part) => [4, histories.all[part]!.value])
  }

  get bytes(): number {
    const { histories, locals, messages, surroundings } = this
    return locals.bytes + messages.bytes + surroundings.bytes + histories.bytes
  }

  /** What is taken from here on are successors of this state, and have most parts in common with it. */
  from(numbers: Int32Array, from: number, length: number): void {
    this.baseLength = this.fifo ? this.size + 2 : length
    if (this.baseLength > this.base.length) this.base = new Int32Array(this.baseLength * 2)
    this.sums.fill(0)
    for (let at = 0; at < this.baseLength; at++) {
      this.base[at] = numbers[from + at]!
      this.add(this.sharesAt(at), this.base[at]!)
    }
    this.baseSums.set(this.sums)
  }

  /** Leaves the fingerprint of the first `length` of these numbers in `high` and `low`. */
  take(numbers: Int32Array, length: number): void {
    const { base, baseLength } = this
    const unplaced = this.fifo ? this.size + 2 : length
    const common = Math.min(unplaced, baseLength)
    this.sums.set(this.baseSums)
    for (let at = 0; at < common; at++) {
      if (base[at] !== numbers[at]) this.replace(this.sharesAt(at), base[at]!, numbers[at]!)
    }
    for (let at = common; at < baseLength; at++) this.subtract(this.sharesAt(at), base[at]!)
    for (let at = common; at < unplaced; at++) this.add(this.sharesAt(at), numbers[at]!)
    for (let at = unplaced; at < length; at++) this.addPlaced(numbers[at]!, this.place(numbers, at))
    this.gather()
  }

  /** What stands at a place among a state's numbers. */
  private sharesAt(at: number): Shares {
    const { size } = this
    return at < size ? this.locals : at === size ? this.surroundings : at === size + 1 ? this.histories : this.messages
  }

  private add(shares: Shares, part: number): void {
    const { sums } = this
    const from = shares.of(part)
    const { numbers } = shares
    for (let k = 0; k < sums.length; k++) sums[k] = sums[k]! + numbers[from + k]!
  }

  private subtract(shares: Shares, part: number): void {
    const { sums } = this
    const from = shares.of(part)
    const { numbers } = shares
    for (let k = 0; k < sums.length; k++) sums[k] = sums[k]! - numbers[from + k]!
  }

  private replace(shares: Shares, before: number, after: number): void {
    const { sums } = this
    const from = shares.of(before)
    const to = shares.of(after)
    const { numbers } = shares
    for (let k = 0; k < sums.length; k++) sums[k] = sums[k]! - numbers[from + k]! + numbers[to + k]!
  }

  private addPlaced(message: number, place: number): void {
    const { messages, sums } = this
    const from = messages.of(message)
    const { numbers } = messages
    for (let k = 0; k < sums.length; k++) sums[k] = sums[k]! + Fingerprint.mix(numbers[from + k]!, place)
  }

  /** How many messages of its channel are before a message. */
  private place(numbers: Int32Array, at: number): number {
    const { messages } = this.parts.locals
    const { channel } = messages[numbers[at]!]!
    let place = 0
    for (let i = this.size + 2; i < at; i++) if (messages[numbers[i]!]!.channel === channel) place++
    return place
  }

  private gather(): void {
    const { sums } = this
    let high = sums[0]!
    let low = sums[1]!
    let all = 0
    for (let k = 0; k < sums.length; k += 2) {
      const h = sums[k]!
      const l = sums[k + 1]!
      all = (all + Fingerprint.mix(h, l)) | 0
      if (h < high || (h === high && l < low)) {
        high = h
        low = l
      }
    }
    this.high = Fingerprint.mix(high, all)
    this.low = Fingerprint.mix(low, all)
  }
}

type Names = ReadonlyMap<string, string>

/** Timers stand in the order of their names, whatever these are. Name and time in turn: a field's name might be a node's. */
const inOrder = (timers: ReadonlyArray<Running>, names: Names): ReadonlyArray<unknown> => {
  const nameOf = ({ timer }: Running): string => names.get(timer) ?? timer
  const sorted = timers.length < 2 ? timers : timers.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return sorted.flatMap(({ left, timer }) => [timer, left])
}

/** What parts of one kind contribute under each renaming, worked out when it is asked for first. */
class Shares {
  numbers: Int32Array = new Int32Array(0)
  private known = new Uint8Array(0)
  private readonly renamings: ReadonlyArray<Renaming>
  private readonly valueOf: (part: number, names: Names) => unknown
  private readonly mentions: Mentions

  /** `valueOf` says what a part is, with names that are yet to be changed. */
  constructor(
    renamings: ReadonlyArray<Renaming>,
    mentions: Mentions,
    valueOf: (part: number, names: Names) => unknown
  ) {
    this.renamings = renamings
    this.mentions = mentions
    this.valueOf = valueOf
  }

  get bytes(): number {
    return this.numbers.byteLength + this.known.byteLength
  }

  /** Where in `numbers` those of a part begin. */
  of(part: number): number {
    if (this.known[part] !== 1) this.learn(part)
    return part * this.renamings.length * 2
  }

  private learn(part: number): void {
    const { renamings } = this
    if (part >= this.known.length) {
      const capacity = Math.max(64, part * 2)
      const known = new Uint8Array(capacity)
      known.set(this.known)
      this.known = known
      this.numbers = grown(this.numbers, capacity * renamings.length * 2)
    }
    const first = part * renamings.length * 2
    const alike = this.mentions.alike((names) => Fingerprint.take(this.valueOf(part, names), names))
    for (let index = 0; index < renamings.length; index++) {
      const at = first + index * 2
      const like = first + alike[index]! * 2
      if (like === at) {
        const { names } = renamings[index]!
        Fingerprint.take(this.valueOf(part, names), names)
        this.numbers[at] = Fingerprint.high
        this.numbers[at + 1] = Fingerprint.low
      } else this.numbers.copyWithin(at, like, like + 2)
    }
    this.known[part] = 1
  }
}

/** Finds out which names a part mentions: renamings that agree on these come to the same. */
class Mentions {
  private readonly renamings: ReadonlyArray<Renaming>
  /** The places of the nodes that are named. */
  private readonly mentioned = new Set<number>()
  private readonly names: Names
  private readonly indices: ReadonlyArray<number>

  constructor(renamings: ReadonlyArray<Renaming>, nodes: ReadonlyArray<string>) {
    this.renamings = renamings
    this.indices = renamings.map((_, index) => index)
    const { mentioned } = this
    const places = new Map(nodes.map((node, place) => [node, place]))
    this.names = new (class extends Map<string, string> {
      override get(name: string): undefined {
        if (this.has(name)) mentioned.add(places.get(name)!)
      }
    })(renamings.flatMap(({ names }) => [...names]))
  }

  /** For each renaming the first that comes to the same; `read` asks for the names of a part. */
  alike(read: (names: Names) => void): ReadonlyArray<number> {
    this.mentioned.clear()
    read(this.names)
    if (this.mentioned.size === this.names.size) return this.indices
    const firsts = new Map<string, number>()
    return this.renamings.map(({ members }, index) => {
      let key = ""
      for (const place of this.mentioned) key += `${members[place]!} `
      const first = firsts.get(key)
      if (first === undefined) firsts.set(key, index)
      return first ?? index
    })
  }
}
