/** Handlers that tests have run here and in threads. */
import { Messages, type Server } from "@troupe/actor"
import { Effect, Schema } from "effect"

export class Burnt extends Schema.TaggedError<Burnt>()("Burnt", { dish: Schema.String }) {}

export const Kitchen = Messages.make("kitchen", {
  Cook: Messages.ask({ dish: Schema.String }, { reply: Schema.String, failure: Burnt }),
  /** Answers after so long. */
  Wait: Messages.ask({ millis: Schema.Int }, { reply: Schema.Int }),
  /** Never gives the thread back. */
  Loop: Messages.ask({}, { reply: Schema.Int }),
  Break: Messages.ask({ why: Schema.String }, { reply: Schema.Int }),
  Drop: Messages.tell({ why: Schema.String }),
  /** Answers with what is none of the reply's. */
  Lie: Messages.ask({}, { reply: Schema.Int }),
  /** How many of the waits were interrupted on this thread. */
  Interrupted: Messages.ask({}, { reply: Schema.Int })
})

let interrupted = 0

export const handlers: Server.Handlers<typeof Kitchen.definition> = {
  Cook: ({ dish }) => (dish === "toast" ? Effect.fail(new Burnt({ dish })) : Effect.succeed(`${dish}, cooked`)),
  Wait: ({ millis }) =>
    Effect.onInterrupt(Effect.delay(Effect.succeed(millis), millis), () => Effect.sync(() => void interrupted++)),
  Loop: () =>
    Effect.sync(() => {
      for (;;);
    }),
  Break: ({ why }) => Effect.die(new Error(why)),
  Drop: ({ why }) => Effect.fail(why),
  Lie: () => Effect.succeed("four" as never),
  Interrupted: () => Effect.sync(() => interrupted)
}
