/** A command on keys: what it is asked with, and what comes of it. */
import type * as Reply from "../Reply.ts"
import type { View } from "../View.ts"

export interface Command {
  /** How many words it has, its name among them; negative: at least so many. */
  readonly arity: number
  readonly writes: boolean
  /** `args` are the words after the name, as many as `arity` says. Time is the view's. */
  readonly execute: (view: View, args: ReadonlyArray<string>) => Reply.Reply
}

export const reads = (arity: number, execute: Command["execute"]): Command => ({ arity, writes: false, execute })
export const writes = (arity: number, execute: Command["execute"]): Command => ({ arity, writes: true, execute })

export const hasArity = (arity: number, words: number): boolean => (arity < 0 ? words >= -arity : words === arity)

/** The longest value: it travels in one message, which may double it. */
export const maximumValueBytes = 4 * 1024 * 1024
