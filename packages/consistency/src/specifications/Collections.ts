/** Things that hold many values: a queue, a stack, a set. */
import type { Value } from "../History.ts"
import type { Call, Role, Specification } from "../Specification.ts"
import { same, textOf } from "./Values.ts"

type Values = ReadonlyArray<Value>

const identify = (state: Values): string => textOf(state)

const added = "the argument is the value, not null; the result does not matter"
const taken = "no argument; the result is the value, null where there was none"

/** What takes and leaves in order have in common; `take` says which is next, and what is left. */
const ordered = (
  name: "queue" | "stack",
  description: string,
  [put, take]: readonly [put: string, take: string],
  next: (state: Values) => readonly [value: Value, rest: Values]
): Specification<Values> => ({
  name,
  description,
  functions: { [put]: added, [take]: taken },
  init: [],
  step: (state, call) => {
    if (call.f === put) return [...state, call.input]
    if (state.length === 0) return call.output === undefined || call.output === null ? state : undefined
    const [value, rest] = next(state)
    return call.output === undefined || same(call.output, value) ? rest : undefined
  },
  identify,
  isRead: (call) => call.f === take && call.output === null,
  problem: (call) => {
    if (call.f === put) return call.input === null ? `${put} takes a value, and null is none` : undefined
    return call.input === null ? undefined : `${take} has no argument: ${textOf(call.input)}`
  },
  collection: {
    kind: name,
    role: (call): Role => {
      if (call.f === put) return { _tag: "Add", value: call.input }
      return call.output === null ? { _tag: "Empty" } : { _tag: "Remove", value: call.output }
    }
  }
})

/** First in, first out: `enqueue` and `dequeue`. */
export const queue = (): Specification<Values> =>
  ordered("queue", "A queue: the first in is the first out.", ["enqueue", "dequeue"], (state) => [
    state[0]!,
    state.slice(1)
  ])

/** Last in, first out: `push` and `pop`. */
export const stack = (): Specification<Values> =>
  ordered("stack", "A stack: the last in is the first out.", ["push", "pop"], (state) => [
    state.at(-1)!,
    state.slice(0, -1)
  ])

/** The elements by their text, in its order. */
type Elements = ReadonlyArray<string>

const isAnswer = (output: Value | undefined, is: boolean): boolean => typeof output !== "boolean" || output === is

const elements = (values: Values): Elements => [...new Set(values.map(textOf))].toSorted()

/** A set: `add`, `remove`, `contains`, and `read` for all elements. */
export const set = (): Specification<Elements> => ({
  name: "set",
  description: "A set of values.",
  functions: {
    add: "the argument is the element; the result is true where it was new, false where not, or does not matter",
    remove: "the argument is the element; the result is true where it was there, false where not, or does not matter",
    contains: "the argument is the element; the result is whether it is there",
    read: "no argument; the result is the list of all elements, in any order"
  },
  init: [],
  step: (state, { f, input, output }) => {
    if (f === "read") {
      return output === undefined || same(elements(output as Values), state) ? state : undefined
    }
    const element = textOf(input)
    const has = state.includes(element)
    if (f === "contains") return isAnswer(output, has) ? state : undefined
    if (!isAnswer(output, f === "add" ? !has : has)) return undefined
    if (has === (f === "add")) return state
    return f === "add" ? [...state, element].toSorted() : state.filter((other) => other !== element)
  },
  identify: (state) => state.join(),
  part: (call) => (call.f === "read" ? undefined : textOf(call.input)),
  // A false is the answer of what changed nothing.
  isRead: ({ f, output }) => f === "read" || f === "contains" || output === false,
  problem: (call: Call) => {
    if (call.f === "read") {
      const isList = call.output === undefined || Array.isArray(call.output)
      return isList ? undefined : `read returns a list, not ${textOf(call.output!)}`
    }
    const isBoolean = call.output === undefined || typeof call.output === "boolean"
    return call.f !== "contains" || isBoolean
      ? undefined
      : `contains returns true or false, not ${textOf(call.output!)}`
  }
})
