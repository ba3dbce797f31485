/**
 * The trace of a simulated run: tells each event as it happens, with the ids of messages and vector clocks.
 *
 * An actor's step is told before the driver performs what it asked for, so the ids of its sends are dealt out then, and
 * wait for the sends. What no actor sent or received is told as an event of its own.
 */
import type { Observer } from "@troupe/actor"
import { type Trace, VectorClocks } from "@troupe/trace"
import type { NodeId } from "@troupe/transport"

/** A message under way, as the world carries it while it is traced. */
export class Sealed {
  readonly id: number
  readonly clock: Trace.VectorClock
  readonly message: unknown

  constructor(id: number, clock: Trace.VectorClock, message: unknown) {
    this.id = id
    this.clock = clock
    this.message = message
  }
}

interface Asked extends Sealed {
  readonly to: NodeId.NodeId
}

type Step = Parameters<Observer["onStep"]>[0]

/** The actors of one life of a node. */
export interface Cast {
  /** By actor: what its latest step asked to be sent, and has not been yet. */
  readonly asked: Map<string, Array<Asked>>
  /** By actor: what it was handed, and has not come to yet. */
  readonly handed: Map<string, Array<Sealed>>
}

export class Tracing {
  private readonly clocks = new VectorClocks()
  private readonly tell: (event: Trace.Event) => void
  private readonly now: () => number
  private lastId = 0

  constructor(tell: (event: Trace.Event) => void, now: () => number) {
    this.tell = tell
    this.now = now
  }

  cast(): Cast {
    return { asked: new Map(), handed: new Map() }
  }

  spawned(cast: Cast, actor: string): void {
    cast.handed.set(actor, [])
  }

  stepped(cast: Cast, { actions, actor, failure, input, node, state }: Step): void {
    const received = input._tag === "Message" ? this.comeTo(cast, actor, input.message) : undefined
    const clock = this.clocks.tick(node, received?.clock)
    const asked: Array<Asked> = []
    const numbered = actions.map((action): Trace.Action => {
      if (action._tag !== "Send") return action
      const { message, to } = action
      const id = ++this.lastId
      asked.push({ id, clock, message, to })
      return { _tag: "Send", id, to, message }
    })
    this.unsent(cast, actor)
    if (asked.length > 0) cast.asked.set(actor, asked)
    this.tell({
      _tag: "Step",
      node,
      clock,
      atMillis: this.now(),
      actor,
      input: input._tag === "Message" && received !== undefined ? { ...input, id: received.id } : input,
      actions: numbered,
      state,
      ...(failure === undefined ? {} : { failure: String(failure).split("\n")[0]! })
    })
  }

  /** Messages come to an actor in the order in which they were handed to it. */
  private comeTo(cast: Cast, actor: string, message: unknown): Sealed | undefined {
    const handed = cast.handed.get(actor)
    return handed !== undefined && handed[0]?.message === message ? handed.shift() : undefined
  }

  stopped(cast: Cast, node: NodeId.NodeId, actor: string): void {
    this.unsent(cast, actor)
    for (const { id } of cast.handed.get(actor) ?? []) this.lost(id, "the actor stops")
    cast.handed.delete(actor)
    this.tell({ _tag: "Stop", node, clock: this.clocks.tick(node), atMillis: this.now(), actor })
  }

  /** What an actor asked for before it was stopped by a listener is not sent any more. */
  private unsent(cast: Cast, actor: string): void {
    for (const { id } of cast.asked.get(actor) ?? []) this.lost(id, "the actor stops")
    cast.asked.delete(actor)
  }

  /** A message goes out: of the step that asked for it, or of a program. */
  seal(cast: Cast, node: NodeId.NodeId, to: NodeId.NodeId, channel: string, message: unknown): Sealed {
    const asked = cast.asked.get(channel)
    const first = asked?.[0]
    if (first !== undefined && first.to === to && first.message === message) {
      asked!.shift()
      return new Sealed(first.id, first.clock, message)
    }
    const id = ++this.lastId
    const clock = this.clocks.tick(node)
    this.tell({ _tag: "Sent", node, clock, atMillis: this.now(), channel, id, to, message })
    return new Sealed(id, clock, message)
  }

  /** A message is handed over: to an actor, whose step will say so, or to a program. */
  handed(cast: Cast, node: NodeId.NodeId, from: NodeId.NodeId, channel: string, sealed: Sealed): void {
    const waiting = cast.handed.get(channel)
    if (waiting !== undefined) return void waiting.push(sealed)
    const { clock, id, message } = sealed
    this.tell({
      _tag: "Received",
      node,
      clock: this.clocks.tick(node, clock),
      atMillis: this.now(),
      channel,
      from,
      message,
      id
    })
  }

  lost(id: number, reason: string): void {
    this.tell({ _tag: "Lost", id, reason, atMillis: this.now() })
  }

  crashed(cast: Cast, node: NodeId.NodeId): void {
    for (const actor of cast.asked.keys()) this.unsent(cast, actor)
    for (const waiting of cast.handed.values()) for (const { id } of waiting) this.lost(id, "crash")
    this.tell({ _tag: "Crash", node, clock: this.clocks.tick(node), atMillis: this.now() })
  }

  restarted(node: NodeId.NodeId): void {
    this.tell({ _tag: "Restart", node, clock: this.clocks.tick(node), atMillis: this.now() })
  }

  split(parts: ReadonlyArray<ReadonlyArray<NodeId.NodeId>>): void {
    this.tell({ _tag: "Split", parts, atMillis: this.now() })
  }

  note(text: string, nodes: ReadonlyArray<NodeId.NodeId>): void {
    this.tell({ _tag: "Note", text, broken: false, nodes, atMillis: this.now() })
  }

  broken(property: string): void {
    this.tell({ _tag: "Note", text: property, broken: true, atMillis: this.now() })
  }
}
