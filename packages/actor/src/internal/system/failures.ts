/** How actors fail, and what they are refused. */
import { Schema } from "effect"
import { textOf } from "../defects.ts"

/** Two children of one parent cannot have one name. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", {
  name: Schema.String,
  parent: Schema.String
}) {
  override get message(): string {
    return `"${this.parent}" has a child "${this.name}" already. Stop it first, or give this one another name`
  }
}

/** A question was answered already. */
export class AnsweredTwice extends Schema.TaggedError<AnsweredTwice>()("AnsweredTwice", {
  actor: Schema.String,
  question: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" has answered this ${this.question} already: the first answer counts`
  }
}

/** A child failed, and its parent is to fail with it. */
export class ChildFailed extends Schema.TaggedError<ChildFailed>()("ChildFailed", {
  child: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `its child "${this.child}" failed: ${textOf(this.cause)}`
  }
}

/** An actor that this one is linked to failed for good. */
export class LinkBroken extends Schema.TaggedError<LinkBroken>()("LinkBroken", {
  actor: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `"${this.actor}", which it is linked to, failed: ${textOf(this.cause)}`
  }
}

/** A handler took longer than it may, and was interrupted. */
export class HandlerTimeout extends Schema.TaggedError<HandlerTimeout>()("HandlerTimeout", {
  actor: Schema.String,
  handler: Schema.String,
  millis: Schema.Number
}) {
  override get message(): string {
    return `"${this.actor}" was not done with ${this.handler} after ${this.millis} ms. Raise \`handlerTimeout\`, or do less at a time`
  }
}

/** As many messages were put aside as may. */
export class StashFull extends Schema.TaggedError<StashFull>()("StashFull", {
  actor: Schema.String,
  capacity: Schema.Int
}) {
  override get message(): string {
    return `"${this.actor}" has put ${this.capacity} messages aside, which is as many as its mailbox holds`
  }
}

/** At this path there is no actor that understands these messages. */
export class NoSuchActor extends Schema.TaggedError<NoSuchActor>()("NoSuchActor", {
  path: Schema.String,
  messages: Schema.String
}) {
  override get message(): string {
    return `There is no actor of "${this.messages}" at "${this.path}". Spawn it there first; those of other nodes are found in a system of \`ActorSystem.remote\``
  }
}
