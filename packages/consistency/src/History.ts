/**
 * What clients saw of a service: operations that were invoked, and how they ended.
 *
 * As it is recorded, a history is a list of events in the order of one clock: `invoke` when a process calls, then `ok`
 * with the result, `fail` when the operation is known not to have happened, or `info` when that is not known: it may
 * take effect at any later time. A process does one thing at a time. As it is checked, a history is a list of operations,
 * each with the two places in the list at which it began and ended.
 */
import { Schema } from "effect"

/** Arguments and results: plain JSON. `null` is "nothing": no argument, an absent value. */
export type Value = Schema.Json

/** One line of our own NDJSON. */
export const Event = Schema.Struct({
  /** Who calls. A process that ended with `info` may go on under its name: that operation stays open. */
  process: Schema.Union([Schema.String, Schema.Int]),
  type: Schema.Literals(["invoke", "ok", "fail", "info"]),
  /** The function: "read", "write", "cas", "enqueue", … as the specification names it. */
  f: Schema.String,
  /** Of a service that is made of independent parts, which part. */
  key: Schema.optionalKey(Schema.Union([Schema.String, Schema.Int])),
  /** The argument at `invoke`, the result at `ok`. */
  value: Schema.optionalKey(Schema.Json)
})
export type Event = typeof Event.Type

/** An operation: what was asked, what came of it, and between which two moments it took effect. */
export interface Operation {
  /** Its index in the history's operations, which are in the order of their invocations. */
  readonly id: number
  readonly process: string
  readonly f: string
  readonly key: string | undefined
  readonly input: Value
  /** `undefined` while it is not known: the operation is open. */
  readonly output: Value | undefined
  /** Its invocation's place in the order of all events; unique in the history. */
  readonly invoked: number
  /** Its completion's; `Infinity` of an operation that is open, which may have taken effect or not, or will later. */
  readonly returned: number
  /** Where it stands in its file: lines from 1, events from 0. */
  readonly source?: {
    readonly invokeLine: number
    readonly returnLine?: number
    readonly invokeIndex: number
    readonly returnIndex?: number
  }
}

export interface History {
  /** In the order of their invocations. Operations of one process do not overlap. Failed ones are left out. */
  readonly operations: ReadonlyArray<Operation>
}
