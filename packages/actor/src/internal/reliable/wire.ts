/** What a sender and a receiver say to each other. */
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"
import * as ActorSystem from "../../ActorSystem.ts"
import * as Messages from "../../Messages.ts"

/** The receiver had a session, and forgot it: which of the unacknowledged messages it took is not known any more. */
export class SessionForgotten extends Schema.TaggedError<SessionForgotten>()("SessionForgotten", {
  receiver: Schema.String
}) {
  override get message(): string {
    return `"${this.receiver}" has forgotten this sender, and with it which messages it took. Find out what is missing, and make a new sender; let it remember more \`sessions\`, or for longer`
  }
}

/** The receiver knows as many senders as it may. */
export class TooManySessions extends Schema.TaggedError<TooManySessions>()("TooManySessions", {
  receiver: Schema.String,
  sessions: Schema.Int
}) {
  override get message(): string {
    return `"${this.receiver}" remembers ${this.sessions} senders, as many as it may, and all were heard of lately`
  }
}

/** Sessions, lives and numbers of messages. A session's first message has number 1. */
const Serial = Schema.Int

/** What a sender is told of its messages. */
export const Acks = Messages.make("reliable/acks", {
  /**
   * "I am done with all below `done`, and take any below `limit`; of those below `missing` some have not come."
   */
  Done: Messages.tell({ session: Serial, done: Serial, limit: Serial, missing: Serial }),
  /** "I am done with this one": at least once. */
  Took: Messages.tell({ session: Serial, number: Serial }),
  /** "This one is no message that I know." */
  Refused: Messages.tell({ session: Serial, number: Serial, reason: Schema.String })
})
export type Acks = typeof Acks.definition

/** Where a session stands: done with all below `done`, has all below `taken` and those in `early`, takes any below `limit`. */
export const Standing = Schema.Struct({
  life: Serial,
  done: Serial,
  taken: Serial,
  early: Schema.Array(Serial),
  limit: Serial
})
export type Standing = typeof Standing.Type

const Unopened = Schema.Union([SessionForgotten, TooManySessions])

/** A message as bytes or, for a receiver in the same process, as it is. */
const Body = Schema.Uint8Array as unknown as Codec.MessageSchema<any>

const definition = {
  /** "Where do we stand? All below `first` is done with. I knew you by this `life`", or 0. */
  Open: Messages.ask(
    { session: Serial, life: Serial, first: Serial, sender: ActorSystem.Ref(Acks) },
    { reply: Standing, failure: Unopened as unknown as Codec.MessageSchema<typeof Unopened.Type> }
  ),
  /** "Take this one in its turn, once." */
  Deliver: Messages.tell({ session: Serial, first: Serial, number: Serial, body: Body }),
  /** "Take this one": at least once. */
  Pass: Messages.tell({ session: Serial, number: Serial, sender: ActorSystem.Ref(Acks), body: Body }),
  /** "There will be no more." */
  Close: Messages.tell({ session: Serial })
}

export type Inbox = typeof definition

/** The name says what the messages inside are. */
export const inboxOf = (messages: Messages.Messages<any>): Messages.Messages<Inbox> =>
  Messages.make(`reliable/${messages.name}`, definition)

/** 1 to 2^48. */
export const serial = (random: number): number => 1 + Math.floor(random * 2 ** 48)
