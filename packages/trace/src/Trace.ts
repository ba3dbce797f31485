/**
 * What happened in a run of a distributed system: one format for the driver, the simulator and the model checker.
 *
 * A trace is a header and events, one JSON object a line. An event is a step of one actor (what it was handed, what it
 * asked for), or something that befell a node or a message. Each event of a node carries its vector clock, so that what
 * came before what can be read off any two events: a before b exactly if a's clock is at most b's at a's own node.
 *
 * Messages have ids: the `Send` that made one, the step that received it and the `Lost` that says it never came agree on
 * it. A message that came twice is received twice under one id.
 *
 * Messages, commands, events and states are JSON when they are written. What isn't JSON is written as text: `12n`, `NaN`,
 * `undefined`, `Map(1) {"a" => 1}`; a field that is undefined is left out.
 *
 * @example
 * import { Trace } from "@troupe/trace"
 *
 * const trace: Trace.Trace = {
 *   header: Trace.header({ title: "hello", source: "driver", nodes: ["n1"] }),
 *   events: [{ _tag: "Crash", node: "n1", clock: { n1: 1 } }]
 * }
 * console.log(Trace.encode(trace).split("\n")[1]) // {"_tag":"Crash","node":"n1","clock":{"n1":1}}
 */
import { Effect, Result, Schema } from "effect"
import { line } from "./internal/Json.ts"

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
  Schema.TaggedStruct("Emit", { event: Schema.Unknown }),
  Schema.TaggedStruct("Persist", { record: Schema.Unknown })
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
  /** A program of the node sends a message by itself, on a channel that no actor speaks on. */
  Schema.TaggedStruct("Sent", {
    ...ofNode,
    channel: Schema.String,
    id: Schema.Int,
    to: Schema.String,
    message: Schema.Unknown
  }),
  /** A program of the node is handed such a message. */
  Schema.TaggedStruct("Received", {
    ...ofNode,
    channel: Schema.String,
    from: Schema.String,
    message: Schema.Unknown,
    id: Schema.optionalKey(Schema.Int)
  }),
  /** The node loses all that it knew. */
  Schema.TaggedStruct("Crash", ofNode),
  /** It comes back; its actors start anew. */
  Schema.TaggedStruct("Restart", ofNode),
  /** An actor ends, with its scope. */
  Schema.TaggedStruct("Stop", { ...ofNode, actor: Schema.String }),
  /** The message of this id is lost on its way. */
  Schema.TaggedStruct("Lost", {
    id: Schema.Int,
    /** Where it is known. */
    reason: Schema.optionalKey(Schema.String),
    atMillis: Schema.optionalKey(Schema.Number)
  }),
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
  nodes: Schema.Array(Schema.String),
  /** How many events at the beginning are not here any more. */
  dropped: Schema.optionalKey(Schema.Int)
})
export type Header = typeof Header.Type

export interface Trace {
  readonly header: Header
  readonly events: ReadonlyArray<Event>
}

/** An event that befell a node: it has a clock. */
export type NodeEvent = Extract<Event, { readonly clock: VectorClock }>

/** What is no trace: a line that is no event, an event of a node that the header does not name, an id that is sent twice. */
export class MalformedTrace extends Schema.TaggedError<MalformedTrace>()("MalformedTrace", {
  /** From 1. */
  line: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `Line ${this.line} of the trace: ${this.reason}`
  }
}

/** A header of this version. */
export const header = (of: Omit<Header, "_tag" | "version">): Header => ({ _tag: "Trace", version: 1, ...of })

/** The first line of a file, without its end. */
export const encodeHeader = (header: Header): string => line(header)

/** A further line, without its end. For traces that are written while they are made. */
export const encodeEvent = (event: Event): string => line(event)

/** A value as an event has it, in one line: JSON, with text in it where there is none. */
export const encodeValue = (value: unknown): string => line(value)

/** All lines, each with its end. */
export const encode = (trace: Trace): string => {
  const lines = [encodeHeader(trace.header)]
  for (const event of trace.events) lines.push(encodeEvent(event))
  return `${lines.join("\n")}\n`
}

