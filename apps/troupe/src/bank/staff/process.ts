/** A teller's process: runs until it is killed, or whoever started it is gone. */
import { NodeRuntime } from "@effect/platform-node"
import * as Tcp from "@troupe/transport/Tcp"
import { Effect, Schema } from "effect"
import { teller } from "../Teller.ts"
import { Assignment } from "./processes.ts"

const orphaned = Effect.callback<never>(() => {
  process.on("disconnect", () => process.exit(0))
  if (!process.connected) process.exit(0)
})

NodeRuntime.runMain(
  Effect.gen(function* () {
    const { addresses, crew, self, tellers } = yield* Schema.decodeUnknownEffect(Assignment)(process.argv[2])
    yield* Effect.scoped(teller(tellers, crew)).pipe(
      Effect.provide(Tcp.layer({ self, listen: addresses[self]!, peers: addresses, cluster: "bank" })),
      Effect.raceFirst(orphaned)
    )
  })
)
