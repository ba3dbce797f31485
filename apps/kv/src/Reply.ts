/** What a command is answered with. Bytes are strings of one byte a character. */
import { Schema } from "effect"
import { Bytes } from "./Bytes.ts"

export type Reply =
  | { readonly _tag: "Simple"; readonly text: string }
  /** Its first word says of what kind it is, as Redis has it. */
  | { readonly _tag: "Failure"; readonly text: string }
  /** A whole number of 64 bits, in digits where a number cannot hold it. */
  | { readonly _tag: "Integer"; readonly value: number }
  | { readonly _tag: "Long"; readonly digits: string }
  | { readonly _tag: "Bulk"; readonly bytes: string }
  | { readonly _tag: "Null" }
  /** No array at all: what a transaction that did not take place is answered with. */
  | { readonly _tag: "NullArray" }
  | { readonly _tag: "Multiple"; readonly items: ReadonlyArray<Reply> }
  /** Keys and values by turns. A flat array to who speaks the older protocol. */
  | { readonly _tag: "Mapping"; readonly items: ReadonlyArray<Reply> }

const items = Schema.Array(Schema.suspend((): Schema.Codec<Reply> => schema))

export const schema: Schema.Codec<Reply> = Schema.Union([
  Schema.TaggedStruct("Simple", { text: Schema.String }),
  Schema.TaggedStruct("Failure", { text: Schema.String }),
  Schema.TaggedStruct("Integer", { value: Schema.Int }),
  Schema.TaggedStruct("Long", { digits: Schema.String }),
  Schema.TaggedStruct("Bulk", { bytes: Bytes }),
  Schema.TaggedStruct("Null", {}),
  Schema.TaggedStruct("NullArray", {}),
  Schema.TaggedStruct("Multiple", { items }),
  Schema.TaggedStruct("Mapping", { items })
])

export const ok: Reply = { _tag: "Simple", text: "OK" }
export const none: Reply = { _tag: "Null" }
export const noArray: Reply = { _tag: "NullArray" }
export const one: Reply = { _tag: "Integer", value: 1 }
export const zero: Reply = { _tag: "Integer", value: 0 }

export const simple = (text: string): Reply => ({ _tag: "Simple", text })
export const bulk = (bytes: string): Reply => ({ _tag: "Bulk", bytes })
export const integer = (value: number): Reply => ({ _tag: "Integer", value })
export const multiple = (items: ReadonlyArray<Reply>): Reply => ({ _tag: "Multiple", items })
export const mapping = (items: ReadonlyArray<Reply>): Reply => ({ _tag: "Mapping", items })
/** The whole text, with its first word. Line ends would end it early. */
export const failure = (text: string): Reply => ({ _tag: "Failure", text: text.replace(/[\r\n]+/g, " ") })

export const syntaxError = failure("ERR syntax error")
export const notAnInteger = failure("ERR value is not an integer or out of range")
