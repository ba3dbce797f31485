/**
 * Records what actors do: an observer for the driver, and the trace of what it saw.
 *
 * `recorder.observer` is an `Observer` of `@troupe/actor`: provide it, and each step of the actors that are spawned
 * becomes an event. A process that hosts some of the nodes records those; `merge` brings the traces of a run's processes
 * together.
 *
 * The driver does not say which send a message came from. The k-th of equal messages from A to B is taken for the first
 * such send that none was received of: right on links that neither duplicate nor lose, and on others never later than
 * the true one. What is received without such a send has no id.
 *
 * Where messages are stamped, none of that is needed: a transport that adds what `recorder.stamps` gives to each message,
 * such as `StampedTransport.traced` of `@troupe/clocks`, tells which send it came from, also where messages are lost,
 * doubled and overtake. It also tells of messages that no actor sends or receives.
 */
import { Clock, Effect } from "effect"

import { StampedChannel } from "./internal/StampedChannel.ts"
import { Unmatched } from "./internal/Unmatched.ts"
import * as Trace from "./Trace.ts"
import { VectorClocks } from "./VectorClocks.ts"

/** What the driver tells: the shape of the `Observer` of `@troupe/actor`. */
export interface Observer {
  readonly onSpawn: (actor: { readonly node: string; readonly actor: string; readonly state: unknown }) => void
  readonly onStep: (step: Step) => void
  readonly onStop: (actor: { readonly node: string; readonly actor: string }) => void
}

interface Step {
  readonly node: string
  readonly actor: string
  readonly input: Trace.Input
  readonly state: unknown
  readonly actions: ReadonlyArray<Action>
  readonly failure?: unknown
}

/** As `Trace.Action`, and a send has no id yet. */
type Action =
  | { readonly _tag: "Send"; readonly to: string; readonly message: unknown }
  | Exclude<Trace.Action, { readonly _tag: "Send" }>

export interface Options {
  readonly title: string
  /** In the order of lanes. Nodes that are not named follow as they are met. */
  readonly nodes?: ReadonlyArray<string>
  /** How many events are kept; the oldest are dropped, and counted. Default: 100,000. */
  readonly maxEvents?: number
  /** Whether events hold the state after the step. Default: true. */
  readonly states?: boolean
  /** Takes each event as it comes. Then none is kept, and `trace` has the header alone. */
  readonly sink?: (event: Trace.Event) => void
}

/** What a stamped message carries: the id of its send, and the vector clock of that event. */
export interface Stamp {
  readonly id: number
  readonly clock: Trace.VectorClock
}

/** Gives the stamps of messages, and takes those of messages that arrive. */
export interface Stamps {
  /** Of a channel of a node, from when it is opened: `send` before a message goes out, `receive` before it is handed over. */
  readonly open: (
    node: string,
    channel: string
  ) => {
    readonly send: (to: string, message: unknown) => Stamp
    readonly receive: (from: string, message: unknown, stamp: Stamp) => void
  }
}

export interface Recorder {
  readonly observer: Observer
  readonly stamps: Stamps
  /** Adds a remark at this point. */
  readonly note: (text: string, options?: { readonly broken?: boolean; readonly nodes?: ReadonlyArray<string> }) => void
  /** What was recorded so far. */
  readonly trace: () => Trace.Trace
}

/** A recorder whose events bear the time of the `Clock` at hand. */
export const make = (options: Options): Effect.Effect<Recorder> =>
  Effect.map(Clock.Clock, (clock) => {
    const recording = new Recording(options, clock)
    return {
      observer: recording,
      stamps: { open: (node, channel) => recording.open(node, channel) },
      note: recording.note,
      trace: () => recording.trace()
    }
  })

class Recording implements Observer {
  private readonly options: Options
  private readonly clock: Clock.Clock
  private readonly clocks = new VectorClocks()
  private readonly unmatched: Unmatched
  /** By node and channel: those whose messages are stamped. */
  private readonly stamped = new Map<string, Map<string, StampedChannel>>()
  private readonly nodes: Set<string>
  private readonly maxEvents: number
  private readonly keepsStates: boolean
  /** A ring: the oldest is at `oldest` once it is full. */
  private readonly events: Array<Trace.Event> = []
  private oldest = 0
  private dropped = 0
  private lastId = 0

  constructor(options: Options, clock: Clock.Clock) {
    this.options = options
    this.clock = clock
    this.nodes = new Set(options.nodes)
    this.maxEvents = Math.max(1, options.maxEvents ?? 100_000)
    this.keepsStates = options.states ?? true
    this.unmatched = new Unmatched(this.maxEvents)
  }

