/** What a replica knows that compares its store with others, and what it is set to. */
import type { Protocol } from "@troupe/actor"
import type { Suspicion } from "@troupe/failure-detection"
import { Schema } from "effect"
import type { HashKey } from "../../Fingerprint.ts"
import type * as MerkleTree from "../../MerkleTree.ts"
import type * as SetSketch from "../../SetSketch.ts"
import type * as Peers from "../epidemic/peers.ts"
import * as Hash from "./hash.ts"
import type { Message, StoredEntry } from "./messages.ts"

// ------------------------------------------------------------------------------------------------------- what is refused

/** What a peer said has no such form. */
export class Malformed extends Schema.TaggedError<Malformed>()("Malformed", {
  from: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `What ${this.from} sent is no list of ${this.what}: it was ignored.`
  }
}

/** An entry cannot travel. */
export class EntryTooLarge extends Schema.TaggedError<EntryTooLarge>()("EntryTooLarge", {
  key: Schema.String,
  bytes: Schema.Number,
  limit: Schema.Number
}) {
  override get message(): string {
    return `The entry of "${this.key.slice(0, 100)}" takes ${this.bytes} bytes, above the limit of ${this.limit}: raise entryBytes on all replicas.`
  }
}

/** The store would not read or merge an entry. */
export class StoreRefused extends Schema.TaggedError<StoreRefused>()("StoreRefused", {
  key: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The store refused the entry of "${this.key.slice(0, 100)}": ${this.reason}`
  }
}

export type Refusal = MerkleTree.OtherLayout | Malformed | EntryTooLarge | StoreRefused

// ------------------------------------------------------------------------------------------------------------------ state

export interface State {
  // What the store has. The sketch is of the tree's entries.
  readonly tree: MerkleTree.MerkleTree
  readonly sketch: SetSketch.SetSketch

  // The others.
  readonly peers: Peers.Peers
  /** The comparison that this node has begun, as long as it is about cells. */
  readonly session: Session | undefined

  // Spent in this round.
  /** Messages sent to compare. */
  readonly said: number
  /** Messages sent with entries. */
  readonly handed: number
  /** Entries that the store was asked for. */
  readonly read: number

  /** How many entries of peers the store was given in this life. */
  readonly received: number
}

export interface Session {
  readonly id: number
  readonly peer: string
  /** How many cells have been asked for; 0 until some have come. */
  readonly upTo: number
  readonly version: number
  readonly items: number
  /** Cells that have come, in order; none of them overlap. */
  readonly chunks: ReadonlyArray<Chunk>
  /** How often what is missing has been asked for. */
  readonly retries: number
}

export interface Chunk {
  readonly from: number
  readonly to: number
  readonly row: Int32Array
}

/** A key of the store whose entry is another now, or gone. */
export interface Change {
  readonly key: string
  /** `undefined`: the store has no such key any more. */
  readonly version: string | undefined
}

export type Command =
  /** This is all that the store has. */
  | { readonly _tag: "Load"; readonly entries: Iterable<MerkleTree.Versioned> }
  | { readonly _tag: "Changed"; readonly changes: ReadonlyArray<Change> }
  /** Compares with this peer at once. */
  | { readonly _tag: "Compare"; readonly peer: string }
  /** These are the entries that were fetched for a peer. */
  | { readonly _tag: "Give"; readonly to: string; readonly entries: ReadonlyArray<StoredEntry> }
  | Suspicion.Suspicion

export type Event =
  /** The store is to be asked for the entries of these keys: `Give` takes them. */
  | { readonly _tag: "Fetch"; readonly to: string; readonly keys: ReadonlyArray<string> }
  /** The store is to merge these: `Changed` tells what came of it. */
  | { readonly _tag: "Received"; readonly from: string; readonly entries: ReadonlyArray<StoredEntry> }
  | ({ readonly _tag: "Compared" } & Comparison)
  | { readonly _tag: "Refused"; readonly from: string; readonly failure: Refusal }

/** How a comparison that this node began has come out. */
export interface Comparison {
  readonly peer: string
  /** `same`: nothing differs. `tree`: the sketch would not do, and the two go on to compare their trees. */
  readonly by: "same" | "sketch" | "tree"
  /** How many cells were used. */
  readonly cells: number
  /** How many entries only this node, and only the peer had; with a key's versions counting one each. 0 by tree. */
  readonly mine: number
  readonly theirs: number
}

export type Timer = "round" | "retry"

export interface Options {
  readonly intervalMillis: number
  readonly fanOut: number
  readonly depth: number
  readonly hashKey: HashKey
  readonly sketchCells: number
  readonly messagesPerRound: number
  readonly packetBytes: number
  readonly entriesPerRound: number
  readonly entryBytes: number
}

export type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------- what all of it uses

export const layoutOf = ({ depth, fanOut, hashKey }: Options): MerkleTree.Layout => ({ fanOut, depth, key: hashKey })

/** The seed of the sketch comes from the hash's key, so that one sketch serves all peers and nobody else knows it. */
export const shapeOf = ({ hashKey: [k0, k1], sketchCells }: Options): SetSketch.Shape => ({
  seed: Hash.text(k0, k1, "sketch").lo,
  cells: sketchCells
})

/** Sends a message that compares, if the round has one left. */
export const say = (state: State, to: string, message: Message, act: Act): State => {
  if (state.said >= act.self.options.messagesPerRound) return state
  act.send(to, message)
  return { ...state, said: state.said + 1 }
}

/** Says so, and goes on as if nothing had come. */
export const refuse = (state: State, from: string, failure: Refusal, act: Act): State => {
  act.emit({ _tag: "Refused", from, failure })
  return state
}
