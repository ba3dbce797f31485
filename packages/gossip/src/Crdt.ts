/**
 * Conflict-free replicated data types: values that several replicas change without asking each other, and that become
 * the same everywhere once everybody has heard of every change, in whatever order, and however often.
 *
 * A state is an immutable value. A mutator doesn't return the next state but a *delta*: a small state which holds the
 * change alone. `merge` takes states and deltas alike. It is a join: commutative, associative and idempotent. So what is
 * sent may be lost and sent again, doubled, overtaken or gathered with other deltas, and what is merged in is merged in.
 *
 * Each replica has a name, which nobody else uses, ever: a replica that has lost its state is a new one.
 *
 * Sources: M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski, "Conflict-free Replicated Data Types", SSS 2011;
 * P. S. Almeida, A. Shoker, C. Baquero, "Delta State Replicated Data Types", JPDC 111, 2018.
 *
 * @example
 * import { OrSet } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const tags = OrSet.crdt(Schema.String)
 * const both = tags.merge(tags.empty, OrSet.add(tags.empty, "n1", "red"))
 * // n1 takes "red" out, while n2, which has not heard of that, adds it again.
 * const removed = OrSet.remove(both, "red")
 * const added = OrSet.add(both, "n2", "red")
 * const n1 = tags.merge(tags.merge(both, removed), added)
 * const n2 = tags.merge(tags.merge(both, added), removed)
 * console.log(OrSet.has(n1, "red"), tags.equals(n1, n2)) // true true
 */
import { Schema } from "effect"

/** The name of a replica: 1 to 255 characters. */
export const ReplicaId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(255))
export type ReplicaId = string

/**
 * @typeParam State what is merged: states and deltas
 * @typeParam Value what a program reads
 */
export interface Crdt<in out State, out Value = unknown> {
  readonly name: string
  /** Of a replica that knows of no change: the identity of `merge`. */
  readonly empty: State
  readonly schema: Schema.Codec<State, any>
  readonly value: (state: State) => Value
  /**
   * The least state that includes both. It is `state` itself where `other` adds nothing. Throws `PrunedDifferently` or
   * `ReplicaReused`.
   */
  readonly merge: (state: State, other: State) => State
  readonly equals: (first: State, second: State) => boolean
  /** Grows with each change by `replica` that the state includes; 0 where there is none, or the type does not tell. */
  readonly known: (state: State, replica: ReplicaId) => number
  /**
   * Forgets the names of replicas that are gone for good; what they did stays. The names may not be used any more by
   * whoever still has a state from before.
   *
   * Every live replica must call it with the same names in the same order of calls, and before the first does, each must
   * have merged every change by the departed that any live replica has merged. Until a replica has pruned as well, it
   * and those that have refuse each other's states by `PrunedDifferently`; so they do, for good, when the rule was
   * broken: nothing is mixed up in silence.
   */
  readonly prune: (state: State, departed: ReadonlyArray<ReplicaId>) => State
  /** Two states, each smaller, that together are this one; `undefined` where it cannot be divided. */
  readonly halves: (state: State) => readonly [State, State] | undefined
}

/**
 * A type whose states say by themselves who contributed what, so that it can be a value of an `OrMap`: the map keeps the
 * contributions of each replica apart.
 */
export interface Contributed<in out State, out Value> extends Crdt<State, Value> {
  readonly contributed: true
}

// --------------------------------------------------------------------------------------------------------------- failures

/** A count would pass 2^53, from where on numbers are not exact. */
export class CounterOverflow extends Schema.TaggedError<CounterOverflow>()("CounterOverflow", {
  counter: Schema.String
}) {
  override get message(): string {
    return `${this.counter} would pass 2^53 − 1, up to where numbers are exact: start a new counter`
  }
}

/** An amount is not a whole number from 1. */
export class InvalidAmount extends Schema.TaggedError<InvalidAmount>()("InvalidAmount", { amount: Schema.Number }) {
  override get message(): string {
    return `${this.amount} is no amount to count by: whole numbers from 1 to 2^53 − 1 are`
  }
}

/** Two different changes bear the name of one replica: it was used again after its state was lost, or by two at once. */
export class ReplicaReused extends Schema.TaggedError<ReplicaReused>()("ReplicaReused", {
  replica: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return (
      `Replica "${this.replica}" is not the one that it was: ${this.reason}. ` +
      "A replica that has lost its state must take a new name"
    )
  }
}

/** One of two states has forgotten departed replicas which the other has not, or has forgotten others. */
export class PrunedDifferently extends Schema.TaggedError<PrunedDifferently>()("PrunedDifferently", {
  mine: Schema.Int,
  other: Schema.Int
}) {
  override get message(): string {
    return (
      `States that were pruned differently cannot be merged: one ${this.mine} times, the other ${this.other} times` +
      (this.mine === this.other
        ? ". All had not merged the same of the departed, or pruned others: begin anew from one replica's state"
        : ". Prune the one that is behind")
    )
  }
}
