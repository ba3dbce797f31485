/** The definition, word for word and slow: what the checkers are compared with. */
import type { History, Specification } from "@troupe/consistency"

type Operations = ReadonlyArray<History.Operation>

/** Whether some order explains all results; `before` says which operations must come before which. */
const explains = (
  operations: Operations,
  spec: Specification.Specification,
  before: (a: History.Operation, b: History.Operation) => boolean
): boolean => {
  const place = (left: Operations, objects: ReadonlyMap<string, unknown>): boolean => {
    if (left.every(({ returned }) => returned === Infinity)) return true
    return left.some((operation) => {
      if (left.some((other) => other !== operation && before(other, operation))) return false
      const object = spec.acrossKeys === true ? "" : (operation.key ?? "")
      const next = spec.step(objects.has(object) ? objects.get(object) : spec.init, operation)
      if (next === undefined) return false
      const rest = left.filter((other) => other !== operation)
      return place(rest, new Map(objects).set(object, next))
    })
  }
  return place(operations, new Map())
}

/** Real time: an operation that has ended is before one that begins. */
export const isLinearizable = (operations: Operations, spec: Specification.Specification): boolean =>
  explains(operations, spec, (a, b) => a.returned < b.invoked)

/** The order of each process; an operation that is open is after those before it, and before none. */
export const isSequential = (operations: Operations, spec: Specification.Specification): boolean =>
  explains(operations, spec, (a, b) => a.process === b.process && a.returned !== Infinity && a.invoked < b.invoked)

/** The events until a time: what has not ended by then is open. */
export const prefix = (operations: Operations, time: number): Operations =>
  operations
    .filter(({ invoked }) => invoked <= time)
    .map((operation) =>
      operation.returned <= time ? operation : { ...operation, output: undefined, returned: Infinity }
    )

/** With whose completion the shortest prefix ends that is not linearizable. */
export const culprit = (operations: Operations, spec: Specification.Specification): History.Operation | undefined =>
  operations
    .filter(({ returned }) => returned !== Infinity)
    .toSorted((a, b) => a.returned - b.returned)
    .find(({ returned }) => !isLinearizable(prefix(operations, returned), spec))
