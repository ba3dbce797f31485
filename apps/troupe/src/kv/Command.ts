/** `troupe kv`: the replicated store, for Redis clients. */
import { Cluster, ClusterConfig, Http, type Node, replications, Settings } from "@troupe/kv"
import { Clock, Config, Effect, type FileSystem, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { checkWritable, isBetween } from "../commands/arguments.ts"
import { Usage } from "../Problem.ts"
import { screen } from "../terminal/Screen.ts"
import * as ShiftedClock from "../torture/ShiftedClock.ts"
import { awaitReady, keepUp, tell } from "./serving.ts"

const port = (name: string) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(0, 65_535), () => "a port from 0 to 65535; 0: one that is free"))

/** Of a bound of the server's. */
const limit = (name: string, setting: keyof typeof Settings.ranges, what: string, unit = 1) => {
  const [least, most] = Settings.ranges[setting]
  const [from, to] = [Math.ceil(least / unit), Math.floor(most / unit)]
  return Flag.Int(name).pipe(
    Flag.filter(isBetween(from, to), () => `a whole number from ${from} to ${to}`),
    Flag.withDescription(`${what}. Default: ${Settings.defaults[setting] / unit}`),
    Flag.optional
  )
}

const limits = {
  maxClients: limit("max-clients", "maxClients", "Clients of a node; one more is told so, and closed"),
  maxValue: limit("max-value", "maxValueBytes", "Bytes of a key or value; who sends a longer one is closed"),
  maxPipeline: limit(
    "max-pipeline",
    "maxPipeline",
    "Commands of a client that wait for their turn; beyond it no more are read until there are fewer"
  ),
  maxOutput: limit(
    "max-output",
    "maxOutputBytes",
    "Bytes of replies that a client has not taken; beyond it it is closed"
  ),
  slowReader: limit(
    "slow-reader-seconds",
    "slowReaderMillis",
    "How long a client may take none of the replies that wait for it",
    1000
  ),
  idle: limit("idle-seconds", "idleMillis", "How long a client may say nothing; 0: for ever", 1000)
}

/** `--nodes` at the most. */
const mostNodes = 49

const votes = (name: string, what: string) =>
  Flag.Int(name).pipe(
    Flag.filter(isBetween(1, mostNodes), () => `a number of nodes from 1 to ${mostNodes}`),
    Flag.withDescription(`With --replication quorum: how many nodes ${what}. Default: a majority`),
    Flag.optional
  )

const quorum = {
  readQuorum: votes("read-quorum", "a read asks for"),
  writeQuorum: votes("write-quorum", "must have a change before it is answered"),
  noWriteBack: Flag.Boolean("no-write-back").pipe(
    Flag.withDescription(
      "With --replication quorum: answer a read though fewer nodes than a write needs have what it answers; a later read may " +
        "answer what was before"
    ),
    Flag.withDefault(false)
  )
}

const flags = {
  replication: Flag.Literals("replication", replications).pipe(
    Flag.withDescription("How the nodes keep their copies alike"),
    Flag.withDefault("passive")
  ),
  ...quorum,
  nodes: Flag.Int("nodes").pipe(
    Flag.filter(isBetween(1, mostNodes), () => `a number of nodes from 1 to ${mostNodes}`),
    Flag.withDescription("How many nodes there are. Default: 5"),
    Flag.withDefault(5)
  ),
  transport: Flag.Literals("transport", ["memory", "tcp", "sim"]).pipe(
    Flag.withDescription(
      "memory: by reference. tcp: over the loopback interface. All nodes are in this process; for one a process see " +
        "`troupe kv node --help`. sim: no server, but a trial in a simulated world, on virtual time"
    ),
    Flag.withDefault("memory")
  ),
  data: Flag.String("data").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Where the nodes keep what they must not forget. Without it they keep it in memory"),
    Flag.optional
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("What to listen on. Default: 127.0.0.1; any other needs a password"),
    Flag.optional
  ),
  port: port("port").pipe(
    Flag.withDescription("Of the first node, for Redis clients; the others have the following ones. Default: 6380"),
    Flag.optional
  ),
  http: port("http").pipe(Flag.withDescription("Of health, metrics and the status page. Default: 8380"), Flag.optional),
  tlsCert: Flag.String("tls-cert").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("A certificate in PEM, with --tls-key: then Redis clients must speak TLS"),
    Flag.optional
  ),
  tlsKey: Flag.String("tls-key").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("The certificate's key, in PEM"),
    Flag.optional
  ),
  ...limits,
  demo: Flag.Boolean("demo").pipe(
    Flag.withDescription(
      "Keep the store busy, kill nodes and cut the network for some seconds, and end with the verdict: exits with 0 when " +
        "what clients saw is consistent, and with 1 when it is not"
    ),
    Flag.withDefault(false)
  ),
  seconds: Flag.Int("seconds").pipe(
    Flag.filter(isBetween(2, 3600), () => "a number of seconds from 2 to 3600"),
    Flag.withDescription("How long a trial takes. Default: 15 with --demo, 60 with --transport sim"),
    Flag.optional
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription(
      "Of a trial: draws what happens. With --transport sim the same seed gives the same run. Default: 1"
    ),
    Flag.optional
  ),
  faults: Flag.Literals("faults", ["none", "lossy", "crash", "partition", "chaos"]).pipe(
    Flag.withDescription("With --transport sim: what goes wrong. Default: chaos"),
    Flag.optional
  ),
  history: Flag.String("history").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Of a trial: keep what clients saw, for `troupe verify`"),
    Flag.optional
  )
}

type Given = {
  readonly [Name in keyof typeof flags]: (typeof flags)[Name] extends Flag.Flag<infer A> ? A : never
}

