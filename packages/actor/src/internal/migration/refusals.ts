/** Why an actor has not moved. */
import { Codec } from "@troupe/transport"
import { Schema } from "effect"

/** It cannot be taken out of where it is. */
export class NotMovable extends Schema.TaggedError<NotMovable>()("NotMovable", {
  actor: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" cannot move: ${this.reason}. It goes on where it is`
  }
}

/** The other node has no behaviour of this name. */
export class UnknownBehavior extends Schema.TaggedError<UnknownBehavior>()("UnknownBehavior", {
  behavior: Schema.String,
  node: Schema.String
}) {
  override get message(): string {
    return `"${this.node}" does not know how to be a "${this.behavior}": give it to \`Migration.layer\` there. The actor goes on where it is`
  }
}

/** The other node lacks services that the actor is bound to by type. */
export class MissingBindings extends Schema.TaggedError<MissingBindings>()("MissingBindings", {
  behavior: Schema.String,
  node: Schema.String,
  missing: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `A "${this.behavior}" needs ${this.missing.join(", ")}, and "${this.node}" has none: provide them to \`Migration.layer\` there. The actor goes on where it is`
  }
}

/** What was to move is not of its schema, at this end or at the other. */
export class ImageMismatch extends Schema.TaggedError<ImageMismatch>()("ImageMismatch", {
  behavior: Schema.String,
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `A "${this.behavior}" that moves is none to "${this.node}": ${this.reason}. Give both nodes the same schemas. The actor goes on where it is`
  }
}

/** The other node did not answer, or was taken for dead. */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>()("MigrationFailed", {
  actor: Schema.String,
  to: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" has not moved to "${this.to}": ${this.reason}`
  }
}

/** It may have moved, and may not have: who would have to say so is not heard. Nothing is lost, and no second one lives. */
export class MigrationInDoubt extends Schema.TaggedError<MigrationInDoubt>()("MigrationInDoubt", {
  actor: Schema.String,
  to: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Whether "${this.actor}" has moved to "${this.to}" is in doubt: ${this.reason}`
  }
}

export const Refusal = Schema.Union([
  NotMovable,
  UnknownBehavior,
  MissingBindings,
  ImageMismatch,
  MigrationFailed,
  MigrationInDoubt
])
export type Refusal = typeof Refusal.Type

export const refusals = Codec.binary(Refusal as unknown as Codec.MessageSchema<Refusal>)
