/** What a model must show. */

export type Kind =
  /** Holds in every state. */
  | "always"
  /** Holds in one state at least. */
  | "sometimes"
  /** Every run comes to a state in which it holds. */
  | "eventually"
  /** Every run comes to such a state again and again, or ends in one: what was disturbed is put right. */
  | "infinitely often"
  /** Holds in every state in which nothing can happen any more, but for faults: the system is at an end, and not stuck. */
  | "at the end"

/**
 * Of the kinds that speak of runs, a run is one that does not put off for ever what could happen all the time (weak
 * fairness): a message in flight is delivered or lost, a timer that runs runs out, a user does what it set out to do.
 * Nothing has to go wrong: crashes and losses may happen, or not.
 *
 * @typeParam View what a model shows of a state
 */
export interface Property<in View> {
  readonly name: string
  readonly kind: Kind
  readonly holds: (view: View) => boolean
}

const of =
  (kind: Kind) =>
  <View>(name: string, holds: (view: View) => boolean): Property<View> => ({ name, kind, holds })

export const always = of("always")
export const sometimes = of("sometimes")
export const eventually = of("eventually")
export const infinitelyOften = of("infinitely often")
export const atTheEnd = of("at the end")

/** Nothing gets stuck: the system never comes to a state in which nothing but faults can happen, save where `isEnd` says so. */
export const deadlockFree = <View>(isEnd: (view: View) => boolean = () => false): Property<View> =>
  atTheEnd("deadlock freedom", isEnd)
