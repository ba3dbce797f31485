/** A counter and a lock. */
import type { Call, Specification } from "../Specification.ts"
import { textOf } from "./Values.ts"

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

const amountOf = (call: Call): number => (call.f === "increment" ? 1 : (call.input as number))

const counterProblem = (call: Call): string | undefined => {
  if (call.f === "add" || call.f === "fetch-and-add") {
    return isNumber(call.input) ? undefined : `${call.f} takes a number, not ${textOf(call.input)}`
  }
  if (call.f !== "read" || call.output === undefined || isNumber(call.output)) return undefined
  return `read returns a number, not ${textOf(call.output)}`
}

/** A number: `add` and `increment` change it, `read` returns it, `fetch-and-add` does both. */
export const counter = ({ initial = 0 }: { readonly initial?: number } = {}): Specification<number> => ({
  name: "counter",
  description: "A counter.",
  functions: {
    add: "the argument is the amount, which may be negative; the result does not matter",
    increment: "adds one; no argument, and the result does not matter",
    "fetch-and-add": "the argument is the amount; the result is the number before",
    read: "no argument; the result is the number"
  },
  init: initial,
  step: (state, call) => {
    const tells = call.f === "read" || call.f === "fetch-and-add"
    if (tells && call.output !== undefined && call.output !== state) return undefined
    return call.f === "read" ? state : state + amountOf(call)
  },
  identify: (state) => state,
  isRead: (call) => call.f === "read" || amountOf(call) === 0,
  problem: counterProblem
})

/** A lock that is free at first: `acquire` takes it, `release` gives it back. */
export const mutex = (): Specification<boolean> => ({
  name: "mutex",
  description: "A lock: nobody acquires what is held, nobody releases what is free.",
  functions: {
    acquire: "no argument, and the result does not matter",
    release: "no argument, and the result does not matter"
  },
  init: false,
  step: (held, call) => (held === (call.f === "acquire") ? undefined : !held),
  identify: Number
})
