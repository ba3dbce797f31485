/** A server that tells in which span its handlers run. */
import { Messages, type Server } from "@troupe/actor"
import { Effect, Option, Schema } from "effect"

export const Desk = Messages.make("desk", {
  Sign: Messages.ask(
    {},
    { reply: Schema.Struct({ trace: Schema.String, parent: Schema.String, isSampled: Schema.Boolean }) }
  )
})

export const handlers: Server.Handlers<typeof Desk.definition> = {
  Sign: () =>
    Effect.withSpan(
      Effect.map(Effect.orDie(Effect.currentSpan), ({ parent, sampled, traceId }) => ({
        ...{ trace: traceId, isSampled: sampled },
        parent: Option.match(parent, { onNone: () => "none", onSome: ({ spanId }) => spanId })
      })),
      "signing"
    )
}
