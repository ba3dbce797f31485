/** What is left of a system when it has ended: nothing. */
import { expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Context, Effect, Exit, Layer, References, Schema, Scope } from "effect"

const M = Messages.make("m", {
  Ask: Messages.ask({}, { reply: Schema.Int }),
  Watch: Messages.tell({ ref: Schema.Any }),
  Told: Messages.tell({})
})

const silent = Behavior.effect(M, {
  init: (self): Effect.Effect<number, never, Scope.Scope> => {
    self.setInterval("often", "1 hour", { _tag: "Told" })
    self.setReceiveTimeout("1 hour", { _tag: "Told" })
    return Effect.acquireRelease(Effect.succeed(0), () => Effect.sleep("10 millis"))
  },
  on: {
    Ask: (state, _, self) => Effect.succeed({ state, later: self.defer() }),
    Watch: (state, { ref }, self) => {
      self.watch(ref, () => ({ _tag: "Told" }))
      return Effect.succeed(state)
    },
    Told: (state) => Effect.as(Effect.sleep("1 hour"), state)
  }
})

it.live.each([1, 2, 3])("no timer, sleeper or fiber of a system is left when it has ended, seed %i", (seed) =>
  Effect.gen(function* () {
    const { durationMillis, ended, violations } = yield* Simulation.run({
      seed,
      nodes: ["n1", "n2"],
      duration: "1 day",
      program: (node) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(ActorSystem.remote(), scope)
          const system = Context.get(context, ActorSystem.ActorSystem)
          const here = yield* system.spawn(silent, { name: "silent" })
          const there = yield* system.at(M, "silent", node === "n1" ? "n2" : "n1")
          here.tell({ _tag: "Watch", ref: there })
          const asking = [there, here].map((ref) => Effect.exit(ref.ask({ _tag: "Ask" }, { timeout: "1 hour" })))
          for (const each of asking) yield* Effect.forkIn(each, scope)
          yield* Effect.sleep("1 second")
          here.tell({ _tag: "Told" })
          yield* Effect.sleep("1 second")
          yield* Scope.close(scope, Exit.void)
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
    expect(violations).toEqual([])
    expect(ended).toBe("quiet")
    expect(durationMillis).toBeLessThan(3_000)
  })
)
