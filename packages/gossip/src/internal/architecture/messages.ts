/** What front ends and replica managers say to each other. */
import { type Codec, NodeId } from "@troupe/transport"
import { Schema } from "effect"
import type { Application } from "./application.ts"

const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
/** Of a node's clock, in milliseconds since 1970. */
const Time = Schema.Number

/** More parts than any system has replica managers. */
const partsMax = 1_024
/** How many records a message holds at the most. */
export const recordsMax = 4_096

export const Timestamp = Schema.Array(Natural).check(Schema.isMaxLength(partsMax))
export type Timestamp = typeof Timestamp.Type

/**
 * How an update is ordered. `causal`: after what its client had seen. `forced`: also in one order with all other forced
 * updates. `immediate`: also in one place among all updates.
 */
export const Order = Schema.Literals(["causal", "forced", "immediate"])
export type Order = typeof Order.Type

/** Why a request was refused. */
export const Reason = Schema.Literals([
  /** It took longer than the bound on delays, or its clock and mine differ by more. */
  "clock",
  /** My log, or a table, has no room. */
  "full",
  /** I take no updates. */
  "read-only",
  /** I have lost my memory. */
  "forgotten",
  /** Not all replica managers could be reached, as an immediate update needs it. */
  "unreachable",
  /** Its timestamp has other parts than mine. */
  "layout"
])
export type Reason = typeof Reason.Type

const records = <U>(updates: Schema.Codec<U, any>) =>
  Schema.Union([
    /** A client's update. What is ordered by agreement is of the last part. */
    Schema.TaggedStruct("Update", {
      part: Natural,
      number: Natural,
      prev: Timestamp,
      client: Schema.String,
      sequence: Natural,
      /** The client will not repeat its requests up to this one. */
      answered: Natural,
      time: Time,
      update: updates,
      order: Order
    }),
    /** A client's word that it will not repeat its requests up to `answered`. */
    Schema.TaggedStruct("Ack", {
      part: Natural,
      number: Natural,
      client: Schema.String,
      answered: Natural,
      time: Time
    }),
    /** Nothing, in a place of the agreed order that has to be filled. */
    Schema.TaggedStruct("Nothing", { part: Natural, number: Natural, prev: Timestamp })
  ])

const requests = <U>(updates: Schema.Codec<U, any>) =>
  Schema.Struct({
    /** Its front end. */
    node: NodeId.NodeId,
    life: Natural,
    sequence: Natural,
    answered: Natural,
    time: Time,
    prev: Timestamp,
    update: updates,
    order: Order
  })

