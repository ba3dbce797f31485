/** What a simulation is asked for, and what comes of it. */
import type { Simulation } from "@troupe/simulation"
import type { Demonstration } from "../../Demonstration.ts"

export const presets = ["none", "lossy", "crash", "partition", "chaos"] as const
export type Preset = (typeof presets)[number]

/** Faults that are no events of a plan: a replay leaves them out by name. */
export const rates = {
  loss: "lossProbability",
  duplication: "duplicationProbability",
  reordering: "reorderProbability",
  skew: "clockSkewMillisMax",
  drift: "clockDriftPpmMax"
} as const
export type Rate = keyof typeof rates

export interface Plan {
  readonly demonstration: Demonstration
  readonly nodes: number
  readonly preset: Preset
  readonly seeds: { readonly first: number; readonly last: number }
  readonly keep: ReadonlyArray<number> | undefined
  readonly without: ReadonlyArray<Rate>
  readonly untilMillis: number
  readonly plannedMillis: number
  /** Whether it is the replay of a run that was shrunk already. */
  readonly isReplay: boolean
}

/** A run that breaks a guarantee, as it is replayed. */
export interface Counterexample extends Plan {
  readonly seed: number
  readonly result: Simulation.Result
  /** How many runs it took to shrink it; none when it was shrunk before. */
  readonly shrinkRuns: number
}

export interface Search {
  readonly runs: number
  readonly failed: number
  readonly delivered: number
  readonly broken: ReadonlyArray<{ readonly name: string; readonly runs: number; readonly firstSeed: number }>
  readonly counterexample: Counterexample | undefined
}
