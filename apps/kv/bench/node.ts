/** One node of a cluster of processes, as its configuration file says. Tells when its port is open, and its heap when it is asked. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Logger } from "effect"
import * as Cluster from "../src/Cluster.ts"
import * as Config from "../src/Config.ts"

const [file, id] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const config = yield* Config.read(file!)
  yield* Cluster.startOne(config, yield* Config.find(file!, config, id!))
  process.on("message", () => {
    globalThis.gc?.()
    process.send?.(process.memoryUsage().heapUsed)
  })
  process.send?.("open")
  return yield* Effect.never
})

await Effect.runPromise(Effect.scoped(Effect.provide(program, [NodeServices.layer, Logger.layer([])])))
