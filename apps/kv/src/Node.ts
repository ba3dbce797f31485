/** One node: a replica of the store on a transport and a disk, and the port that Redis clients reach it by. */
import { LocalWrite, Naive, Passive, type Replicated } from "@troupe/replication"
import { Storage, type StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import type { Request, Response } from "./KeyspaceMachine.ts"
import type { Server } from "./server/Server.ts"
import { Store } from "./Store.ts"

/** A node that runs. */
export interface Node {
  readonly id: string
  readonly replicated: Replicated.Replicated<Request, Response>
  readonly server: Server
}

export const replications = ["passive", "local-write", "naive"] as const
export type Replication = (typeof replications)[number]

type ReplicationError = StorageError | ChannelInUse | Replicated.InvalidOptions
export type StoreError = DataRefused | ReplicationError

const layers: Readonly<Record<Replication, Layer.Layer<Store, ReplicationError, Transport | Storage>>> = {
  passive: Passive.layer(Store),
  "local-write": LocalWrite.layer(Store),
  naive: Naive.layer(Store)
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

/** The store of one node. */
export const layer = (
  own: Omit<Identity, "format"> & { readonly replication: Replication }
): Layer.Layer<Store, StoreError, Transport | Storage> =>
  Layer.unwrap(Effect.as(identify({ format, ...own }), layers[own.replication]))
