/** States and calls as small integers, and the steps between them, each asked of the specification once. */
import type { Call, Specification } from "../../Specification.ts"
import { textOf } from "../../specifications/Values.ts"
import type { Limit } from "../Limit.ts"

/** The service would not have answered so. */
export const refused = -1
const unknown = -2

// With few kinds of calls a state has a row of all its steps; with many, most would stay empty.
const rowLength = 64

// A state, its name, and where they are kept.
const bytesPerState = 160
const bytesPerStep = 48

export class States {
  readonly spec: Specification
  readonly limit: Limit
  readonly calls: Array<Call> = []
  readonly callIds = new Map<string, number>()
  readonly states: Array<unknown> = []
  readonly stateIds = new Map<string | number, number>()
  readonly rows: Array<Int32Array> = []
  readonly steps = new Map<number, number>()

  constructor(spec: Specification, limit: Limit) {
    this.spec = spec
    this.limit = limit
  }

  /** Calls that ask the same and were answered the same have one number. All are known before the first step. */
  call(call: Call): number {
    const output = call.output === undefined ? "?" : textOf(call.output)
    const text = `${call.f} ${call.key === undefined ? "" : JSON.stringify(call.key)} ${textOf(call.input)} ${output}`
    let id = this.callIds.get(text)
    if (id === undefined) {
      id = this.calls.push(call) - 1
      this.callIds.set(text, id)
    }
    return id
  }

  state(state: unknown): number {
    const name = this.spec.identify === undefined ? JSON.stringify(state) : this.spec.identify(state)
    let id = this.stateIds.get(name)
    if (id === undefined) {
      id = this.states.push(state) - 1
      this.stateIds.set(name, id)
      const wide = this.calls.length > rowLength
      if (!wide) this.rows.push(new Int32Array(this.calls.length).fill(unknown))
      const text = typeof name === "string" ? 2 * name.length : 0
      this.limit.remember(bytesPerState + text + (wide ? 0 : 4 * this.calls.length))
    }
    return id
  }

  /** The state after the call, or `refused`. */
  step(state: number, call: number): number {
    if (this.calls.length <= rowLength) {
      const row = this.rows[state]!
      const known = row[call]!
      return known === unknown ? (row[call] = this.compute(state, call)) : known
    }
    const at = state * this.calls.length + call
    const known = this.steps.get(at)
    if (known !== undefined) return known
    const next = this.compute(state, call)
    this.steps.set(at, next)
    this.limit.remember(bytesPerStep)
    return next
  }

  compute(state: number, call: number): number {
    const next = this.spec.step(this.states[state], this.calls[call]!)
    return next === undefined ? refused : this.state(next)
  }
}
