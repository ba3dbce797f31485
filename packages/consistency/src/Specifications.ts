/**
 * The specifications that come with the package: what a register, a queue or a lock does when one client uses it.
 *
 * @example
 * ```ts
 * import { History, Specifications } from "@troupe/consistency"
 *
 * const queue = Specifications.find("queue")!
 * console.log(Object.keys(queue.functions)) // [ 'enqueue', 'dequeue' ]
 * const history = History.make([History.invoke("c1", "enqeue", 3), History.ok("c1", "enqeue")])
 * const checked = Specifications.validate(history, queue)
 * console.log(checked._tag === "Failure" && checked.failure.message)
 * // operation 0, enqeue(3) of process c1: a queue has no such function. It has enqueue, dequeue; is enqueue meant?
 * ```
 */
import { Result, Schema } from "effect"
import type { History, Operation, Value } from "./History.ts"
import { located } from "./internal/MalformedHistory.ts"
import { nearest } from "./internal/Nearest.ts"
import type { Specification } from "./Specification.ts"
import { queue, set, stack } from "./specifications/Collections.ts"
import { counter, mutex } from "./specifications/Others.ts"
import { casRegister, keyValue, multiRegister, register } from "./specifications/Registers.ts"
import { textOf } from "./specifications/Values.ts"

export { queue, set, stack } from "./specifications/Collections.ts"
export { counter, mutex } from "./specifications/Others.ts"
export { casRegister, type Initial, keyValue, multiRegister, register } from "./specifications/Registers.ts"

const known: Readonly<Record<string, (options: { readonly initial?: Value }) => Specification>> = {
  register,
  "cas-register": casRegister,
  "multi-register": multiRegister,
  "key-value": keyValue,
  queue,
  stack,
  set,
  counter: ({ initial }) => counter(typeof initial === "number" ? { initial } : {}),
  mutex
}

/** As `find` knows them. */
export const names: ReadonlyArray<string> = Object.keys(known)

/** The specification of a name; `undefined` where there is none. Those without an initial value ignore it. */
export const find = (name: string, options: { readonly initial?: Value } = {}): Specification | undefined =>
  Object.hasOwn(known, name) ? known[name]!(options) : undefined

/** A history has a call that its service does not know, or not so. */
export class InvalidCall extends Schema.TaggedError<InvalidCall>()("InvalidCall", {
  /** Of the operation, in the history. */
  id: Schema.Int,
  call: Schema.String,
  process: Schema.String,
  problem: Schema.String,
  line: Schema.optionalKey(Schema.Int),
  file: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const place = located(this.file, this.line)
    return `${place}operation ${this.id}, ${this.call} of process ${this.process}: ${this.problem}`
  }
}

const problemOf = (operation: Operation, { name, functions, problem }: Specification): string | undefined => {
  if (Object.hasOwn(functions, operation.f)) return problem?.(operation)
  const known = Object.keys(functions)
  const near = nearest(operation.f, known)
  const hint = near === undefined ? "." : `; is ${near} meant?`
  return `a ${name} has no such function. It has ${known.join(", ")}${hint}`
}

/**
 * The history, where all its calls are ones of the specification. Checkers take that for granted. `file` is named in the
 * error.
 */
export const validate = (
  history: History,
  specification: Specification,
  file?: string
): Result.Result<History, InvalidCall> => {
  for (const operation of history.operations) {
    const problem = problemOf(operation, specification)
    if (problem === undefined) continue
    const call = `${operation.f}(${operation.input === null ? "" : textOf(operation.input)})`
    const { id, process, source } = operation
    const line = source === undefined ? {} : { line: source.invokeLine }
    return Result.fail(new InvalidCall({ id, call, process, problem, ...line, ...(file !== undefined && { file }) }))
  }
  return Result.succeed(history)
}
