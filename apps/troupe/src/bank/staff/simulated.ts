/** The bank in a simulated world: on virtual time, the same run for the same seed. */
import { Simulation } from "@troupe/simulation"
import { Deferred, Effect } from "effect"
import * as Bank from "../Bank.ts"
import { bankNode } from "../Office.ts"
import { teller } from "../Teller.ts"

export const run = (
  tellers: ReadonlyArray<string>,
  seed: number,
  options: Bank.Options
): Effect.Effect<Bank.Run, Bank.BankError> =>
  Effect.gen(function* () {
    const simulator = yield* Deferred.make<Simulation.Simulator>()
    const outcome = yield* Deferred.make<Bank.Run, Bank.BankError>()
    // The world starts every node, and starts it again after a crash.
    const staff = Bank.Staff.of({
      tellers,
      start: (name) => Effect.flatMap(Deferred.await(simulator), ({ restart }) => restart(name)),
      kill: (name) => Effect.flatMap(Deferred.await(simulator), ({ crash }) => crash(name)),
      failed: Effect.never
    })
    const result = yield* Simulation.run({
      seed,
      nodes: [...tellers, bankNode],
      duration: "1 day",
      program: (node) =>
        node === bankNode
          ? Bank.run(options).pipe(
              Effect.provideService(Bank.Staff, staff),
              Effect.exit,
              Effect.flatMap((exit) => Deferred.done(outcome, exit))
            )
          : teller(tellers, options.crew),
      test: (handle) => Effect.andThen(Deferred.succeed(simulator, handle), Effect.exit(Deferred.await(outcome)))
    }).pipe(Effect.orDie)
    if (result.value === undefined) return yield* Effect.die(new Error(JSON.stringify(result.violations)))
    return yield* result.value
  })
