/** What a service does when it is used by one client at a time: the sequential specification, as data. */
import type { Operation, Value } from "./History.ts"

/** A call, with its result where that is known. */
export type Call = Pick<Operation, "f" | "key" | "input" | "output">

/** @typeParam State plain readonly data */
export interface Specification<State = any> {
  /** As `--data` names it: "register", "cas-register", "queue", … */
  readonly name: string
  /** One sentence. */
  readonly description: string
  /** The functions that it knows, with what their arguments and results are. Another one is an error. */
  readonly functions: Readonly<Record<string, string>>
  readonly init: State
  /**
   * The state after `call`, or `undefined` where the service would not have answered so. Of an open call, whose output
   * is `undefined`, any answer will do.
   */
  step(state: State, call: Call): State | undefined
  /** Two states that behave alike have one text. Default: the JSON of the state. */
  identify?(state: State): string | number
  /** The part of the service that a call is about, where parts are independent of each other: checked one by one. */
  part?(call: Call): string | undefined
  /** Whether a call leaves every state as it is, so that it needs no order among its like. */
  isRead?(call: Call): boolean
  /** What an unknown result says nothing about: a call that may be left out of a history when it is open. */
  readonly initialValue?: Value
}
