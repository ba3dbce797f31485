/** Things that hold values: a register, one with compare-and-set, many at once, and a store of texts by key. */
import type { Value } from "../History.ts"
import type { Call, Role, Specification } from "../Specification.ts"
import { same, textOf } from "./Values.ts"

/** @see register */
export interface Initial {
  /** What is there before anything is written. `null`, the default, is "absent". */
  readonly initial?: Value
}

const part = (call: Call): string | undefined => call.key

const readsNothing = (call: Call): string | undefined =>
  call.input === null || call.output === undefined || same(call.input, call.output)
    ? undefined
    : `a read has no argument (or what it then read), not ${textOf(call.input)}`

const registerRole = (call: Call): Role | undefined => {
  if (call.f === "write") return { _tag: "Add", value: call.input }
  if (call.f === "read") return call.output === undefined ? undefined : { _tag: "Observe", value: call.output }
  return undefined
}

/** A register: `write` a value, `read` the last that was written. Calls with a `key` are about that key's register. */
export const register = ({ initial = null }: Initial = {}): Specification<Value> => ({
  name: "register",
  description: "A register: a read returns what was written last.",
  functions: {
    read: "no argument; the result is the value, null while there is none",
    write: "the argument is the value; the result does not matter"
  },
  init: initial,
  step: (state, call) => {
    if (call.f === "write") return call.input
    return call.output === undefined || same(call.output, state) ? state : undefined
  },
  identify: textOf,
  part,
  isRead: (call) => call.f === "read",
  problem: (call) => (call.f === "read" ? readsNothing(call) : undefined),
  collection: { kind: "register", role: registerRole }
})
