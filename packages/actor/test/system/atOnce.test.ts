/** Who is answered goes on within the turn of the actor that answers, and may end it there. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Effect, Fiber, Schema } from "effect"

class No extends Schema.TaggedError<No>()("No", {}) {}

const Echo = Messages.make("echo", {
  Say: Messages.ask({ text: Schema.String }, { reply: Schema.String, failure: No })
})

type Handled = Effect.Effect<{ readonly state: number; readonly reply: string }, No>

const ways: Readonly<Record<string, (state: number, text: string) => Handled>> = {
  "a value": (state, text) => Effect.succeed({ state: state + 1, reply: text }),
  "at once": (state, text) => Effect.sync(() => ({ state: state + 1, reply: text })),
  later: (state, text) => Effect.as(Effect.yieldNow, { state: state + 1, reply: text }),
  "a failure later": () => Effect.andThen(Effect.yieldNow, new No()),
  "a defect later": () => Effect.andThen(Effect.yieldNow, Effect.die("ill"))
}

describe.each(Object.entries(ways))("an actor whose handler answers with %s", (_, handle) => {
  const ends: Array<number> = []
  const echo = Behavior.effect(Echo, {
    init: () => Effect.succeed(0),
    on: { Say: (state, { text }) => handle(state, text) },
    onStop: (state) => void ends.push(state)
  })

  it.effect.each([1, 3])("ends once, when the first of %i who ask stops it", (count) =>
    Effect.gen(function* () {
      ends.length = 0
      const system = yield* ActorSystem.ActorSystem
      const ref = yield* ActorSystem.spawn(echo, { name: "echo" })
      const asking = yield* Effect.forEach(Array.from({ length: count }), () =>
        Effect.forkChild(
          Effect.andThen(Effect.exit(ref.ask({ _tag: "Say", text: "hello" })), system.stop(ref)).pipe(Effect.exit),
          { startImmediately: true }
        )
      )
      for (const each of asking) yield* Fiber.join(each)
      expect(ends).toHaveLength(1)
      expect(system.counters()).toMatchObject({ spawned: 1, stopped: 1 })
      expect(yield* Effect.flip(ref.ask({ _tag: "Say", text: "again" }))).toMatchObject({ _tag: "ActorStopped" })
      // Its name is free.
      yield* ActorSystem.spawn(echo, { name: "echo" })
    }).pipe(Effect.provide(ActorSystem.layer()))
  )
})
