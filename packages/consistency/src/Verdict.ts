/** What a checker says of a history. */
import type { Operation } from "./History.ts"
import type { Transaction } from "./Transactions.ts"

/** How far a checker may go. What it cannot decide within is `Unknown`, never guessed. */
export interface Budget {
  /** Milliseconds. Default: 60,000. */
  readonly millis?: number
  /** Bytes for what it remembers, roughly. Default: 1 GiB. */
  readonly bytes?: number
}

/** What is at fault: an operation, or a transaction and perhaps the one access of it. */
export type Culprit =
  | { readonly _tag: "Operation"; readonly operation: Operation }
  | { readonly _tag: "Transaction"; readonly transaction: Transaction; readonly access?: number }

export type Verdict =
  /** Of checkers that find one, `order` is an order of operations that explains the history. */
  | { readonly _tag: "Ok"; readonly model: string; readonly order?: ReadonlyArray<Operation> }
  | {
      readonly _tag: "Violated"
      readonly model: string
      /** The smallest: without it, what came before is explained. */
      readonly culprit: Culprit
      /** Why, in a sentence or two that name operations and values. */
      readonly reason: string
      /** The operations that the reason is about, with the culprit: what a picture of it shows. */
      readonly involved: ReadonlyArray<Culprit>
    }
  | { readonly _tag: "Unknown"; readonly model: string; readonly reason: string }
