/**
 * What is measured of each kind of service, so that its algorithms can be compared: a table of measures, and how each run
 * gives them. A service that is not here can't be compared yet.
 */
import type { Effect } from "effect"
import type { Demonstration, Service } from "../../Demonstration.ts"
import type { Simulation } from "@troupe/simulation"
import { detection } from "./Detecting.ts"

/** What one size of a comparison is asked for. */
export interface Asked {
  readonly nodes: number
  /** So many seeds, from 1 on; all algorithms run on the same. */
  readonly seeds: number
  /** The share of messages that is lost where losses are what is looked at. */
  readonly lossProbability: number
}

/** A measure is missing where the algorithm has no such thing. */
export type Values = Readonly<Record<string, number | undefined>>

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
  ) => Effect.Effect<Values, Simulation.SimulationError>
}

export const measures: Readonly<Partial<Record<Service, Measures>>> = { detector: detection, notification: detection }
