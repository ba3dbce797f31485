/** Nodes that run: all of a cluster in one process, or one of them. */
import { MemoryStorage, type Storage, type StorageError } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { type ChannelInUse, Memory, type NodeId, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import type { Replicated } from "@troupe/replication"
import { Context, Effect, Layer, type Scope } from "effect"
import { join } from "node:path"
import type { ClusterConfig, NodeConfig } from "./Config.ts"
import * as Node from "./Node.ts"
import * as Server from "./server/Server.ts"
import type { ServerFailed, Settings } from "./server/Settings.ts"
import { Store } from "./Store.ts"

export interface Options {
  readonly replication: Node.Replication
  readonly transport: "memory" | "tcp"
  readonly nodes: number
  /** A directory of directories, one a node. None: in memory. */
  readonly data?: string
  /** The first node's; those of the others follow. 0: any that are free. */
  readonly port: number
  readonly settings?: Partial<Omit<Settings, "port">>
}

export type StartError =
  | Node.DataRefused
  | StorageError
  | ChannelInUse
  | Replicated.InvalidOptions
  | Memory.NodeUnavailable
  | Tcp.TcpError
  | ServerFailed

type Running<A> = Effect.Effect<A, StartError, Scope.Scope>

const storageOf = (directory: string | undefined): Layer.Layer<Storage, StorageError> =>
  directory === undefined ? MemoryStorage.layer() : Disk.layer({ directory })

/** All nodes in this process. */
export const start = (options: Options): Running<ReadonlyArray<Node.Node>> =>
  Effect.gen(function* () {
    const ids = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`)
    const transports = yield* options.transport === "memory" ? inMemory(ids) : overTcp(ids)
    return yield* Effect.forEach(
      ids,
      (id, index) =>
        startNode(
          { id, cluster: "local", replication: options.replication },
          transports[index]!,
          storageOf(options.data === undefined ? undefined : join(options.data, id)),
          { ...options.settings, port: options.port === 0 ? 0 : options.port + index }
        ),
      { concurrency: "unbounded" }
    )
  })

/** One node of a cluster of processes. */
export const startOne = (
  config: ClusterConfig,
  own: NodeConfig,
  settings: Partial<Settings> = {}
): Running<Node.Node> => {
  const { cluster, nodes, password, replication } = config
  const transport = Tcp.layer({
    self: own.id,
    listen: own.peer,
    peers: Object.fromEntries(nodes.map(({ id, peer }) => [id, peer])),
    cluster
  })
  return startNode({ id: own.id, cluster, replication }, transport, storageOf(own.data), {
    port: own.port,
    ...(own.host === undefined ? {} : { host: own.host }),
    ...(password === undefined ? {} : { password }),
    ...settings
  })
}

const startNode = (
  {
    cluster,
    id,
    replication
  }: { readonly id: string; readonly cluster: string; readonly replication: Node.Replication },
  transport: Layer.Layer<Transport, Memory.NodeUnavailable | Tcp.TcpError>,
  storage: Layer.Layer<Storage, StorageError>,
  settings: Partial<Settings>
): Running<Node.Node> =>
  Effect.gen(function* () {
    const store = Node.layer({ node: id, cluster, replication }).pipe(Layer.provide([transport, storage]))
    const replicated = Context.get(yield* Layer.build(Layer.fresh(store)), Store)
    const server = yield* Server.make(replicated, {
      writesReach: replication === "naive" ? "self" : "all",
      ...settings
    })
    return { id, replicated, server }
  }).pipe(Effect.annotateLogs({ node: id }))

const inMemory = (ids: ReadonlyArray<NodeId.NodeId>) =>
  Effect.sync(() => {
    const network = Memory.network({ nodes: ids })
    return ids.map((id): Layer.Layer<Transport, Memory.NodeUnavailable | Tcp.TcpError> => Memory.layer(network, id))
  })

/** On free ports of the loopback interface, which the nodes tell each other. */
const overTcp = (ids: ReadonlyArray<NodeId.NodeId>) =>
  Effect.gen(function* () {
    const peers = Object.fromEntries(ids.map((id) => [id, null]))
    const made = yield* Effect.forEach(ids, (self) =>
      Tcp.make({ self, listen: "127.0.0.1:0", peers, cluster: "local" })
    )
    for (const [index, { address }] of made.entries()) {
      const other = made.filter((_, at) => at !== index)
      yield* Effect.forEach(other, (each) => each.setAddress(ids[index]!, `${address.host}:${address.port}`))
    }
    return made.map((each) => Layer.succeed(Transport, each))
  })
