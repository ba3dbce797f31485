/** What a node knows, asks for and tells. */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import type { ReplicaReused } from "../../Crdt.ts"
import type { AcceptedRecord, LogRecord, Message, Order, Persisted, Request } from "./messages.ts"
import type { Timestamp } from "./timestamps.ts"

export interface Options {
  /** The replica managers that take updates, in the order of the timestamps' parts. Empty: all nodes that are not readers. */
  readonly replicas: ReadonlyArray<NodeId.NodeId>
  /** The replica managers that are updated by gossip only. */
  readonly readers: ReadonlyArray<NodeId.NodeId>
  /** How often a replica manager looks whom it owes something. */
  readonly intervalMillis: number
  /** G: after so many updates of its own front ends a replica manager gossips at once. */
  readonly updatesPerGossip: number
  readonly recordsPerMessage: number
  /** δ: a request that arrives later than this after it was made, by the clocks of both, is refused. */
  readonly delayMillis: number
  /** How long a front end waits for an answer before it asks another replica manager. */
  readonly retryMillis: number
  /** How long a front end tries altogether. Less than δ. */
  readonly patienceMillis: number
  /** How many records of its own front ends a replica manager keeps while others lack them. */
  readonly logRecords: number
  /** How many requests wait in one place: at a front end, and at a replica manager of each kind. */
  readonly requests: number
  /** How many front ends a replica manager remembers. */
  readonly clients: number
}

export type Command =
  | { readonly _tag: "Update"; readonly operation: number; readonly update: unknown; readonly order: Order }
  | { readonly _tag: "Query"; readonly operation: number; readonly query: unknown }
  /** Another client has told this one what it knows. */
  | { readonly _tag: "Learn"; readonly timestamp: Timestamp }

export type Event =
  | { readonly _tag: "Updated"; readonly operation: number; readonly timestamp: Timestamp }
  | { readonly _tag: "Answered"; readonly operation: number; readonly answer: unknown; readonly timestamp: Timestamp }
  /** `undefined`: nobody answered. */
  | { readonly _tag: "Failed"; readonly operation: number; readonly reason: Failure }
  /** The value of this replica is another than before. */
  | { readonly _tag: "Changed" }
  /** What `from` sent was refused. */
  | { readonly _tag: "Rejected"; readonly from: NodeId.NodeId; readonly failure: Rejection }

/** `busy`: too many operations wait here. `silent`: no replica manager answered. Else what the last one said. */
export type Failure = "busy" | "silent" | "layout" | "clock" | "full" | "read-only" | "forgotten" | "unreachable"

