/** A store of so many nodes in one process, on the memory transport, nothing on disk. Tells its port. */
import { Effect, Logger } from "effect"
import * as Cluster from "../src/Cluster.ts"

const nodes = Number(process.argv[2])

const program = Effect.gen(function* () {
  const started = yield* Cluster.start({ replication: "passive", transport: "memory", nodes, port: 0 })
  process.send!(started[0]!.server.port)
  return yield* Effect.never
})

await Effect.runPromise(Effect.scoped(Effect.provide(program, Logger.layer([]))))
