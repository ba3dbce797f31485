/** Nodes that run: all of a cluster in one process, or one of them. */
import { MemoryStorage, type Storage, type StorageError } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { Memory, type NodeId, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Layer, Scope } from "effect"
import { join } from "node:path"
import type { ClusterConfig, NodeConfig } from "./Config.ts"
import * as Node from "./Node.ts"
import * as Server from "./server/Server.ts"
import type { ServerFailed, Settings } from "./server/Settings.ts"
import { Store } from "./Store.ts"

export interface Options {
  readonly replication: Node.Replication
  readonly quorum?: Node.QuorumOptions
  readonly transport: "memory" | "tcp"
  readonly nodes: number
  /** A directory of directories, one a node. None: in memory. */
  readonly data?: string
  /** The first node's; those of the others follow. 0: any that are free. */
  readonly port: number
  readonly settings?: Partial<Omit<Settings, "port">>
}

export type StartError = Node.StoreError | Memory.NodeUnavailable | Tcp.TcpError | ServerFailed

type Running<A> = Effect.Effect<A, StartError, Scope.Scope>

const storageOf = (directory: string | undefined): Layer.Layer<Storage, StorageError> =>
  directory === undefined ? MemoryStorage.layer() : Disk.layer({ directory })

/** All nodes in this process. */
export const start = (options: Options): Running<ReadonlyArray<Node.Node>> =>
  Effect.gen(function* () {
    const ids = namesOf(options.nodes)
    const transports = yield* options.transport === "memory" ? inMemory(ids) : overTcp(ids)
    const replicas = yield* Effect.forEach(
      ids,
      (id, index) => {
        const directory = options.data === undefined ? undefined : join(options.data, id)
        const { quorum = {}, replication } = options
        return startReplica({ id, replication, quorum }, transports[index]!, storageOf(directory))
      },
      { concurrency: "unbounded" }
    )
    // What a server has read it answers with the help of all replicas: all servers are done before any of these ends.
    const scope = yield* Effect.scope
    const doors = yield* Scope.fork(scope, "parallel")
    return yield* Effect.forEach(
      replicas,
      (replica, index) =>
        openTo(replica, options.replication, {
          ...options.settings,
          port: options.port === 0 ? 0 : options.port + index
        }),
      { concurrency: "unbounded" }
    ).pipe(Scope.provide(doors))
  })

/** Names of the nodes of a cluster that has no configuration: `n1` and so on. */
export const namesOf = (nodes: number): ReadonlyArray<string> =>
  Array.from({ length: nodes }, (_, index) => `n${index + 1}`)

/** One node of a cluster of processes. */
export const startOne = (
  config: ClusterConfig,
  own: NodeConfig,
  settings: Partial<Settings> = {},
  peerTls?: Tcp.TlsOptions
): Running<Node.Node> => {
  const { cluster, nodes, password, quorum = {}, replication } = config
  const transport = Tcp.layer({
    self: own.id,
    listen: own.peer,
    peers: Object.fromEntries(nodes.map(({ id, peer }) => [id, peer])),
    cluster,
    ...(peerTls === undefined ? {} : { tls: peerTls })
  })
  return startNode({ id: own.id, cluster, replication, quorum }, transport, storageOf(own.data), {
    port: own.port,
    ...(own.host === undefined ? {} : { host: own.host }),
    ...(password === undefined ? {} : { password }),
    ...config.limits,
    ...settings
  })
}

interface Own {
  readonly id: string
  /** Default: `local`. */
  readonly cluster?: string
  readonly replication: Node.Replication
  readonly quorum?: Node.QuorumOptions
}

/** A replica with its server, on a transport and a storage of one's own. */
export const startNode = <E1, E2>(
  own: Own,
  transport: Layer.Layer<Transport, E1>,
  storage: Layer.Layer<Storage, E2>,
  settings: Partial<Settings>
): Effect.Effect<Node.Node, Node.StoreError | ServerFailed | E1 | E2, Scope.Scope> =>
  Effect.flatMap(startReplica(own, transport, storage), (replica) => openTo(replica, own.replication, settings))

type Replica = Node.Node["replicated"]

/** A replica alone, without a port. */
export const startReplica = <E1, E2>(
  { cluster = "local", id, quorum = {}, replication }: Own,
  transport: Layer.Layer<Transport, E1>,
  storage: Layer.Layer<Storage, E2>
): Effect.Effect<Replica, Node.StoreError | E1 | E2, Scope.Scope> => {
  const store = Node.layer({ node: id, cluster, replication, quorum }).pipe(Layer.provide([transport, storage]))
  return Effect.map(Layer.build(Layer.fresh(store)), (context) => Context.get(context, Store)).pipe(
    Effect.annotateLogs({ node: id })
  )
}

/** The port of a replica for Redis clients. */
export const openTo = (
  replicated: Replica,
  replication: Node.Replication,
  settings: Partial<Settings>
): Effect.Effect<Node.Node, ServerFailed, Scope.Scope> =>
  Effect.map(
    Server.make(replicated, {
      writesReach: replication === "naive" ? "self" : "majority",
      writes: replication === "quorum" ? "apart" : "together",
      ...settings
    }),
    (server) => ({ id: replicated.self, replicated, server })
  ).pipe(Effect.annotateLogs({ node: replicated.self }))

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
