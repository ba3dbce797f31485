/**
 * What an actor understands: messages that it is told, and questions that it is asked and answers.
 *
 * @example
 * import { Messages } from "@troupe/actor"
 * import { Schema } from "effect"
 *
 * class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { short: Schema.Int }) {}
 *
 * export const Account = Messages.make("account", {
 *   Deposit: Messages.tell({ amount: Schema.Int }),
 *   Balance: Messages.ask({}, { reply: Schema.Int }),
 *   Withdraw: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int, failure: Overdrawn })
 * })
 *
 * export const message: Messages.Of<typeof Account> = { _tag: "Deposit", amount: 5 }
 */
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"

type Fields = Schema.Struct.Fields

/** A message without an answer. */
export interface Tell<out F extends Fields = Fields> {
  readonly fields: F
}

/** A question: answered with a `reply`, or with a `failure` that is none of the actor's own. */
export interface Ask<out F extends Fields = Fields, out Reply = any, out Failure = any> {
  readonly fields: F
  readonly reply: Codec.MessageSchema<Reply>
  readonly failure: Codec.MessageSchema<Failure>
}

/** By their tags. */
export type Definition = { readonly [tag: string]: Tell | Ask }

export interface Messages<in out D extends Definition = Definition> {
  readonly name: string
  readonly definition: D
  /** Of all of them. */
  readonly schema: Codec.MessageSchema<MessageOf<D>>
}

export type MessageOf<D extends Definition, Tag extends keyof D = keyof D> = {
  readonly [T in Tag]: { readonly _tag: T } & Schema.Struct.Type<D[T]["fields"]>
}[Tag]

/** The messages, as a type. */
export type Of<M> = M extends Messages<infer D> ? MessageOf<D> : never

/** The tags of those that are answered. */
export type AskTag<D extends Definition> = {
  readonly [T in keyof D]: D[T] extends Ask ? T : never
}[keyof D]

export type ReplyOf<D extends Definition, Tag extends keyof D> =
  D[Tag] extends Ask<any, infer Reply, any> ? Reply : never
export type FailureOf<D extends Definition, Tag extends keyof D> =
  D[Tag] extends Ask<any, any, infer Failure> ? Failure : never

export const tell = <const F extends Fields>(fields: F): Tell<F> => ({ fields })

/** Two signatures: in one, the failure that is left out would be inferred from the definition that this becomes a part of. */
export const ask: {
  <const F extends Fields, Reply>(
    fields: F,
    answers: { readonly reply: Codec.MessageSchema<Reply>; readonly failure?: never }
  ): Ask<F, Reply, never>
  <const F extends Fields, Reply, Failure>(
    fields: F,
    answers: { readonly reply: Codec.MessageSchema<Reply>; readonly failure: Codec.MessageSchema<Failure> }
  ): Ask<F, Reply, Failure>
} = <F extends Fields, Reply>(
  fields: F,
  answers: { readonly reply: Codec.MessageSchema<Reply>; readonly failure?: Codec.MessageSchema<any> }
): Ask<F, Reply, never> => ({
  fields,
  reply: answers.reply,
  failure: (answers.failure ?? Schema.Never) as Codec.MessageSchema<never>
})

/**
 * Names what an actor understands, as nodes name it to each other. Nodes whose messages of one name differ do not understand
 * each other: messages that have changed have another name, such as "shelf/2".
 */
export const make = <const D extends Definition>(name: string, definition: D): Messages<D> => ({
  name,
  definition,
  schema: Schema.Union(
    Object.entries(definition).map(([tag, { fields }]) => Schema.TaggedStruct(tag, fields))
  ) as unknown as Codec.MessageSchema<MessageOf<D>>
})

/** Whether it is answered. */
export const isAsk = (entry: Tell | Ask): entry is Ask => "reply" in entry
