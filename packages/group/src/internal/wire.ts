/**
 * What the nodes of a kernel say to each other. Members are ranks: indexes in the members of the view that a message names.
 */
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"
import type { Order } from "./order.ts"

interface Sent {
  readonly view: number
  /** Of the sender: a node that comes back without its memory has another. */
  readonly life: number
  readonly sequence: number
  readonly stamp: unknown
}

/** "To everybody." */
export interface Data<out Payload> extends Sent {
  readonly _tag: "Data"
  readonly payload: Payload
}

/** "To everybody, for the order's sake." */
export interface Control extends Sent {
  readonly _tag: "Control"
}

/** What a member numbers, keeps until all have it, and sends again. */
export type Numbered<Payload> = Data<Payload> | Control

/** "So many of each member's messages have I received." */
export interface Report {
  readonly _tag: "Report"
  readonly view: number
  readonly received: ReadonlyArray<number>
  /** "And you?" */
  readonly asks: boolean
}

/** "I lack these messages of `rank`, both numbers included." */
export interface Missing {
  readonly _tag: "Missing"
  readonly view: number
  readonly rank: number
  readonly from: number
  readonly to: number
}

/** "Here is what you lack of `rank`." */
export interface Repair<out Payload> {
  readonly _tag: "Repair"
  readonly view: number
  readonly rank: number
  readonly message: Numbered<Payload>
}

/** "All have said that they have message `sequence` of `rank`, you too: I don't keep it any more." */
export interface Gone {
  readonly _tag: "Gone"
  readonly view: number
  readonly rank: number
  readonly sequence: number
}

/** "I know another life of yours as the member of this view." */
export interface Stranger {
  readonly _tag: "Stranger"
  readonly view: number
  readonly life: number
}

/** What one order says to another. */
export interface Note {
  readonly _tag: "Note"
  readonly view: number
  readonly note: unknown
}

/**
 * "I send nothing more in this view. Of its messages I have these, and receive no others but what a survivor has told of in
 * this attempt." `attempt` is the number of the latest view that the sender knows of.
 */
export interface Flush {
  readonly _tag: "Flush"
  readonly view: number
  readonly attempt: number
  /** As the attempt began. */
  readonly received: ReadonlyArray<number>
  /** "And by now I have all that any survivor has." */
  readonly ready: boolean
}

/** "I have gone on from this view: so every survivor has all of it that is to be delivered." */
export interface Installed {
  readonly _tag: "Installed"
  readonly view: number
}

// The state for members that joined in `view`: whatever view the sender or the receiver is in by now.

/** "I have the state for you, of so many bytes." */
export interface Offer {
  readonly _tag: "Offer"
  readonly view: number
  readonly bytes: number
}

/** "Send it to me from there on." */
export interface Want {
  readonly _tag: "Want"
  readonly view: number
  readonly offset: number
}

/** "Here is a piece of it; after the last, ask on." */
export interface Piece {
  readonly _tag: "Piece"
  readonly view: number
  readonly offset: number
  readonly bytes: Uint8Array
  readonly isLast: boolean
}

/** "I have it all: you need not keep it for me." */
export interface Have {
  readonly _tag: "Have"
  readonly view: number
}

export type Message<Payload> =
  | Numbered<Payload>
  | Report
  | Missing
  | Repair<Payload>
  | Gone
  | Stranger
  | Note
  | Flush
  | Installed
  | Offer
  | Want
  | Piece
  | Have

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const messageSchema = <Payload>(
  order: Order<any, any, any>,
  payload: Codec.MessageSchema<Payload>
): Codec.MessageSchema<Message<Payload>> => {
  const sent = { view: Natural, life: Natural, sequence: Natural, stamp: order.stamp }
  const data = Schema.TaggedStruct("Data", { ...sent, payload })
  const control = Schema.TaggedStruct("Control", sent)
  return Schema.Union([
    data,
    control,
    Schema.TaggedStruct("Report", { view: Natural, received: Schema.Array(Natural), asks: Schema.Boolean }),
    Schema.TaggedStruct("Missing", { view: Natural, rank: Natural, from: Natural, to: Natural }),
    Schema.TaggedStruct("Repair", { view: Natural, rank: Natural, message: Schema.Union([data, control]) }),
    Schema.TaggedStruct("Gone", { view: Natural, rank: Natural, sequence: Natural }),
    Schema.TaggedStruct("Stranger", { view: Natural, life: Natural }),
    Schema.TaggedStruct("Note", { view: Natural, note: order.note ?? Schema.Null }),
    Schema.TaggedStruct("Flush", {
      view: Natural,
      attempt: Natural,
      received: Schema.Array(Natural),
      ready: Schema.Boolean
    }),
    Schema.TaggedStruct("Installed", { view: Natural }),
    Schema.TaggedStruct("Offer", { view: Natural, bytes: Natural }),
    Schema.TaggedStruct("Want", { view: Natural, offset: Natural }),
    Schema.TaggedStruct("Piece", { view: Natural, offset: Natural, bytes: Schema.Uint8Array, isLast: Schema.Boolean }),
    Schema.TaggedStruct("Have", { view: Natural })
  ]) as unknown as Codec.MessageSchema<Message<Payload>>
}
