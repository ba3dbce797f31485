/**
 * What nodes say to each other, and write to their disks: what belongs to many keys goes together.
 */
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"
import type * as Machine from "../../Machine.ts"
import { Ballot } from "./ballots.ts"
import type { Copy, Entry } from "./registers.ts"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What a coordinator asks a replica about a key. `round` is the coordinator's, and comes back with the vote. */
export type Ask =
  /** "What do you hold of it? I have a copy of the version `have`." */
  | { readonly _tag: "Read"; readonly round: number; readonly key: string; readonly have: Ballot }
  /** "Promise to take nothing of lower ballots, and say what you hold." */
  | {
      readonly _tag: "Prepare"
      readonly round: number
      readonly key: string
      readonly ballot: Ballot
      readonly have: Ballot
    }
  /**
   * "Hold this", of the coordinator's own ballot or of another's, which may not have come so far. Round 0: no answer.
   * `ahead`: "and promise me the next ballot".
   */
  | {
      readonly _tag: "Accept"
      readonly round: number
      readonly key: string
      readonly copy: Copy
      readonly ahead?: true
    }
  /** "All hold it as gone, by that version: it may be forgotten." */
  | { readonly _tag: "Forget"; readonly round: number; readonly key: string; readonly version: Ballot }

export type Vote =
  /** "I hold that version", and the copy where the coordinator has an older one; `Promised`: to a Prepare, "I promise, too". */
  | {
      readonly _tag: "Holds" | "Promised"
      readonly round: number
      readonly key: string
      readonly version: Ballot
      readonly copy?: Copy
    }
  | { readonly _tag: "Accepted"; readonly round: number; readonly key: string }
  /** "I have promised that one, which is higher", or as high and the key is `absent` here. */
  | {
      readonly _tag: "Refused"
      readonly round: number
      readonly key: string
      readonly promised: Ballot
      readonly absent?: true
    }
  | { readonly _tag: "Forgotten"; readonly round: number; readonly key: string }

/** What a replica says that it holds. */
export type Held = Extract<Vote, { readonly version: Ballot }>

/** `life` is the coordinator's. Without asks: "are you there?" */
export type Message =
  | { readonly _tag: "Asks"; readonly life: number; readonly asks: ReadonlyArray<Ask> }
  | { readonly _tag: "Votes"; readonly life: number; readonly votes: ReadonlyArray<Vote> }

export type Record = ReadonlyArray<Entry>

/** A copy, of a machine. */
export const copyOf = ({ update }: Machine.Any) =>
  Schema.Struct({
    version: Ballot,
    past: Schema.Array(Ballot),
    now: Schema.Finite,
    first: Schema.optional(update),
    rest: Schema.Array(update)
  })

export const schemas = (
  machine: Machine.Any
): { readonly message: Codec.MessageSchema<Message>; readonly record: Codec.MessageSchema<Record> } => {
  const key = Schema.String
  const round = Natural
  const copy = copyOf(machine)
  const Ask = Schema.Union([
    Schema.TaggedStruct("Read", { round, key, have: Ballot }),
    Schema.TaggedStruct("Prepare", { round, key, ballot: Ballot, have: Ballot }),
    Schema.TaggedStruct("Accept", { round, key, copy, ahead: Schema.optionalKey(Schema.Literal(true)) }),
    Schema.TaggedStruct("Forget", { round, key, version: Ballot })
  ])
  const Vote = Schema.Union([
    Schema.TaggedStruct("Holds", { round, key, version: Ballot, copy: Schema.optionalKey(copy) }),
    Schema.TaggedStruct("Promised", { round, key, version: Ballot, copy: Schema.optionalKey(copy) }),
    Schema.TaggedStruct("Accepted", { round, key }),
    Schema.TaggedStruct("Refused", {
      ...{ round, key, promised: Ballot },
      absent: Schema.optionalKey(Schema.Literal(true))
    }),
    Schema.TaggedStruct("Forgotten", { round, key })
  ])
  const message = Schema.Union([
    Schema.TaggedStruct("Asks", { life: Natural, asks: Schema.Array(Ask) }),
    Schema.TaggedStruct("Votes", { life: Natural, votes: Schema.Array(Vote) })
  ])
  const record = Schema.Array(
    Schema.Union([
      Schema.TaggedStruct("Life", { life: Natural }),
      Schema.TaggedStruct("Promised", { key, ballot: Ballot }),
      Schema.TaggedStruct("Accepted", { key, copy, next: Schema.optionalKey(Ballot) }),
      Schema.TaggedStruct("Forgotten", { keys: Schema.Array(key), floor: Ballot })
    ])
  )
  return { message, record }
}
