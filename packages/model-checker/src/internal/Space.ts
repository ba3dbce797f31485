/**
 * What a search sees of a model: states as short runs of whole numbers, and their 64-bit fingerprints.
 *
 * The parts of a state (the local state of a node, a message) are interned: each stands in one place, once, and a state
 * names them by number. So a successor is a few numbers changed, its fingerprint a few numbers added, and a handler runs
 * once for each local state and input, however many states of the whole they occur in.
 */
import type { Trace } from "@troupe/trace"

export interface Space<View> {
  readonly name: string
  /** Offers each first state. */
  initial(to: Receiver): void
  /**
   * Offers each successor of a state, in an order that depends on the state alone. Those that a partial order makes needless
   * are left out, unless they are sought.
   */
  successors(numbers: Int32Array, from: number, length: number, to: Receiver): void
  /** The state for a property. Valid until the next one is asked for. */
  view(numbers: Int32Array, from: number, length: number): View
  /** Whether the state lies within the bounds of the search; one that does not has no successors. */
  isWithin(view: View): boolean
  /** The state is not needed any more. */
  release(numbers: Int32Array, from: number, length: number): void
  /** How the state that was offered last came about. */
  readonly latest: Happening
  /** Whether what bears this label must not be put off for ever. */
  isFair(label: number): boolean
  /** Whether what bears this label is something gone wrong: where nothing else can happen, a run may be at its end. */
  isFault(label: number): boolean
  /** Whether the pass must begin anew, as more was left out than may be; it then does better. Default: no. */
  renew?(isOver: boolean): boolean
  /** Bytes of what is interned, roughly. */
  readonly bytes: number
  /** The events of a path, as a trace. */
  trace(path: ReadonlyArray<PathStep>): Trace.Trace
}

/** What a state is offered to. */
export interface Receiver {
  /** Whether no successor may be left out. */
  readonly isSeeking?: boolean
  /** Where the numbers of the state go. */
  numbers: Int32Array
  /**
   * A state with this fingerprint, reached by what bears `label`. Returns where in `numbers` its `length` numbers are to be
   * written, at once, or -1 if they are not wanted.
   */
  offer(high: number, low: number, label: number, length: number): number
  /** The numbers are written. */
  written(): void
  /** Whether it goes a way that was gone before: there is nothing to be checked. */
  readonly isRetracing?: boolean
}

/** What happens between two states, as far as it can be told later. Opaque but to its space. */
export interface Happening {
  /** In words. */
  describe(): string
}

export interface PathStep {
  readonly happening: Happening
  /** After it. */
  readonly numbers: Int32Array
}

/** What a search may leave out, because it is the same as what it does not. */
export interface Reductions {
  /** States in which interchangeable parts have changed places. */
  readonly symmetry: boolean
  /** Orders of steps that do not see each other. */
  readonly partialOrder: boolean
  /**
   * The arrival of a message that changes nothing: the message stays in flight. It comes to the same for what holds in
   * states. It does not for where runs lead: a message that came too early is gone.
   */
  readonly ignored: boolean
}
