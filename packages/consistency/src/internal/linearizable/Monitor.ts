/**
 * Collections whose values are distinct, in polynomial time: sound and complete, or no answer.
 *
 * Open operations: an addition of what nobody removed may not have happened, and is left out; one of what was removed
 * has happened, and ends whenever it likes. A removal that is open may have taken any value, so the values that nobody
 * is known to have taken are tried in its place; where that would take too long there is no answer.
 *
 * Source: A. Bouajjani, M. Emmi, C. Enea, J. Hamza, "On Reducing Linearizability to State Reachability", Information and
 * Computation 261, 2018; M. Emmi, C. Enea, "Sound, Complete, and Tractable Linearizability Monitoring for Concurrent
 * Collections", POPL 2018.
 */
import * as Explain from "../../Explain.ts"
import type { Operation, Value } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import { textOf } from "../../specifications/Values.ts"
import type { Limit } from "../Limit.ts"
import { overtaking } from "./Fifo.ts"
import { entangled } from "./Lifo.ts"
import type { Item, Pattern } from "./Pattern.ts"
import { conflict } from "./Zones.ts"

/** All that is known of a value, in the order of invocations. */
interface Entry {
  readonly value: Value
  add: Operation | undefined
  readonly removes: Array<Operation>
}

/** Operations sorted by what they do. */
export interface Table {
  readonly kind: "register" | "queue" | "stack"
  readonly initial: Value | undefined
  readonly entries: ReadonlyMap<string, Entry>
  readonly empties: ReadonlyArray<Operation>
  readonly unknown: ReadonlyArray<Operation>
}

/** `undefined` where a value is added twice, or an operation is of another kind. */
export const table = (operations: ReadonlyArray<Operation>, spec: Specification): Table | undefined => {
  if (spec.collection === undefined) return undefined
  const { kind, role } = spec.collection
  const entries = new Map<string, Entry>()
  const empties: Array<Operation> = []
  const unknown: Array<Operation> = []
  const entryOf = (value: Value): Entry => {
    const text = textOf(value)
    let entry = entries.get(text)
    if (entry === undefined) entries.set(text, (entry = { value, add: undefined, removes: [] }))
    return entry
  }
  for (const operation of operations) {
    const does = role(operation)
    if (does === undefined) {
      if (operation.returned === Infinity && spec.isRead?.(operation)) continue
      return undefined
    }
    if (does._tag === "Empty") empties.push(operation)
    else if (does._tag === "Add") {
      const entry = entryOf(does.value)
      if (entry.add !== undefined) return undefined
      entry.add = operation
    } else if (does.value === undefined) unknown.push(operation)
    else entryOf(does.value).removes.push(operation)
  }
  // What took something, but is not known what, has ended: the general search knows what to do.
  if (unknown.some(({ returned }) => returned !== Infinity)) return undefined
  const initial = kind === "register" ? (spec.init as Value) : undefined
  if (initial !== undefined && entries.get(textOf(initial))?.add !== undefined) return undefined
  return { kind, initial, entries, empties, unknown }
}

export type Judgement =
  | { readonly _tag: "Ok" }
  | { readonly _tag: "Violated"; readonly pattern: Pattern }
  | { readonly _tag: "Unknown" }

const ok: Judgement = { _tag: "Ok" }
const violated = (reason: string, operations: ReadonlyArray<Operation>): Judgement => ({
  _tag: "Violated",
  pattern: { reason, operations }
})

/** What a prefix knows of a removal that ends after it: what it will have taken, or nothing. */
export type Foresight = "told" | "untold"

/** Whether the events until `time` are linearizable. */
export const judge = (given: Table, time: number, foresight: Foresight, limit: Limit): Judgement => {
  const { kind, entries } = given
  for (const entry of entries.values()) {
    const odd = oddity(entry, time, kind === "register", given.initial)
    if (odd !== undefined) return odd
  }
  if (kind === "register") return judgeRegister(given, time)
  const items: Array<Item> = []
  const free = given.unknown.filter(({ invoked }) => invoked <= time).map(({ invoked }) => invoked)
  for (const entry of entries.values()) {
    const item = itemOf(entry, time, foresight, free)
    if (item !== undefined) items.push(item)
  }
  const empties: Array<Operation> = []
  for (const empty of given.empties) {
    if (empty.returned <= time) empties.push(empty)
    else if (empty.invoked <= time && foresight === "untold") free.push(empty.invoked)
  }
  return new Matching(kind, items, empties, limit).judge(free.sort((a, b) => a - b))
}

/** What no order can explain, whatever the kind: a value from nowhere, or one that was taken twice. */
const oddity = (
  { value, add, removes }: Entry,
  time: number,
  isRegister: boolean,
  initial: Value | undefined
): Judgement | undefined => {
  if (add === undefined && initial !== undefined && textOf(initial) === textOf(value)) return undefined
  const ended = removes.filter(({ returned }) => returned <= time)
  if (ended.length === 0) return undefined
  const first = ended.reduce((a, b) => (b.returned < a.returned ? b : a))
  const done = isRegister ? "written" : "added"
  if (add === undefined || add.invoked > time) {
    return violated(`${Explain.operation(first)}: ${Explain.value(value)} was never ${done}.`, [first])
  }
  if (first.returned < add.invoked) {
    return violated(`${Explain.operation(first)} ended before ${Explain.operation(add)} began.`, [first, add])
  }
  if (isRegister || ended.length === 1) return undefined
  const both = ended.map(Explain.operation).join(" and ")
  return violated(`${Explain.value(value)} was removed twice: by ${both}.`, [add, ...ended])
}

