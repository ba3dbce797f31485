/** A thread of the benchmark's server. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { ServerWorker } from "@troupe/actor"
import { Effect } from "effect"
import { handlers, Work } from "./servers.ts"

Effect.runFork(Effect.provide(ServerWorker.run(Work, handlers), NodeWorkerRunner.layer))
