/**
 * The search for an order: Wing and Gong's, with Lowe's memory of where it has been, just in time.
 *
 * Completions are gone through in their order. At each, the operation that completes must have taken effect; where it
 * has not, it does now, after any number of others that are pending: no operation is placed before a completion forces
 * it. A configuration is the completion that is next, the state, and which pending operations have taken effect. It is
 * not searched when one was that had more freedom in the same place:
 *
 * - A read that is pending takes effect as soon as it is right. That forbids nothing later, so there is no choice.
 * - Of two configurations that differ in the open operations that they have used up, the one with fewer is searched; of
 *   open operations that ask the same, the first is used first.
 *
 * As the search stands at a completion only where all before it can be explained, the last that it reaches is where
 * the shortest prefix ends that nothing explains.
 *
 * Source: J. M. Wing, C. Gong, "Testing and Verifying Concurrent Objects", JPDC 17, 1993; G. Lowe, "Testing for
 * Linearizability", Concurrency and Computation 29(4), 2017.
 */
import type { Operation } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import type { Limit } from "../Limit.ts"
import { type Schedule, schedule } from "./Schedule.ts"
import { refused, States } from "./States.ts"

export type Found =
  | { readonly _tag: "Ok"; readonly order: ReadonlyArray<Operation> }
  | {
      readonly _tag: "Violated"
      readonly culprit: Operation
      /** The states that the service can have been in when the culprit completed. */
      readonly states: ReadonlyArray<unknown>
    }
  | { readonly _tag: "Unknown"; readonly reason: string }

/** Whether the operations, in the order of their invocations, are linearizable. */
export const search = (operations: ReadonlyArray<Operation>, spec: Specification, limit: Limit): Found => {
  const states = new States(spec, limit)
  const plan = schedule(operations, spec, states)
  if (plan === undefined) return { _tag: "Unknown", reason: limit.reason! }
  return new Search(plan, states, limit).run()
}

// The fields of a remembered configuration, before its words.
const EVENT = 0
const STATE = 1
const NEXT = 2
const HEAD = 3

class Search {
  readonly plan: Schedule
  readonly states: States
  readonly limit: Limit

  /** Configurations that were searched, one after the other; and the first and the next of those with one hash. */
  readonly size: number
  memory = new Int32Array(1024)
  count = 0
  heads = new Int32Array(64).fill(-1)

  /** The way to here: configurations, which candidate of each is next, and which operation led to it. */
  readonly path: Array<number> = []
  readonly cursors: Array<number> = []
  readonly taken: Array<number> = []

  /** The configuration that is being built. */
  readonly now: Int32Array
  event = 0
  state = 0
  /** Where to note the operations that take effect, when the way is gone again. */
  order: Array<Operation> | undefined
  furthest = 0

  constructor(plan: Schedule, states: States, limit: Limit) {
    this.plan = plan
    this.states = states
    this.limit = limit
    this.size = HEAD + plan.words
    this.now = new Int32Array(plan.words)
  }

  run(): Found {
    const { plan } = this
    this.start()
    if (this.event === plan.ends.length) return this.found()
    this.push(-1)
    while (this.path.length > 0) {
      if (this.limit.isReached) return { _tag: "Unknown", reason: this.limit.reason! }
      const top = this.path.length - 1
      const operation = this.candidate(this.path[top]!, this.cursors[top]!++)
      if (operation === done) {
        this.path.pop()
        this.cursors.pop()
        this.taken.pop()
        continue
      }
      if (operation === none || !this.take(this.path[top]!, operation)) continue
      if (this.event === plan.ends.length) {
        this.taken.push(operation)
        return this.found()
      }
      if (!this.isSearched()) this.push(operation)
    }
    return this.refusal()
  }

  start(): void {
    this.event = 0
    this.state = this.states.state(this.states.spec.init)
    this.now.fill(0)
    this.settle()
  }

  /**
   * The operation that might take effect next in a configuration: first the one that must, then those after which it
   * can, which uses up the fewest, then the others.
   */
  candidate(at: number, cursor: number): number {
    const { plan, memory } = this
    const event = memory[at + EVENT]!
    const end = plan.ends[event]!
    if (cursor === 0) return end
    const writes = plan.writes[event]!
    const count = writes.length + plan.openCount[event]!
    if (cursor > 2 * count) return done
    const isFirstTime = cursor <= count
    const index = isFirstTime ? cursor - 1 : cursor - 1 - count
    const operation = index < writes.length ? this.pending(at, writes[index]!) : this.unused(at, index - writes.length)
    if (operation === none || operation === end) return none
    const state = this.states.step(memory[at + STATE]!, plan.calls[operation]!)
    if (state === refused) return none
    return (this.states.step(state, plan.calls[end]!) !== refused) === isFirstTime ? operation : none
  }

  pending(at: number, operation: number): number {
    return this.isSet(at, this.plan.bits[operation]!) ? none : operation
  }

  /** The open operation of a place, unless it was used, or one that asks the same was not. */
  unused(at: number, place: number): number {
    const { plan } = this
    const first = plan.slotWords * 32
    if (this.isSet(at, first + place)) return none
    const twin = plan.twin[place]!
    return twin >= 0 && !this.isSet(at, first + twin) ? none : plan.open[place]!
  }

  isSet(at: number, bit: number): boolean {
    return (this.memory[at + HEAD + (bit >> 5)]! & (1 << bit)) !== 0
  }

