/**
 * A history that grows call by call and sits in the state of a model checker: is it linearizable, or sequential, so far?
 *
 * A model's state must be plain data that is equal when nothing tells two states apart, so there are no clocks in it:
 * real time is kept as what was over when an operation began. Per client it has the completed operations in their order
 * and the one in flight; each with, for every other client that had completed one, the index of its last at that moment.
 *
 * @example
 * ```ts
 * import { Specifications, Tester } from "@troupe/consistency"
 *
 * const register = Specifications.register()
 * let history = Tester.invoke(Tester.empty, "c1", { f: "write", input: "A" })
 * history = Tester.complete(history, "c1", null)
 * history = Tester.invoke(history, "c2", { f: "read" })
 * history = Tester.complete(history, "c2", null)
 * console.log(Tester.isLinearizable(history, register)) // false
 * console.log(Tester.isSequential(history, register)) // true
 * ```
 */
import type { Value } from "./History.ts"
import { together } from "./internal/Parts.ts"
import type { Call, Specification } from "./Specification.ts"

/** A call of a client. Without `input` it is `null`, "no argument". */
export interface Invocation {
  readonly f: string
  readonly key?: string
  readonly input?: Value
}

/** An operation in flight: without `output`. */
export interface Operation extends Call {
  /** Each other client that had completed an operation when this one began, by name, with the index of its last. */
  readonly after: ReadonlyArray<readonly [client: string, index: number]>
}

export interface Client {
  readonly client: string
  /** In the order in which the client did them. */
  readonly completed: ReadonlyArray<Operation>
  readonly inFlight: Operation | null
}

/** The clients that have called, by name. Equal histories have equal JSON. */
export type History = ReadonlyArray<Client>

export const empty: History = []

/** A client calls. It must not have an operation in flight. */
export const invoke = (history: History, client: string, call: Invocation): History => {
  const after: Array<readonly [string, number]> = []
  let at = 0
  let own: Client | undefined
  for (const entry of history) {
    if (entry.client < client) at++
    if (entry.client === client) own = entry
    else if (entry.completed.length > 0) after.push([entry.client, entry.completed.length - 1])
  }
  if (own?.inFlight) throw new Error(`client ${client} calls ${call.f} while its ${own.inFlight.f} is in flight`)
  const { f, key, input = null } = call
  const inFlight: Operation = key === undefined ? { f, input, after } : { f, key, input, after }
  const entry: Client = { client, completed: own === undefined ? [] : own.completed, inFlight }
  return own === undefined ? history.toSpliced(at, 0, entry) : history.with(at, entry)
}

/** The client's operation in flight ends with `output`; `null` is "nothing". */
export const complete = (history: History, client: string, output: Value): History => {
  const at = history.findIndex((entry) => entry.client === client)
  const entry = history[at]
  if (!entry?.inFlight) throw new Error(`client ${client} has no operation in flight that could end`)
  const completed = [...entry.completed, { ...entry.inFlight, output }]
  return history.with(at, { client, completed, inFlight: null })
}

// From this many steps on a search remembers where it has been: small ones are done sooner without.
const patience = 128

class Search {
  readonly clients: History
  readonly spec: Specification
  readonly realTime: boolean
  /** Per client, how many of its operations have been placed. */
  readonly placed: Array<number>
  /** Completed operations that are not placed yet. */
  missing = 0
  steps = 0
  seen: Set<string> | undefined

  constructor(clients: History, spec: Specification, realTime: boolean) {
    this.clients = clients
    this.spec = spec
    this.realTime = realTime
    this.placed = clients.map(() => 0)
    for (const client of clients) this.missing += client.completed.length
  }

  /** Whether all that came before `operation` in real time is placed. */
  mayComeNext(operation: Operation): boolean {
    if (!this.realTime) return true
    let at = 0
    for (const [client, index] of operation.after) {
      while (this.clients[at]!.client !== client) at++
      if (this.placed[at]! <= index) return false
    }
    return true
  }

  hasSeen(state: unknown): boolean {
    if (++this.steps < patience) return false
    this.seen ??= new Set()
    const text = `${this.placed.join()} ${this.spec.identify?.(state) ?? JSON.stringify(state)}`
    if (this.seen.has(text)) return true
    this.seen.add(text)
    return false
  }

  /** Whether the operations that are left can follow `state`; one in flight takes effect, or not. */
  completes(state: unknown): boolean {
    if (this.missing === 0) return true
    if (this.hasSeen(state)) return false
    for (let at = 0; at < this.clients.length; at++) {
      const { completed, inFlight } = this.clients[at]!
      const index = this.placed[at]!
      const operation = index < completed.length ? completed[index]! : index === completed.length ? inFlight : null
      if (operation === null || !this.mayComeNext(operation)) continue
      const next = this.spec.step(state, operation)
      if (next === undefined) continue
      const ended = index < completed.length ? 1 : 0
      this.placed[at] = index + 1
      this.missing -= ended
      if (this.completes(next)) return true
      this.placed[at] = index
      this.missing += ended
    }
    return false
  }
}

/** Whether the operations have an order: of one object, or of several by their keys. */
const isOrdered = (history: History, specification: Specification, realTime: boolean): boolean => {
  const isKeyed = ({ key }: Operation): boolean => key !== undefined
  const hasKeys = history.some(
    ({ completed, inFlight }) => completed.some(isKeyed) || (inFlight !== null && isKeyed(inFlight))
  )
  const spec = hasKeys ? together(specification) : specification
  return new Search(history, spec, realTime).completes(spec.init)
}

/** Whether some order that keeps each client's and real time explains all results. */
export const isLinearizable = (history: History, specification: Specification): boolean =>
  isOrdered(history, specification, true)

/** Whether some order that keeps each client's own explains all results. */
export const isSequential = (history: History, specification: Specification): boolean =>
  isOrdered(history, specification, false)
