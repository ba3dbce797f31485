/**
 * What happened in a run of a distributed system: one format for the driver, the simulator and the model checker.
 *
 * A trace is a header and events, one JSON object a line. An event is a step of one actor (what it was handed, what it
 * asked for), or something that befell a node or a message. Each event of a node carries its vector clock, so that what
 * came before what can be read off any two events: a before b exactly if a's clock is at most b's at a's own node.
 *
 * Messages have ids: the `Send` that made one, the step that received it and the `Lost` that says it never came agree on
 * it. A message that came twice is received twice under one id.
 */
import { Schema } from "effect"

/** How many events of each node are known: 1 at the first event of a node, at its own place. */
export const VectorClock = Schema.Record(Schema.String, Schema.Int)
export type VectorClock = typeof VectorClock.Type

/** What a step was handed. */
export const Input = Schema.Union([
  Schema.TaggedStruct("Start", {}),
  Schema.TaggedStruct("Command", { command: Schema.Unknown }),
  /** `id` is that of the `Send`; none where it is unknown who sent it. */
  Schema.TaggedStruct("Message", {
    from: Schema.String,
    message: Schema.Unknown,
    id: Schema.optionalKey(Schema.Int)
  }),
  Schema.TaggedStruct("Timeout", { timer: Schema.String }),
  Schema.TaggedStruct("View", {
    view: Schema.Struct({ number: Schema.Int, members: Schema.Array(Schema.String) })
  })
])
export type Input = typeof Input.Type

/** What a step asked for, in order. */
export const Action = Schema.Union([
  Schema.TaggedStruct("Send", { id: Schema.Int, to: Schema.String, message: Schema.Unknown }),
  Schema.TaggedStruct("SetTimer", { timer: Schema.String, delayMillis: Schema.Number }),
  Schema.TaggedStruct("ClearTimer", { timer: Schema.String }),
  Schema.TaggedStruct("Emit", { event: Schema.Unknown })
])
export type Action = typeof Action.Type

const ofNode = {
  node: Schema.String,
  clock: VectorClock,
  /** Virtual or real milliseconds; none where time has no measure, as in a model checker. */
  atMillis: Schema.optionalKey(Schema.Number)
}

export const Event = Schema.Union([
  Schema.TaggedStruct("Step", {
    ...ofNode,
    actor: Schema.String,
    input: Input,
    actions: Schema.Array(Action),
    /** After the step. */
    state: Schema.optionalKey(Schema.Unknown),
    /** What the handler threw. */
    failure: Schema.optionalKey(Schema.String)
  }),
  /** The node loses all that it knew. */
  Schema.TaggedStruct("Crash", ofNode),
  /** It comes back; its actors start anew. */
  Schema.TaggedStruct("Restart", ofNode),
  /** An actor ends, with its scope. */
  Schema.TaggedStruct("Stop", { ...ofNode, actor: Schema.String }),
  /** The message of this id is lost on its way. */
  Schema.TaggedStruct("Lost", { id: Schema.Int, atMillis: Schema.optionalKey(Schema.Number) }),
  /** The network is split: nothing passes between nodes of different parts. One part with all nodes heals it. */
  Schema.TaggedStruct("Split", {
    parts: Schema.Array(Schema.Array(Schema.String)),
    atMillis: Schema.optionalKey(Schema.Number)
  }),
  /** A remark on the run at this point; `broken` where it is that a property does not hold. */
  Schema.TaggedStruct("Note", {
    text: Schema.String,
    broken: Schema.Boolean,
    /** Where it shows; none: in the whole. */
    nodes: Schema.optionalKey(Schema.Array(Schema.String)),
    atMillis: Schema.optionalKey(Schema.Number)
  })
])
export type Event = typeof Event.Type

/** The first line. */
export const Header = Schema.TaggedStruct("Trace", {
  version: Schema.Literal(1),
  title: Schema.String,
  source: Schema.Literals(["driver", "simulation", "model-checker"]),
  /** In the order of lanes. */
  nodes: Schema.Array(Schema.String)
})
export type Header = typeof Header.Type

export interface Trace {
  readonly header: Header
  readonly events: ReadonlyArray<Event>
}
