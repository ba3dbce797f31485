/**
 * A store's nodes in this process, in the hands of a trial: each can be killed and started again, and the network between
 * them cut. A kill is as `kill -9`: what was not on its disk is gone. The disks are simulated, and outlive it.
 */
import { Cluster, type Node, type Replication } from "@troupe/kv"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Exit, Layer, Scope } from "effect"

export interface Household {
  readonly ids: ReadonlyArray<string>
  /** Those that are up. */
  readonly nodes: ReadonlyMap<string, Node.Node>
  /** Where each is reached, or was. */
  readonly addresses: ReadonlyMap<string, { readonly host: string; readonly port: number }>
  readonly start: (id: string) => Effect.Effect<void, Cluster.StartError>
  readonly kill: (id: string) => Effect.Effect<void>
  /** Loses what is sent between these and the others, until `heal`. */
  readonly cutOff: (side: ReadonlyArray<string>) => void
  readonly heal: () => void
  readonly isCutOff: (id: string) => boolean
}

/** From a start to a kill. */
interface Life {
  readonly node: Node.Node
  readonly replica: Scope.Closeable
  readonly wire: Scope.Closeable
  readonly door: Scope.Closeable
}

/** All nodes up, for as long as the scope lives. */
export const make = (options: {
  readonly nodes: number
  readonly replication: Replication
  readonly quorum?: Node.QuorumOptions
  readonly seed: number
  /** Of the first node, and the others after it; 0: any. */
  readonly port: number
}): Effect.Effect<Household, Cluster.StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const { quorum = {}, replication, seed } = options
    const ids = Cluster.namesOf(options.nodes)
    const network = Memory.network({ nodes: ids })
    const disks = SimulatedDisk.make({ seed })
    const lives = new Map<string, Life>()
    const nodes = new Map<string, Node.Node>()
    const addresses = new Map<string, { readonly host: string; readonly port: number }>()
    /** Replicas of nodes that were killed, which nobody hears any more. */
    const dead = new Map<string, Scope.Closeable>()
    let side: ReadonlySet<string> = new Set()
    const isCut = (from: string, to: string): boolean => side.has(from) !== side.has(to)

    const start = (id: string): Effect.Effect<void, Cluster.StartError> =>
      Effect.gen(function* () {
        const wire = yield* Scope.make()
        const replica = yield* Scope.make()
        const door = yield* Scope.make()
        const transport = cuttable(yield* Scope.provide(Memory.connect(network, id), wire), isCut)
        const replicated = yield* Cluster.startReplica(
          { id, replication, quorum },
          Layer.succeed(Transport, transport),
          disks.disk(id).layer
        ).pipe(Scope.provide(replica))
        // Its disk has begun a new life: what the last one still wants of it is never answered.
        const before = dead.get(id)
        if (before !== undefined) yield* Effect.forkDetach(Scope.close(before, Exit.void))
        dead.delete(id)
        const port = addresses.get(id)?.port ?? (options.port === 0 ? 0 : options.port + ids.indexOf(id))
        const node = yield* Scope.provide(Cluster.openTo(replicated, replication, { port, drainMillis: 0 }), door)
        addresses.set(id, { host: node.server.host, port: node.server.port })
        lives.set(id, { node, replica, wire, door })
        nodes.set(id, node)
      })

    const kill = (id: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const life = lives.get(id)
        if (life === undefined) return Effect.void
        lives.delete(id)
        nodes.delete(id)
        const disk = disks.disk(id)
        disk.crashAt = disk.operations
        dead.set(id, life.replica)
        return Effect.andThen(Scope.close(life.wire, Exit.void), Scope.close(life.door, Exit.void))
      })

    const stop = Effect.gen(function* () {
      const scopes = [...lives.values()].map(({ door }) => door)
      const replicas = [...lives.values()].map(({ replica }) => replica)
      yield* Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { concurrency: "unbounded" })
      yield* Effect.forEach(replicas, (scope) => Scope.close(scope, Exit.void), { concurrency: "unbounded" })
      // Of who is dead the disk answers nobody.
      for (const scope of dead.values()) yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      for (const { wire } of lives.values()) yield* Scope.close(wire, Exit.void)
    })
    yield* Effect.addFinalizer(() => stop)
    yield* Effect.forEach(ids, start, { concurrency: "unbounded", discard: true })
    return {
      ids,
      nodes,
      addresses,
      start,
      kill,
      cutOff: (nodes) => (side = new Set(nodes)),
      heal: () => (side = new Set()),
      isCutOff: (id) => side.has(id)
    }
  })

const cuttable = (
  transport: Transport["Service"],
  isCut: (from: string, to: string) => boolean
): Transport["Service"] => ({
  ...transport,
  open: (channel, receive) =>
    Effect.map(transport.open(channel, receive), (send) => (to, message) => {
      if (!isCut(transport.self, to)) send(to, message)
    })
})
