/** `troupe kv`: the replicated store, for Redis clients. */
import { Cluster, Http } from "@troupe/kv"
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import { checkWritable } from "../commands/arguments.ts"
import { keepUp } from "../commands/serving.ts"
import { Usage } from "../Problem.ts"
import { screen } from "../terminal/Screen.ts"
import { flags, type Given, misplaced, quorumOf } from "./flags.ts"
import { node } from "./node.ts"
import { awaitReady, tell } from "./serving.ts"
import { settingsOf } from "./settings.ts"

const defaultPort = 6380
const defaultHttp = 8380

const serve = (given: Given) =>
  Effect.gen(function* () {
    const first = Option.getOrElse(given.port, () => defaultPort)
    if (first > 0 && first + given.nodes - 1 > 65_535) {
      return yield* new Usage({
        reason: `--port ${first} leaves no ports for ${given.nodes} nodes. Choose a lower one.`
      })
    }
    const { nodes: count, replication } = given
    const transport = given.transport === "tcp" ? "tcp" : "memory"
    const settings = yield* settingsOf(given)
    const data = Option.getOrUndefined(given.data)
    yield* keepUp(
      Effect.gen(function* () {
        const nodes = yield* Cluster.start({
          replication,
          quorum: quorumOf(given),
          transport,
          nodes: count,
          port: first,
          settings,
          ...(data === undefined ? {} : { data })
        })
        const host = settings.host ?? "127.0.0.1"
        const http = yield* Http.serve(() => nodes, { host, port: Option.getOrElse(given.http, () => defaultHttp) })
        yield* awaitReady(nodes)
        const where = data === undefined ? "in memory" : `on disk in ${data}`
        const over = transport === "tcp" ? ", over TCP" : ""
        yield* tell(
          {
            title: `A replicated store: ${count} nodes in this process${over}, ${replication} replication, ${where}.`,
            nodes,
            status: `http://${host}:${http}/`,
            isTls: settings.tls !== undefined,
            hasPassword: settings.password !== undefined
          },
          yield* screen
        )
      })
    )
  })

const tryOut = (given: Given) =>
  Effect.gen(function* () {
    const history = Option.getOrUndefined(given.history)
    if (history !== undefined && history !== "-") yield* checkWritable(history, "--history")
    // The checkers and the simulator are read only where they are needed.
    const { demonstrate, simulate } = yield* Effect.promise(() => import("./trial/trials.ts"))
    const trial = {
      replication: given.replication,
      quorum: quorumOf(given),
      nodes: given.nodes,
      seed: Option.getOrElse(given.seed, () => 1),
      history
    }
    const seconds = (otherwise: number): number => Option.getOrElse(given.seconds, () => otherwise)
    if (given.transport === "sim") {
      return yield* simulate({
        ...trial,
        seconds: seconds(60),
        faults: Option.getOrElse(given.faults, () => "chaos" as const)
      })
    }
    const free = () => 0
    const [port, http] = [Option.getOrElse(given.port, free), Option.getOrElse(given.http, free)]
    yield* demonstrate({ ...trial, seconds: seconds(15), port, http })
  })

export const kvCommand = Command.make(
  "kv",
  flags,
  Effect.fnUntraced(function* (given) {
    const wrong = misplaced(given)
    if (wrong !== undefined) return yield* new Usage({ reason: wrong })
    if (given.demo || given.transport === "sim") yield* tryOut(given)
    else yield* serve(given)
  })
).pipe(
  Command.withDescription(
    "Runs a replicated key–value and lock server that any Redis client is a client of: all its nodes in this process, each " +
      "with a port of its own. The password that clients must say, if any, is in TROUPE_KV_PASSWORD. SIGTERM, or Ctrl-C, lets " +
      "it answer what it has read, and ends it"
  ),
  Command.withShortDescription("Runs a replicated store for Redis clients"),
  Command.withExamples([
    { command: "troupe kv", description: "Five nodes in this process, then: redis-cli -p 6380" },
    { command: "troupe kv --transport tcp --data ./data", description: "Over TCP, and on disk" },
    { command: "troupe kv --demo", description: "Clients at work while nodes are killed and the network is cut" },
    {
      command: "troupe kv --transport sim --faults chaos --seed 7",
      description: "The same on virtual time, done at once"
    },
    { command: "troupe kv --tls-cert cert.pem --tls-key key.pem", description: "For clients that speak TLS" },
    { command: "troupe kv node --id n1 --config cluster.json", description: "One node of several processes" }
  ]),
  Command.withSubcommands([node])
)
