/** What a service does when it is used by one client at a time: the sequential specification, as data. */
import type { Value } from "./History.ts"

/** A call, with its result where that is known. */
export interface Call {
  readonly f: string
  readonly key?: string | undefined
  readonly input: Value
  readonly output?: Value | undefined
}

/** What a call does to a collection, where every value is added once: what the tractable algorithms look at. */
export type Role =
  /** Puts `value` in: an enqueue, a push, a write. */
  | { readonly _tag: "Add"; readonly value: Value }
  /** Takes `value` out: a dequeue, a pop. `undefined` while it is not known what it took. */
  | { readonly _tag: "Remove"; readonly value: Value | undefined }
  /** Found nothing there. */
  | { readonly _tag: "Empty" }
  /** Saw `value`, and left it there: a read of a register. */
  | { readonly _tag: "Observe"; readonly value: Value }

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
  /**
   * Calls with different `key`s are about different objects of this kind, each with a state of its own, unless this is
   * set: then one state has them all.
   */
  readonly acrossKeys?: boolean
  /**
   * Within an object, the part that a call is about, where parts are independent of each other; `undefined` of a call
   * about all of them. The parts of a history are checked one by one where no call is about all.
   */
  part?(call: Call): string | undefined
  /** Whether a call leaves every state as it is, so that it needs no order among its like. */
  isRead?(call: Call): boolean
  /** What is wrong with the arguments or the result of a call of a known function, or `undefined`. */
  problem?(call: Call): string | undefined
  /** A kind of object for which there is a faster way, where all values that are added are distinct. */
  readonly collection?: {
    readonly kind: "register" | "queue" | "stack"
    /** `undefined` of a call that the faster way does not know. */
    role(call: Call): Role | undefined
  }
}
