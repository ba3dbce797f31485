/** What receptionists tell each other: who is registered with them, and how much of that the other one has heard. */
import { Schema } from "effect"
import * as Messages from "../../Messages.ts"

/** Who is registered on one node, under all keys together. */
export const mostEntries = 4_096

/** In one message, so that it fits into a datagram where names are short. */
export const mostAtOnce = 16

/** Characters of a key's name, and of its messages' name. */
export const mostCharacters = 256

/** Where it stands among actors, at the most so many characters. */
export const mostPath = 1_024

const Name = Schema.String.check(Schema.isMaxLength(mostCharacters))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What actors are registered under, by names alone. */
export const Key = Schema.Struct({ name: Name, messages: Name })
export type Key = typeof Key.Type

/** Somebody is registered: `id` says when, among all of the owner's life. */
export const Entry = Schema.Struct({
  id: Count,
  key: Name,
  messages: Name,
  /** Of one that has come from elsewhere: who it is, and which of its places this is. */
  moved: Schema.optionalKey(Schema.Struct({ actor: Schema.String.check(Schema.isMaxLength(mostPath)), epoch: Count })),
  life: Count,
  serial: Count,
  path: Schema.String.check(Schema.isMaxLength(mostPath))
})
export type Entry = typeof Entry.Type

/** `entry`: registered. Without it: no more. */
export const Change = Schema.Struct({ id: Count, entry: Schema.optionalKey(Entry) })
export type Change = typeof Change.Type

/** The owner, and which of its lives is speaking. */
const owner = { node: Schema.String, life: Count }

/** "Of me there are so many changes by now." */
const compare = {
  ...owner,
  version: Count,
  /** Higher in each such message of this life. */
  round: Count,
  /** "The latest that I had of you": what answers a round was sent after it. */
  heardLife: Count,
  heardRound: Count,
  /** "Tell me the same of you." */
  asks: Schema.Boolean
}

export const Talk = Messages.make("receptionist", {
  Compare: Messages.tell(compare),
  /** "After `before` changes, there were these." */
  Changed: Messages.tell({
    ...owner,
    before: Count,
    changes: Schema.Array(Change).check(Schema.isMaxLength(mostAtOnce))
  }),
  /** "I lack some of what you, in this life, have." */
  Fetch: Messages.tell(owner),
  /** "At this version there are these", in parts from 0. */
  Part: Messages.tell({
    ...owner,
    version: Count,
    part: Count,
    parts: Count,
    entries: Schema.Array(Entry).check(Schema.isMaxLength(mostAtOnce))
  })
})

export type Said<Tag extends keyof typeof Talk.definition> = Messages.MessageOf<typeof Talk.definition, Tag>
