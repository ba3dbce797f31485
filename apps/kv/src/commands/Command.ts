/** A command on keys: what it is asked with, which keys it is about, and what comes of it. */
import type * as Reply from "../Reply.ts"
import type { Listing, View } from "../View.ts"

export interface Command {
  /** How many words it has, its name among them; negative: at least so many. */
  readonly arity: number
  readonly writes: boolean
  readonly scope: Scope
  /** `args` are the words after the name, as many as `arity` says. Time is the view's. */
  readonly execute: (view: View, args: ReadonlyArray<string>) => Reply.Reply
}

/** Which keys a command is about. */
export type Scope =
  /** A key, or a lock: its first word after the name. */
  | { readonly _tag: "Key" }
  | { readonly _tag: "Lock" }
  /** Any number of keys, each with so many words: it comes to the same as a command for each, whose replies are joined. */
  | {
      readonly _tag: "Each"
      readonly width: number
      readonly join: (replies: ReadonlyArray<Reply.Reply>) => Reply.Reply
    }
  /** As many keys as its second word after the name says, from the third on. */
  | { readonly _tag: "Counted" }
  /** All keys: to list, or to remove. */
  | { readonly _tag: "All"; readonly list: List | undefined }

export type List = (listing: Listing, args: ReadonlyArray<string>) => Reply.Reply

export const ofKey: Scope = { _tag: "Key" }
export const ofLock: Scope = { _tag: "Lock" }
export const ofCounted: Scope = { _tag: "Counted" }

type Make = (arity: number, execute: Command["execute"], scope?: Scope) => Command

export const reads: Make = (arity, execute, scope = ofKey) => ({ arity, writes: false, scope, execute })
export const writes: Make = (arity, execute, scope = ofKey) => ({ arity, writes: true, scope, execute })
export const lists = (arity: number, list: List): Command => reads(arity, list, { _tag: "All", list })

export const hasArity = (arity: number, words: number): boolean => (arity < 0 ? words >= -arity : words === arity)

/** The longest value: it travels in one message, which may double it. */
export const maximumValueBytes = 4 * 1024 * 1024
