/**
 * What is replicated: a value, requests that one replica executes, and updates that every replica applies.
 *
 * Whatever could come out differently at another replica or at another time (the time itself, chance, whether a key has
 * expired) is decided once, in `execute`, and written into the updates as a fact. So replicas never disagree, and one that
 * takes over goes on exactly where the other stopped.
 *
 * @example
 * import type { Machine } from "@troupe/replication"
 * import { Schema } from "effect"
 *
 * export const counter: Machine.Machine<number, { readonly add: number }, number, number> = {
 *   name: "counter",
 *   init: 0,
 *   request: Schema.Struct({ add: Schema.Int }),
 *   update: Schema.Int,
 *   response: Schema.Int,
 *   isRead: ({ add }) => add === 0,
 *   execute: (sum, { add }) => ({ response: sum + add, updates: add === 0 ? [] : [sum + add] }),
 *   apply: (_sum, update) => update,
 *   dump: (sum) => [sum]
 * }
 */
import type { Codec } from "@troupe/transport"

/**
 * @typeParam State the value: plain readonly data, persistent collections where it grows
 * @typeParam Request what a client asks for
 * @typeParam Update a fact that changes the value
 * @typeParam Response what a client is told
 */
export interface Machine<in out State, in out Request, in out Update, in out Response> {
  /** Names its channels and logs. */
  readonly name: string
  readonly init: State
  readonly request: Codec.MessageSchema<Request>
  readonly update: Codec.MessageSchema<Update>
  readonly response: Codec.MessageSchema<Response>
  /** Whether a request never updates, so that a replica other than the primary may answer it where that is allowed. */
  isRead(request: Request): boolean
  /** Decides what comes of a request. It changes nothing: its updates do, in their order, once they are safe. */
  execute(state: State, request: Request, at: Moment): Execution<Update, Response>
  apply(state: State, update: Update): State
  /** The same as each of them in turn, where that can be had for less. */
  applyAll?(state: State, updates: ReadonlyArray<Update>): State
  /** Updates that bring `init` to `state`: for snapshots, and for a replica that joins. Taken bit by bit. */
  dump(state: State): Iterable<Update>
  /**
   * What is to be done without a client's asking, at the primary, `everyMillis`: the updates that are due, such as of keys
   * that have expired. Bounded work at a time.
   */
  readonly housekeeping?: {
    readonly everyMillis: number
    readonly due: (state: State, at: Moment) => ReadonlyArray<Update>
  }
  /**
   * About how many bytes these are in a message, of one request: what is under way at a time, and what is kept for replicas
   * that were away, is bounded by it. Default: 64 an update.
   */
  readonly sizeOf?: (updates: ReadonlyArray<Update>, response: Response | undefined) => number
  /** How updates and responses become bytes, where that should take less time than what is derived from their schemas. */
  readonly layout?: Layout<Update, Response>
  /** Where requests are of single keys that have nothing to do with each other: so that each key can be replicated apart. */
  readonly keyed?: Keyed<State, Request, Response>
}

/** Their names say which layout it is: whoever has another refuses the bytes. */
export interface Layout<in out Update, in out Response> {
  /** Of the updates of one request. */
  readonly updates: Codec.Codec<ReadonlyArray<Update>>
  readonly response: Codec.Codec<Response>
}

/**
 * What is said of a request, as one of several keys. Each key has a machine of its own, with a state of its own: one whose
 * `dump` is empty holds nothing, and is forgotten in time.
 */
export interface Keyed<in out State, in out Request, in out Response> {
  /**
   * The parts of a request, each for one key, in their order: they are executed apart, so that others may be executed in
   * between. A string: why it cannot be had for single keys.
   */
  readonly split: (request: Request) => ReadonlyArray<Part<Request>> | string
  /** Of the responses of all parts, in their order. */
  readonly join: (request: Request, responses: ReadonlyArray<Response>) => Response
  /** Answers a request that `split` gives no part of, from all keys that this node's copy holds: which may be behind. */
  readonly survey?: (copy: Copy<State>, request: Request, at: Moment) => Response
}

/** What one node's copy holds, of all keys. */
export interface Copy<out State> {
  /** How many keys hold something. */
  readonly size: number
  /** The state of a key: `init` where it holds nothing. */
  readonly get: (key: string) => State
  /** The keys that hold something, with their states, in the order of `Trie.hash` of their names, from this one on. */
  readonly from: (hash: number) => Iterable<readonly [key: string, state: State]>
}

export interface Part<out Request> {
  readonly key: string
  readonly request: Request
}

/** What differs from place to place and time to time. */
export interface Moment {
  /** The time of day at the replica that executes, in milliseconds since 1970. Never falls from request to request. */
  readonly now: number
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
}

export interface Execution<out Update, out Response> {
  readonly response: Response
  /** All of them take effect, or none. None at all: it was a read, or changed nothing. */
  readonly updates: ReadonlyArray<Update>
}

/** What the updates make of a state. */
export const applyAll = <State, Update>(
  machine: Machine<State, any, Update, any>,
  state: State,
  updates: ReadonlyArray<Update>
): State => {
  if (machine.applyAll !== undefined) return machine.applyAll(state, updates)
  let next = state
  for (let i = 0; i < updates.length; i++) next = machine.apply(next, updates[i]!)
  return next
}

export type Any = Machine<any, any, any, any>
