/** What the nodes that share a lease say, know and are told. */
import type { Protocol } from "@troupe/actor"
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import * as Served from "./served.ts"

/** The longest lease: for so long a crashed holder keeps everybody waiting. */
export const longestMillis = 3_600_000

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What the register holds. */
export const Record = Schema.Struct({
  /** `null`: nobody. */
  holder: Schema.NullOr(NodeId.NodeId),
  /** The version at which the holder took it. */
  token: Natural,
  /** How long others wait after this sign of the holder. */
  leaseMillis: Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: longestMillis }))
})
export type Record = typeof Record.Type

export const Message = Schema.Union([
  ...Served.Message.members,
  /** To the holder: "tell me when you free it". */
  Schema.TaggedStruct("Waiting", {}),
  /** To the first who waits: "it is free, since this version; these wait after you". */
  Schema.TaggedStruct("Freed", { version: Natural, waiters: Schema.Array(NodeId.NodeId) })
])
export type Message = typeof Message.Type

export interface Sighting {
  readonly version: number
  readonly record: Record
}

/** What is to be done with a register that is somewhere else. */
export type Request =
  | { readonly _tag: "Read" }
  | { readonly _tag: "CompareAndSet"; readonly expected: number; readonly record: Record }

/** What came of it. */
export type Answer =
  /** What there is: of a read, or where another version was expected. */
  | ({ readonly _tag: "Is" } & Sighting)
  | { readonly _tag: "Set"; readonly version: number }
  /** It is not known whether it was set. */
  | { readonly _tag: "Unavailable" }

/** Of the local user, who has the register. */
export interface Answered {
  readonly _tag: "Answered"
  readonly call: number
  readonly answer: Answer
}

export type Event =
  /** A register that is somewhere else is asked; the answer comes back as `Answered`, with the same `call`. */
  | { readonly _tag: "Ask"; readonly call: number; readonly request: Request }
  /** This node has the lease. */
  | { readonly _tag: "Acquired"; readonly token: number }
  /** It has not been renewed in time, and is about to run out: whatever goes on under it must stop at once. */
  | { readonly _tag: "Lost"; readonly token: number }

export interface Options {
  /** How long others wait after the last sign of a holder. */
  readonly leaseMillis: number
  /** ρ: the clock of each node runs at a rate between 1 − ρ and 1 + ρ. */
  readonly driftBound: number
  /** How long before its time ends a holder stops. */
  readonly stopMillis: number
  /** How often who waits looks again, on the mean. */
  readonly pollMillis: number
  /** How one of the nodes serves the register; `undefined` where it is somewhere else. */
  readonly register: Served.Options | undefined
}

export type Timer =
  /** Shows the register a sign. */
  | "renew"
  /** The holder's time ends. */
  | "expire"
  /** The lease that was seen has stood for its time. */
  | "outlast"
  /** Looks at the register again. */
  | "poll"
  /** Asks the register again. */
  | "retry"

export type Purpose = "read" | "take" | "renew" | "free"

export interface State {
  /**
   * What this node wants of it: nothing, to know who has it, or to have it. `lost`: it has lost it, and its user has not
   * stopped yet, so that it must neither be freed nor taken.
   */
  readonly aim: "none" | "watch" | "hold" | "lost"
  /** What it has, by its own clock. */
  readonly held: { readonly token: number } | undefined
  /** What the register was at the latest answer; `undefined` where that may have been changed by this node since. */
  readonly seen: Sighting | undefined
  /** Whether `seen` is the lease of another node, and has stood for its time. */
  readonly outlasted: boolean
  /** The one question under way. Answers to earlier ones are ignored. */
  readonly call: { readonly number: number; readonly purpose: Purpose; readonly atMillis: number } | undefined
  /** How many questions there have been. */
  readonly calls: number
  /** The token of the latest lease of whose end this node has asked to be told. */
  readonly awaited: number
  /** Who waits for this node to free it, in the order of asking. */
  readonly waiters: ReadonlyArray<NodeId.NodeId>
  /** To whom this node has left it, free since that version: it does not take it first. Until it looks again. */
  readonly left: { readonly to: NodeId.NodeId; readonly version: number } | undefined
  /** The latest version since which it was free, as this node was told while it asked. */
  readonly freed: number
  /** This node's part of a register that is served by one of the nodes. */
  readonly register: Served.State
}

/** What these functions ask of a protocol's `act`. */
export type Act = Protocol.Actions<Message, Event, Timer, Options>

export const init: State = {
  aim: "none",
  held: undefined,
  seen: undefined,
  outlasted: false,
  call: undefined,
  calls: 0,
  awaited: 0,
  waiters: [],
  left: undefined,
  freed: 0,
  register: Served.init
}
