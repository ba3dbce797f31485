/** The search for an order that keeps each session's: depth first, with a memory of where it has been. */
import type { Operation } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import type { Limit } from "../Limit.ts"
import { refused, States } from "../linearizable/States.ts"
import type { Sessions } from "./Sessions.ts"

export type Found =
  | { readonly _tag: "Ok"; readonly order: ReadonlyArray<Operation> }
  | { readonly _tag: "Violated" }
  | { readonly _tag: "Unknown"; readonly reason: string }

/** `needs` says of each operation how many of each session come before it, where that is known. */
export const search = (given: Sessions, spec: Specification, needs: Int32Array | undefined, limit: Limit): Found =>
  new Search(given, spec, needs, limit).run()

class Search {
  readonly given: Sessions
  readonly needs: Int32Array | undefined
  readonly limit: Limit
  readonly states: States
  readonly calls: Int32Array
  readonly isRead: ReadonlyArray<boolean>
  readonly width: number

  /** Where the search has been: the state, and how far each session was; one after the other, found by their hash. */
  readonly size: number
  memory = new Int32Array(1024)
  count = 0
  table = new Int32Array(256).fill(-1)

  /** The configuration that is being built: how far each session is, and the state. */
  readonly now: Int32Array
  state: number
  /** What was placed, and how much of it at each configuration of the way. */
  readonly placed: Array<number> = []
  readonly path: Array<number> = []
  /** Of each configuration of the way, the sessions to go on with, the last first. */
  readonly choices: Array<Array<number>> = []
  readonly lengths: Array<number> = []

  constructor(given: Sessions, spec: Specification, needs: Int32Array | undefined, limit: Limit) {
    this.given = given
    this.needs = needs
    this.limit = limit
    this.states = new States(spec, limit)
    this.calls = Int32Array.from(given.operations, (operation) => this.states.call(operation))
    this.isRead = given.operations.map((operation) => spec.isRead?.(operation) === true)
    this.width = given.starts.length - 1
    this.size = this.width + 1
    this.now = new Int32Array(this.width)
    this.state = this.states.state(spec.init)
  }

  run(): Found {
    this.settle()
    if (this.isComplete()) return this.found()
    this.push()
    while (this.path.length > 0) {
      if (this.limit.isReached) return { _tag: "Unknown", reason: this.limit.reason! }
      const top = this.path.length - 1
      const session = this.choices[top]!.pop()
      if (session === undefined) {
        this.path.pop()
        this.choices.pop()
        this.lengths.pop()
        continue
      }
      this.restore(top)
      const operation = this.next(session)
      if (operation < 0 || !this.place(operation, session)) continue
      this.settle()
      if (this.isComplete()) return this.found()
      this.push()
    }
    return { _tag: "Violated" }
  }

  restore(top: number): void {
    const at = this.path[top]!
    this.state = this.memory[at]!
    for (let session = 0; session < this.width; session++) this.now[session] = this.memory[at + 1 + session]!
    this.placed.length = this.lengths[top]!
  }

  /** The next operation of a session, or -1 where there is none, or others must come first. */
  next(session: number): number {
    const { starts, after, sessionOf } = this.given
    const operation = starts[session]! + this.now[session]!
    if (operation >= starts[session + 1]!) return -1
    const { needs, width, now } = this
    if (needs !== undefined) {
      for (let other = 0; other < width; other++) if (now[other]! < needs[operation * width + other]!) return -1
      return operation
    }
    const before = after[operation]!
    if (before >= 0 && now[sessionOf[before]!]! <= before - starts[sessionOf[before]!]!) return -1
    return operation
  }

  /** Most histories are not far from real time: what was invoked first is tried first, and what is open at the end. */
  sessionsToTry(): Array<number> {
    const { operations, optional } = this.given
    const begins = (session: number): number =>
      optional[session]! ? Infinity : operations[this.given.starts[session]! + this.now[session]!]!.invoked
    const sessions: Array<number> = []
    for (let session = 0; session < this.width; session++) if (this.next(session) >= 0) sessions.push(session)
    return sessions.sort((a, b) => (begins(b) > begins(a) ? 1 : -1))
  }

  place(operation: number, session: number): boolean {
    const state = this.states.step(this.state, this.calls[operation]!)
    if (state === refused) return false
    this.state = state
    this.now[session]!++
    this.placed.push(operation)
    return true
  }

  /** A read that is right may come at once: that forbids nothing. */
  settle(): void {
    for (let session = 0, idle = 0; idle < this.width; session = session + 1 < this.width ? session + 1 : 0) {
      const operation = this.next(session)
      if (operation >= 0 && this.isRead[operation]! && this.place(operation, session)) idle = 0
      else idle++
    }
  }

  isComplete(): boolean {
    const { starts, optional } = this.given
    for (let session = 0; session < this.width; session++) {
      if (!optional[session]! && starts[session]! + this.now[session]! < starts[session + 1]!) return false
    }
    return true
  }

  /** Goes on from this configuration, unless it was here before. */
  push(): void {
    if (this.count * 2 >= this.table.length) this.grow()
    const slot = this.slot()
    if (this.table[slot]! >= 0) return
    const at = this.count++ * this.size
    if (at + this.size > this.memory.length) {
      const larger = new Int32Array(2 * Math.max(this.memory.length, this.size))
      larger.set(this.memory)
      this.limit.remember(4 * this.memory.length)
      this.memory = larger
    }
    this.memory[at] = this.state
    this.memory.set(this.now, at + 1)
    this.table[slot] = at
    this.path.push(at)
    this.choices.push(this.sessionsToTry())
    this.lengths.push(this.placed.length)
  }

  /** Where this configuration is in the table, or would be. */
  slot(): number {
    const { memory, now, width } = this
    const mask = this.table.length - 1
    let hash = Math.imul(this.state + 1, 0x9e3779b1)
    for (let session = 0; session < width; session++) {
      hash = Math.imul(hash ^ now[session]!, 0x85ebca6b)
      hash ^= hash >>> 13
    }
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const at = this.table[slot]!
      if (at < 0) return slot
      if (memory[at] !== this.state) continue
      let session = 0
      while (session < width && memory[at + 1 + session] === now[session]) session++
      if (session === width) return slot
    }
  }

  grow(): void {
    const { state } = this
    const now = this.now.slice()
    this.limit.remember(12 * this.table.length)
    this.table = new Int32Array(this.table.length * 4).fill(-1)
    for (let at = 0; at < this.count * this.size; at += this.size) {
      this.state = this.memory[at]!
      for (let session = 0; session < this.width; session++) this.now[session] = this.memory[at + 1 + session]!
      this.table[this.slot()] = at
    }
    this.state = state
    this.now.set(now)
  }

  found(): Found {
    return { _tag: "Ok", order: this.placed.map((operation) => this.given.operations[operation]!) }
  }
}
