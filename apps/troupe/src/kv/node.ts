/** `troupe kv node`: one node of a cluster, a process of its own. */
import { Cluster, ClusterConfig, Http } from "@troupe/kv"
import { Clock, Config, Effect, Option } from "effect"
import { Command } from "effect/cli"
import { keepUp, oneOf, usage } from "../commands/serving.ts"
import { screen } from "../terminal/Screen.ts"
import * as ShiftedClock from "../torture/ShiftedClock.ts"
import { tell } from "./serving.ts"
import { password, readPair, readPeerTls } from "./settings.ts"

/** The system's, or one whose time of day `troupe torture` moves. */
const clock = Effect.gen(function* () {
  const file = yield* Effect.orElseSucceed(Config.option(Config.String(ShiftedClock.variable)), () => Option.none())
  return yield* Option.match(file, { onNone: () => Clock.Clock, onSome: ShiftedClock.following })
})

export const node = Command.make(
  "node",
  oneOf("cluster"),
  Effect.fnUntraced(function* (given) {
    const config = yield* Effect.mapError(ClusterConfig.read(given.config), usage)
    const own = yield* Effect.mapError(ClusterConfig.find(given.config, config, given.id), usage)
    const files = own.tls ?? config.tls
    const tls = files === undefined ? {} : { tls: yield* readPair(files, "tls.cert", "tls.key") }
    const peerTls = own.peerTls === undefined ? undefined : yield* readPeerTls(own.peerTls)
    const settings = { ...(yield* password), ...tls }
    yield* keepUp(
      Effect.gen(function* () {
        const running = yield* Effect.provideService(
          Cluster.startOne(config, own, settings, peerTls),
          Clock.Clock,
          yield* clock
        )
        const host = own.host ?? "127.0.0.1"
        const http = own.http === undefined ? undefined : yield* Http.serve(() => [running], { host, port: own.http })
        yield* tell(
          {
            title: `${own.id} of ${config.cluster}: ${config.nodes.length} nodes, ${config.replication} replication.`,
            nodes: [running],
            status: http === undefined ? undefined : `http://${host}:${http}/`,
            isTls: files !== undefined,
            hasPassword: settings.password !== undefined || config.password !== undefined
          },
          yield* screen
        )
      })
    )
  })
).pipe(
  Command.withDescription(
    "Runs one node of a cluster of processes, on one machine or several. The file says which nodes there are:\n\n" +
      '{ "cluster": "shop", "replication": "passive", "nodes": [\n' +
      '  { "id": "n1", "peer": "10.0.0.1:7001", "port": 6380, "http": 8380, "data": "./data" },\n' +
      '  { "id": "n2", "peer": "10.0.0.2:7001", "port": 6380, "http": 8380, "data": "./data" },\n' +
      '  { "id": "n3", "peer": "10.0.0.3:7001", "port": 6380, "http": 8380, "data": "./data" } ] }\n\n' +
      'peer: where the others reach it. port, host: for Redis clients. Besides, for all: "password" (or TROUPE_KV_PASSWORD), ' +
      '"tls": {"cert", "key"}, "limits": {"maxClients", …}; for a node: "tls", and "peerTls": {"cert", "key", "ca"}, by which ' +
      "nodes know each other. A node may be started before the others: it serves as soon as a majority is up"
  ),
  Command.withShortDescription("Runs one node of a cluster of processes"),
  Command.withExamples([
    {
      command: "troupe kv node --id n1 --config cluster.json",
      description: "On the first machine; n2, n3 on the others"
    }
  ])
)
