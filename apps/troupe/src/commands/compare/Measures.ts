/**
 * What is measured of each kind of service, so that its algorithms can be compared: a table of measures, and how each run
 * gives them. A service that is not here can't be compared yet.
 */
import type { Effect } from "effect"
import type { Demonstration, Service } from "../../Demonstration.ts"
import type { Simulation } from "@troupe/simulation"
import { detection } from "./Detecting.ts"
import { electingMeasures } from "./Electing.ts"
import { locking } from "./Locking.ts"

/** What one size of a comparison is asked for. */
export interface Asked {
  readonly nodes: number
  /** So many seeds, from 1 on; all algorithms run on the same. */
  readonly seeds: number
  /** The share of messages that is lost where losses are what is looked at. */
  readonly lossProbability: number
  /** How much the nodes compete for a lock. */
  readonly contention: "low" | "high"
  /** Who crashes in an election. */
  readonly crash: "leader" | "none"
}

/** A flag that means something for some services only. */
export type Flag = "loss" | "contention" | "crash"

/** A measure is missing where the algorithm has no such thing. */
export type Values = Readonly<Record<string, number | undefined>>

export interface Measured {
  readonly values: Values
  /** Why nothing could be measured, where that is so. */
  readonly leftOut?: string
}

export interface Column {
  readonly key: string
  /** Two lines of a table's head. */
  readonly title: readonly [string, string]
  readonly digits: number
}

/** A picture of some measures: a bar for one, or dots on a line for several. */
export interface Panel {
  readonly title: string
  readonly unit: string
  /** The first and the last are the ends of a line; the others are dots on it, the first of which is filled. */
  readonly keys: ReadonlyArray<string>
}

export interface Measures {
  /** Which flags it heeds; the others are refused. */
  readonly flags: ReadonlyArray<Flag>
  /** What they come to, for who reads the JSON. */
  readonly conditions: (asked: Asked) => Readonly<Record<string, string | number>>
  /** And in words, for a headline; empty where the legend says enough. */
  readonly headline: (asked: Asked) => string
  /** How many nodes there are where nobody says, as `--nodes` has it. Default: 10. */
  readonly usualNodes?: string
  readonly columns: ReadonlyArray<Column>
  readonly panels: ReadonlyArray<Panel>
  /** What the figures are, for who reads the table. */
  readonly legend: (asked: Asked) => ReadonlyArray<string>
  readonly runsOf: (asked: Asked) => number
  /** Why an algorithm is left out at this size, if it is. */
  readonly refuse: (demonstration: Demonstration, nodes: number) => string | undefined
  readonly measure: (
    demonstration: Demonstration,
    asked: Asked,
    onRun: Effect.Effect<void>
  ) => Effect.Effect<Measured, Simulation.SimulationError>
}

export const measures: Readonly<Partial<Record<Service, Measures>>> = {
  detector: detection,
  notification: detection,
  mutex: locking,
  election: electingMeasures
}
