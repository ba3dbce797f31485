/** The replicated keyspace, as a service: each way to replicate is a layer for it. */
import { Replicated } from "@troupe/replication"
import { machine } from "./KeyspaceMachine.ts"

export class Store extends Replicated.Service<Store>()("@troupe/kv/Store", machine) {}