  /** The step of its start says it. */
  readonly onSpawn = ({ actor, node }: { readonly node: string; readonly actor: string }): void => {
    this.stamped.get(node)?.get(actor)?.spawned()
  }

  readonly onStep = ({ actions, actor, failure, input, node, state }: Step): void => {
    const isMessage = input._tag === "Message"
    const stamped = this.stamped.get(node)?.get(actor)
    stamped?.stepped()
    const send = isMessage
      ? stamped === undefined
        ? this.unmatched.take(actor, input.from, node, input.message)
        : stamped.take(input.message)
      : undefined
    const clock = this.clocks.tick(node, send?.clock)
    const event: Writable<Extract<Trace.Event, { readonly _tag: "Step" }>> = {
      _tag: "Step",
      node,
      clock,
      atMillis: this.clock.currentTimeMillisUnsafe(),
      actor,
      input: isMessage && send?.id !== undefined ? { ...input, id: send.id } : input,
      actions:
        actions.length === 0 ? nothing : actions.map((action) => this.number(node, actor, clock, stamped, action))
    }
    if (this.keepsStates) event.state = state
    if (failure !== undefined) event.failure = firstLine(failure)
    this.nodes.add(node)
    this.add(event)
  }

  readonly onStop = ({ actor, node }: { readonly node: string; readonly actor: string }): void => {
    this.stamped.get(node)?.delete(actor)
    this.nodes.add(node)
    this.add({
      _tag: "Stop",
      node,
      clock: this.clocks.tick(node),
      atMillis: this.clock.currentTimeMillisUnsafe(),
      actor
    })
  }

  /** A channel whose messages are stamped from now on. A node that comes back opens it anew. */
  open(node: string, channel: string): ReturnType<Stamps["open"]> {
    this.nodes.add(node)
    const stamped = new StampedChannel()
    const channels = this.stamped.get(node) ?? new Map<string, StampedChannel>()
    this.stamped.set(node, channels.set(channel, stamped))
    const event = (clock: Trace.VectorClock) => ({
      node,
      clock,
      atMillis: this.clock.currentTimeMillisUnsafe(),
      channel
    })
    return {
      send: (to, message) => {
        const asked = stamped.ask(to, message)
        if (asked !== undefined) return asked
        const stamp = { id: ++this.lastId, clock: this.clocks.tick(node) }
        this.add({ _tag: "Sent", ...event(stamp.clock), id: stamp.id, to, message })
        return stamp
      },
      receive: (from, message, stamp) => {
        // Another process numbers its messages too.
        const id = this.stamped.has(from) ? { id: stamp.id } : {}
        if (stamped.hand(message, { clock: stamp.clock, ...id })) return
        this.add({ _tag: "Received", ...event(this.clocks.tick(node, stamp.clock)), from, message, ...id })
      }
    }
  }

  readonly note: Recorder["note"] = (text, { broken = false, nodes } = {}) => {
    const note: Trace.Event = { _tag: "Note", text, broken, atMillis: this.clock.currentTimeMillisUnsafe() }
    this.add(nodes === undefined ? note : { ...note, nodes })
  }

  trace(): Trace.Trace {
    const { title } = this.options
    return {
      header: Trace.header({
        title,
        source: "driver",
        nodes: [...this.nodes],
        ...(this.dropped === 0 ? {} : { dropped: this.dropped })
      }),
      events: [...this.events.slice(this.oldest), ...this.events.slice(0, this.oldest)]
    }
  }

  private number(
    node: string,
    actor: string,
    clock: Trace.VectorClock,
    stamped: StampedChannel | undefined,
    action: Action
  ): Trace.Action {
    if (action._tag !== "Send") return action
    const { message, to } = action
    const id = ++this.lastId
    if (stamped === undefined) this.unmatched.add(actor, node, to, { id, message, clock })
    else stamped.asked(to, { id, clock, message })
    return { _tag: "Send", id, to, message }
  }

  private add(event: Trace.Event): void {
    const { sink } = this.options
    if (sink !== undefined) return sink(event)
    if (this.events.length < this.maxEvents) {
      this.events.push(event)
      return
    }
    this.events[this.oldest] = event
    this.oldest = (this.oldest + 1) % this.maxEvents
    this.dropped++
  }
}

type Writable<A> = { -readonly [Key in keyof A]: A[Key] }

const nothing: ReadonlyArray<Trace.Action> = []

const firstLine = (failure: unknown): string => String(failure).split("\n")[0]!
