/**
 * What a node knows: as a replica its registers, as a coordinator the operations that are open, key by key.
 */
import type { Protocol } from "@troupe/actor"
import type { Trie } from "../../Trie.ts"
import { type Ballot, isSame } from "./ballots.ts"
import type { Message, Record } from "./messages.ts"
import type { Quorums } from "./quorums.ts"
import type { Copy, Registers } from "./registers.ts"

export interface Options extends Quorums {
  /** How many nodes hold a key: all, or the first of an order that is the key's own. */
  readonly copies: number
  /** Whether others stand in for homes that are silent. */
  readonly sloppy: boolean
  /** For how long who stands in keeps a copy, and how many. */
  readonly hintMillis: number
  readonly hints: number
  /** Whether a read ends only when a write quorum holds what it answers. */
  readonly writeBack: boolean
  /** How often what has no answer is sent again, and who is silent is asked whether it is there. */
  readonly tickMillis: number
  /** Who is silent for so many ticks is taken to be down. */
  readonly silentTicks: number
  /** Whether copies are compared with those of other nodes (anti-entropy). */
  readonly isCompared: boolean
  /** The first back-off, on the average and at the most; each further one is twice as long. */
  readonly backOffMillis: number
}

/** A request for one key. */
export interface Part {
  /** The front end's. */
  readonly id: number
  readonly key: string
  readonly request: unknown
}

export type Command =
  /** Asks for `Started`, once its life is on disk: no ballot may come before that. */
  | { readonly _tag: "Begin" }
  | { readonly _tag: "Ask"; readonly life: number; readonly parts: ReadonlyArray<Part> }
  /** A copy that this replica may have missed. */
  | { readonly _tag: "Heal"; readonly key: string; readonly copy: Copy }
  /** Nobody waits for these any more. */
  | { readonly _tag: "Drop"; readonly life: number; readonly parts: ReadonlyArray<Omit<Part, "request">> }

export interface Answer {
  readonly id: number
  readonly response: unknown
}

export type Event =
  | { readonly _tag: "Started"; readonly life: number }
  | { readonly _tag: "Answered"; readonly answers: ReadonlyArray<Answer> }
  /** These were dropped, and are not executed. */
  | { readonly _tag: "Withdrawn"; readonly ids: ReadonlyArray<number> }
  /** Whether these were executed cannot be found out any more. */
  | { readonly _tag: "Lost"; readonly ids: ReadonlyArray<number> }
  | { readonly _tag: "Changed" }
  /** The copies of these keys are others now, or forgotten: told where `isCompared`. */
  | { readonly _tag: "Took"; readonly keys: ReadonlyArray<string> }

export type Timer = "tick" | "housekeeping" | `back-off ${number}`

export interface Pending {
  readonly id: number
  readonly request: unknown
  /** Nobody waits for it, but it belongs to an attempt. */
  readonly isDropped?: true
  /** It is no request, but the machine's housekeeping. */
  readonly isKeeping?: true
}

/** By the ranks of nodes: the version that each holds, as far as is known in this round. */
export type Votes = ReadonlyArray<Ballot | "refused" | "unasked" | null>

interface Operation {
  readonly key: string
  readonly round: number
  /** The newest copy that is known; in the second round of a proposal, the one that is proposed. */
  readonly newest: Copy
  readonly votes: Votes
  /** Whether the round began since the last tick. */
  readonly isFresh: boolean
}

/** Requests that are executed in one ballot after another, until one is accepted. */
export interface Proposal extends Operation {
  readonly phase: "prepare" | "accept" | "back-off"
  /** In the order of execution. What comes while it is under way is executed in the same ballot, or a later one. */
  readonly waiting: ReadonlyArray<Pending>
  /** The ballots that replicas may have accepted, each with the responses to the first of those that wait. */
  readonly attempts: ReadonlyArray<Attempt>
  readonly ballot: Ballot
  /** When its second round began, monotonic. */
  readonly sinceMillis: number
  /** The highest promise that was in the way. */
  readonly above: Ballot
  readonly refusals: number
}