const itemOf = ({ add, removes }: Entry, time: number, foresight: Foresight, free: Array<number>): Item | undefined => {
  let remove: Operation | undefined
  let pending: Operation | undefined
  for (const one of removes) {
    if (one.returned <= time) remove = one
    else if (one.invoked <= time) {
      if (foresight === "untold") free.push(one.invoked)
      else pending ??= one
    }
  }
  if (add === undefined || add.invoked > time) return undefined
  const added = add.returned <= time ? add.returned : Infinity
  if (remove !== undefined) return { add, added, remove, removing: remove.invoked, removed: remove.returned }
  if (added === Infinity) return undefined
  return { add, added, remove: undefined, removing: pending?.invoked ?? Infinity, removed: Infinity }
}

const judgeRegister = ({ entries, initial }: Table, time: number): Judgement => {
  const clusters = []
  for (const { value, add, removes } of entries.values()) {
    const reads = removes.filter(({ returned }) => returned <= time)
    const written = add === undefined ? -1 : add.returned <= time ? add.returned : Infinity
    if ((add !== undefined && add.invoked > time) || (reads.length === 0 && written === Infinity)) continue
    if (reads.length > 0 || (add !== undefined && textOf(value) !== textOf(initial!))) {
      clusters.push({ value, write: add, written, reads })
    }
  }
  const pattern = conflict(clusters)
  return pattern === undefined ? ok : { _tag: "Violated", pattern }
}

// Removals that are open are tried with so many choices before it is given up.
const mostChoices = 2_000

/** Which values the removals took of which that is not known. */
class Matching {
  readonly kind: "queue" | "stack"
  readonly items: Array<Item>
  readonly empties: ReadonlyArray<Operation>
  readonly limit: Limit
  choices = 0

  constructor(kind: "queue" | "stack", items: Array<Item>, empties: ReadonlyArray<Operation>, limit: Limit) {
    this.kind = kind
    this.items = items
    this.empties = empties
    this.limit = limit
  }

  judge(free: ReadonlyArray<number>): Judgement {
    const pattern = this.pattern(this.items)
    if (this.limit.reason !== undefined) return { _tag: "Unknown" }
    if (pattern === undefined) return ok
    if (free.length === 0) return { _tag: "Violated", pattern }
    const fits = this.assign(free, 0)
    if (fits === undefined || this.limit.reason !== undefined) return { _tag: "Unknown" }
    return fits ? ok : { _tag: "Violated", pattern }
  }

  /** Whether the removals from `next` on can take values so that all is well. `undefined`: that takes too long. */
  assign(free: ReadonlyArray<number>, next: number): boolean | undefined {
    if (this.pattern(this.items) === undefined) return true
    // Were there enough of them, all as early as the next, it would have to help.
    if (next === free.length || this.pattern(this.items.map((item) => taken(item, free[next]!))) !== undefined)
      return false
    if (++this.choices > mostChoices) return undefined
    for (let at = 0; at < this.items.length; at++) {
      const item = this.items[at]!
      if (item.removing !== Infinity) continue
      this.items[at] = taken(item, free[next]!)
      const fits = this.assign(free, next + 1)
      this.items[at] = item
      if (fits !== false) return fits
    }
    return this.assign(free, next + 1)
  }

  pattern(items: ReadonlyArray<Item>): Pattern | undefined {
    return (this.kind === "queue" ? overtaking(items) : entangled(items, this.limit)) ?? this.neverEmpty(items)
  }

  /** An empty collection was seen while it surely held something all the time. */
  neverEmpty(items: ReadonlyArray<Item>): Pattern | undefined {
    if (this.empties.length === 0) return undefined
    const cores = items.filter(({ added, removing }) => added < removing).sort((a, b) => a.added - b.added)
    const empties = this.empties.toSorted((a, b) => a.invoked - b.invoked)
    let next = 0
    let from = -1
    let to = -1
    for (const empty of empties) {
      // The run of cores that holds the beginning.
      for (; next < cores.length && (cores[next]!.added < empty.invoked || cores[next]!.added < to); next++) {
        const core = cores[next]!
        if (core.added > to) from = core.added
        to = Math.max(to, core.removing)
      }
      if (from < empty.invoked && empty.returned < to) return this.explainEmpty(empty, cores)
    }
    return undefined
  }

  explainEmpty(empty: Operation, cores: ReadonlyArray<Item>): Pattern {
    const there = cores.filter(({ added, removing }) => added < empty.returned && removing > empty.invoked)
    return {
      reason:
        `${Explain.operation(empty)} found nothing, but the ${this.kind} was never empty in that time: there was always ` +
        `one of ${Explain.few(there.map(({ add }) => Explain.value(add.input)))}.`,
      operations: [
        empty,
        ...there.slice(0, 8).flatMap(({ add, remove }) => (remove === undefined ? [add] : [add, remove]))
      ]
    }
  }
}

const taken = (item: Item, removing: number): Item => (item.removing === Infinity ? { ...item, removing } : item)
