/**
 * A model of one's own: where it begins, what can happen in a state, and what comes of it.
 *
 * States and actions are plain data: objects, arrays, strings, numbers, Sets, Maps and Effect's `HashMap`, `HashSet`,
 * `Chunk` and `Option`. Two states of the same content are the same state.
 *
 * @example
 * import { Checker, Model, Property } from "@troupe/model-checker"
 * import { Effect } from "effect"
 *
 * // Two processes count up, each reading and writing in two steps.
 * type State = { readonly count: number; readonly read: ReadonlyArray<number | undefined>; readonly done: number }
 * const counter = Model.make<State, { readonly process: number; readonly step: "read" | "write" }>({
 *   name: "lost update",
 *   init: [{ count: 0, read: [undefined, undefined], done: 0 }],
 *   actions: ({ done, read }) =>
 *     [0, 1].filter((process) => (done & (1 << process)) === 0)
 *       .map((process) => ({ process, step: read[process] === undefined ? "read" : "write" })),
 *   next: (state, { process, step }) =>
 *     step === "read"
 *       ? { ...state, read: state.read.with(process, state.count) }
 *       : { ...state, count: state.read[process]! + 1, done: state.done | (1 << process) },
 *   properties: [Property.always("no update is lost", ({ count, done }) => done !== 3 || count === 2)]
 * })
 *
 * const report = await Effect.runPromise(Checker.check(counter))
 * console.log(report.properties[0]!.verdict) // violated
 * console.log(report.properties[0]!.counterexample!.steps.length) // 5
 */

import { plainSpace } from "./internal/PlainSpace.ts"
import type { Reductions, Space } from "./internal/Space.ts"
import type { Property } from "./Property.ts"

/** What `Checker.check` takes: a plain model or a `System`. */
export interface Checkable<View> {
  readonly name: string
  readonly properties: ReadonlyArray<Property<View>>
  /** @internal A fresh space: it remembers what it has seen. */
  readonly space: (reduce: Reductions) => Space<View>
}

export interface Model<State, Action> {
  readonly name: string
  readonly init: ReadonlyArray<State>
  /** What can happen. */
  readonly actions: (state: State) => ReadonlyArray<Action>
  /** What comes of it; `undefined` where the action cannot happen after all. */
  readonly next: (state: State, action: Action) => State | undefined
  readonly properties: ReadonlyArray<Property<State>>
  /** States beyond are looked at, and not gone on from. Default: all are within. */
  readonly within?: (state: State) => boolean
  /** Whether an action that can happen all the time must happen. Default: yes. */
  readonly isFair?: (action: Action) => boolean
  /** For a counterexample. Default: as JSON. */
  readonly describe?: (action: Action) => string
  /**
   * The other states that are the same to the eye of every property, and behave alike: those in which parts that are
   * interchangeable have changed places. Of each such set one state is explored. Whether they do behave alike is checked
   * by comparing with a search without: `Checker.check` with `symmetry: false`.
   */
  readonly symmetric?: (state: State) => ReadonlyArray<State>
}

export const make = <State, Action>(model: Model<State, Action>): Checkable<State> => ({
  name: model.name,
  properties: model.properties,
  space: (reduce) => plainSpace(model, reduce)
})
