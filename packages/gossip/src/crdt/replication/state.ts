/** What replicas say to each other, and what one knows of the others. */
import type { Protocol } from "@troupe/actor"
import type { Codec, NodeId } from "@troupe/transport"
import { Schema } from "effect"
import { PrunedDifferently, ReplicaId, ReplicaReused } from "../../Crdt.ts"

const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
/** The lives of a node are told apart by a number that is drawn at its start. */
const Life = Natural
export const partsMax = 65_535

const messages = <State>(states: Schema.Codec<State, any>) =>
  Schema.Union([
    /**
     * "This is what came into my log after `after`, up to `upTo`": part number `part` of `parts`, which can be merged in any
     * order. With an `after` of −1 it is all that I have.
     */
    Schema.TaggedStruct("Delta", {
      replica: ReplicaId,
      life: Life,
      /** How many changes of `replica` its state included when this life began: none, unless it was restored. */
      restored: Natural,
      after: Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: Number.MAX_SAFE_INTEGER })),
      upTo: Natural,
      part: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: partsMax - 1 })),
      parts: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: partsMax })),
      delta: states
    }),
    /** "I have that part of what you sent"; with a `part` of −1: "I have your log up to there." */
    Schema.TaggedStruct("Ack", { life: Life, after: Schema.Int, upTo: Natural, part: Schema.Int }),
    /**
     * "I don't know what your delta stands on: send me all." Also what a node says that has just started. Of what comes in
     * parts after `after`, up to `upTo`, in that life, `missing` is the first that it lacks.
     */
    Schema.TaggedStruct("Ask", { life: Life, after: Schema.Int, upTo: Natural, missing: Natural }),
    /** "The name that you use is taken: choose another, and begin with an empty state." */
    Schema.TaggedStruct("Reused", { replica: ReplicaId, life: Life })
  ])

export type Message<State> = ReturnType<typeof messages<State>>["Type"]
export type Delta<State> = Extract<Message<State>, { readonly _tag: "Delta" }>

export const Message = <State>(states: Schema.Codec<State, any>): Codec.MessageSchema<Message<State>> =>
  messages(states) as unknown as Codec.MessageSchema<Message<State>>

/** The delta of a change that `replica` makes to a state, at a time; `undefined` where there is none. */
export type Mutate<State> = (state: State, replica: ReplicaId, nowMillis: number) => State | undefined

export type Command<State> =
  /** Changes the state of this replica. Ignored when its name turned out to be another's. */
  | { readonly _tag: "Update"; readonly mutate: Mutate<State> }
  /** Forgets the names of replicas that are gone for good; see `Crdt.prune` for the rule. */
  | { readonly _tag: "Prune"; readonly departed: ReadonlyArray<ReplicaId> }

/** A state, or part of one, does not fit a message. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  bytes: Schema.Int,
  packetBytes: Schema.Int
}) {
  override get message(): string {
    return (
      `A change of ${this.bytes} bytes cannot be divided, and packetBytes is ${this.packetBytes}: ` +
      "it is sent, and lost where the transport takes no more. Raise packetBytes, or make smaller changes"
    )
  }
}

/** A message could not be merged, for a reason that the types do not name. */
export class Unmergeable extends Schema.TaggedError<Unmergeable>()("Unmergeable", { reason: Schema.String }) {
  override get message(): string {
    return `A delta was refused, and nothing of it was merged: ${this.reason}`
  }
}

export type Refusal = PrunedDifferently | ReplicaReused | TooLarge | Unmergeable

export const asRefusal = (failure: unknown): Refusal =>
  failure instanceof PrunedDifferently || failure instanceof ReplicaReused
    ? failure
    : new Unmergeable({ reason: failure instanceof Error ? failure.message : String(failure) })

export type Event =
  /** The state is another than before. */
  | { readonly _tag: "Changed" }
  /** What `from` sent was refused; or this node's own sending, and then `from` is its own name. */
  | { readonly _tag: "Refused"; readonly from: NodeId.NodeId; readonly failure: Refusal }

export type Timer = "round"

export interface Options {
  /** How long a round is. */
  readonly intervalMillis: number
  /** How many changes are kept to be sent alone. Who lacks more is sent the whole state. */
  readonly bufferedDeltas: number
  /** How many deltas a node sends in a round. */
  readonly messagesPerRound: number
  /** A delta that encodes to more is sent in parts. */
  readonly packetBytes: number
  /** The name of the replica; empty: a new one in each life of the node. */
  readonly replica: string
}

/** A change, own or merged. */
export interface Logged<out State> {
  readonly delta: State
  /** Who sent it. */
  readonly from: NodeId.NodeId
}

/** What a peer has of this node's log. */
export interface Sent {
  /** It said that it has merged the log up to here; −1: nothing is known. */
  readonly acked: number
  /** It lacks nothing of the log up to here, for the rest came from itself. At least `acked`. */
  readonly covered: number
}

const firstMissing = (arriving: Arriving | undefined): number => {
  let part = 0
  while (arriving?.parts.has(part) === true) part++
  return part
}

/** What to ask a peer for. */
export const ask = (heard: Heard | undefined) =>
  ({
    _tag: "Ask",
    life: heard?.life ?? 0,
    after: heard?.arriving?.after ?? -1,
    upTo: heard?.arriving?.upTo ?? 0,
    missing: firstMissing(heard?.arriving)
  }) as const

export const unknown: Sent = { acked: -1, covered: -1 }

/** What this node has of a peer's log. */
export interface Heard {
  readonly life: number
  readonly replica: ReplicaId
  readonly restored: number
  /** −1 until all of its state has arrived. */
  readonly upTo: number
  /** The parts that have arrived of a delta, while some are missing. */
  readonly arriving: Arriving | undefined
}

export interface Arriving {
  readonly after: number
  readonly upTo: number
  readonly parts: ReadonlySet<number>
}

/** What a peer is sent in parts. */
export interface Transfer<out State> {
  readonly after: number
  readonly upTo: number
  readonly parts: ReadonlyArray<State>
  /** The numbers of those that are not acknowledged. */
  readonly left: ReadonlyArray<number>
}

export interface State<out S> {
  // Who this is.
  readonly replica: ReplicaId
  readonly life: number
  readonly restored: number
  /** Set when another replica of this name was found: it changes nothing any more. */
  readonly reused: boolean

  // What is replicated.
  readonly value: S
  /** How many changes have come into the log in this life. */
  readonly logged: number
  /** The latest of them, no more than `bufferedDeltas`. */
  readonly log: ReadonlyArray<Logged<S>>

  // The others.
  readonly sent: ReadonlyMap<NodeId.NodeId, Sent>
  readonly heard: ReadonlyMap<NodeId.NodeId, Heard>
  /** Under way, to no more than `transfersMax` peers at once. */
  readonly transfers: ReadonlyMap<NodeId.NodeId, Transfer<S>>
  /** How many deltas may still be sent in this round. */
  readonly budget: number
}

export const transfersMax = 4

export type Act<S> = Protocol.Actions<Message<S>, Event, Timer, Options>

/** A map with one entry more, or another. */
export const having = <A>(map: ReadonlyMap<NodeId.NodeId, A>, node: NodeId.NodeId, value: A) =>
  new Map(map).set(node, value) as ReadonlyMap<NodeId.NodeId, A>

export const lacking = <A>(map: ReadonlyMap<NodeId.NodeId, A>, node: NodeId.NodeId): ReadonlyMap<NodeId.NodeId, A> => {
  if (!map.has(node)) return map
  const rest = new Map(map)
  rest.delete(node)
  return rest
}