/** Whether `a` may have had a part in bringing `b` about: Lamport's "happened before". */
export const happenedBefore = (a: NodeEvent, b: NodeEvent): boolean =>
  a !== b && a.clock[a.node]! <= (b.clock[a.node] ?? 0) && !(a.node === b.node && a.clock[a.node] === b.clock[b.node])

/** The sends of an event, of an actor's step or of a program, in order. */
export const sends = (event: Event): ReadonlyArray<Sending> => {
  if (event._tag === "Sent") return [event]
  if (event._tag !== "Step") return none
  return event.actions.filter((action) => action._tag === "Send")
}

export interface Sending {
  readonly id: number
  readonly to: string
  readonly message: unknown
}

/** What an event received. */
export const receipt = (
  event: Event
): { readonly from: string; readonly message: unknown; readonly id?: number } | undefined => {
  if (event._tag === "Received") return event
  return event._tag === "Step" && event.input._tag === "Message" ? event.input : undefined
}

const none: ReadonlyArray<Sending> = []

/**
 * Reads a trace line by line: the first is the header, each other one an event. Empty lines are passed over. Holds the
 * ids of what was sent, and nothing else.
 */
export class Decoder {
  header: Header | undefined
  private at = 0
  private readonly nodes = new Set<string>()
  private readonly sent = new Set<number>()

  /** The event of the next line; `undefined` when that was empty, or the header. */
  next(text: string): Result.Result<Event | undefined, MalformedTrace> {
    this.at++
    if (text.trim() === "") return Result.succeed(undefined)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return this.refuse(`it is not JSON: ${(error as Error).message}`)
    }
    return this.header === undefined ? this.first(value) : this.event(value)
  }

  private first(value: unknown): Result.Result<undefined, MalformedTrace> {
    const header = decodeHeader(value)
    if (Result.isFailure(header)) {
      return this.refuse(
        `a trace begins with {"_tag":"Trace","version":1,…}, and this is not that: ${header.failure.message}`
      )
    }
    this.header = header.success
    for (const node of this.header.nodes) {
      if (this.nodes.has(node)) return this.refuse(`it names node "${node}" twice`)
      this.nodes.add(node)
    }
    return Result.succeed(undefined)
  }

  private event(value: unknown): Result.Result<Event, MalformedTrace> {
    const decoded = decodeEvent(value)
    if (Result.isFailure(decoded)) return this.refuse(`it is no event: ${decoded.failure.message}`)
    const event = decoded.success
    const named =
      "node" in event ? [event.node, ...Object.keys(event.clock)] : "parts" in event ? event.parts.flat() : []
    const stranger = named.find((node) => !this.nodes.has(node))
    if (stranger !== undefined) return this.refuse(`the header does not name node "${stranger}"`)
    if ("node" in event && !(event.clock[event.node]! >= 1)) {
      return this.refuse(`the clock of node "${event.node}" does not count its own event`)
    }
    for (const { id } of sends(event)) {
      if (this.sent.has(id)) return this.refuse(`message ${id} is sent twice`)
      this.sent.add(id)
    }
    return Result.succeed(event)
  }

  private refuse(reason: string): Result.Result<never, MalformedTrace> {
    return Result.fail(new MalformedTrace({ line: Math.max(1, this.at), reason }))
  }

  /** Call it after the last line. */
  end(): Result.Result<Header, MalformedTrace> {
    return this.header === undefined ? this.refuse("there is none: the file is empty") : Result.succeed(this.header)
  }
}

const decodeHeader = Schema.decodeUnknownResult(Header)
const decodeEvent = Schema.decodeUnknownResult(Event)

/** Reads what `encode` writes. */
export const decode = (text: string): Effect.Effect<Trace, MalformedTrace> =>
  Effect.suspend(() => {
    const decoder = new Decoder()
    const events: Array<Event> = []
    for (let from = 0; from < text.length;) {
      const found = text.indexOf("\n", from)
      const end = found < 0 ? text.length : found
      const event = decoder.next(text.slice(from, end))
      if (Result.isFailure(event)) return Effect.fail(event.failure)
      if (event.success !== undefined) events.push(event.success)
      from = end + 1
    }
    return Effect.map(Effect.fromResult(decoder.end()), (header) => ({ header, events }))
  })