const password = Effect.map(
  Effect.orElseSucceed(Config.option(Config.String("TROUPE_KV_PASSWORD")), () => Option.none<string>()),
  (given) => Option.match(given, { onNone: () => ({}), onSome: (password) => ({ password }) })
)

const usage = ({ message }: { readonly message: string }) => new Usage({ reason: message })

type Files<A> = Effect.Effect<A, Usage, FileSystem.FileSystem>

// ------------------------------------------------------------------------------------------------------------ the store

const ifGiven = <A>(given: Option.Option<A>, name: string): Readonly<Record<string, A>> =>
  Option.match(given, { onNone: () => ({}), onSome: (value) => ({ [name]: value }) })

const timesThousand = Option.map((seconds: number) => seconds * 1000)

const settingsOf = (given: Given): Files<Partial<Settings.Settings>> =>
  Effect.gen(function* () {
    const { tlsCert: cert, tlsKey: key } = given
    if (Option.isSome(cert) !== Option.isSome(key)) {
      const [there, lacks] = Option.isSome(cert) ? ["--tls-cert", "--tls-key"] : ["--tls-key", "--tls-cert"]
      return yield* new Usage({ reason: `${there} needs ${lacks}: a certificate and its own key, in PEM.` })
    }
    const tls =
      Option.isSome(cert) && Option.isSome(key)
        ? { tls: yield* readPair({ cert: cert.value, key: key.value }, "--tls-cert", "--tls-key") }
        : {}
    return {
      ...(yield* password),
      ...ifGiven(given.host, "host"),
      ...tls,
      ...ifGiven(given.maxClients, "maxClients"),
      ...ifGiven(given.maxValue, "maxValueBytes"),
      ...ifGiven(given.maxPipeline, "maxPipeline"),
      ...ifGiven(given.maxOutput, "maxOutputBytes"),
      ...ifGiven(timesThousand(given.slowReader), "slowReaderMillis"),
      ...ifGiven(timesThousand(given.idle), "idleMillis")
    }
  })

const readPair = (
  files: { readonly cert: string; readonly key: string },
  certName: string,
  keyName: string
): Files<{ readonly cert: string; readonly key: string }> =>
  Effect.mapError(
    Effect.all({
      cert: ClusterConfig.readPem(certName, files.cert),
      key: ClusterConfig.readPem(keyName, files.key)
    }),
    usage
  )

const quorumOf = ({ noWriteBack, readQuorum, writeQuorum }: Given): Node.QuorumOptions => ({
  ...ifGiven(readQuorum, "readQuorum"),
  ...ifGiven(writeQuorum, "writeQuorum"),
  ...(noWriteBack ? { writeBack: false } : {})
})

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

// ------------------------------------------------------------------------------------------------------------ on trial

/** What only one of the forms of the command takes, and where it does. */
const misplaced = (given: Given): string | undefined => {
  const isSim = given.transport === "sim"
  const isTrial = isSim || given.demo
  const some = (names: ReadonlyArray<readonly [string, Option.Option<unknown>]>): string | undefined =>
    names.find(([, value]) => Option.isSome(value))?.[0]
  if (given.demo && given.transport !== "memory") {
    return isSim
      ? "--demo: with --transport sim a trial it is anyway, on virtual time. Leave --demo out."
      : "--demo: it kills nodes and cuts the network in this process, which takes --transport memory."
  }
  if (given.replication !== "quorum") {
    const ofQuorum = given.noWriteBack
      ? "no-write-back"
      : some([
          ["read-quorum", given.readQuorum],
          ["write-quorum", given.writeQuorum]
        ])
    if (ofQuorum !== undefined) return `--${ofQuorum}: there are no quorums to it. Add --replication quorum.`
  }
  const ofTrial = some([
    ["seconds", given.seconds],
    ["seed", given.seed],
    ["history", given.history]
  ])
  if (ofTrial !== undefined && !isTrial) return `--${ofTrial}: it is for trials. Add --demo, or --transport sim.`
  if (Option.isSome(given.faults) && !isSim) return "--faults: they are simulated. Add --transport sim."
  const ofServer = some([
    ["data", given.data],
    ["host", given.host],
    ["tls-cert", given.tlsCert],
    ["tls-key", given.tlsKey],
    ["max-clients", given.maxClients],
    ["max-value", given.maxValue],
    ["max-pipeline", given.maxPipeline],
    ["max-output", given.maxOutput],
    ["slow-reader-seconds", given.slowReader],
    ["idle-seconds", given.idle],
    ...(isSim
      ? ([
          ["port", given.port],
          ["http", given.http]
        ] as const)
      : [])
  ])
  return ofServer !== undefined && isTrial
    ? `--${ofServer}: a trial has disks and clients of its own. Leave it out.`
    : undefined
}

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

// --------------------------------------------------------------------------------------------------- one node a process

/** The system's, or one whose time of day `troupe torture` moves. */
const clock = Effect.gen(function* () {
  const file = yield* Effect.orElseSucceed(Config.option(Config.String(ShiftedClock.variable)), () => Option.none())
  return yield* Option.match(file, { onNone: () => Clock.Clock, onSome: ShiftedClock.following })
})

const node = Command.make(
  "node",
  {
    id: Flag.String("id").pipe(Flag.withDescription("Which of the nodes this process is")),
    config: Flag.String("config").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("The cluster, as JSON; every process reads the same")
    )
  },
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

const readPeerTls = (files: { readonly cert: string; readonly key: string; readonly ca: string }) =>
  Effect.gen(function* () {
    const pair = yield* readPair(files, "peerTls.cert", "peerTls.key")
    return { ...pair, ca: yield* Effect.mapError(ClusterConfig.readPem("peerTls.ca", files.ca), usage) }
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
