import { Schema } from "effect"

/** A question that was waiting when its actor went back: who has asked asks again. */
export class RolledBack extends Schema.TaggedError<RolledBack>()("RolledBack", { member: Schema.String }) {
  override get message(): string {
    return `"${this.member}" has gone back to its last checkpoint. Ask again`
  }
}

/** Members that were not done with a message in time; all have gone on, and there is no new checkpoint. */
export class NotAtRest extends Schema.TaggedError<NotAtRest>()("NotAtRest", {
  members: Schema.Array(Schema.String),
  millis: Schema.Number
}) {
  override get message(): string {
    return `${this.members.map((member) => `"${member}"`).join(", ")} did not come to rest within ${this.millis} ms. Give it more \`patience\`; a handler should not wait for the answer of another member`
  }
}

/** What a member is, or what waits for it, is not of its schema: there is no new checkpoint. */
export class NotWritable extends Schema.TaggedError<NotWritable>()("NotWritable", {
  member: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.member}" cannot be written: ${this.reason}. Give it a schema that all of its states are of, without references`
  }
}

/** A member is in the checkpoint in another form. */
export class NotReadable extends Schema.TaggedError<NotReadable>()("NotReadable", {
  member: Schema.String,
  found: Schema.Int,
  known: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.member}" is in the checkpoint with version ${this.found}, and this program has version ${this.known}: ${this.reason}. Run the program that wrote it, or give this one an \`upcast\``
  }
}

/** There is none to go back to. */
export class NoCheckpoint extends Schema.TaggedError<NoCheckpoint>()("NoCheckpoint", { name: Schema.String }) {
  override get message(): string {
    return `"${this.name}" has no checkpoint yet. Save one first`
  }
}
