/** Systems of actors as the programs of simulated nodes. */
import { ActorSystem } from "@troupe/actor"
import { FailureDetector, Heartbeat } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import type { Trace } from "@troupe/trace"
import type { NodeId, Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, References, type Scope, Stream } from "effect"

export const nodes = ["n1", "n2", "n3"]

export const plannedMillis = 10_000

/** Nothing goes wrong any more. */
export const calmMillis = plannedMillis * Faults.over

export interface World {
  readonly seed: number
  readonly faults: Partial<Faults.Faults>
  readonly trace?: (event: Trace.Event) => void
}

/** What a world came to, as a proof counts it. */
export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly worstMillis: number
  readonly boundMillis: number
}

/** One life of a node. */
export interface Life {
  readonly node: NodeId.NodeId
  readonly number: number
  readonly system: ActorSystem.ActorSystem["Service"]
  /** Nodes that its detector has suspected so far. */
  readonly suspected: Set<NodeId.NodeId>
}

const detector = Heartbeat.layer({ interval: "200 millis", deadline: "700 millis" })

const systemOf = (suspected: Set<NodeId.NodeId>) =>
  Effect.gen(function* () {
    const { changes } = Context.get(yield* Layer.build(detector), FailureDetector)
    const down = changes.pipe(
      Stream.filter(({ status }) => status === "suspected"),
      Stream.map(({ node }) => node),
      Stream.tap((node) => Effect.sync(() => suspected.add(node)))
    )
    return Context.get(yield* Layer.build(ActorSystem.remote({ down })), ActorSystem.ActorSystem)
  })

/** Runs a world whose nodes have a system each; `program` runs in each life. Returns what is broken. */
export const simulate = async (
  { faults, seed, trace }: World,
  durationMillis: number,
  program: (life: Life) => Effect.Effect<unknown, unknown, Transport | Scope.Scope | ActorSystem.ActorSystem>,
  more: Partial<Simulation.Options<unknown, unknown>> = {}
): Promise<ReadonlyArray<string>> => {
  const lives = new Map<NodeId.NodeId, number>()
  const { violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults,
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(durationMillis),
      ...more,
      ...(trace === undefined ? {} : { trace }),
      program: (node) =>
        Effect.gen(function* () {
          const number = (lives.get(node) ?? 0) + 1
          lives.set(node, number)
          const suspected = new Set<NodeId.NodeId>()
          const system = yield* systemOf(suspected)
          yield* Effect.provideService(program({ node, number, system, suspected }), ActorSystem.ActorSystem, system)
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
  )
  return violations.map(({ detail, name }) => (detail === undefined ? name : `${name}: ${detail}`))
}