  /** Builds the configuration after the operation took effect in another. False where the service refuses. */
  take(at: number, operation: number): boolean {
    const { memory, plan, now } = this
    const state = this.states.step(memory[at + STATE]!, plan.calls[operation]!)
    if (state === refused) return false
    this.event = memory[at + EVENT]!
    for (let word = 0; word < now.length; word++) now[word] = memory[at + HEAD + word]!
    this.apply(operation, state)
    return true
  }

  apply(operation: number, state: number): void {
    const bit = this.plan.bits[operation]!
    this.now[bit >> 5]! |= 1 << bit
    this.order?.push(this.plan.operations[operation]!)
    this.state = state
    this.settle()
  }

  /** Lets the pending reads take effect that are right, and passes the completions of what has taken effect. */
  settle(): void {
    const { plan, now } = this
    while (this.event < plan.ends.length) {
      this.takeReads()
      const bit = plan.bits[plan.ends[this.event]!]!
      if ((now[bit >> 5]! & (1 << bit)) === 0) return
      now[bit >> 5]! &= ~(1 << bit)
      this.event++
    }
  }

  takeReads(): void {
    const { plan, now, states } = this
    for (const read of plan.reads[this.event]!) {
      const bit = plan.bits[read]!
      if ((now[bit >> 5]! & (1 << bit)) !== 0) continue
      if (states.step(this.state, plan.calls[read]!) === refused) continue
      now[bit >> 5]! |= 1 << bit
      this.order?.push(plan.operations[read]!)
    }
  }

  /** Whether a configuration was searched from which all can be reached that can be from this one. */
  isSearched(): boolean {
    const { memory, event, state } = this
    for (let at = this.heads[this.hash()]!; at >= 0; at = memory[at + NEXT]!) {
      if (memory[at + EVENT] === event && memory[at + STATE] === state && this.isWithin(at)) return true
    }
    return false
  }

  /** Whether this configuration has at most the reads behind it of the remembered one, and used at least its open ones. */
  isWithin(at: number): boolean {
    const { plan, memory, now, event } = this
    const { slotWords } = plan
    const words = at + HEAD
    for (let word = 0; word < slotWords; word++) {
      const mine = now[word]!
      const other = memory[words + word]!
      const mask = plan.readMask[event * slotWords + word]!
      if (((mine ^ other) & ~mask) !== 0 || (mine & ~other & mask) !== 0) return false
    }
    for (let word = slotWords; word < now.length; word++) if ((memory[words + word]! & ~now[word]!) !== 0) return false
    return true
  }

  /** Of what must be equal: the event, the state and the slots of writes. */
  hash(): number {
    const { plan, now, event } = this
    let hash = Math.imul(event, 0x9e3779b1) ^ Math.imul(this.state + 1, 0x85ebca6b)
    for (let word = 0; word < plan.slotWords; word++) {
      hash = Math.imul(hash ^ (now[word]! & ~plan.readMask[event * plan.slotWords + word]!), 0xc2b2ae35)
      hash ^= hash >>> 15
    }
    return (hash ^ (hash >>> 13)) & (this.heads.length - 1)
  }

  push(operation: number): void {
    if (this.count * 2 > this.heads.length) this.grow()
    const at = this.count * this.size
    if (at + this.size > this.memory.length) {
      const larger = new Int32Array(2 * Math.max(this.memory.length, this.size))
      larger.set(this.memory)
      this.limit.remember(4 * this.memory.length)
      this.memory = larger
    }
    this.count++
    const hash = this.hash()
    this.memory[at + EVENT] = this.event
    this.memory[at + STATE] = this.state
    this.memory[at + NEXT] = this.heads[hash]!
    this.memory.set(this.now, at + HEAD)
    this.heads[hash] = at
    if (this.event > this.furthest) this.furthest = this.event
    this.path.push(at)
    this.cursors.push(0)
    this.taken.push(operation)
  }

  grow(): void {
    const { event, state } = this
    const kept = this.now.slice()
    this.limit.remember(4 * this.heads.length)
    this.heads = new Int32Array(this.heads.length * 4).fill(-1)
    for (let at = 0; at < this.count * this.size; at += this.size) {
      this.event = this.memory[at + EVENT]!
      this.state = this.memory[at + STATE]!
      for (let word = 0; word < this.now.length; word++) this.now[word] = this.memory[at + HEAD + word]!
      const hash = this.hash()
      this.memory[at + NEXT] = this.heads[hash]!
      this.heads[hash] = at
    }
    this.event = event
    this.state = state
    this.now.set(kept)
  }

  /** Goes the way again to note the order. */
  found(): Found {
    const order: Array<Operation> = []
    this.order = order
    this.start()
    for (const operation of this.taken) {
      if (operation < 0) continue
      this.apply(operation, this.states.step(this.state, this.plan.calls[operation]!))
    }
    return { _tag: "Ok", order }
  }

  refusal(): Found {
    const states = new Set<number>()
    for (let at = 0; at < this.count * this.size; at += this.size) {
      if (this.memory[at + EVENT] === this.furthest) states.add(this.memory[at + STATE]!)
    }
    return {
      _tag: "Violated",
      culprit: this.plan.operations[this.plan.ends[this.furthest]!]!,
      states: Array.from(states, (id) => this.states.states[id])
    }
  }
}

const none = -1
const done = -2
