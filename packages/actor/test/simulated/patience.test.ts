/** What waits for answers sleeps once for each, and does not pile up. */
import { expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Effect, Schema } from "effect"

const Silent = Messages.make("silent", { Ask: Messages.ask({}, { reply: Schema.Int }) })
const silent = Behavior.make(Silent, {
  init: () => 0,
  on: { Ask: (state, _, self) => ({ state, later: self.defer() }) }
})

const count = 50

const asking = Effect.gen(function* () {
  const ref = yield* ActorSystem.spawn(silent)
  // Off whole milliseconds.
  yield* Effect.sleep("1234567 nanos")
  for (let i = 0; i < count; i++) {
    expect(yield* Effect.flip(ref.ask({ _tag: "Ask" }, { timeout: "100.3 millis" }))).toMatchObject({
      _tag: "AskTimeout"
    })
  }
})

it.live.each([0, 200])(
  "who asks again at once when time is up waits as long, and wakes as often, at a clock that is off by %i ppm",
  (clockDriftPpmMax) =>
    Effect.gen(function* () {
      const { counts, durationMillis, violations } = yield* Simulation.run({
        seed: 1,
        nodes: ["n1"],
        faults: { clockDriftPpmMax },
        yieldProbability: 0,
        program: () => Effect.provide(asking, ActorSystem.layer())
      })
      expect(violations).toEqual([])
      expect(Math.abs(durationMillis / (count * 100.3) - 1)).toBeLessThan(0.001)
      expect(counts.steps).toBeLessThan(count * 8)
    })
)