export interface Attempt {
  readonly ballot: Ballot
  readonly responses: ReadonlyArray<unknown>
}

/** Reads that one round answers. */
export interface Reading extends Operation {
  readonly asked: ReadonlyArray<Pending>
  /** These came later, and are answered by the next. */
  readonly later: ReadonlyArray<Pending>
  /** How often the reads began anew because a write-back was refused. */
  readonly refusals: number
  /** The version that was written back; below all: none. */
  readonly written: Ballot
}

/** A read quorum has promised `ballot` to this node, and holds what the node's own copy holds as of `version`. */
export interface Lease {
  readonly key: string
  readonly ballot: Ballot
  readonly version: Ballot
}

/** A key that is gone, on its way to be forgotten by all; or one that is handed to its homes, and forgotten here. */
export interface Burial {
  readonly key: string
  readonly isHandoff: boolean
  readonly round: number
  /** Its second round: all hold it as gone, and are to forget it. */
  readonly isForgetting: boolean
  readonly copy: Copy
  readonly votes: Votes
  /** How many have passed since it began. */
  readonly ticks: number
}

export interface State {
  readonly registers: Registers
  readonly round: number
  /** At most one a key, and one reading a key. */
  readonly proposals: Trie<Proposal>
  readonly readings: Trie<Reading>
  /** For the keys that it updated latest: the next update of each needs no first round. */
  readonly leases: Trie<Lease>
  readonly burials: Trie<Burial>
  /** Keys that are held here for homes that were silent. */
  readonly hints: Trie<Hint>
  /** From which hash on hints are looked at next. */
  readonly handed: number
  /** From which hash on keys are kept house of next. */
  readonly kept: number
  /** Keys of which nothing but a promise was there a tick ago, with that promise. */
  readonly hollow: ReadonlyArray<Hollow>
  /** From which hash on keys that are gone are looked at next. */
  readonly cursor: number
  /** Above which the ballots for keys begin of which nothing is there. */
  readonly least: number
  /** The lengths of back-off that are running, as bits. */
  readonly backOffs: number
  /** How long second rounds take, as of late; 0: none has ended. */
  readonly roundMillis: number
  /** By rank: for how many ticks nothing was heard of it. */
  readonly silent: ReadonlyArray<number>
}

export interface Hint {
  readonly key: string
  /** The time of day when it came, or when the node started. */
  readonly since: number
}

export interface Hollow {
  readonly key: string
  readonly promised: Ballot
}

export type Self = Protocol.Self<Options>
export type Act = Protocol.DurableActions<Message, Event, Timer, Options, Record>

// ------------------------------------------------------------------------------------------------------------ votes

/** The votes of those who hold that version. */
export const holders = (votes: Votes, version: Ballot, { options }: Self): number => {
  // Everybody holds what a key was before all changes.
  if (version.counter === 0) return Number.POSITIVE_INFINITY
  let sum = 0
  for (let rank = 0; rank < votes.length; rank++) {
    const vote = votes[rank]
    if (isVersion(vote) && isSame(vote, version)) sum += options.votes[rank]!
  }
  return sum
}

export const isVersion = (vote: Votes[number] | undefined): vote is Ballot => typeof vote === "object" && vote !== null

export const voters = (votes: Votes, { votes: weights }: Options): number => {
  let sum = 0
  for (let rank = 0; rank < votes.length; rank++) if (isVersion(votes[rank])) sum += weights[rank]!
  return sum
}

/** The votes that were not refused: more cannot come. */
export const possible = (votes: Votes, { votes: weights }: Options): number => {
  let sum = 0
  for (let rank = 0; rank < votes.length; rank++) {
    if (isVersion(votes[rank]) || votes[rank] === null) sum += weights[rank]!
  }
  return sum
}

/** Whether so many are silent that nothing can be done. */
export const isApart = ({ silent }: State, { options }: Self): boolean => {
  let sum = 0
  for (let rank = 0; rank < silent.length; rank++) {
    if (silent[rank]! < options.silentTicks) sum += options.votes[rank]!
  }
  return sum < Math.max(options.readQuorum, options.writeQuorum)
}
