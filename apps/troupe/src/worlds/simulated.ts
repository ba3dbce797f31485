/** All nodes in a simulated world, on virtual time: the same run for the same seed. */
import { type Property, Simulation } from "@troupe/simulation"
import type { NodeId } from "@troupe/transport"
import { Effect } from "effect"
import { paceOf, perform } from "../Sighting.ts"
import type { Outcome, Tally } from "../Tally.ts"
import { staged } from "./Staging.ts"
import { type Run, settled } from "./World.ts"

export interface Simulated extends Outcome {
  readonly virtualMillis: number
}

/** `tally` sees the run, but leaves it to the simulator to hold the guarantees against it. */
export const simulated = (run: Run, tally: Tally): Effect.Effect<Simulated, Simulation.SimulationError> =>
  Effect.gen(function* () {
    const { crash, demonstration, entries, kill, nodes, seed, trace, workMillis } = run
    const result = yield* Simulation.run({
      seed,
      nodes,
      program: (node) =>
        perform(demonstration, paceOf(demonstration, { entries, node, nodes, workMillis }, crash), tally.see, crash),
      properties: propertiesOf(run, tally).map((property) => onChange(property, tally)),
      ...(trace === undefined ? {} : { trace }),
      test: (simulator) =>
        Effect.gen(function* () {
          if (crash !== undefined) return yield* staged(run, tally, (node) => slay(node, simulator, tally))
          if (kill !== undefined) yield* Effect.forkChild(killing(kill, simulator, tally))
          yield* settled(tally, workMillis)
        }),
      duration: "30 days"
    })
    return {
      properties: result.verdicts.map(({ holds, kind, name }) => ({ name, kind, holds })),
      violations: [
        ...result.violations.map(({ atMillis, detail, name }) => ({
          name,
          detail: `at ${atMillis} ms${detail === undefined ? "" : `: ${detail}`}`
        })),
        ...tally.failures
      ],
      virtualMillis: result.durationMillis
    }
  })

/** The guarantees of the card, against the states of all nodes, or of those that the tally has an eye on. */
const propertiesOf = ({ demonstration: { actor, card }, nodes }: Run, tally: Tally): ReadonlyArray<Property> =>
  tally.judged.size === nodes.length
    ? Simulation.fromCard(card, actor)
    : card.guarantees.map(({ holds, kind, name }) => ({
        name,
        kind,
        holds: () => holds(tally.snapshot),
        ofSnapshots: true
      }))

const killing = ({ afterMillis, nodes }: NonNullable<Run["kill"]>, simulator: Simulation.Simulator, tally: Tally) =>
  Effect.gen(function* () {
    yield* Effect.sleep(afterMillis)
    for (const node of nodes) yield* slay(node, simulator, tally)
  })

const slay = (node: NodeId.NodeId, simulator: Simulation.Simulator, tally: Tally) =>
  Effect.andThen(
    simulator.crash(node),
    Effect.sync(() => tally.see({ _tag: "Killed", node, atNanos: simulator.world.nowMillis * 1e6 }))
  )

/** Guarantees speak of states alone: no change, no second look. With many nodes a look takes its time. */
const onChange = (property: Property, tally: Tally): Property => {
  let changes = -1
  let held = false
  return {
    ...property,
    holds: (world) => {
      if (tally.changes !== changes) {
        changes = tally.changes
        held = property.holds(world)
      }
      return held
    }
  }
}
