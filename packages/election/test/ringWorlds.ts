/** Simulated worlds of elections round a ring: with a failure detector, or without. */
import type { Card } from "@troupe/actor"
import { Election } from "@troupe/election"
import { Heartbeat } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import { Context, Effect, Layer } from "effect"
import { nodesOf, type RingElection, type State } from "./rings.ts"

export interface World {
  readonly nodes: number
  readonly faults?: Card.Faults
  readonly change?: Partial<Faults.Faults>
  /** Whether there is a failure detector on each node. */
  readonly detector?: boolean
  /** Of the card's guarantees. Default: all. */
  readonly only?: ReadonlyArray<string>
  readonly services?: Record<string, Election["Service"]>
}

const world = (election: RingElection, { change, detector, faults = "none", nodes, only, services = {} }: World) => ({
  nodes: nodesOf(nodes),
  faults: { ...Faults.presets[faults], ...change },
  properties: Simulation.fromCard(election.card, election.protocol.name).filter(
    ({ name }) => only === undefined || only.includes(name)
  ),
  program: (node: string) =>
    Effect.map(
      Layer.build(
        detector === true ? election.layer().pipe(Layer.provide(Heartbeat.layer())) : election.layer()
      ) as Effect.Effect<Context.Context<Election>, unknown, any>,
      (context) => {
        services[node] = Context.get(context, Election)
      }
    )
})

/** The seeds from `first` on, or from 1, to `seeds`. */
export const search = (
  election: RingElection,
  { first = 1, seeds, ...given }: World & { readonly first?: number; readonly seeds: number }
) => Simulation.search({ ...world(election, given), seeds: { first, last: seeds } })

/** Nothing but `test` disturbs the world. */
export const run = <A>(
  election: RingElection,
  given: World & {
    readonly seed?: number
    readonly test: (simulator: Simulation.Simulator) => Effect.Effect<A, unknown>
  }
) =>
  Simulation.run<unknown, A>({ ...world(election, given), seed: given.seed ?? 1, duration: "1 hour", test: given.test })

/** The states of the nodes, at a moment of a test. */
export const states = (election: RingElection, simulator: Simulation.Simulator): Readonly<Record<string, State>> =>
  Object.fromEntries(
    simulator.world.snapshot(election.protocol.name).map(({ node, state }) => [node, state as unknown as State])
  )
