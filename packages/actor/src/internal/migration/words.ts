/** What nodes say to each other about actors that move. */
import { Codec } from "@troupe/transport"
import { Schema } from "effect"
import { Key, mostEntries } from "../receptionist/talk.ts"

/** In which span something was told or asked. */
const Trace = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  depth: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
})

/** Something for an actor, as it goes from where it arrived to where the actor is. */
export const Entry = Schema.Union([
  Schema.TaggedStruct("Message", { bytes: Schema.Uint8Array, trace: Schema.optionalKey(Trace) }),
  /** `node` knows who asks, by this number; 0 milliseconds: as long as it takes. */
  Schema.TaggedStruct("Question", {
    bytes: Schema.Uint8Array,
    node: Schema.String,
    number: Schema.Int,
    millis: Schema.Number,
    trace: Schema.optionalKey(Trace)
  }),
  Schema.TaggedStruct("Tick", { timer: Schema.String, generation: Schema.Int }),
  /** It ends after what came before. */
  Schema.TaggedStruct("Drain", {}),
  /** It ends. */
  Schema.TaggedStruct("Stop", {}),
  /** Somebody registers it with the receptionist, or takes it off. */
  Schema.TaggedStruct("Listing", { key: Key, isListed: Schema.Boolean }),
  /** The node that sends it holds the actor, and nothing else comes from it by this way. */
  Schema.TaggedStruct("Held", { epoch: Schema.Int }),
  /** The last by this way: others come by the next. */
  Schema.TaggedStruct("Mark", {}),
  /** The ways before this one have come to an end, and what was under way on them may be lost. */
  Schema.TaggedStruct("Skip", {}),
  /** A `Parcel` that another place has sent on. */
  Schema.TaggedStruct("Relayed", { parcel: Schema.Uint8Array })
])
export type Entry = typeof Entry.Type

/** `origin`: the place that it came through, by its so-manieth way. */
export const Parcel = Schema.Struct({ origin: Schema.String, way: Schema.Int, hops: Schema.Int, entry: Entry })
export type Parcel = typeof Parcel.Type

/** What has come of one origin. */
const Way = Schema.Struct({
  origin: Schema.String,
  open: Schema.Int,
  held: Schema.Array(Schema.Struct({ way: Schema.Int, entry: Entry }))
})
export type Way = typeof Way.Type

const Timer = Schema.Struct({
  timer: Schema.String,
  message: Schema.Uint8Array,
  everyMillis: Schema.Number,
  generation: Schema.Int,
  waits: Schema.Boolean,
  leftMillis: Schema.optionalKey(Schema.Number)
})

/** An actor that stands still. */
export const Image = Schema.Struct({
  state: Schema.Uint8Array,
  values: Schema.Array(Schema.Struct({ key: Schema.String, bytes: Schema.Uint8Array })),
  messages: Schema.Array(Entry),
  /** So many of them were put ahead of all others. */
  ahead: Schema.Int,
  stash: Schema.Array(Entry),
  timers: Schema.Array(Timer),
  generation: Schema.Int,
  receive: Schema.optionalKey(
    Schema.Struct({ afterMillis: Schema.Number, idleMillis: Schema.Number, message: Schema.Uint8Array })
  )
})
export type Image = typeof Image.Type

const Target = Schema.Struct({ life: Schema.Int, serial: Schema.Int, path: Schema.String })
export type Target = typeof Target.Type

export const Kind = Schema.Literals(["weak", "strong"])
export type Kind = typeof Kind.Type

const Moving = { id: Schema.String, epoch: Schema.Int }

const Word = Schema.Union([
  Schema.TaggedStruct("Offer", {
    ...Moving,
    behavior: Schema.String,
    kind: Kind,
    image: Image,
    ways: Schema.Array(Way),
    /** Where it has been: its addresses. */
    places: Schema.Array(Schema.String),
    /** What it is registered under. */
    keys: Schema.Array(Key).check(Schema.isMaxLength(mostEntries))
  }),
  Schema.TaggedStruct("Refused", { ...Moving, refusal: Schema.Uint8Array }),
  Schema.TaggedStruct("Abort", Moving),
  /** `entries`: what came while it stood still. */
  Schema.TaggedStruct("Commit", { ...Moving, entries: Schema.Array(Entry), ways: Schema.Array(Way) }),
  Schema.TaggedStruct("Alive", { ...Moving, target: Target }),
  /** The sender has no copy of it that could come alive. */
  Schema.TaggedStruct("Free", Moving),
  Schema.TaggedStruct("Forward", { id: Schema.String, parcel: Parcel }),
  /** The way is open: its mark came through. */
  Schema.TaggedStruct("Opened", { id: Schema.String, way: Schema.Int }),
  Schema.TaggedStruct("Answer", {
    number: Schema.Int,
    kind: Schema.Literals(["Reply", "Failure", "Refusal"]),
    bytes: Schema.Uint8Array
  }),
  /** As far as is known, it is at `place`. */
  Schema.TaggedStruct("Moved", { ...Moving, place: Schema.String }),
  Schema.TaggedStruct("Where", { id: Schema.String }),
  Schema.TaggedStruct("Unknown", { id: Schema.String }),
  /** `failure`: why, or empty where it has stopped. */
  Schema.TaggedStruct("Ended", { id: Schema.String, failure: Schema.String }),
  /** Asks for a move. Who asks knows the actor by an address, and others by its identity. */
  Schema.TaggedStruct("Request", {
    node: Schema.String,
    number: Schema.Int,
    to: Schema.String,
    kind: Kind,
    hops: Schema.Int,
    actor: Schema.Union([Target, Schema.String])
  }),
  Schema.TaggedStruct("Done", { number: Schema.Int, node: Schema.String, target: Target }),
  Schema.TaggedStruct("Failed", { number: Schema.Int, refusal: Schema.Uint8Array })
])
export type Word = typeof Word.Type

const codecOf = <A>(schema: Schema.Codec<A, any, never, never>): Codec.Codec<A> => Codec.binary(schema)

export const words = codecOf(Word)
export const parcels = codecOf(Parcel)
