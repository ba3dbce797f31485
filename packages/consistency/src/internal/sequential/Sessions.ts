/** A history as sessions that each keep their order: the processes, and each open operation in one of its own. */
import type { Operation } from "../../History.ts"
import type { Specification } from "../../Specification.ts"

export interface Sessions {
  /** Session by session. */
  readonly operations: ReadonlyArray<Operation>
  /** By session, where it begins in `operations`; and once more, where the last ends. */
  readonly starts: Int32Array
  readonly sessionOf: Int32Array
  /** Of an open operation, the operation of its process that comes before it; else -1. */
  readonly after: Int32Array
  /** By session, whether it may be left out: an operation that is open. */
  readonly optional: ReadonlyArray<boolean>
}

/** Reads whose result is not known, and open operations that `matters` says nothing of, are left out. */
export const sessions = (
  all: ReadonlyArray<Operation>,
  spec: Specification,
  matters: (operation: Operation) => boolean
): Sessions => {
  const operations: Array<Operation> = []
  const starts: Array<number> = []
  const after: Array<number> = []
  const optional: Array<boolean> = []
  const open: Array<readonly [operation: Operation, after: number]> = []
  for (const own of Map.groupBy(all, ({ process }) => process).values()) {
    const start = operations.length
    for (const operation of own) {
      if (operation.output === undefined && spec.isRead?.(operation) === true) continue
      if (operation.returned === Infinity) {
        if (matters(operation)) open.push([operation, operations.length > start ? operations.length - 1 : -1])
        continue
      }
      operations.push(operation)
      after.push(-1)
    }
    if (operations.length === start) continue
    starts.push(start)
    optional.push(false)
  }
  for (const [operation, before] of open) {
    starts.push(operations.length)
    optional.push(true)
    operations.push(operation)
    after.push(before)
  }
  starts.push(operations.length)
  const sessionOf = new Int32Array(operations.length)
  for (let session = 0; session + 1 < starts.length; session++) {
    sessionOf.fill(session, starts[session], starts[session + 1])
  }
  return { operations, starts: Int32Array.from(starts), sessionOf, after: Int32Array.from(after), optional }
}
