/** What is asked of the keyspace, and how it is answered. */
import { Schema } from "effect"
import { Bytes } from "./Bytes.ts"
import * as Reply from "./Reply.ts"

/** The name, in capitals, and the words after it. */
const Words = Schema.Array(Bytes)

const Watched = Schema.Array(Schema.Struct({ key: Bytes, version: Schema.Int }))

export const Step = Schema.Union([
  Schema.TaggedStruct("Run", { words: Words }),
  /** Answered with the versions of the keys; 0 of those that are not there. */
  Schema.TaggedStruct("Watch", { keys: Words }),
  /** All commands, if all keys have the versions still. */
  Schema.TaggedStruct("Transaction", { watched: Watched, commands: Schema.Array(Words) })
])
export type Step = typeof Step.Type

export const Request = Schema.Struct({ steps: Schema.Array(Step) })
export type Request = typeof Request.Type

/**
 * Of the first steps: as many as there are replies, one at least. The others were not executed, since the replies had
 * become `largestResponse` long, or since what comes next is asked in another way.
 */
export const Response = Schema.Array(Reply.schema)
export type Response = typeof Response.Type

/** In bytes: a response is one message. Of one step alone, it is refused. */
export const largestResponse = 6 * 1024 * 1024

/** About what it takes as a message. */
export const sizeOf = (reply: Reply.Reply): number => {
  switch (reply._tag) {
    case "Bulk":
      return reply.bytes.length + 8
    case "Multiple":
    case "Mapping":
      return reply.items.reduce((sum, item) => sum + sizeOf(item), 8)
    default:
      return 16
  }
}

export const tooLarge = Reply.failure(
  `ERR the answer would be larger than ${largestResponse} bytes. Ask for less at a time.`
)
