/**
 * The state of a replica of the passive protocol, what it may ask for, and the rules of who counts.
 */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import * as Log from "./log.ts"
import type { Answer, Asked, Message, Record, Refusal } from "./messages.ts"
import * as Replica from "./replica.ts"

export type Command =
  /** The front end is there: it is to be told of the life that it may ask in. */
  | { readonly _tag: "Begin" }
  /** Of this node's front end: these are to be executed, once. Again, where no answer came. */
  | { readonly _tag: "Ask"; readonly life: number; readonly floor: number; readonly asked: ReadonlyArray<Asked> }
  /** What a failure detector thinks. */
  | { readonly _tag: "Suspect" | "Trust"; readonly node: NodeId.NodeId }

export type Event =
  /** The node is up, in a life of its own that no crash makes it forget: its front end may ask. */
  | { readonly _tag: "Started"; readonly life: number }
  | { readonly _tag: "Answered"; readonly at: number; readonly answers: ReadonlyArray<Answer> }
  | { readonly _tag: "Refused"; readonly counters: ReadonlyArray<number>; readonly reason: Refusal }
  /** Who is primary, or what this node's part is, has changed. */
  | { readonly _tag: "Changed" }
  /** A backup knows of more updates that they are safe. */
  | { readonly _tag: "Advanced" }

export type Timer = "tick" | "housekeeping"

export interface Options {
  /** How often a primary says that it is there, and everybody looks who is silent. */
  readonly tickMillis: number
  /** Who is silent for so many ticks is suspected. */
  readonly silentTicks: number
  /** Whether silence counts, or the word of a failure detector alone. */
  readonly detector: "silence" | "given"
  /** What an update waits for besides the backups that are not suspected. */
  readonly safety: "majority" | "perfect-detector"
  /** So many rounds are under way at a time; requests that come meanwhile share the next. */
  readonly pipeline: number
  /** Requests of a round, at the most. */
  readonly batch: number
  /** Requests that wait at the primary, at the most: one more is refused. */
  readonly queue: number
  /** Requests whose batches are kept for replicas that were away: who lacks more fetches a snapshot. */
  readonly kept: number
  /** After so many updates in a row from one other node, that becomes the primary. Never: 0. */
  readonly migrateAfter: number
}

export type Act = Protocol.DurableActions<Message, Event, Timer, Options, Record>

/** A request that waits at the primary. */
export interface Waiting {
  readonly client: number
  readonly life: number
  readonly counter: number
  readonly floor: number
  readonly request: unknown
  readonly before: Waiting | undefined
}

/** Told when what it stands on is safe, and the primary is still known to be the primary. */
export interface Round {
  readonly round: number
  /** The latest batch when its requests were executed. */
  readonly at: number
  readonly answers: ReadonlyArray<Told>
}

export interface Told extends Answer {
  readonly client: number
  readonly life: number
}

export interface Vote {
  readonly node: NodeId.NodeId
  readonly at: number
  readonly atView: number
}

export interface State {
  /** Of this node; grows with each start. */
  readonly life: number
  /** The latest that it takes part in; earlier ones are refused. */
  readonly view: number
  /** `changing`: it has voted, and has not heard of a primary of the view yet. */
  readonly status: "changing" | "normal"
  readonly replica: Replica.Replica

  // Suspicion, by ranks.
  /** Ticks since each was heard of: up to the number that makes it suspected. */
  readonly silent: ReadonlyArray<number>
  /** Whom a failure detector suspects. */
  readonly suspected: ReadonlyArray<NodeId.NodeId>
  /** Who misses the primary of this view. */
  readonly missing: ReadonlyArray<NodeId.NodeId>

  // The primary to be.
  readonly votes: ReadonlyArray<Vote>
  /** Whose log it takes over. */
  readonly collecting: Vote | undefined

