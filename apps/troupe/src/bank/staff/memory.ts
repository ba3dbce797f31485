/** Tellers in this process, over a network in memory. */
import { Memory, Transport } from "@troupe/transport"
import { Cause, Effect, Exit, Layer, Scope } from "effect"
import { Staff, StaffFailed } from "../Bank.ts"
import type { Crew } from "../Crew.ts"
import { bankNode } from "../Office.ts"
import { teller } from "../Teller.ts"

/** The bank's own transport, and its staff. */
export const layer = (tellers: ReadonlyArray<string>, crew: Crew) => {
  const network = Memory.network({ nodes: [...tellers, bankNode] })
  return Layer.merge(Layer.orDie(Memory.layer(network, bankNode)), staff(network, tellers, crew))
}

const staff = (network: Memory.Network, tellers: ReadonlyArray<string>, crew: Crew) =>
  Layer.effect(
    Staff,
    Effect.gen(function* () {
      const scope = yield* Scope.Scope
      const running = new Map<string, { readonly line: Scope.Closeable; readonly desk: Scope.Closeable }>()
      return {
        tellers,
        start: (name) =>
          Effect.gen(function* () {
            const line = yield* Scope.fork(scope)
            const desk = yield* Scope.fork(scope)
            running.set(name, { line, desk })
            const transport = yield* Memory.connect(network, name).pipe(
              Scope.provide(line),
              Effect.mapError((error) => new StaffFailed({ teller: name, reason: error.message }))
            )
            yield* teller(tellers, crew).pipe(
              Effect.provideService(Transport, transport),
              Effect.onError((cause) =>
                Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`teller ${name} failed`, cause)
              ),
              Scope.provide(desk),
              Effect.forkIn(desk)
            )
          }),
        failed: Effect.never,
        // The line goes dead first: what the teller says while it is taken down is not heard, as after a kill.
        kill: (name) =>
          Effect.suspend(() => {
            const { desk, line } = running.get(name)!
            running.delete(name)
            return Effect.andThen(Scope.close(line, Exit.void), Scope.close(desk, Exit.void))
          })
      }
    })
  )
