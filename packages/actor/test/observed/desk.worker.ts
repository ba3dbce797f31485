/** A thread of the desk. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { ServerWorker } from "@troupe/actor"
import { Effect } from "effect"
import { Desk, handlers } from "./desk.ts"

Effect.runFork(Effect.provide(ServerWorker.run(Desk, handlers), NodeWorkerRunner.layer))
