/** Whether what clients saw is what one copy could have shown them. */
import { History, Linearizable, Specifications, type Verdict } from "@troupe/consistency"
import { Effect, Result } from "effect"
import { type Recorder, serviceOf, services } from "./Recorder.ts"

/** What is wrong with a key. */
export interface Fault {
  readonly key: string
  readonly data: string
  readonly history: History.History
  readonly verdict: Extract<Verdict, { readonly _tag: "Violated" | "Unknown" }>
}

/** What was promised of a key, and is not kept. */
export interface Broken {
  readonly key: string
  readonly reason: string
}

export interface Judgement {
  readonly keys: number
  readonly operations: number
  readonly violated: ReadonlyArray<Fault>
  /** What could not be decided within the budget. */
  readonly unknown: ReadonlyArray<Fault>
  readonly lost: ReadonlyArray<Broken>
  /** Fencing tokens that do not grow. */
  readonly stale: ReadonlyArray<Broken>
  readonly millis: number
}

/** Key by key, each with what is left of the budget; `tell` hears how many are done. */
export const judge = (
  events: Recorder["events"],
  budgetMillis: number,
  tell: (done: number, all: number) => void
): Effect.Effect<Judgement> =>
  Effect.gen(function* () {
    const start = performance.now()
    const violated: Array<Fault> = []
    const unknown: Array<Fault> = []
    const lost: Array<Broken> = []
    const stale: Array<Broken> = []
    let operations = 0
    let done = 0
    let keys = 0
    for (const [key, own] of events) {
      tell(++done, events.size)
      const { data } = services[serviceOf(key)]
      if (data === undefined) {
        stale.push(...staleOf(key, own))
        continue
      }
      const history = Result.getOrThrow(History.fromEvents(own))
      operations += history.operations.length
      const millis = Math.max(1, budgetMillis - (performance.now() - start))
      const verdict = Linearizable.check(history, Specifications.find(data)!, { millis })
      if (verdict._tag === "Violated") violated.push({ key, data, history, verdict })
      else if (verdict._tag === "Unknown") unknown.push({ key, data, history, verdict })
      if (data === services.texts.data) lost.push(...lostOf(key, own))
      keys++
      // Others may draw how it goes, and end it.
      if (done % 16 === 0 || millis < 1_000) yield* Effect.sleep(0)
    }
    return { keys, operations, violated, unknown, lost, stale, millis: performance.now() - start }
  })

/** A fencing token is above all that were given before it was asked for, and given once. */
export const staleOf = (key: string, events: ReadonlyArray<History.Event>): ReadonlyArray<Broken> => {
  const wrong: Array<Broken> = []
  const floors = new Map<History.Event["process"], number>()
  const given = new Set<number>()
  let largest = 0
  for (const { process, type, value } of events) {
    if (type === "invoke") floors.set(process, largest)
    if (type !== "ok" || typeof value !== "number") continue
    const floor = floors.get(process)!
    if (value <= floor) wrong.push({ key, reason: `token ${value} was given after token ${floor}` })
    else if (given.has(value)) wrong.push({ key, reason: `token ${value} was given twice` })
    given.add(value)
    largest = Math.max(largest, value)
  }
  return wrong
}

/**
 * Pieces of a text that were appended, each once: whether the latest text that was read has every acknowledged one, none
 * twice, and none that was refused.
 */
export const lostOf = (key: string, events: ReadonlyArray<History.Event>): ReadonlyArray<Broken> => {
  const last = events.findLast(({ f, type }) => f === "get" && type === "ok")
  if (last === undefined) return []
  const upTo = events.indexOf(last)
  const found = new Map<string, number>()
  for (const piece of String(last.value).match(/[^;]*;/g) ?? []) found.set(piece, (found.get(piece) ?? 0) + 1)
  const wrong: Array<Broken> = []
  const open = new Map<History.Event["process"], string>()
  // What was acknowledged after the last read was asked for need not be in it.
  const asked = events.findLastIndex(
    ({ process, type }, i) => i < upTo && process === last.process && type === "invoke"
  )
  for (const [i, { f, process, type, value }] of events.entries()) {
    if (f !== "append") continue
    if (type === "invoke") {
      open.set(process, String(value))
      continue
    }
    const piece = open.get(process)!
    const times = found.get(piece) ?? 0
    if (type === "ok" && i < asked && times === 0)
      wrong.push({ key, reason: `"${piece}" was acknowledged, and is not there` })
    if (type === "fail" && times > 0) wrong.push({ key, reason: `"${piece}" was refused, and is there` })
    if (times > 1) wrong.push({ key, reason: `"${piece}" was appended once, and is there ${times} times` })
  }
  return wrong
}
