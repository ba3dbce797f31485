/** A process with a node `n2` that answers every word with its process id. Says its port, and lives until it is killed. */
import { Channel } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { Effect, Schema } from "effect"
import { key } from "./udpSupport.ts"

const Words = Channel.make("words", Schema.String)

const echo = Effect.gen(function* () {
  const keys = yield* Udp.keyRing([key(1)])
  const node = yield* Udp.make({ self: "n2", listen: "127.0.0.1:0", keys })
  const send = yield* node.open(Words, (from, word) => send(from, `${word} ${process.pid}`))
  process.on("disconnect", () => process.exit(0))
  process.send!(node.address.port)
  yield* Effect.never
})

await Effect.runPromise(Effect.scoped(echo))
