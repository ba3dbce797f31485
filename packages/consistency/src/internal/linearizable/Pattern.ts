/** What the tractable algorithms work on: which values were in a collection, from when to when. */
import type { Operation } from "../../History.ts"

/** Why no order explains a history, and the operations that show it. */
export interface Pattern {
  readonly reason: string
  readonly operations: ReadonlyArray<Operation>
}

/** A value that was added once. It was surely there from the end of its addition to the beginning of its removal. */
export interface Item {
  readonly add: Operation
  /** `Infinity` of an addition that is not known to have ended, though it took effect. */
  readonly added: number
  readonly remove: Operation | undefined
  /** Between which moments it was removed: from `Infinity` where it was not. */
  readonly removing: number
  readonly removed: number
}
