/** `troupe kv`: the replicated store, for Redis clients. */
import { Cluster, ClusterConfig, Http, type Node, replications } from "@troupe/kv"
import { Clock, Config, Console, Effect, Logger, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { isBetween } from "../commands/arguments.ts"
import { CannotRun, Usage } from "../Problem.ts"
import * as ShiftedClock from "../torture/ShiftedClock.ts"

const port = (name: string) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(0, 65_535), () => "a port from 0 to 65535; 0: one that is free"))

const flags = {
  replication: Flag.Literals("replication", replications).pipe(
    Flag.withDescription("How the nodes keep their copies alike"),
    Flag.withDefault("passive")
  ),
  nodes: Flag.Int("nodes").pipe(
    Flag.filter(isBetween(1, 49), () => "a number of nodes from 1 to 49"),
    Flag.withDefault(5)
  ),
  transport: Flag.Literals("transport", ["memory", "tcp"]).pipe(
    Flag.withDescription("memory: by reference. tcp: over the loopback interface. All nodes in this process"),
    Flag.withDefault("memory")
  ),
  data: Flag.String("data").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Where the nodes keep what they must not forget. Without it they keep it in memory"),
    Flag.optional
  ),
  port: port("port").pipe(
    Flag.withDescription("Of the first node, for Redis clients; the others have the following ones"),
    Flag.withDefault(6380)
  ),
  http: port("http").pipe(Flag.withDescription("Of health, metrics and the status page"), Flag.withDefault(8380))
}

const password = Effect.map(
  Effect.orElseSucceed(Config.option(Config.String("TROUPE_KV_PASSWORD")), () => Option.none<string>()),
  (given) => Option.match(given, { onNone: () => ({}), onSome: (password) => ({ password }) })
)

/** The system's, or one whose time of day a test moves. */
const clock = Effect.gen(function* () {
  const file = yield* Effect.orElseSucceed(Config.option(Config.String(ShiftedClock.variable)), () => Option.none())
  return yield* Option.match(file, { onNone: () => Clock.Clock, onSome: ShiftedClock.following })
})

const cannotRun = ({ message }: { readonly message: string }) => new CannotRun({ reason: message })

/** Runs until it is told to stop; then what was read is answered, and what must last is on disk. */
const keepUp = <A, E extends { readonly message: string }, R>(start: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.andThen(Effect.mapError(start, cannotRun), Effect.never)).pipe(
    Effect.provide(Logger.layer([Logger.consoleJson]))
  )

const tell = (nodes: ReadonlyArray<Node.Node>, httpPort: number | undefined) =>
  Effect.gen(function* () {
    for (const { id, server } of nodes) yield* Console.log(`${id}: redis-cli -h ${server.host} -p ${server.port}`)
    if (httpPort !== undefined) yield* Console.log(`status page: http://127.0.0.1:${httpPort}/`)
  })

const node = Command.make(
  "node",
  {
    id: Flag.String("id").pipe(Flag.withDescription("Which of the nodes this process is")),
    config: Flag.String("config").pipe(Flag.withMetavar("FILE"), Flag.withDescription("The cluster, as JSON"))
  },
  Effect.fnUntraced(function* (given) {
    const usage = ({ message }: { readonly message: string }) => new Usage({ reason: message })
    const config = yield* Effect.mapError(ClusterConfig.read(given.config), usage)
    const own = yield* Effect.mapError(ClusterConfig.find(given.config, config, given.id), usage)
    yield* keepUp(
      Effect.gen(function* () {
        const running = yield* Effect.provideService(
          Cluster.startOne(config, own, yield* password),
          Clock.Clock,
          yield* clock
        )
        const host = own.host ?? "127.0.0.1"
        const httpPort = own.http === undefined ? undefined : yield* Http.serve([running], { host, port: own.http })
        yield* tell([running], httpPort)
      })
    )
  })
).pipe(Command.withDescription("Runs one node of a cluster of processes"))

export const kvCommand = Command.make(
  "kv",
  flags,
  Effect.fnUntraced(function* (given) {
    if (given.port > 0 && given.port + given.nodes - 1 > 65_535) {
      return yield* new Usage({
        reason: `--port ${given.port} leaves no ports for ${given.nodes} nodes. Choose a lower one.`
      })
    }
    yield* keepUp(
      Effect.gen(function* () {
        const nodes = yield* Cluster.start({
          replication: given.replication,
          transport: given.transport,
          nodes: given.nodes,
          port: given.port,
          settings: yield* password,
          ...(Option.isSome(given.data) ? { data: given.data.value } : {})
        })
        yield* tell(nodes, yield* Http.serve(nodes, { port: given.http }))
      })
    )
  })
).pipe(
  Command.withDescription(
    "Runs a replicated key–value and lock server that any Redis client is a client of. The password that clients must " +
      "say, if any, is in TROUPE_KV_PASSWORD"
  ),
  Command.withShortDescription("Runs a replicated store for Redis clients"),
  Command.withExamples([
    { command: "troupe kv", description: "Five nodes in this process, then: redis-cli -p 6380" },
    { command: "troupe kv --transport tcp --data ./data", description: "Over TCP, and on disk" },
    { command: "troupe kv node --id n1 --config cluster.json", description: "One node of several processes" }
  ]),
  Command.withSubcommands([node])
)
