/** What a node of a kernel knows: plain immutable data. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import * as Log from "./log.ts"
import type { Event } from "./step.ts"
import type { Joining, Kept } from "./transfer.ts"
import type { Flush, Message, Numbered } from "./wire.ts"

/** The messages of one member in this view, as far as this node has them. */
export interface Stream<out Payload> {
  /** Of the member: 0 until its first message tells. Messages of another life are refused. */
  readonly life: number
  /** What is kept: everything received that not all members have, or that is not delivered. `next - 1` are received. */
  readonly log: Log.Log<Numbered<Payload>>
  /** As far as all are delivered, or need not be: control messages. */
  readonly delivered: number
  /** As far as all members have them. At most what is received. */
  readonly stable: number
  /** As far as there are any, by all that was heard: beyond what is received, there is a gap. */
  readonly known: number
  /**
   * How often it was looked at while there was a gap, since something came for it: the second time asks. 0 without a gap,
   * and -1 when asking was given up.
   */
  readonly looks: number
  /** When asking began, by `act.monotonic`. */
  readonly askingSince: number
}

/** A message whose turn it is, that waits to be stable together with all that this was decided by. */
export interface Decided {
  readonly rank: number
  readonly sequence: number
  /** How much of each member's had been received. */
  readonly at: ReadonlyArray<number>
}

export interface State<Payload = unknown, OrderState = unknown> {
  /** Of this node: drawn at its start, 0 before that. */
  readonly life: number

  // The view that is installed.
  /** None before a `Membership` has told the first one, and after it has left this node out. */
  readonly view: Protocol.View | undefined
  /** Of this node in the view; -1 without one. */
  readonly rank: number
  /** The other members. */
  readonly others: ReadonlyArray<NodeId.NodeId>

  // How it ends.
  /** The first that this life of the node has installed, or the least that it can be in. */
  readonly since: number
  /** Agreed on, and not installed yet, in their order. At most 64. */
  readonly pending: ReadonlyArray<Protocol.View>
  /** Exists exactly while a view is pending. */
  readonly flush: Flushing | undefined
  /** By rank, the latest that each member has declared. */
  readonly declared: ReadonlyArray<Flush | undefined>
  /** How the view before ended. */
  readonly ended: Ended | undefined

  // What is under way in it.
  /** By rank. */
  readonly streams: ReadonlyArray<Stream<Payload>>
  readonly order: OrderState
  /** Received beyond a gap. At most `maxEarly`. */
  readonly ahead: ReadonlyArray<{ readonly rank: number; readonly message: Numbered<Payload> }>
  /** Delivered out of the order of their sending, beyond `delivered` of their stream. */
  readonly settled: ReadonlyArray<{ readonly rank: number; readonly sequence: number }>
  /** Of a uniform multicast, in the order of delivery. */
  readonly decided: Log.Log<Decided>

  // Who has what.
  /** By rank, how much each member has said to have of each; empty for one that has said nothing. */
  readonly reports: ReadonlyArray<ReadonlyArray<number>>
  /** What this node has said last. */
  readonly told: ReadonlyArray<number>
  /** How many messages of others were received since. */
  readonly unreported: number
  /** How many deliveries the application lags behind. */
  readonly lag: number

  // The state of the application, on its way to who joins.
  readonly joining: Joining | undefined
  /** What is to be told to the application after the state that it waits for. */
  readonly withheld: Log.Log<Event<Payload>>
  readonly snapshots: ReadonlyArray<Kept>

  // Timers and what they go by.
  readonly ticking: boolean
  /** Ticks since anything became stable or filled a gap. */
  readonly quiet: number
  /** How often gaps were looked at since something came for one; 0 while nobody looks. */
  readonly looking: number

  // What this node sends.
  /** Asked for while nothing can be sent: before a view, and while one ends. At most `window`. */
  readonly queue: ReadonlyArray<Payload>
  /** Room was refused, or is used up: its return is to be told. */
  readonly full: boolean

  /** Of views to come. At most `maxEarly`. */
  readonly held: Log.Log<{ readonly from: NodeId.NodeId; readonly message: Message<Payload> }>
  readonly refused: Refused
  /** Why this node takes no part any more. */
  readonly failed: string | undefined
}

/** A view has ended. */
export interface Ended {
  readonly view: number
  /** Those who, as this node went on, had all of it that was to be delivered, and nothing more. */
  readonly survivors: ReadonlyArray<NodeId.NodeId>
  /** What that is. */
  readonly received: ReadonlyArray<number>
}

/** A view ends. */
export interface Flushing {
  /** The number of the latest view known. One that comes while a flush is under way begins it anew. */
  readonly attempt: number
  /** The ranks of those who go on, by all views that are pending. This node is one of them. */
  readonly survivors: ReadonlyArray<number>
  /** What any survivor had as the attempt began, once all have declared it: exactly this is delivered in the view. */
  readonly cut: ReadonlyArray<number> | undefined
}

/** How many messages were not taken, and why. */
export interface Refused {
  /** Of nodes that are no members, or of another life of one. */
  readonly strangers: number
  /** Of views that are over. */
  readonly past: number
  /** Of views to come, or beyond a gap, when as many waited as may. */
  readonly overflow: number
}

export const received = ({ log }: Stream<unknown>): number => log.next - 1

export const newStream = (life: number): Stream<never> => ({
  life,
  log: Log.empty(1),
  delivered: 0,
  stable: 0,
  known: 0,
  looks: 0,
  askingSince: 0
})

export const vector = (streams: ReadonlyArray<Stream<unknown>>): ReadonlyArray<number> => streams.map(received)

export const initial: State<never, undefined> = {
  life: 0,
  view: undefined,
  rank: -1,
  others: [],
  since: 0,
  pending: [],
  flush: undefined,
  declared: [],
  ended: undefined,
  streams: [],
  order: undefined,
  ahead: [],
  settled: [],
  decided: Log.empty(0),
  reports: [],
  told: [],
  unreported: 0,
  lag: 0,
  joining: undefined,
  withheld: Log.empty(0),
  snapshots: [],
  ticking: false,
  quiet: 0,
  looking: 0,
  queue: [],
  full: false,
  held: Log.empty(0),
  refused: { strangers: 0, past: 0, overflow: 0 },
  failed: undefined
}
