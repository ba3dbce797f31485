/** All nodes in this process, over a network in memory. */
import { Memory, Transport } from "@troupe/transport"
import { Effect, Random, type Scope } from "effect"
import { paceOf, perform } from "../Sighting.ts"
import type { Tally } from "../Tally.ts"
import { type Run, settled } from "./World.ts"

export const inMemory = ({ demonstration, entries, nodes, seed, workMillis }: Run, tally: Tally) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    const transports = yield* Effect.forEach(nodes, (node) => Memory.connect(network, node))
    const programs = Effect.forEach(
      transports,
      (transport) =>
        perform(
          demonstration,
          paceOf(demonstration, { entries, node: transport.self, nodes, workMillis }),
          tally.see
        ).pipe(Effect.provideService(Transport, transport)),
      { concurrency: "unbounded", discard: true }
    )
    // A program that never ends is for `settled` to find.
    const failing: Effect.Effect<never, Error, Scope.Scope> = Effect.andThen(programs, Effect.never)
    yield* Effect.raceFirst(failing, settled(tally, workMillis))
    return tally.outcome()
  }).pipe(Effect.scoped, Random.withSeed(seed))
