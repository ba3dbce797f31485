/** A thread of the kitchen. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { ServerWorker } from "@troupe/actor"
import { Effect } from "effect"
import { handlers, Kitchen } from "./kitchen.ts"

Effect.runFork(Effect.provide(ServerWorker.run(Kitchen, handlers), NodeWorkerRunner.layer))
