/**
 * How others reach an actor, and what can become of that.
 *
 * A reference stays good: what is sent to an actor that has stopped is a dead letter, and who asks it is told so.
 */
import { type Cause, type Duration, type Effect, Schema } from "effect"
import { textOf } from "./internal/defects.ts"
import type { AskTag, Definition, FailureOf, MessageOf, ReplyOf } from "./Messages.ts"

export interface ActorRef<in out D extends Definition> {
  /** Where it stands among actors: its parents' names and its own, as in "orders/17". */
  readonly path: string
  /**
   * Puts a message into the mailbox. Never waits, and never runs the actor. Throws `MailboxFull` where the mailbox is full
   * and is to say so; of an actor of another node, `MessageTooLarge` or `Misunderstood` where it cannot be sent.
   */
  tell(message: MessageOf<D>): void
  /** The same, and waits for room where the mailbox is to make tellers wait. */
  send(message: MessageOf<D>): Effect.Effect<void, MailboxFull | ActorStopped | MessageTooLarge | Misunderstood>
  /** Asks, and waits for the answer. */
  ask<Tag extends AskTag<D>>(
    message: MessageOf<D, Tag> & { readonly _tag: Tag },
    options?: AskOptions
  ): Effect.Effect<ReplyOf<D, Tag>, FailureOf<D, Tag> | AskError>
}

export interface AskOptions {
  /** How long an answer may take. Default: 5 seconds. */
  readonly timeout?: Duration.Input
}

/** No answer came in time. The question may have been taken, or may yet be. */
export class AskTimeout extends Schema.TaggedError<AskTimeout>()("AskTimeout", {
  actor: Schema.String,
  question: Schema.String,
  millis: Schema.Number
}) {
  override get message(): string {
    return `"${this.actor}" has not answered ${this.question} within ${this.millis} ms. It may have been taken, or may yet be`
  }
}

/** The actor has stopped, and will not answer. */
export class ActorStopped extends Schema.TaggedError<ActorStopped>()("ActorStopped", {
  actor: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" has stopped, or nobody is there: what it is told is lost, and no question answered`
  }
}

/** The actor failed at the question, by a defect of its own. */
export class HandlerFailed extends Schema.TaggedError<HandlerFailed>()("HandlerFailed", {
  actor: Schema.String,
  question: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `"${this.actor}" failed at ${this.question}: ${textOf(this.cause)}`
  }
}

/** As many messages wait for the actor as may. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  actor: Schema.String,
  capacity: Schema.Int
}) {
  override get message(): string {
    return `${this.capacity} messages wait for "${this.actor}", which is as many as may. Tell it less, or choose what becomes of more`
  }
}

/** It has no handler for the question, or the question or its answer is none of those that were agreed on. */
export class Misunderstood extends Schema.TaggedError<Misunderstood>()("Misunderstood", {
  actor: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" does not understand: ${this.reason}. Both sides need the same messages, and what is sent must be one of them`
  }
}

/** The message, or the answer, is larger than what the transport carries. */
export class MessageTooLarge extends Schema.TaggedError<MessageTooLarge>()("MessageTooLarge", {
  actor: Schema.String,
  /** The tag of the message, or of the question that was answered. */
  what: Schema.String,
  bytes: Schema.Int,
  maxBytes: Schema.Int
}) {
  override get message(): string {
    return `${this.what} of "${this.actor}" takes ${this.bytes} bytes, and its transport carries ${this.maxBytes}. Send it in parts, or raise the transport's limit`
  }
}

/** Its node is not heard of any more. The question may have been taken. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  actor: Schema.String,
  node: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" cannot be reached: node "${this.node}" is down, or is none that the transport knows`
  }
}

/** What can become of any question, besides its answer. */
export type AskError =
  | AskTimeout
  | ActorStopped
  | HandlerFailed
  | MailboxFull
  | MessageTooLarge
  | Misunderstood
  | Unreachable

const askErrors = [
  AskTimeout,
  ActorStopped,
  HandlerFailed,
  MailboxFull,
  MessageTooLarge,
  Misunderstood,
  Unreachable
] as const

/**
 * Tells these from the question's own failures. A handler that asks another actor passes those on, and fails at these.
 *
 * @example
 * import { type ActorRef, isAskError, Messages } from "@troupe/actor"
 * import { Effect, Schema } from "effect"
 *
 * class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { left: Schema.Int }) {}
 *
 * const Shelf = Messages.make("shelf", { Take: Messages.ask({}, { reply: Schema.Int, failure: OutOfStock }) })
 *
 * export const take = (shelf: ActorRef<typeof Shelf.definition>): Effect.Effect<number, OutOfStock> =>
 *   Effect.catchIf(shelf.ask({ _tag: "Take" }), isAskError, Effect.die)
 */
export const isAskError = (error: unknown): error is AskError => askErrors.some((each) => error instanceof each)

/** Why an actor is no more. */
export type Reason =
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<unknown> }
  /** Its node is taken for dead; it may live. */
  | { readonly _tag: "Unreachable"; readonly node: string }