  // The primary.
  /** Its first batch of the view. */
  readonly since: number
  readonly round: number
  readonly rounds: ReadonlyArray<Round>
  /** By ranks: how far each is known to be on disk, and in which round it followed. */
  readonly acks: ReadonlyArray<{ readonly round: number; readonly at: number }>
  /** By ranks: which sendings of each client it has heard in this view. */
  readonly heard: ReadonlyArray<Heard>
  /** The latest that waits, and how many do. */
  readonly waiting: Waiting | undefined
  readonly waitingCount: number
  /** Whose updates came last, and how many in a row; `leaves` when it takes no more, to hand over. */
  readonly writer: { readonly client: number; readonly count: number; readonly leaves: boolean }

  /** How often this node's front end has sent requests to a primary. */
  readonly sendings: number
  /** Whether it has asked for what it lacks, since the last tick. */
  readonly fetching: boolean
  /** A snapshot that others fetch, and for how many ticks nobody has. */
  readonly dump: Dump | undefined
}

/** Of a client's life: the latest sending, and which of the 30 before it were heard, as bits. */
export interface Heard {
  readonly life: number
  readonly latest: number
  readonly before: number
}

export interface Dump {
  readonly version: Replica.Version
  readonly atView: number
  readonly pieces: ReadonlyArray<ReadonlyArray<unknown>>
  readonly idle: number
}

type Self = Protocol.Self<Options>

// ------------------------------------------------------------------------------------------------------- who counts

export const primaryOf = (view: number, { nodes }: Self): NodeId.NodeId => nodes[(view - 1) % nodes.length]!

export const isPrimary = ({ status, view }: State, self: Self): boolean =>
  status === "normal" && primaryOf(view, self) === self.id

export const majority = ({ nodes }: Self): number => Math.floor(nodes.length / 2) + 1

export const suspects = ({ silent, suspected }: State, node: NodeId.NodeId, self: Self): boolean =>
  suspected.includes(node) ||
  (self.options.detector === "silence" && silent[self.nodes.indexOf(node)]! >= self.options.silentTicks)

/** The next view whose primary is that node. */
export const viewOf = (node: NodeId.NodeId, { view }: State, self: Self): number => {
  let next = view + 1
  while (primaryOf(next, self) !== node) next++
  return next
}

/** The next view whose primary is not suspected. */
export const nextView = (state: State, self: Self): number => {
  for (let view = state.view + 1; view < state.view + self.nodes.length; view++) {
    if (!suspects(state, primaryOf(view, self), self)) return view
  }
  return state.view + self.nodes.length
}

/** Whether these are enough to change the view: any two such sets, and any that made an update safe, have one in common. */
export const isEnough = (state: State, nodes: ReadonlyArray<NodeId.NodeId>, self: Self): boolean =>
  self.options.safety === "majority"
    ? nodes.length >= majority(self)
    : self.nodes.every((node) => nodes.includes(node) || suspects(state, node, self))

/** Whether a primary has lost touch with so many that nothing can become safe. */
export const isApart = (state: State, self: Self): boolean =>
  self.options.safety === "majority" &&
  self.nodes.filter((node) => node === self.id || !suspects(state, node, self)).length < majority(self)

/** How far the log is safe, and which round shows that the primary still is. */
export const reached = (state: State, self: Self): { readonly at: number; readonly round: number } => {
  const { acks } = state
  let at = Number.MAX_SAFE_INTEGER
  let round = Number.MAX_SAFE_INTEGER
  for (let rank = 0; rank < acks.length; rank++) {
    if (self.nodes[rank] !== self.id && suspects(state, self.nodes[rank]!, self)) continue
    at = Math.min(at, acks[rank]!.at)
    round = Math.min(round, acks[rank]!.round)
  }
  if (self.options.safety === "perfect-detector") return { at, round }
  return { at: Math.min(at, agreed(acks.map((ack) => ack.at))), round: agreed(acks.map((ack) => ack.round)) }
}

/** The highest that a majority has reached. */
const agreed = (numbers: Array<number>): number => numbers.sort((a, b) => b - a)[numbers.length >> 1]!

export const lastOf = ({ replica }: State): number => Log.last(replica.log)
export const safeAt = ({ replica }: State): number => Replica.safe(replica).at
