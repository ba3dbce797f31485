/**
 * How an actor fails.
 */
import { Schema } from "effect"
import { textOf } from "./defects.ts"

export class ActorFailed extends Schema.TaggedError<ActorFailed>()("ActorFailed", {
  node: Schema.String,
  actor: Schema.String,
  restarts: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Actor "${this.actor}" on node "${this.node}" stopped for good after ${this.restarts} restarts: ${textOf(this.cause)}`
  }
}

/** More inputs wait for an actor than it may hold: something tells it commands from inside its own events, without end. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  node: Schema.String,
  actor: Schema.String
}) {
  override get message(): string {
    return `${mailboxLimit} inputs wait for actor "${this.actor}" on node "${this.node}" already`
  }
}

export const mailboxLimit = 65_536