/** A message of a node that is no replica manager, or whose replica managers are others than here. */
export class ForeignGossip extends Schema.TaggedError<ForeignGossip>()("ForeignGossip", {
  from: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Gossip of ${this.from} was refused: ${this.reason}. Give all nodes the same replicas and readers`
  }
}

export type Rejection = ForeignGossip | ReplicaReused

export type Timer = "retry" | "ack" | "gossip"

// ------------------------------------------------------------------------------------------------------------ front ends

export interface Operation {
  readonly operation: number
  readonly sequence: number
  readonly body:
    | { readonly _tag: "Update"; readonly update: unknown; readonly order: Order }
    | { readonly _tag: "Query"; readonly query: unknown }
}

/** An operation that a replica manager has been asked for. */
export interface Attempt {
  /** What goes out, and again to whoever is asked next. */
  readonly message: Message
  readonly startedMillis: number
  /** How many were asked. */
  readonly count: number
  readonly refusal: Failure
}

export interface FrontEnd {
  /** Tells this life of the node from its others. */
  readonly life: number
  /** What the client has seen. */
  readonly timestamp: Timestamp
  /** The number of the next operation. */
  readonly next: number
  /** In the order of asking; the first is under way. */
  readonly queue: ReadonlyArray<Operation>
  readonly attempt: Attempt | undefined
  /** Of the list of replica managers, the one that answered last. */
  readonly updatesAt: number
  readonly queriesAt: number
  /** The last update that a replica manager may remember, until it is told that it need not. */
  readonly unacknowledged: number
}

// ------------------------------------------------------------------------------------------------------ replica managers

/** An update that has come. */
export interface Executed {
  readonly sequence: number
  /** Of its record, or of one of them if it came by more ways than one. */
  readonly timestamp: Timestamp
  readonly time: number
  readonly isExecuted: boolean
  /** How many of its records are in the log. */
  readonly inLog: number
}

/** What is known of a front end, in one of its lives: its part of the executed-operation table. */
export interface Client {
  /** It will not repeat requests up to here. */
  readonly answered: number
  /** Every replica manager knows that. */
  readonly settled: number
  /** The latest time that it gave. */
  readonly time: number
  /** In the order of their sequence numbers. */
  readonly updates: ReadonlyArray<Executed>
}

/** A row of the timestamp table: what another replica manager has, as far as is known. */
export interface Known {
  readonly timestamp: Timestamp
  /** Its clock, when it last said something. */
  readonly clock: number
  /** The same, when this node last had all updates that the other had taken itself: what is forgotten goes by this. */
  readonly whole: { readonly timestamp: Timestamp; readonly clock: number }
  /** What it was sent, though it may not have arrived. */
  readonly sent: Timestamp
  /** What it was told that this node has. */
  readonly told: Timestamp
  /** It waits to be told. */
  readonly isOwed: boolean
  /** The last message to it did not hold everything. */
  readonly isBehind: boolean
}

/** A query that waits for its causes. */
export interface Held {
  readonly from: NodeId.NodeId
  readonly life: number
  readonly sequence: number
  readonly prev: Timestamp
  readonly query: unknown
  readonly sinceMillis: number
}

/** The leader of a ballot, in what it does for one place of the agreed order. */
export interface Lead {
  readonly ballot: number
  readonly phase: "electing" | "idle" | "freezing" | "proposing"
  /** Who has promised, frozen or accepted. */
  readonly answers: ReadonlyArray<NodeId.NodeId>
  /** While electing: what was accepted by the highest ballot. */
  readonly adopted: AcceptedRecord | undefined
  /** While electing: the highest place that somebody's updates wait for. */
  readonly frozen: number
  /** While freezing: all that anybody has. */
  readonly cut: Timestamp
  /** While freezing: the update that it is for. */
  readonly request: Request | undefined
}

/** What a replica manager knows of the agreement on forced and immediate updates. */
export interface Agreement {
  /** No lower ballot is followed. Its leader is the replica manager of that number modulo theirs. */
  readonly promised: number
  /** In the place after the last agreed one, unless it is agreed by now. */
  readonly accepted: AcceptedRecord | undefined
  /** The place that updates wait for; 0, or one that is filled: they don't. */
  readonly frozen: number
  /** Updates that wait for a place. */
  readonly requests: ReadonlyArray<Request>
  /** Updates that wait for the place to be filled. */
  readonly deferred: ReadonlyArray<Request>
  /** For how many intervals nothing has moved. */
  readonly stalled: number
  readonly lead: Lead | undefined
}

export interface Replica {
  /** Of timestamps; −1: it is read-only. */
  readonly part: number
  /** It has come back without what it knew, and does nothing more. */
  readonly isForgotten: boolean
  /** The latest reading of this node's clock: it never falls. */
  readonly clock: number

  // What has come.
  /** The replica timestamp: how many records of each part have come. */
  readonly timestamp: Timestamp
  /** The update log, by part: those that somebody may lack, the last one's number the timestamp's. */
  readonly log: ReadonlyArray<ReadonlyArray<LogRecord>>
  /** Records that wait for their causes, causes first. */
  readonly waiting: ReadonlyArray<LogRecord>

  // What was done.
  readonly value: unknown
  readonly valueTimestamp: Timestamp
  /** The executed-operation table. */
  readonly clients: ReadonlyMap<string, Client>
  /** The timestamp of the last agreed record. */
  readonly agreed: Timestamp
  /** That of the last immediate one: updates that come now depend on it. */
  readonly floor: Timestamp

  // The others.
  readonly table: ReadonlyMap<NodeId.NodeId, Known>
  /** The replica timestamp one and two intervals ago: what others have not confirmed since then is sent again. */
  readonly seen: readonly [Timestamp, Timestamp]
  /** Own updates since the last gossip. */
  readonly fresh: number

  readonly queries: ReadonlyArray<Held>
  readonly agreement: Agreement
}

export interface State {
  readonly frontEnd: FrontEnd
  /** None on a node that has clients only. */
  readonly replica: Replica | undefined
}

export type Act = Protocol.DurableActions<Message, Event, Timer, Options, Persisted>

// ---------------------------------------------------------------------------------------------------------------- roles

/** The replica managers that take updates. */
export const replicasOf = ({ nodes, options: { readers, replicas } }: Protocol.Self<Options>) =>
  replicas.length > 0 ? replicas : readers.length === 0 ? nodes : nodes.filter((node) => !readers.includes(node))

/** How many parts a timestamp has. */
export const partsOf = (self: Protocol.Self<Options>): number => replicasOf(self).length + 1

/** Whom a replica manager gossips with: a reader with those that take updates, the others with all. */
export const gossipsWith = (self: Protocol.Self<Options>): ReadonlyArray<NodeId.NodeId> => {
  const replicas = replicasOf(self)
  const all = replicas.includes(self.id) ? [...replicas, ...self.options.readers] : replicas
  return all.filter((node) => node !== self.id)
}

export const majority = (self: Protocol.Self<Options>): number => Math.floor(replicasOf(self).length / 2) + 1

export const clientOf = (node: NodeId.NodeId, life: number): string => `${node}/${life.toString(36)}`
