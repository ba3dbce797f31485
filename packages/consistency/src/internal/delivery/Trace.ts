/** What a trace of deliveries is, and what is said of it. */
import { Schema } from "effect"

/** Names a message. Two messages of a trace have two names. */
export type Id = string | { readonly from: string; readonly sequence: number; readonly view?: number }

export type Event =
  /** The application asks for it to be sent. Where sending was refused there is no such event. */
  | { readonly _tag: "Send"; readonly id: Id }
  | {
      readonly _tag: "Deliver"
      readonly id: Id
      /** Whom it is said to be from, and the view that it is said to have been sent in; checked where they are given. */
      readonly from?: string
      readonly view?: number
    }
  | { readonly _tag: "View"; readonly number: number; readonly members: ReadonlyArray<string> }
  /** The node loses all that it knew. What follows is its next life. */
  | { readonly _tag: "Crash" }

/** The events of each node, in the node's order. */
export type Trace = ReadonlyMap<string, ReadonlyArray<Event>>

export type Verdict =
  | { readonly _tag: "Ok" }
  | {
      readonly _tag: "Violated"
      /** The rule that is broken, in lower case. */
      readonly rule: string
      /** Where it shows: up to here, the events of that node break nothing. */
      readonly node: string
      /** The index in the node's events; their number where something is missing at the end. */
      readonly index: number
      /** In a sentence that names nodes and messages. */
      readonly reason: string
    }

/** A trace that cannot be: a message that is sent twice, a view with two lists of members at one node, an unknown event. */
export class MalformedDeliveries extends Schema.TaggedError<MalformedDeliveries>()("MalformedDeliveries", {
  node: Schema.String,
  index: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `Event ${this.index} of node ${this.node}: ${this.reason}`
  }
}