const messages = <U, Q, A>(
  updates: Schema.Codec<U, any>,
  queries: Schema.Codec<Q, any>,
  answers: Schema.Codec<A, any>
) => {
  const LogRecord = records(updates)
  const Records = Schema.Array(LogRecord).check(Schema.isMaxLength(recordsMax))
  const Accepted = Schema.Struct({ ballot: Natural, record: LogRecord })
  return Schema.Union([
    /** "Make this update", of a front end. The same in every attempt. */
    Schema.TaggedStruct("Update", { request: requests(updates) }),
    /** "Answer this, of a value that includes `prev`." */
    Schema.TaggedStruct("Query", { life: Natural, sequence: Natural, prev: Timestamp, query: queries }),
    /** "I will not repeat my requests up to `answered`." */
    Schema.TaggedStruct("Ack", { life: Natural, answered: Natural, time: Time }),
    /** "Your update is in the log; this is its timestamp." */
    Schema.TaggedStruct("Updated", { life: Natural, sequence: Natural, timestamp: Timestamp }),
    /** "This is the answer, of a value of that timestamp." */
    Schema.TaggedStruct("Answered", { life: Natural, sequence: Natural, answer: answers, timestamp: Timestamp }),
    Schema.TaggedStruct("Refused", { life: Natural, sequence: Natural, reason: Reason }),

    /** "This is what you may lack; `timestamp` is all that I have." With `more`: it is not all that you may lack. */
    Schema.TaggedStruct("Gossip", { timestamp: Timestamp, clock: Time, records: Records, more: Schema.Boolean }),
    /** "This is what I have." With `asks`: send me what I lack. */
    Schema.TaggedStruct("Heard", { timestamp: Timestamp, clock: Time, asks: Schema.Boolean }),

    /** "A client asks for a place in the agreed order." */
    Schema.TaggedStruct("Forward", { request: requests(updates) }),
    /** "I want to lead: promise to follow no lower ballot. I have `committed` of the agreed records." */
    Schema.TaggedStruct("Lead", { ballot: Natural, committed: Natural }),
    /** "I promise. These are agreed, up to `committed`; this I have accepted; that place my updates wait for." */
    Schema.TaggedStruct("Promise", {
      ballot: Natural,
      committed: Natural,
      records: Records,
      accepted: Schema.NullOr(Accepted),
      frozen: Natural
    }),
    /** "Take no updates until place `number` is filled, and tell me all that you have." */
    Schema.TaggedStruct("Freeze", { ballot: Natural, number: Natural }),
    Schema.TaggedStruct("Frozen", { ballot: Natural, number: Natural, timestamp: Timestamp, records: Records }),
    /** "Accept this record in its place; those `before` it are agreed." */
    Schema.TaggedStruct("Propose", { ballot: Natural, record: LogRecord, before: Records }),
    Schema.TaggedStruct("Accepted", { ballot: Natural, number: Natural }),
    /** "I have promised to follow a higher ballot." */
    Schema.TaggedStruct("Overruled", { ballot: Natural })
  ])
}

export type Message = ReturnType<typeof messages<unknown, unknown, unknown>>["Type"]
export type MessageOf<Tag extends Message["_tag"]> = Extract<Message, { readonly _tag: Tag }>
export type LogRecord = ReturnType<typeof records<unknown>>["Type"]
export type UpdateRecord = Extract<LogRecord, { readonly _tag: "Update" }>
/** A client's update on its way into the log. */
export type Request = ReturnType<typeof requests<unknown>>["Type"]
/** A record that this node has accepted in its place, by that ballot. */
export interface AcceptedRecord {
  readonly ballot: number
  readonly record: LogRecord
}

export const messageOf = (application: Application<any, any, any, any>): Codec.MessageSchema<Message> =>
  messages<any, any, any>(
    application.updates as Schema.Codec<any, any>,
    application.queries as Schema.Codec<any, any>,
    application.answers as Schema.Codec<any, any>
  ) as unknown as Codec.MessageSchema<Message>

const persisted = (application: Application<any, any, any, any>) => {
  const LogRecord = records(application.updates as Schema.Codec<any, any>)
  return Schema.Union([
    /** It entered the log. */
    Schema.TaggedStruct("Logged", { record: LogRecord }),
    /** No lower ballot is followed from here on. */
    Schema.TaggedStruct("Promised", { ballot: Natural }),
    Schema.TaggedStruct("Accepted", { ballot: Natural, record: LogRecord }),
    /** No updates are taken until that place is filled. */
    Schema.TaggedStruct("Frozen", { number: Natural }),
    /** All that came before. */
    Schema.TaggedStruct("Snapshot", {
      timestamp: Timestamp,
      valueTimestamp: Timestamp,
      value: application.values as Schema.Codec<any, any>,
      agreed: Timestamp,
      floor: Timestamp,
      log: Schema.Array(LogRecord),
      clients: Schema.Array(
        Schema.Struct({
          client: Schema.String,
          answered: Natural,
          settled: Natural,
          time: Time,
          updates: Schema.Array(
            Schema.Struct({
              sequence: Natural,
              timestamp: Timestamp,
              time: Time,
              isExecuted: Schema.Boolean,
              inLog: Natural
            })
          )
        })
      )
    })
  ])
}

export type Persisted = ReturnType<typeof persisted>["Type"]

export const persistedOf = (application: Application<any, any, any, any>): Codec.MessageSchema<Persisted> =>
  persisted(application) as unknown as Codec.MessageSchema<Persisted>
