/** One node: a replica of the store on a transport and a disk, and the port that Redis clients reach it by. */
import { LocalWrite, Naive, Passive, Quorum, type Replicated } from "@troupe/replication"
import { Storage, type StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { flushing } from "./KeyByKey.ts"
import type { Request, Response } from "./KeyspaceMachine.ts"
import type { Server } from "./server/Server.ts"
import { Store } from "./Store.ts"

/** A node that runs. */
export interface Node {
  readonly id: string
  readonly replicated: Replicated.Replicated<Request, Response>
  readonly server: Server
}

export const replications = ["passive", "local-write", "quorum", "naive"] as const
export type Replication = (typeof replications)[number]

type ReplicationError = StorageError | ChannelInUse | Replicated.InvalidOptions
export type StoreError = DataRefused | ReplicationError

/** Of quorum replication. `writeQuorum` and `readQuorum` together are more than the nodes. */
export type QuorumOptions = Pick<Quorum.LayerOptions, "readQuorum" | "writeQuorum" | "writeBack">

type Layers = Layer.Layer<Store, ReplicationError, Transport | Storage>

const quorum = (options: QuorumOptions): Layers =>
  Layer.effect(
    Store,
    Effect.map(Layer.build(Quorum.layer(Store, options)), (context) => flushing(Context.get(context, Store)))
  )

const layerOf = ({ quorum: options = {}, replication }: Own): Layers => {
  switch (replication) {
    case "passive":
      return Passive.layer(Store)
    case "local-write":
      return LocalWrite.layer(Store)
    case "quorum":
      return quorum(options)
    case "naive":
      return Naive.layer(Store)
  }
}

/** Whose data it is, what wrote it, and in which form. */
const Identity = Schema.Struct({
  format: Schema.Int,
  cluster: Schema.String,
  node: Schema.String,
  replication: Schema.String
})
export type Identity = typeof Identity.Type

/** Of what the keyspace keeps on disk. Another one is refused, not guessed at. */
export const format = 2

/** The data is another cluster's, another node's, or of a form that this version doesn't know. Nothing was changed. */
export class DataRefused extends Schema.TaggedError<DataRefused>()("DataRefused", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} does not start on this data directory: ${this.reason}. Nothing was changed.`
  }
}

const codec = Schema.fromJsonString(Identity)

/** Marks new data as its own, and refuses another's. */
const identify = (own: Identity): Effect.Effect<void, DataRefused | StorageError, Storage> =>
  Effect.scoped(
    Effect.gen(function* () {
      const cell = yield* (yield* Storage).cell("kv/identity")
      const bytes = yield* cell.get
      if (bytes === undefined) return yield* cell.set(new TextEncoder().encode(JSON.stringify(own)))
      const refuse = (reason: string) => new DataRefused({ node: own.node, reason })
      const found = yield* Effect.mapError(Schema.decodeEffect(codec)(new TextDecoder().decode(bytes)), () =>
        refuse("it does not say whose it is")
      )
      if (found.format !== format)
        return yield* refuse(`its format is ${found.format}, and this version knows ${format}`)
      for (const what of ["cluster", "node", "replication"] as const) {
        if (found[what] !== own[what]) return yield* refuse(`its ${what} is "${found[what]}", not "${own[what]}"`)
      }
    })
  )

/** A node of a cluster. */
export interface Own {
  readonly node: string
  readonly cluster: string
  readonly replication: Replication
  readonly quorum?: QuorumOptions
}

/** What one quorum wrote another one may not read: data of other quorums is refused. */
const writtenBy = ({ quorum, replication }: Own): string => {
  const { readQuorum: read, writeQuorum: write } = quorum ?? {}
  return read === undefined && write === undefined
    ? replication
    : `${replication} (R = ${read ?? "majority"}, W = ${write ?? "majority"})`
}

/** The store of one node. */
export const layer = (own: Own): Layer.Layer<Store, StoreError, Transport | Storage> => {
  const { cluster, node } = own
  return Layer.unwrap(Effect.as(identify({ format, cluster, node, replication: writtenBy(own) }), layerOf(own)))
}
