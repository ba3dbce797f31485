/**
 * Registers whose written values are distinct: which write a read saw is known, and that forces an order on others.
 *
 * Where w wrote what r read, and w' is another write to the register: if w' must come before r, it must come before w;
 * if it must come after w, it must come after r. What follows from that, over and over, either goes round in a circle,
 * and there is no order, or leaves less to search.
 *
 * Source: P. B. Gibbons, E. Korach, "Testing Shared Memories", SIAM Journal on Computing 26(4), 1997.
 */
import type { Operation, Value } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import { textOf } from "../../specifications/Values.ts"
import type { Limit } from "../Limit.ts"
import type { Sessions } from "./Sessions.ts"

const nameOf = ({ key }: Operation, value: Value): string =>
  `${key === undefined ? "" : JSON.stringify(key)} ${textOf(value)}`

/** Where each value of each register was written. */
export interface Writes {
  readonly initial: Value
  readonly spec: Specification
  readonly byName: ReadonlyMap<string, Operation>
  /** The values that somebody read, by the same names. */
  readonly read: ReadonlySet<string>
}

/** `undefined` where a value is written twice to a register, or there are other operations. */
export const writes = (operations: ReadonlyArray<Operation>, spec: Specification): Writes | undefined => {
  if (spec.collection?.kind !== "register") return undefined
  const byName = new Map<string, Operation>()
  const read = new Set<string>()
  const initial = spec.init as Value
  for (const operation of operations) {
    const role = spec.collection.role(operation)
    if (role === undefined && operation.output === undefined && spec.isRead?.(operation) === true) continue
    if (role === undefined || role._tag === "Remove" || role._tag === "Empty") return undefined
    const name = nameOf(operation, role.value)
    if (role._tag === "Observe") read.add(name)
    else if (byName.has(name) || textOf(role.value) === textOf(initial)) return undefined
    else byName.set(name, operation)
  }
  return { initial, spec, byName, read }
}

/** Whether somebody read what an operation wrote; one that is open and was not seen may be left out. */
export const wasSeen = ({ spec, read }: Writes, operation: Operation): boolean => {
  const role = spec.collection!.role(operation)
  return role?._tag === "Add" && read.has(nameOf(operation, role.value))
}

/** What must come before what: a set of bits an operation. */
export interface Order {
  readonly words: number
  readonly before: Int32Array
}

const has = ({ words, before }: Order, operation: number, other: number): boolean =>
  (before[operation * words + (other >> 5)]! & (1 << other)) !== 0

interface Register {
  readonly writes: Array<number>
  readonly reads: Array<number>
}

// More would take too long.
const mostOperations = 2_048

/** `"circular"`: there is no order. `undefined`: there are too many operations to tell. */
export const saturate = (given: Sessions, known: Writes, limit: Limit): Order | "circular" | undefined => {
  const { operations, sessionOf, after } = given
  const count = operations.length
  if (count > mostOperations) return undefined
  const words = (count + 31) >> 5
  const order: Order = { words, before: new Int32Array(count * words) }
  const add = (first: number, second: number): boolean => {
    if (has(order, second, first)) return false
    order.before[second * words + (first >> 5)]! |= 1 << first
    return true
  }
  for (let at = 0; at < count; at++) {
    if (after[at]! >= 0) add(after[at]!, at)
    else if (at > 0 && sessionOf[at] === sessionOf[at - 1]) add(at - 1, at)
  }
  const source = new Int32Array(count).fill(-1)
  const registers = new Map<string | undefined, Register>()
  const index = new Map(operations.map((operation, at) => [operation, at]))
  for (let at = 0; at < count; at++) {
    const operation = operations[at]!
    let register = registers.get(operation.key)
    if (register === undefined) registers.set(operation.key, (register = { writes: [], reads: [] }))
    const role = known.spec.collection!.role(operation)!
    if (role._tag === "Add") {
      register.writes.push(at)
      continue
    }
    register.reads.push(at)
    const value = (role as { readonly value: Value }).value
    const write = known.byName.get(nameOf(operation, value))
    if (write !== undefined) {
      source[at] = index.get(write)!
      add(source[at]!, at)
    } else if (textOf(value) !== textOf(known.initial)) return "circular"
  }
  for (const { writes: own, reads } of registers.values()) {
    for (const read of reads) if (source[read]! < 0) for (const write of own) add(read, write)
  }
  for (let grows = true; grows;) {
    if (limit.reason !== undefined || !close(order, count, limit))
      return limit.reason === undefined ? "circular" : undefined
    grows = false
    for (const { writes: own, reads } of registers.values()) {
      for (const read of reads) {
        const write = source[read]!
        if (write < 0) continue
        for (const other of own) {
          if (other === write) continue
          if (has(order, read, other) && add(other, write)) grows = true
          if (has(order, other, write) && add(read, other)) grows = true
        }
      }
    }
  }
  return order
}

/** Makes the order transitive. False where something would be before itself. */
const close = ({ words, before }: Order, count: number, limit: Limit): boolean => {
  for (let middle = 0; middle < count; middle++) {
    if (limit.isReached) return true
    for (let at = 0; at < count; at++) {
      if ((before[at * words + (middle >> 5)]! & (1 << middle)) === 0) continue
      for (let word = 0; word < words; word++) before[at * words + word]! |= before[middle * words + word]!
    }
  }
  for (let at = 0; at < count; at++) if ((before[at * words + (at >> 5)]! & (1 << at)) !== 0) return false
  return true
}

/** By operation and session, how many of the session's operations must come before. */
export const needs = ({ words, before }: Order, { operations, sessionOf, starts }: Sessions): Int32Array => {
  const width = starts.length - 1
  const counts = new Int32Array(operations.length * width)
  for (let at = 0; at < operations.length; at++) {
    for (let other = 0; other < operations.length; other++) {
      if ((before[at * words + (other >> 5)]! & (1 << other)) === 0) continue
      const session = sessionOf[other]!
      const place = at * width + session
      counts[place] = Math.max(counts[place]!, other - starts[session]! + 1)
    }
  }
  return counts
}
