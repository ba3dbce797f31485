/** Which operations of a history are in its picture, and how far apart they are. */
import type { History, Operation, Value } from "../../History.ts"
import type { Culprit, Verdict } from "../../Verdict.ts"

export interface Window {
  /** In the order of their invocations. */
  readonly operations: ReadonlyArray<Operation>
  /** In the order in which they are met. */
  readonly processes: ReadonlyArray<string>
  readonly leftOut: number
  readonly culprit: Operation | undefined
  readonly involved: ReadonlySet<Operation>
}

/** The operations that the verdict is about, and those around its culprit; the first ones where there is none. */
export const around = (history: History, verdict: Verdict | undefined, limit: number): Window => {
  const { operations } = history
  const violated = verdict?._tag === "Violated" ? verdict : undefined
  const culprit = operationOf(violated?.culprit)
  const involved = new Set((violated?.involved ?? []).flatMap((one) => operationOf(one) ?? []))
  if (culprit !== undefined) involved.add(culprit)
  const ids = new Set([...involved].slice(0, limit).map(({ id }) => id))
  // Outwards from the culprit, by turns on each side, so that what is near in time is kept.
  const middle = culprit?.id ?? Math.min(operations.length, limit) >> 1
  for (let step = 0; ids.size < limit && step <= operations.length; step++) {
    for (const id of [middle - step, middle + step]) {
      if (operations[id] !== undefined && ids.size < limit) ids.add(id)
    }
  }
  const shown = operations.filter(({ id }) => ids.has(id))
  return {
    operations: shown,
    processes: [...new Set(shown.map(({ process }) => process))],
    leftOut: operations.length - shown.length,
    culprit,
    involved
  }
}

const operationOf = (culprit: Culprit | undefined): Operation | undefined =>
  culprit?._tag === "Operation" ? culprit.operation : undefined

/** "write x 3", "read x → 3", "cas [1,2] → ?" while it is open. */
export const labelOf = ({ f, input, key, output }: Operation): string => {
  const parts = [f, ...(key === undefined ? [] : [key]), ...(input === null ? [] : [short(input)])]
  if (output === undefined) parts.push("→ ?")
  else if (output !== null || input === null) parts.push(`→ ${short(output)}`)
  return short(parts.join(" "))
}

const short = (value: Value): string => {
  const text = (typeof value === "string" ? value : JSON.stringify(value)).replace(/[\s\p{Cc}]+/gu, " ").toWellFormed()
  const characters = [...text]
  return characters.length <= 32 ? text : `${characters.slice(0, 31).join("")}…`
}

export interface Span {
  readonly operation: Operation
  readonly label: string
  readonly from: number
  readonly to: number
  readonly isOpen: boolean
  /** Where it took effect, in the order that was found. */
  readonly effect: number | undefined
}

export interface Spread {
  readonly spans: ReadonlyArray<Span>
  readonly length: number
}

/** Puts begins and ends in a row, at least `step` apart, with room for the label of each operation. */
export const spread = (
  window: Window,
  order: ReadonlyArray<Operation> | undefined,
  step: number,
  room: (label: string) => number
): Spread => {
  const { operations } = window
  const places = [...new Set(operations.flatMap(({ invoked, returned }) => [invoked, returned]))]
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
  const rank = new Map(places.map((place, index) => [place, index]))
  const ends = new Map(operations.map((operation) => [operation.returned, operation]))
  const at: Array<number> = []
  for (const [index, place] of places.entries()) {
    const ended = ends.get(place)
    const least = index === 0 ? 0 : at[index - 1]! + step
    at.push(ended === undefined ? least : Math.max(least, at[rank.get(ended.invoked)!]! + room(labelOf(ended))))
  }
  const open = operations.filter(({ returned }) => !Number.isFinite(returned))
  const length = open.reduce(
    (most, operation) => Math.max(most, at[rank.get(operation.invoked)!]! + room(labelOf(operation))),
    (at.at(-1) ?? 0) + step
  )
  const effects = effectsOf(operations, order, (place) => at[rank.get(place)!]!, step)
  const spans = operations.map((operation): Span => {
    const isOpen = !Number.isFinite(operation.returned)
    const from = at[rank.get(operation.invoked)!]!
    const to = isOpen ? length : at[rank.get(operation.returned)!]!
    return { operation, label: labelOf(operation), from, to, isOpen, effect: effects.get(operation) }
  })
  return { spans, length }
}

/**
 * Where each operation took effect: as early as the order allows. None where the order puts one after its end, as orders
 * that do not keep to real time may.
 */
const effectsOf = (
  shown: ReadonlyArray<Operation>,
  order: ReadonlyArray<Operation> | undefined,
  at: (place: number) => number,
  step: number
): ReadonlyMap<Operation, number> => {
  const none = new Map<Operation, number>()
  if (order === undefined) return none
  const among = new Set(shown)
  const kept = order.filter((operation) => among.has(operation))
  let latest = -Infinity
  const groups = new Map<number, Array<Operation>>()
  for (const operation of kept) {
    latest = Math.max(latest, operation.invoked)
    if (latest >= operation.returned) return none
    groups.set(latest, [...(groups.get(latest) ?? []), operation])
  }
  const effects = new Map<Operation, number>()
  for (const [place, group] of groups) {
    for (const [index, operation] of group.entries()) {
      effects.set(operation, at(place) + (step * (index + 1)) / (group.length + 1))
    }
  }
  return effects
}

/** "read-committed: violated". */
export const headline = (verdict: Verdict | undefined): string | undefined =>
  verdict === undefined ? undefined : `${verdict.model}: ${verdict._tag.toLowerCase()}`

/** Breaks a text into lines. */
export const wrap = (content: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of content.split(/\s+/)) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}
