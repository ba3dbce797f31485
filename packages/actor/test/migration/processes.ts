/** The other node, in a process of its own: it dials "n1" at the address that it is given. */
import { ActorSystem, Migration } from "@troupe/actor"
import { Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Effect, Layer } from "effect"
import { drive, tally } from "./hundred.ts"

export const nodeOn = (transport: Transport["Service"]) =>
  Layer.build(
    Migration.layer([tally]).pipe(
      Layer.provideMerge(ActorSystem.remote()),
      Layer.provide(Layer.succeed(Transport, transport))
    )
  )

if (process.argv[2] !== undefined && process.send !== undefined) {
  const program = Effect.gen(function* () {
    const transport = yield* Tcp.make({ self: "n2", listen: "127.0.0.1:0", peers: { n1: process.argv[2]! } })
    const context = yield* nodeOn(transport)
    yield* Effect.provide(
      Effect.flatMap(drive, (spawn) => spawn("n2")),
      context
    )
    process.send!("ready")
    yield* Effect.never
  })
  process.once("disconnect", () => process.exit())
  Effect.runFork(Effect.scoped(program))
}
