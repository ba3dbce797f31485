/** Things that hold values: a register, one with compare-and-set, many at once, and texts by key. */
import type { Value } from "../History.ts"
import type { Call, Role, Specification } from "../Specification.ts"
import { isText, same, textOf } from "./Values.ts"

export interface Initial {
  /** What is there before anything is written. `null` is "absent". */
  readonly initial?: Value
}

const readText = "no argument; the result is the value, null while there is none"
const writeText = "the argument is the value; the result does not matter"

const readProblem = ({ input, output }: Call): string | undefined =>
  input === null || (output !== undefined && same(input, output)) ? undefined : `read has no argument: ${textOf(input)}`

const read = (state: Value, { output }: Call): Value | undefined =>
  output === undefined || same(output, state) ? state : undefined

const role = (call: Call): Role | undefined => {
  if (call.f === "write") return { _tag: "Add", value: call.input }
  if (call.f === "read" && call.output !== undefined) return { _tag: "Observe", value: call.output }
  return undefined
}

/** A register: `read` returns what `write` wrote last. */
export const register = ({ initial = null }: Initial = {}): Specification<Value> => ({
  name: "register",
  description: "A register: a read returns what was written last.",
  functions: { read: readText, write: writeText },
  init: initial,
  step: (state, call) => (call.f === "write" ? call.input : read(state, call)),
  identify: textOf,
  isRead: (call) => call.f === "read",
  problem: (call) => (call.f === "read" ? readProblem(call) : undefined),
  collection: { kind: "register", role }
})

const isPair = (value: Value): value is readonly [Value, Value] => Array.isArray(value) && value.length === 2

const compareAndSet = (state: Value, { input, output }: Call): Value | undefined => {
  const [expected, value] = input as readonly [Value, Value]
  if (same(state, expected)) return output === false ? undefined : value
  return output === undefined || output === false ? state : undefined
}

/** A register with `cas`, which writes where it finds what it expects. */
export const casRegister = ({ initial = null }: Initial = {}): Specification<Value> => ({
  name: "cas-register",
  description: "A register with compare-and-set.",
  functions: {
    read: readText,
    write: writeText,
    cas: "the argument is [expected, new]; the result is false where it found another value, and wrote nothing"
  },
  init: initial,
  step: (state, call) => {
    if (call.f === "write") return call.input
    return call.f === "cas" ? compareAndSet(state, call) : read(state, call)
  },
  identify: textOf,
  isRead: (call) => call.f === "read" || (call.f === "cas" && call.output === false),
  problem: (call) => {
    if (call.f === "read") return readProblem(call)
    return call.f === "write" || isPair(call.input) ? undefined : `cas takes [expected, new], not ${textOf(call.input)}`
  },
  collection: { kind: "register", role }
})

/** The values of keys that were written, in the order of their names. */
type Registers = Readonly<Record<string, Value>>

type Step = readonly [f: string, key: string | number, value: Value]

const isStep = (value: Value): boolean =>
  Array.isArray(value) &&
  value.length === 3 &&
  ["read", "r", "write", "w"].includes(value[0]) &&
  (typeof value[1] === "string" || typeof value[1] === "number")

const isSteps = (value: Value | undefined): value is ReadonlyArray<Step> & Value =>
  Array.isArray(value) && value.every(isStep)

const writes = ([f]: Step): boolean => f === "write" || f === "w"

/** The steps of a call; those that read have what they read, or `undefined`. */
const stepsOf = (call: Call): ReadonlyArray<readonly [writes: boolean, key: string, value: Value | undefined]> => {
  if (call.f === "write") return [[true, call.key ?? "", call.input]]
  if (call.f === "read") return [[false, call.key ?? "", call.output]]
  const output = isSteps(call.output) ? call.output : undefined
  return (call.input as ReadonlyArray<Step>).map((step, at) =>
    writes(step) ? [true, `${step[1]}`, step[2]] : [false, `${step[1]}`, output?.[at]?.[2]]
  )
}

/** Registers by key, of which a transaction reads and writes several at one moment. */
export const multiRegister = ({ initial = null }: Initial = {}): Specification<Registers> => ({
  name: "multi-register",
  description: "Registers by key; a transaction reads and writes several at once.",
  functions: {
    read: `of the call's key: ${readText}`,
    write: `of the call's key: ${writeText}`,
    txn: 'the argument is a list of ["read" or "write", key, value]; the result is the list with the values that were read'
  },
  init: {},
  step: (state, call) => {
    let next = state
    for (const [isWrite, key, value] of stepsOf(call)) {
      if (isWrite) next = { ...next, [key]: value! }
      else if (value !== undefined && !same(next[key] ?? initial, value)) return undefined
    }
    return next
  },
  identify: (state) => textOf(state),
  acrossKeys: true,
  part: (call) => {
    const steps = stepsOf(call)
    return steps.length > 0 && steps.every(([, key]) => key === steps[0]![1]) ? steps[0]![1] : undefined
  },
  isRead: (call) => stepsOf(call).every(([isWrite]) => !isWrite),
  problem: (call) => {
    if (call.f !== "txn") return call.f === "read" ? readProblem(call) : undefined
    if (!isSteps(call.input)) return `txn takes a list of ["read" or "write", key, value], not ${textOf(call.input)}`
    const isAnswer = call.output === undefined || call.output === null || isSteps(call.output)
    if (!isAnswer || (isSteps(call.output) && call.output.length !== call.input.length)) {
      return `txn returns its list with the values that were read, not ${textOf(call.output!)}`
    }
    return undefined
  }
})

/** Texts by key: `put` writes one, `append` adds to its end, `get` reads it. */
export const keyValue = ({ initial = "" }: Initial = {}): Specification<Value> => ({
  name: "key-value",
  description: "A store of texts by key, with append.",
  functions: {
    get: "of the call's key: no argument; the result is the text",
    put: "of the call's key: the argument is the text; the result does not matter",
    append: "of the call's key: the argument is added at the text's end; the result does not matter"
  },
  init: initial,
  step: (state, call) => {
    if (call.f === "put") return call.input
    if (call.f === "append") return `${isText(state) ? state : ""}${call.input as string}`
    return read(state, call)
  },
  identify: textOf,
  isRead: (call) => call.f === "get",
  problem: (call) => {
    if (call.f === "get") return call.input === null ? undefined : readProblem(call)?.replace("read", "get")
    return isText(call.input) ? undefined : `${call.f} takes a text, not ${textOf(call.input)}`
  }
})
