/** Common set-up: nodes, an election on each, and a simulated world that is held against the card. */
import { Actor, type Card } from "@troupe/actor"
import { Bully, Election } from "@troupe/election"
import { Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Effect, Layer, type Scope } from "effect"

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `P${i + 1}`)

export const guarantees = Simulation.fromCard(Bully.card, Bully.protocol.name)

export const guarantee = (name: string) => guarantees.filter((each) => each.name === name)

/** The election, in the scope of the node: it goes on when the program is done. */
export const election = (options?: Parameters<typeof Bully.layer>[0]) =>
  Effect.map(Layer.build(Bully.layer(options)), Context.get(Election))

interface World {
  readonly nodes: number
  readonly faults?: Card.Faults
  readonly change?: Partial<Faults.Faults>
  readonly properties?: typeof guarantees
  readonly options?: Parameters<typeof Bully.layer>[0]
  /** In place of the layer's. */
  readonly protocol?: typeof Bully.protocol
}

const world = ({ change, faults = "none", nodes, options, properties = guarantees, protocol }: World) => ({
  nodes: nodesOf(nodes),
  faults: { ...Faults.presets[faults], ...change },
  properties,
  program: (): Effect.Effect<void, unknown, Transport | Scope.Scope> =>
    protocol === undefined
      ? Effect.asVoid(election(options))
      : Effect.asVoid(Actor.spawn(protocol, { options: Bully.defaults }))
})

export const search = (given: World & { readonly seeds: number }) =>
  Simulation.search({ ...world(given), seeds: { first: 1, last: given.seeds } })

export type TraceEvent = Parameters<NonNullable<Simulation.Options<unknown>["trace"]>>[0]

export const run = <A = void>(
  given: World & {
    readonly seed?: number
    readonly trace?: (event: TraceEvent) => void
    readonly duration?: "1 second" | "1 hour"
    readonly test?: (simulator: Simulation.Simulator) => Effect.Effect<A, unknown>
  }
) => {
  const { duration, seed = 1, test, trace } = given
  return Simulation.run<unknown, A>({
    ...world(given),
    seed,
    ...(duration === undefined ? {} : { duration }),
    ...(test === undefined ? {} : { test }),
    ...(trace === undefined ? {} : { trace })
  })
}

/** The states of the nodes, at a moment of a test. */
export const states = (simulator: Simulation.Simulator): Readonly<Record<string, Bully.State>> =>
  Object.fromEntries(simulator.world.snapshot(Bully.protocol.name).map(({ node, state }) => [node, state]))
