/** How servers fail. */
import { Schema } from "effect"
import { textOf } from "../defects.ts"

/** A thread of a server is no more, though nobody ended it. */
export class ThreadDied extends Schema.TaggedError<ThreadDied>()("ThreadDied", {
  actor: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `a thread of "${this.actor}" died: ${textOf(this.cause)}`
  }
}
