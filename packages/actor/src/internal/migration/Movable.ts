/** What can move, and what it is bound to. */
import type { Codec } from "@troupe/transport"
import { Context, Option } from "effect"
import type { Behavior, Self } from "../../Behavior.ts"
import type { Supervision } from "../../Supervision.ts"

/** A service that handlers have from where the actor is. */
export interface Binding<out Id = any> {
  readonly key: Context.Key<Id, any>
  /** Of one by value. */
  readonly codec: Codec.Codec<any> | undefined
}

export interface Movable<in out D extends { readonly [tag: string]: any } = any, out R = any> {
  readonly name: string
  readonly behavior: Behavior<D, R>
  readonly state: Codec.Codec<any>
  /** The first state, of what came along weakly; for Effect handlers, an Effect. */
  readonly from: (moved: any, self: Self<D>) => unknown
  readonly bindings: ReadonlyArray<Binding>
  readonly supervision: Supervision | undefined
}

/** Those that a node has nothing for. */
export const missing = ({ bindings }: Movable, here: Context.Context<never>): ReadonlyArray<string> =>
  bindings.filter(({ codec, key }) => codec === undefined && !has(here, key)).map(({ key }) => key.key)

export const has = (context: Context.Context<never>, key: Context.Key<any, any>): boolean =>
  Option.isSome(Context.getOption(context, key))
