/** A program that asks something, with much time to spare, and has nothing more to do. */
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Effect, Schema } from "effect"

const Echo = Messages.make("echo", { Say: Messages.ask({ text: Schema.String }, { reply: Schema.String }) })

const echo = Behavior.effect(Echo, {
  init: () => Effect.void,
  on: { Say: (state, { text }) => Effect.as(Effect.yieldNow, { state, reply: text }) }
})

const program = Effect.gen(function* () {
  const ref = yield* ActorSystem.spawn(echo)
  const reply = yield* ref.ask({ _tag: "Say", text: "hello" }, { timeout: "1 day" })
  yield* Effect.sync(() => console.log(reply))
})

await Effect.runPromise(program.pipe(Effect.provide(ActorSystem.layer())))
