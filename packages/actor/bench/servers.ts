/** What the servers of the benchmark do: the same here and in threads. */
import { Messages, type Server } from "@troupe/actor"
import { Effect, Schema } from "effect"

export const Work = Messages.make("work", {
  /** So many turns of a loop. */
  Compute: Messages.ask({ turns: Schema.Int }, { reply: Schema.Int }),
  /** For input or output that takes so long. */
  Wait: Messages.ask({ millis: Schema.Int }, { reply: Schema.Int }),
  Add: Messages.ask({ a: Schema.Int, b: Schema.Int }, { reply: Schema.Int })
})

/** All of it in small integers: what is larger is sometimes compiled to be ten times slower, in some threads. */
export const compute = (turns: number): number => {
  let sum = 0
  for (let i = 0; i < turns; i++) sum = (sum * 31 + i) & 0xffff
  return sum
}

export const handlers: Server.Handlers<typeof Work.definition> = {
  Compute: ({ turns }) => Effect.sync(() => compute(turns)),
  Wait: ({ millis }) => Effect.as(Effect.sleep(millis), millis),
  Add: ({ a, b }) => Effect.sync(() => a + b)
}
